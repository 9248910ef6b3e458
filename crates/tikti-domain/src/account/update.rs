//! Changes one's own account: address, password, name, default tenant.
//!
//! Everything is checked before anything is written. The address comes first, since it is the one
//! change that another user can stand in the way of; it is a change of its own, of several partitions.
//! The rest, the session and its next refresh token are one transaction. Both repeat the checks where
//! they are decided: a user who was suspended or revoked meanwhile, or a session that ended, changes
//! nothing.
//!
//! Invariant: an idToken alone never becomes a refresh token, nor puts an end to one. Only who has shown
//! lately that he is the user, for a new address or password, gets the session's next refresh token
//! (docs/decisions/0027).
//!
//! A new password raises the user's version: every other session and token is over with that commit, and
//! this session goes on with the new version. Refresh tokens from before are of no use to anybody.
//!
//! Spec: HTTP API, Identity, `update`.

use secrecy::SecretString;
use tikti_store::{Entry, Txn};

use super::change_email::{NewAddress, change_email_to};
use super::default_tenant::require_membership;
use super::own::Own;
use super::refresh_token;
use super::sign_out::remove_old_sessions;
use crate::api_key::KeyScope;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::id::{TenantId, TenantRef, UserId};
use crate::issue;
use crate::keyspace;
use crate::limits;
use crate::password::{PasswordHash, check_new_password};
use crate::record::{Lasting, Record};
use crate::session::Session;
use crate::user::{User, parse_display_name};

/// Asks to change one's own account.
#[derive(Debug)]
pub struct UpdateAccount {
    /// Whose account it is.
    pub id_token: SecretString,
    /// The new address.
    pub email: Option<Email>,
    /// The new password.
    pub password: Option<SecretString>,
    /// The new name for people.
    pub display_name: Option<String>,
    /// The tenant context of sign-ins that name none.
    pub default_tenant: Option<TenantRef>,
}

/// The account was changed; its session goes on.
#[derive(Debug)]
pub struct UpdatedAccount {
    /// The user's id.
    pub user_id: UserId,
    /// The address now.
    pub email: Option<Email>,
    /// A fresh idToken of the session.
    pub id_token: SecretString,
    /// A fresh refresh token, where the session had one and address or password changed; else the one
    /// that the session had goes on.
    pub refresh_token: Option<SecretString>,
    /// Life of the idToken in seconds.
    pub expires_in_seconds: u64,
    /// The tenant context of the token.
    pub tenant_id: Option<TenantId>,
}

/// What one transaction writes.
struct Change {
    /// Whether the session gets its next refresh token, since its holder has proved himself lately.
    renews: bool,
    password_hash: Option<PasswordHash>,
    display_name: Option<String>,
    default_tenant: Option<TenantId>,
}

/// Changes one's own account.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; those of a token that is not good; `INVALID_ARGUMENT` where
/// nothing is asked for; `CREDENTIAL_TOO_OLD` for address and password; `WEAK_PASSWORD`,
/// `PASSWORD_TOO_LONG`; `EMAIL_EXISTS`; `RATE_LIMITED` for too many addresses; `MEMBERSHIP_REQUIRED`;
/// `TENANT_CONFLICT` for a default tenant where the session is bound to one; `CONFLICT`; `OVERLOADED`; the
/// store's:
/// then the address may have changed and nothing else.
pub async fn update_account(
    domain: &Domain,
    caller: &Caller,
    ask: &UpdateAccount,
) -> Result<UpdatedAccount, Error> {
    let now = domain.clock.now();
    let own = Own::load(domain, caller, (&ask.id_token, KeyScope::Update), now).await?;
    let change = check(domain, &own, ask, now).await?;
    Box::pin(carry_out(domain, &own, (ask, &change))).await
}

