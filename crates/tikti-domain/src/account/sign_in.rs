//! Signs a user in with e-mail address and password.
//!
//! An unknown address, a wrong password and a suspended user with a wrong password take the same
//! path, the same time and the same reply, also when there were too many of them; what is special
//! about an account is told only after the right password. How the session begins is in
//! `begin_session`, which repeats the checks.
//!
//! Spec: HTTP API, Identity, `signIn`, "Tenant context at sign-in"; Domain, rule 7; Operations, "Rate
//! limits".

use secrecy::SecretString;

use super::begin_session::{Beginning, Begun, Proof, SignedIn, begin_session};
use super::known_networks::{KnownNetworks, Whence};
use super::sign_in_context::{Context, Wanted, resolve_context};
use crate::api_key::KeyScope;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ClientId, TenantRef};
use crate::keyspace;
use crate::limits::Attempt;
use crate::network::Network;
use crate::password::Match;
use crate::reads::Reads;
use crate::record::Record;
use crate::user::{EmailClaim, User};

/// Which call is used to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInCall {
    /// `signIn`: no API key.
    Open,
    /// `signInWithPassword`: an API key that may sign in.
    Keyed,
}

/// Asks to sign a user in.
#[derive(Debug)]
pub struct SignIn {
    /// Which call is used.
    pub call: SignInCall,
    /// The address.
    pub email: Email,
    /// The password.
    pub password: SecretString,
    /// The tenant context that is wanted.
    pub tenant: Option<TenantRef>,
    /// The application that signs the user in.
    pub client: Option<ClientId>,
    /// Whether a refresh token is wanted.
    pub return_secure_token: bool,
}

/// Signs a user in.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN` (keyed door); `INVALID_LOGIN_CREDENTIALS`;
/// `RATE_LIMITED`; `PASSWORD_TOO_LONG`; `TENANT_CONFLICT` where request and key name different
/// tenants; after the right password: `USER_DISABLED`, `MEMBERSHIP_REQUIRED`, `TENANT_DISABLED`, `UNKNOWN_AUDIENCE`;
/// `OVERLOADED`; the store's.
pub async fn sign_in(domain: &Domain, caller: &Caller, ask: &SignIn) -> Result<SignedIn, Error> {
    let now = domain.clock.now();
    let key = match ask.call {
        SignInCall::Open => None,
        SignInCall::Keyed => Some(domain.require_key(caller, KeyScope::SignIn, now).await?),
    };
    // From the request alone, before anything is known of the user.
    let wanted = Wanted::of(domain, key.as_ref(), ask.tenant.as_ref(), now).await?;
    let mut attempt = Attempt::new(domain, &ask.email, caller.ip)?;
    let outcome = try_to(domain, caller, ask, (&wanted, &mut attempt), now).await;
    match &outcome {
        Ok(_) => attempt.succeeded().await,
        // Whatever is told apart by nothing is counted alike as well. Boxed: three counts at once are
        // large, and few sign-ins make them.
        Err(error) if error.code() == Code::InvalidLoginCredentials => {
            Box::pin(attempt.failed()).await?;
        }
        Err(_) => {}
    }
    outcome
}

async fn try_to(
    domain: &Domain,
    caller: &Caller,
    ask: &SignIn,
    (wanted, attempt): (&Wanted, &mut Attempt<'_>),
    now: Timestamp,
) -> Result<SignedIn, Error> {
    let network = caller.ip.map(Network::of);
    let Checked { mut user, mut found, fresh_network } =
        check_password(domain, ask, (attempt, network.as_ref()), now).await?;
    let context = judge(domain, &user, wanted, ask, now).await?;
    loop {
        let new_hash = match found {
            Match::RightButCheap => Some(domain.passwords.hash(&ask.password).await?),
            Match::Right | Match::Wrong => None,
        };
        let beginning = Beginning {
            user: &user,
            context: &context,
            client: ask.client.as_ref(),
            return_secure_token: ask.return_secure_token,
            proof: Proof::Password(new_hash),
            fresh_network,
        };
        match begin_session(domain, caller, &beginning).await? {
            Begun::Done(session) => return Ok(*session),
            // Another sign-in has made the hash dearer meanwhile, or the password was changed.
            Begun::OtherHash(newer) => {
                found = domain.passwords.check(&ask.password, newer.password_hash.as_ref()).await?;
                if found == Match::Wrong {
                    return Err(Code::InvalidLoginCredentials.into());
                }
                user = *newer;
            }
        }
    }
}

/// A user whose password is right.
struct Checked<'a> {
    user: User,
    found: Match,
    /// The network, where it has to be written down that the user has signed in from it.
    fresh_network: Option<&'a Network>,
}

/// The user, if the password is right: one path, whatever is wrong.
async fn check_password<'a>(
    domain: &Domain,
    ask: &SignIn,
    (attempt, network): (&mut Attempt<'_>, Option<&'a Network>),
    now: Timestamp,
) -> Result<Checked<'a>, Error> {
    attempt.check_here(now)?;
    let known = find_to_sign_in(domain, attempt, &ask.email, now).await?;
    let whence = network.zip(known.as_ref());
    let whence = whence
        .map(|(network, (user, networks))| (Whence { domain, user: &user.id, network }, networks));
    if !whence.is_some_and(|(whence, networks)| networks.know(whence, now)) {
        attempt.check_stranger(now)?;
    }
    let is_current = whence.is_some_and(|(whence, networks)| networks.are_current(whence, now));
    let stored_hash = known.as_ref().and_then(|(user, _)| user.password_hash.as_ref());
    let goes_on = attempt.may_go_on();
    let Some(found) = domain.passwords.check_if(&ask.password, stored_hash, goes_on).await? else {
        return Err(attempt.too_late());
    };
    match (found, known) {
        (Match::Right | Match::RightButCheap, Some((user, _))) => {
            Ok(Checked { user, found, fresh_network: network.filter(|_| !is_current) })
        }
        _ => Err(Code::InvalidLoginCredentials.into()),
    }
}

