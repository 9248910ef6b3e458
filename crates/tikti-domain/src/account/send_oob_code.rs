//! Has a code sent: to whoever bears an address, or to the holder of an idToken.
//!
//! By address nobody learns whether there is an account. A stranger's request takes the same path: as
//! many reads, a code that is stored and names a user that there is not, and a write in place of the
//! mail. The answer is the same, and where a code is returned, a stranger's redeems nothing. To a
//! tenant's key whoever is no member is a stranger, and so is a suspended user to all.
//!
//! | who | by which proof | what is sent |
//! |---|---|---|
//! | `PASSWORD_RESET`, `EMAIL_SIGNIN` | none | to the address, if somebody bears it |
//! | `VERIFY_EMAIL` | idToken | to the user's address |
//! | `VERIFY_AND_CHANGE_EMAIL` | idToken of a recent sign-in | to the new address |
//! | `PASSWORD_RESET` | an administrator's idToken | to the address of the user whom he names |
//! | `PASSWORD_RESET`, `EMAIL_SIGNIN` | an administrator of a tenant | to the address, if a member bears it |
//! | `RECOVER_EMAIL` | nobody can ask for it | to the old address, after a change |
//!
//! Spec: HTTP API, Identity, `sendOobCode`, and "API key"; attacks, rows E1, E3, E6, E8.

use std::net::IpAddr;

use secrecy::SecretString;

use super::own::check_recent;
use crate::action_link::{ContinueUrl, action_link};
use crate::api_key::{AcceptedKey, KeyScope};
use crate::audit::Draft;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::id::{TenantId, UserId};
use crate::id_token::{self, Holder};
use crate::keyspace;
use crate::limits;
use crate::mail::{self, Language, NewMail};
use crate::membership::Membership;
use crate::oob_code::{self, OobCode, OobType};
use crate::reads::Reads;
use crate::record::Record;
use crate::tenant::Tenant;
use crate::user::{EmailClaim, User};

/// Asks for a code to be sent.
#[derive(Debug)]
pub struct SendOobCode {
    /// Which code, and to whom.
    pub request: OobRequest,
    /// Where the link's page goes on to, as the caller gives it.
    pub continue_url: Option<String>,
    /// The language of whoever asks.
    pub language: Option<Language>,
}

/// Which code, and to whom.
#[derive(Debug)]
pub enum OobRequest {
    /// `PASSWORD_RESET`, to an address.
    PasswordReset(Email),
    /// `EMAIL_SIGNIN`, to an address.
    EmailSignIn(Email),
    /// `VERIFY_EMAIL`, to the address of the token's user.
    VerifyEmail(SecretString),
    /// `VERIFY_AND_CHANGE_EMAIL` for the token's user, to the new address.
    VerifyAndChangeEmail(SecretString, Email),
}

/// A code was sent, or would have been.
#[derive(Debug)]
pub struct OobCodeSent {
    /// The address that was asked for, or that of the token's user.
    pub email: Email,
    /// The code, for a key that may have it.
    pub code: Option<SecretString>,
}

/// Has a code sent.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; `INVALID_ARGUMENT` for a `continueUrl` that is not allowed;
/// with an idToken: `INVALID_ID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, `USER_DISABLED`,
/// `CREDENTIAL_TOO_OLD` for a change of address after an old sign-in; the store's.
pub async fn send_oob_code(
    domain: &Domain,
    caller: &Caller,
    ask: &SendOobCode,
) -> Result<OobCodeSent, Error> {
    let now = domain.clock.now();
    let key = domain.require_key(caller, KeyScope::OobSend, now).await?;
    let on = ask.continue_url.as_deref().map(|url| ContinueUrl::parse(&domain.settings, url));
    let on = on.transpose()?;
    let plan = match &ask.request {
        OobRequest::PasswordReset(email) => {
            by_address(domain, &key, (OobType::PasswordReset, email, caller.ip), now).await?
        }
        OobRequest::EmailSignIn(email) => {
            by_address(domain, &key, (OobType::EmailSignIn, email, caller.ip), now).await?
        }
        OobRequest::VerifyEmail(token) => {
            by_token(domain, &key, (token, None, caller.ip), now).await?
        }
        OobRequest::VerifyAndChangeEmail(token, new) => {
            by_token(domain, &key, (token, Some(new), caller.ip), now).await?
        }
    };
    let email = plan.email.clone();
    let code = carry_out(domain, plan, (on.as_ref(), ask.language), now).await?;
    Ok(OobCodeSent { email, code: shows_code(&key).then_some(code) })
}

/// Whether this key is given codes. A tenant's never is, whatever its record says.
fn shows_code(key: &AcceptedKey) -> bool {
    key.tenant_id.is_none() && key.scopes.contains(&KeyScope::OobReturn)
}