/// Writes what was found to be good.
async fn carry_out(
    domain: &Domain,
    own: &Own,
    (ask, change): (&UpdateAccount, &Change),
) -> Result<UpdatedAccount, Error> {
    // bcrypt took its time: the session goes on from now.
    let now = domain.clock.now();
    if let Some(email) = &ask.email {
        change_email_to(domain, &own.user.id, &NewAddress::of(own, email), now).await?;
    }
    let (user, session, refresh_token) = commit(domain, own, change, now).await?;
    if change.password_hash.is_some() {
        remove_old_sessions(domain, &user, now).await;
    }
    // The context of the token that asked: the session may speak for another tenant since.
    let tenant_id = own.token.tenant_id.clone();
    let shown = Session { tenant_id: tenant_id.clone(), ..session };
    let id_token = issue::id_token(domain, &user, &shown, own.mver, now).await?;
    Ok(UpdatedAccount {
        user_id: user.id,
        email: user.email,
        id_token,
        refresh_token,
        expires_in_seconds: domain.settings.id_token_ttl.as_secs(),
        tenant_id,
    })
}

/// Refuses whatever can be refused before anything is written.
async fn check(
    domain: &Domain,
    own: &Own,
    ask: &UpdateAccount,
    now: Timestamp,
) -> Result<Change, Error> {
    let UpdateAccount { email, password, display_name, default_tenant, .. } = ask;
    if email.is_none() && password.is_none() && display_name.is_none() && default_tenant.is_none() {
        let reason = "give what is to change: email, password, displayName or defaultTenantId";
        return Err(Refusal::invalid("body", reason).into());
    }
    let renews = email.is_some() || password.is_some();
    if renews {
        own.require_recent(&domain.settings, now)?;
    }
    if email.is_some() {
        limits::email_change(domain, &own.user.id, now).await?;
    }
    let display_name = display_name.as_deref().map(|name| parse_display_name("displayName", name));
    let display_name = display_name.transpose()?;
    let default_tenant = match default_tenant {
        None => None,
        // It decides where the user's own sign-ins go: no tenant's matter.
        Some(_) if own.session.is_bound() => return Err(Code::TenantConflict.into()),
        Some(tenant) => Some(require_membership(domain, &own.user.id, tenant, now).await?),
    };
    let password_hash = match password {
        None => None,
        Some(password) => {
            check_new_password(password, email.as_ref().or(own.user.email.as_ref()))?;
            Some(domain.passwords.hash(password).await?)
        }
    };
    Ok(Change { renews, password_hash, display_name, default_tenant })
}

/// Writes the user and the session, if both are still as they were recognised; gives the next refresh
/// token where the session has one.
async fn commit(
    domain: &Domain,
    own: &Own,
    change: &Change,
    now: Timestamp,
) -> Result<(User, Session, Option<SecretString>), Error> {
    let user_id = &own.user.id;
    let user_key = keyspace::user(user_id);
    let session_key = keyspace::session(user_id, &own.session.id);
    let tenant = change.default_tenant.as_ref();
    let entry_key = tenant.map(|tenant| keyspace::membership_entry(user_id, tenant));
    let mut reads = vec![user_key.clone(), session_key.clone()];
    reads.extend(entry_key.clone());
    domain
        .store
        .transact(user_key.partition(), &reads, now, |txn| {
            let user = User::load(&user_key, txn.get(&user_key)?)?;
            let session = Session::decode_optional(&session_key, txn.get(&session_key)?)?;
            let (Some(mut user), Some(mut session)) = (user, session) else {
                return Err(Code::TokenRevoked.into());
            };
            own.check_still(&user, Some(&session))?;
            if let Some(entry_key) = &entry_key
                && txn.get(entry_key)?.is_none()
            {
                return Err(Code::MembershipRequired.into());
            }
            change.apply(&mut user, &mut session, now);
            txn.put(&user_key, Entry::new(&Lasting::Live(user.clone()).encode()?))?;
            let token = if change.renews { renew(domain, txn, &mut session, now)? } else { None };
            Ok::<_, Error>((user, session, token))
        })
        .await
}

/// Writes the session with its next refresh token, which it gives where the session has one.
fn renew(
    domain: &Domain,
    txn: &mut Txn,
    session: &mut Session,
    now: Timestamp,
) -> Result<Option<SecretString>, Error> {
    session.refreshed_at = now;
    let fresh = refresh_token::anew(&domain.peppers, session, &domain.random)?;
    let (token, state) = fresh.map(|fresh| (fresh.token, fresh.state)).unzip();
    session.refresh = state;
    let ends = session.ends(&domain.settings, now);
    let key = keyspace::session(&session.user_id, &session.id);
    txn.put(&key, Entry::new(&session.encode()?).expires_at(ends))?;
    Ok(token)
}