/// Reads the user who owns an address, and from where he signs in; two round trips, whether or not
/// there is one, so that a refusal which spares bcrypt takes the same time as well.
async fn find_to_sign_in(
    domain: &Domain,
    attempt: &mut Attempt<'_>,
    email: &Email,
    now: Timestamp,
) -> Result<Option<(User, KnownNetworks)>, Error> {
    let claim_key = keyspace::email_claim(email);
    let keys = std::iter::once(claim_key.clone()).chain(attempt.keys()).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    attempt.check(&reads, now)?;
    let Some(claim) = reads.find::<EmailClaim>(&claim_key)? else {
        domain.store.get(&claim_key, now).await?;
        return Ok(None);
    };
    let user_key = keyspace::user(&claim.user_id);
    let networks_key = keyspace::known_networks(&claim.user_id);
    let reads =
        Reads::load(&domain.store, vec![user_key.clone(), networks_key.clone()], now).await?;
    let user: Option<User> = reads.find_live(&user_key)?;
    let Some(user) = user.filter(|user| user.bears(email)) else { return Ok(None) };
    Ok(Some((user, reads.find(&networks_key)?.unwrap_or_default())))
}

/// What is told after the right password: whether the user may sign in, and where.
async fn judge(
    domain: &Domain,
    user: &User,
    wanted: &Wanted,
    ask: &SignIn,
    now: Timestamp,
) -> Result<Context, Error> {
    // To a tenant's key a stranger looks like nobody, suspended or not: there the membership is
    // first.
    if !wanted.by_key() && !user.is_active() {
        return Err(Code::UserDisabled.into());
    }
    let context = resolve_context(domain, user, wanted, ask.client.as_ref(), now).await?;
    if user.is_active() { Ok(context) } else { Err(Code::UserDisabled.into()) }
}

/// Reads the user who owns an address; two round trips, whether or not there is one.
pub(crate) async fn find_by_email(
    domain: &Domain,
    email: &Email,
    now: Timestamp,
) -> Result<Option<User>, Error> {
    let key = keyspace::email_claim(email);
    let stored = domain.store.get(&key, now).await?;
    let Some(claim) = EmailClaim::decode_optional(&key, stored.as_ref())? else {
        return Ok(None);
    };
    let key = keyspace::user(&claim.user_id);
    let stored = domain.store.get(&key, now).await?;
    let user = User::load(&key, stored.as_ref())?;
    // A claim counts only while its user bears the address: not before a change of address is made,
    // and not after.
    Ok(user.filter(|user| user.bears(email)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, PASSWORD};
    use crate::user::{GlobalRole, UserStatus};

    fn ask() -> SignIn {
        SignIn {
            call: SignInCall::Open,
            email: Email::parse("ann@example.org").unwrap(),
            password: PASSWORD.to_owned().into(),
            tenant: None,
            client: None,
            return_secure_token: false,
        }
    }

    /// Everything of a sign-in up to the last step; then `change` happens; then the last step.
    async fn interrupted(change: impl FnOnce(&mut User) + Send) -> Result<Begun, Error> {
        let fixture = Fixture::new().await;
        fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        let (domain, now, ask) = (&fixture.domain, fixture.now(), ask());
        let mut attempt = Attempt::new(domain, &ask.email, None).unwrap();
        let checked = check_password(domain, &ask, (&mut attempt, None), now).await.unwrap().user;
        let context = judge(domain, &checked, &Wanted::Default, &ask, now).await.unwrap();
        let mut changed = checked.clone();
        change(&mut changed);
        fixture.put_user(&changed).await;
        let beginning = Beginning {
            user: &checked,
            context: &context,
            client: None,
            return_secure_token: false,
            proof: Proof::Password(None),
            fresh_network: None,
        };
        begin_session(domain, &Caller::default(), &beginning).await
    }

    #[tokio::test]
    async fn what_happens_to_the_user_while_the_password_is_checked_counts() {
        assert!(matches!(interrupted(|_| ()).await, Ok(Begun::Done(_))));
        let suspended = interrupted(|user| user.status = UserStatus::Suspended).await;
        assert_eq!(suspended.unwrap_err().code(), Code::UserDisabled);
        let revoked = interrupted(|user| user.ver += 1).await;
        assert_eq!(revoked.unwrap_err().code(), Code::InvalidLoginCredentials);
        let rehashed = interrupted(|user| user.password_hash = None).await;
        assert!(matches!(rehashed, Ok(Begun::OtherHash(_))));
    }

    #[tokio::test]
    async fn two_sign_ins_that_both_make_the_hash_dearer_both_succeed() {
        let cheap = crate::password::LOWEST_COST;
        let fixture = Fixture::with(|settings| settings.password_cost = cheap + 1).await;
        let mut ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        ann.password_hash = Some(fixture.hash_of_cost(PASSWORD, cheap).await);
        fixture.put_user(&ann).await;
        let caller = Caller::default();
        let (first, second) = (ask(), ask());
        let (first, second) = tokio::join!(
            sign_in(&fixture.domain, &caller, &first),
            sign_in(&fixture.domain, &caller, &second)
        );
        assert!(first.is_ok() && second.is_ok());
    }
}