/// Has a `PASSWORD_RESET` code sent to a user whom an administrator names, with this key, of which the audit
/// says `draft`: the mail is queued and the event noted in one transaction. Counted for the address alone: an
/// administrator's host may help many users.
///
/// # Errors
/// `USER_DISABLED`, since the code would open nothing; `INVALID_ARGUMENT` for a user without an address;
/// `RATE_LIMITED`; the store's.
///
/// Spec: HTTP API, Identity, `/v1/users/{id}/passwordReset`.
pub(crate) async fn send_password_reset(
    domain: &Domain,
    (key, draft): (&AcceptedKey, &Draft),
    (user, language): (&User, Option<Language>),
    now: Timestamp,
) -> Result<OobCodeSent, Error> {
    if !user.is_active() {
        return Err(Code::UserDisabled.into());
    }
    let Some(email) = &user.email else {
        return Err(Refusal::invalid("id", "names a user who has no e-mail address").into());
    };
    limits::code_send(domain, email, None, now).await?;
    let record = OobCode::about(user, OobType::PasswordReset, now);
    let (kind, expires_at) = (record.kind, record.expires_at);
    let code = oob_code::put(domain, record, now).await?;
    let link = action_link(&domain.settings, kind, &code, None);
    let (kind, to) = (kind.mail_kind(), email.clone());
    let mail = NewMail { kind, to, link, code: code.clone(), expires_at, language };
    mail::enqueue_noted(domain, &mail, draft, now).await?;
    Ok(OobCodeSent { email: email.clone(), code: shows_code(key).then_some(code) })
}

/// Tells an address that it is its user's no more, with a code that undoes this.
///
/// For the change of an address, after it. `changed` is the user as he is since.
///
/// # Errors
/// The store's.
///
/// Spec: HTTP API, Identity, `update`.
pub(super) async fn send_recovery(
    domain: &Domain,
    changed: &User,
    old: &Email,
    now: Timestamp,
) -> Result<(), Error> {
    let mut code = OobCode::about(changed, OobType::RecoverEmail, now);
    code.email = Some(old.clone());
    send(domain, code, old, now).await
}

/// Has a user set a new password, whose old one is gone.
///
/// # Errors
/// The store's.
pub(super) async fn send_reset(domain: &Domain, user: &User, now: Timestamp) -> Result<(), Error> {
    let Some(email) = &user.email else { return Ok(()) };
    send(domain, OobCode::about(user, OobType::PasswordReset, now), email, now).await
}

/// Sends a code that nobody has asked for.
async fn send(domain: &Domain, code: OobCode, to: &Email, now: Timestamp) -> Result<(), Error> {
    let plan = Plan { code, email: to.clone(), mail: Mail::To(to.clone()) };
    carry_out(domain, plan, (None, None), now).await.map(|_| ())
}

/// Sends a user who was made without a password the link by which to set one.
///
/// The caller has counted it against the limits.
///
/// # Errors
/// The store's.
///
/// Spec: HTTP API, "Tenant administration", members (`create`).
pub(crate) async fn send_first_password(
    domain: &Domain,
    user: &User,
    language: Option<Language>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(email) = user.email.clone() else {
        return Ok(());
    };
    let code = OobCode::about(user, OobType::PasswordReset, now);
    let plan = Plan { code, email: email.clone(), mail: Mail::To(email) };
    carry_out(domain, plan, (None, language), now).await?;
    Ok(())
}

/// What is to be done.
struct Plan {
    code: OobCode,
    /// The address in the answer.
    email: Email,
    mail: Mail,
}

/// Whether anybody gets a mail.
enum Mail {
    To(Email),
    Nobody,
}

/// Stores the code and queues the mail; gives the code.
async fn carry_out(
    domain: &Domain,
    plan: Plan,
    (on, language): (Option<&ContinueUrl>, Option<Language>),
    now: Timestamp,
) -> Result<SecretString, Error> {
    let (kind, expires_at) = (plan.code.kind, plan.code.expires_at);
    let to_nobody = plan.code.clone();
    let code = oob_code::put(domain, plan.code, now).await?;
    let link = action_link(&domain.settings, kind, &code, on);
    match plan.mail {
        Mail::To(to) => {
            let (kind, code) = (kind.mail_kind(), code.clone());
            let mail = NewMail { kind, to, link, code, expires_at, language };
            mail::enqueue(domain, &mail, now).await?;
        }
        // A second commit, as queueing a mail is one: another code that nobody knows.
        Mail::Nobody => {
            oob_code::put(domain, to_nobody, now).await?;
        }
    }
    Ok(code)
}

/// A code that an administrator of a tenant has sent to an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TenantSends<'a> {
    /// The tenant that the code is bound to.
    pub(crate) tenant: &'a TenantId,
    /// `PASSWORD_RESET` or `EMAIL_SIGNIN`.
    pub(crate) kind: OobType,
    /// Where to.
    pub(crate) email: &'a Email,
    /// Where the link's page goes on to.
    pub(crate) on: Option<&'a ContinueUrl>,
    /// The language of the mail.
    pub(crate) language: Option<Language>,
}