impl Change {
    fn apply(&self, user: &mut User, session: &mut Session, now: Timestamp) {
        if self.password_hash.is_some() {
            user.password_hash.clone_from(&self.password_hash);
            user.ver = user.next_version(now);
            session.ver = user.ver;
        }
        if self.display_name.is_some() {
            user.display_name.clone_from(&self.display_name);
        }
        if self.default_tenant.is_some() {
            user.default_tenant.clone_from(&self.default_tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, keyed};
    use crate::user::{GlobalRole, UserStatus};

    const ANN: &str = "ann@example.org";

    /// Everything of an update up to the last step; then `meanwhile` happens; then the last step.
    async fn interrupted(meanwhile: impl AsyncFnOnce(&Fixture, &Own)) -> Result<(), Code> {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await.id;
        let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        fixture.member(&acme, &ann, &["TENANT_USER"]).await;
        let ask = UpdateAccount {
            id_token: fixture.sign_in(ANN).await.id_token,
            email: None,
            password: Some("a staple that is correct".to_owned().into()),
            display_name: None,
            default_tenant: Some(TenantRef::from(&acme)),
        };
        let (domain, now) = (&fixture.domain, fixture.now());
        let by = (&ask.id_token, KeyScope::Update);
        let own = Own::load(domain, &keyed(), by, now).await.unwrap();
        let change = check(domain, &own, &ask, now).await.unwrap();
        meanwhile(&fixture, &own).await;
        let before = fixture.reload(&ann).await;
        let outcome = commit(domain, &own, &change, now).await;
        let after = fixture.reload(&ann).await;
        assert_eq!(outcome.is_ok(), after != before);
        outcome.map(|_| ()).map_err(|error| error.code())
    }

    #[tokio::test]
    async fn what_happens_while_the_new_password_is_hashed_counts() {
        assert_eq!(interrupted(async |_, _| ()).await, Ok(()));
        let change = async |fixture: &Fixture, change: fn(&mut User)| {
            let mut user = fixture_user(fixture).await;
            change(&mut user);
            fixture.put_user(&user).await;
        };
        let revoked = interrupted(async |fixture, _| change(fixture, |user| user.ver += 1).await);
        assert_eq!(revoked.await, Err(Code::TokenRevoked));
        let suspended = interrupted(async |fixture, _| {
            change(fixture, |user| user.status = UserStatus::Suspended).await;
        });
        assert_eq!(suspended.await, Err(Code::UserDisabled));
        let signed_out = interrupted(async |fixture, own| {
            let key = keyspace::session(&own.user.id, &own.session.id);
            fixture.domain.store.delete(&key).await.unwrap();
        });
        assert_eq!(signed_out.await, Err(Code::TokenRevoked));
        let removed = interrupted(async |fixture, own| {
            let tenant = own.token.tenant_id.clone().unwrap();
            let (domain, now) = (&fixture.domain, fixture.now());
            crate::tenancy::remove_member(domain, &tenant, &own.user.id, now).await.unwrap();
        });
        assert_eq!(removed.await, Err(Code::MembershipRequired));
    }

    fn of(fixture: &Fixture, token: &SecretString) -> (UserId, crate::id::SessionId) {
        let token = crate::id_token::verify(&fixture.domain, token, fixture.now()).unwrap();
        (token.user_id, token.session_id)
    }

    /// Who has an idToken only, whoever it leaked to, gets nothing that outlasts it, and the owner's
    /// refresh token stays the present one.
    #[tokio::test]
    async fn l1_a_leaked_id_token_becomes_no_refresh_token_and_ends_none() {
        let fixture = Fixture::new().await;
        fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        let owner = fixture.sign_in(ANN).await;
        fixture.clock.advance(50 * 60 * 1000);
        let (user_id, session_id) = of(&fixture, &owner.id_token);
        let key = keyspace::session(&user_id, &session_id);
        let before = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
        let ask = UpdateAccount {
            id_token: owner.id_token,
            email: None,
            password: None,
            display_name: Some("Ann".to_owned()),
            default_tenant: None,
        };
        let thief = update_account(&fixture.domain, &keyed(), &ask).await.unwrap();
        assert!(thief.refresh_token.is_none());
        assert_eq!(of(&fixture, &thief.id_token), (user_id, session_id));
        assert_eq!(fixture.domain.store.get(&key, fixture.now()).await.unwrap(), before);
        fixture.clock.advance(24 * 3_600_000);
        let token = owner.refresh_token.unwrap();
        let ask = crate::account::Refresh { token, tenant: None };
        crate::account::refresh(&fixture.domain, &ask).await.unwrap();
    }

    /// A change of the address, with a new password, up to what writes; `meanwhile` happens while the
    /// password is hashed. Gives the outcome and the address after it.
    async fn readdressed(
        meanwhile: impl AsyncFnOnce(&Fixture, &Own),
    ) -> (Result<(), Code>, Option<Email>) {
        let fixture = Fixture::new().await;
        let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        let ask = UpdateAccount {
            id_token: fixture.sign_in(ANN).await.id_token,
            email: Some(Email::parse("thief@example.org").unwrap()),
            password: Some("a staple that is correct".to_owned().into()),
            display_name: None,
            default_tenant: None,
        };
        let (domain, now) = (&fixture.domain, fixture.now());
        let by = (&ask.id_token, KeyScope::Update);
        let own = Own::load(domain, &keyed(), by, now).await.unwrap();
        let change = check(domain, &own, &ask, now).await.unwrap();
        meanwhile(&fixture, &own).await;
        let outcome = carry_out(domain, &own, (&ask, &change)).await;
        let after = fixture.reload(&ann).await.email;
        // What was refused is free for whoever it belongs to.
        if outcome.is_err() {
            fixture.user("thief@example.org", GlobalRole::CompanyEmployee).await;
        }
        (outcome.map(|_| ()).map_err(|error| error.code()), after)
    }

    #[tokio::test]
    async fn an_address_is_not_changed_by_a_session_that_ended_while_the_password_was_hashed() {
        let email = |text: &str| Some(Email::parse(text).unwrap());
        let done = readdressed(async |_, _| ()).await;
        assert_eq!(done, (Ok(()), email("thief@example.org")));
        let everywhere = readdressed(async |fixture, own| {
            let (domain, now) = (&fixture.domain, fixture.now());
            super::super::sign_out::revoke_everything(domain, &own.user.id, now).await.unwrap();
        });
        assert_eq!(everywhere.await, (Err(Code::TokenRevoked), email(ANN)));
        let signed_out = readdressed(async |fixture, own| {
            let key = keyspace::session(&own.user.id, &own.session.id);
            fixture.domain.store.delete(&key).await.unwrap();
        });
        assert_eq!(signed_out.await, (Err(Code::TokenRevoked), email(ANN)));
        let suspended = readdressed(async |fixture, _| {
            let mut user = fixture_user(fixture).await;
            user.status = UserStatus::Suspended;
            fixture.put_user(&user).await;
        });
        assert_eq!(suspended.await, (Err(Code::UserDisabled), email(ANN)));
    }

    #[tokio::test]
    async fn a_user_learns_of_30_addresses_an_hour_whether_they_are_taken() {
        let mut fixture = Fixture::new().await;
        fixture.domain.settings.limits.enabled = true;
        fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
        let ask = UpdateAccount {
            id_token: fixture.sign_in(ANN).await.id_token,
            email: Some(Email::parse("bob@example.org").unwrap()),
            password: None,
            display_name: None,
            default_tenant: None,
        };
        for tries in 1..=31 {
            let refused = update_account(&fixture.domain, &keyed(), &ask).await.unwrap_err();
            let expected = if tries <= 30 { Code::EmailExists } else { Code::RateLimited };
            assert_eq!(refused.code(), expected, "{tries}");
        }
        // The rest of the account is not held up by it.
        let ask = UpdateAccount { email: None, display_name: Some("Ann".to_owned()), ..ask };
        update_account(&fixture.domain, &keyed(), &ask).await.unwrap();
    }

    async fn fixture_user(fixture: &Fixture) -> User {
        let email = Email::parse(ANN).unwrap();
        super::super::find_by_email(&fixture.domain, &email, fixture.now()).await.unwrap().unwrap()
    }
}