/// Sends a code that is bound to a tenant; gives it. Whoever is no member is a stranger, and so is, for a
/// sign-in, an administrator of the deployment.
///
/// The caller decides whether it may happen, and has counted it against the limits.
///
/// # Errors
/// The store's.
///
/// Spec: HTTP API, "Tenant administration", OOB.
pub(crate) async fn send_for_tenant(
    domain: &Domain,
    ask: TenantSends<'_>,
    now: Timestamp,
) -> Result<SecretString, Error> {
    let plan = to_bearer(domain, Some(ask.tenant), (ask.kind, ask.email), now).await?;
    carry_out(domain, plan, (ask.on, ask.language), now).await
}

/// Counts the request and finds whom it is about.
async fn by_address(
    domain: &Domain,
    key: &AcceptedKey,
    (kind, email, ip): (OobType, &Email, Option<IpAddr>),
    now: Timestamp,
) -> Result<Plan, Error> {
    // For strangers, too.
    limits::code_send(domain, email, ip, now).await?;
    to_bearer(domain, key.tenant_id.as_ref(), (kind, email), now).await
}

/// Two round trips, whether or not somebody bears the address.
async fn to_bearer(
    domain: &Domain,
    tenant: Option<&TenantId>,
    (kind, email): (OobType, &Email),
    now: Timestamp,
) -> Result<Plan, Error> {
    let nobody = UserId::generate(now, &domain.random)?;
    let claim_key = keyspace::email_claim(email);
    let stored = domain.store.get(&claim_key, now).await?;
    let claim = EmailClaim::decode_optional(&claim_key, stored.as_ref())?;
    let user_id = claim.map_or_else(|| nobody.clone(), |claim| claim.user_id);
    let mut keys = vec![keyspace::user(&user_id)];
    if let Some(tenant) = tenant {
        keys.extend([keyspace::tenant(tenant), keyspace::member(tenant, &user_id)]);
    }
    let reads = Reads::load(&domain.store, keys, now).await?;
    let user = reads.find_live::<User>(&keyspace::user(&user_id))?;
    let user = user.filter(|user| user.bears(email) && user.is_active());
    let is_known = match tenant {
        None => true,
        Some(tenant) => is_member(&reads, tenant, &user_id)?,
    };
    // What a tenant has sent must not open an administrator's session, even one of that tenant.
    let is_refused =
        |user: &User| tenant.is_some() && kind == OobType::EmailSignIn && user.is_admin();
    let found = user.filter(|user| is_known && !is_refused(user));
    let mail = if found.is_some() { Mail::To(email.clone()) } else { Mail::Nobody };
    let user = found.unwrap_or_else(|| stranger(nobody, email, now));
    let mut code = OobCode::about(&user, kind, now);
    code.tenant_id = tenant.cloned();
    Ok(Plan { code, email: email.clone(), mail })
}

/// A user that is not stored anywhere, under an id that was never given.
fn stranger(id: UserId, email: &Email, now: Timestamp) -> User {
    User::new(id, email.clone(), crate::user::GlobalRole::CompanyEmployee, now)
}

fn is_member(reads: &Reads, tenant: &TenantId, user: &UserId) -> Result<bool, Error> {
    let membership: Option<Membership> = reads.find(&keyspace::member(tenant, user))?;
    let found: Option<Tenant> = reads.find_live(&keyspace::tenant(tenant))?;
    Ok(membership.is_some() && found.is_some_and(|tenant| tenant.is_active()))
}

/// For the holder of an idToken: to his own address, or to the one that he wants.
async fn by_token(
    domain: &Domain,
    key: &AcceptedKey,
    (token, new, ip): (&SecretString, Option<&Email>, Option<IpAddr>),
    now: Timestamp,
) -> Result<Plan, Error> {
    let token = id_token::verify(domain, token, now)?;
    // Before the records are looked at: a tenant's key learns nothing of another tenant's user.
    if !key.covers(token.tenant_id.as_ref()) {
        return Err(Code::ApiKeyForbidden.into());
    }
    let reads = Reads::load(&domain.store, Holder::keys(&token), now).await?;
    let holder = Holder::find(&reads, &token)?;
    let (user, session) = holder.check(&token, domain.not_before)?;
    let kind = match new {
        None => OobType::VerifyEmail,
        Some(new) => {
            // As `update` asks, or a code would be the way around that.
            check_recent((user, session), &domain.settings, now)?;
            if user.bears(new) {
                let reason = "is the address of the user already";
                return Err(Refusal::invalid("newEmail", reason).into());
            }
            OobType::VerifyAndChangeEmail
        }
    };
    let Some(to) = new.or(user.email.as_ref()) else {
        return Err(Refusal::invalid("idToken", "its user has no address to confirm").into());
    };
    limits::code_send(domain, to, ip, now).await?;
    let mut code = OobCode::about(user, kind, now);
    code.new_email = new.cloned();
    code.tenant_id.clone_from(&key.tenant_id);
    let email = user.email.as_ref().unwrap_or(to).clone();
    Ok(Plan { code, email, mail: Mail::To(to.clone()) })
}

#[cfg(test)]
mod tests;
