//! How does an administrator of a tenant have a code sent, and invite somebody?
//!
//! Nobody learns whether anybody bears an address: answer and audit event are the same. A code is bound to the
//! tenant, so that it opens nothing once the tenant is not served or its user no member. Invariant: a code is
//! shown to an administrator of the deployment alone, and only with a key of the deployment that may have it;
//! to all others it goes by mail.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. the audit event, for which the administrator is judged once more | it says so of a code that was not sent; the caller was told no success |
//! | 2. `EMAIL_SIGNIN`: the user, where nobody bears the address | a user who has nothing |
//! | 3. `EMAIL_SIGNIN`: the membership, where there is none | he is invited, and waits for his mail |
//! | 4. the code, then its mail | a code that nobody knows; or done |
//!
//! Spec: HTTP API, "Tenant administration", OOB; attacks, rows E3, E6, E8, T6. Why: docs/decisions/0031.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;

use super::administer::{Act, Administrator, Admission, Done};
use super::{manage_members, members};
use crate::account::{self, TenantSends};
use crate::action_link::ContinueUrl;
use crate::api_key::KeyScope;
use crate::audit::Action;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::id::{RoleName, TenantRef};
use crate::limits;
use crate::mail::Language;
use crate::oob_code::OobType;
use crate::role::TENANT_USER;
use crate::user::User;

const WRITE: &str = "users:write";

/// How often a user is looked for and made while others make him.
const MOST_TRIES: u32 = 8;

/// Asks for a code to be sent.
#[derive(Debug)]
pub struct SendCode {
    /// What it is good for.
    pub kind: TenantCode,
    /// Where to.
    pub email: Email,
    /// Where the link's page goes on to, as the caller gives it.
    pub continue_url: Option<String>,
    /// The language of the mail.
    pub language: Option<Language>,
}

/// What an administrator of a tenant may have sent. All others need the idToken of their user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantCode {
    /// A new password, for a member.
    PasswordReset,
    /// A session in the tenant; whoever is no member is invited.
    EmailSignIn,
}

impl TenantCode {
    /// The one that a `requestType` names.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let found = [Self::PasswordReset, Self::EmailSignIn]
            .into_iter()
            .find(|code| code.oob_type().as_str() == text);
        let reason = "must be PASSWORD_RESET or EMAIL_SIGNIN";
        found.ok_or_else(|| Refusal::invalid("requestType", reason))
    }

    /// Its type.
    #[must_use]
    pub const fn oob_type(self) -> OobType {
        match self {
            Self::PasswordReset => OobType::PasswordReset,
            Self::EmailSignIn => OobType::EmailSignIn,
        }
    }
}

/// A code was sent, or would have been.
#[derive(Debug)]
pub struct CodeSent {
    /// The address that was asked for.
    pub email: Email,
    /// What the code is good for.
    pub kind: TenantCode,
    /// For how long, in seconds.
    pub expires_in_seconds: u64,
    /// The code, for who may see it. A stranger's opens nothing.
    pub code: Option<SecretString>,
}

/// Has a code sent on behalf of a tenant. `EMAIL_SIGNIN` makes user and membership where they are missing,
/// but nothing for an administrator of the deployment, nor for who is suspended: these are sent no such mail.
///
/// # Errors
/// Those of every administrative call (`administer`); `TENANT_DISABLED`; `INVALID_ARGUMENT` for a `continueUrl`
/// that is not allowed; `RATE_LIMITED` as for every code; the store's.
pub async fn send_code(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &SendCode),
) -> Result<CodeSent, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (admission, shows_code) = admit(domain, (caller, &administrator, tenant), now).await?;
    let on = ask.continue_url.as_deref().map(|url| ContinueUrl::parse(&domain.settings, url));
    let on = on.transpose()?;
    limits::code_send(domain, &ask.email, caller.ip, now).await?;
    tell(domain, &administrator, ask, now).await?;
    if ask.kind == TenantCode::EmailSignIn {
        invite(domain, (&administrator, &admission), &ask.email, now).await?;
    }
    let kind = ask.kind.oob_type();
    // Not before the membership, which another invitation may have made in this moment: a code that is older
    // than that is no good.
    let now = domain.clock.now();
    let sends = TenantSends {
        tenant: &admission.tenant.id,
        kind,
        email: &ask.email,
        on: on.as_ref(),
        language: ask.language,
    };
    let code = account::send_for_tenant(domain, sends, now).await?;
    Ok(CodeSent {
        email: ask.email.clone(),
        kind: ask.kind,
        expires_in_seconds: kind.life_millis() / 1000,
        code: shows_code.then_some(code),
    })
}

/// Admits the administrator; says whether he is shown the code. The API key decides nothing else here: without
/// one, or with one that is no good, the code goes by mail.
async fn admit(
    domain: &Domain,
    (caller, administrator, tenant): (&Caller, &Administrator, &TenantRef),
    now: Timestamp,
) -> Result<(Admission, bool), Error> {
    let presented = domain.present_key(caller);
    let more = presented.key().cloned().into_iter().collect();
    let (admission, reads) = administrator.admit(domain, (tenant, WRITE), more, now).await?;
    admission.require_active()?;
    let key = domain.judge_key(&presented, &reads, KeyScope::OobReturn, now)?;
    let by_deployment = key.is_ok_and(|key| key.tenant_id.is_none());
    let shows_code = admission.is_platform() && by_deployment;
    Ok((admission, shows_code))
}

/// Step 1. The event names the address by a keyed hash: the same whoever bears it, and nobody's to read.
async fn tell(
    domain: &Domain,
    administrator: &Administrator,
    ask: &SendCode,
    now: Timestamp,
) -> Result<(), Error> {
    let address = format!("tikti code sent to\0{}", ask.email.as_str());
    let target = BASE64URL_NOPAD.encode(&domain.peppers.tag(address.as_bytes())?);
    let kind = ask.kind.oob_type().as_str().to_owned();
    let details = BTreeMap::from([("requestType".to_owned(), kind)]);
    let act = Act { scope: WRITE, action: Action::OobSend, target, details };
    administrator.change(domain, (act, &[]), now, |_, _| Ok(Done::Changed(()))).await
}

/// Steps 2 and 3.
async fn invite(
    domain: &Domain,
    (administrator, admission): (&Administrator, &Admission),
    email: &Email,
    now: Timestamp,
) -> Result<(), Error> {
    let user = find_or_make(domain, (administrator, admission), email, now).await?;
    // Whom nothing is sent to is not invited either.
    if !user.is_active() || user.is_admin() {
        return Ok(());
    }
    let roles = BTreeSet::from([RoleName::parse(TENANT_USER)?]);
    let details = BTreeMap::from([("roles".to_owned(), TENANT_USER.to_owned())]);
    let (action, target) = (Action::MemberAdd, user.id.to_string());
    let act = Act { scope: WRITE, action, target, details };
    let place = (&admission.tenant.id, &user.id);
    match members::add_for(domain, place, (roles, Some((administrator, &act))), now).await {
        Ok(_) => Ok(()),
        // He was one before; or was deleted in this moment, and is a stranger by now.
        Err(Error::Refused(refusal))
            if [Code::MemberExists, Code::UserNotFound].contains(&refusal.code) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Who bears the address, whoever made him.
///
/// # Errors
/// `CONFLICT` where many make him at once and none gets there; the store's.
async fn find_or_make(
    domain: &Domain,
    by: (&Administrator, &Admission),
    email: &Email,
    now: Timestamp,
) -> Result<User, Error> {
    for _ in 0..MOST_TRIES {
        if let Some(user) = account::find_by_email(domain, email, now).await? {
            return Ok(user);
        }
        match manage_members::make_user(domain, by, email, now).await {
            // Somebody else was quicker, and may not be done yet.
            Err(Error::Refused(refusal)) if refusal.code == Code::EmailExists => {}
            outcome => return outcome,
        }
    }
    Err(Code::Conflict.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ClientId, TenantId};
    use crate::scope::ScopeSet;
    use crate::testing::{Fixture, keyed, worker, worker_token};

    /// A worker that holds `users:write` in the tenant, by a token of its own.
    async fn token_of_worker(fixture: &Fixture, tenant: &TenantId) -> SecretString {
        let mut worker = worker("worker-01", fixture.now());
        worker.clients = [ClientId::parse("tikti").unwrap()].into();
        worker.scopes = ScopeSet::parse(WRITE).unwrap();
        fixture.put_worker(tenant, &worker).await;
        worker_token(&fixture.domain, tenant, &worker, &worker.scopes)
    }

    #[tokio::test]
    async fn e8_a_worker_has_codes_sent_and_is_shown_none() {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await;
        let bearer = Some(token_of_worker(&fixture, &acme.id).await);
        for (kind, mails) in [(TenantCode::PasswordReset, 0), (TenantCode::EmailSignIn, 1)] {
            let email = Email::parse("new@example.org").unwrap();
            let ask = SendCode { kind, email, continue_url: None, language: None };
            let caller = Caller { bearer: bearer.clone(), ..keyed() };
            let tenant = TenantRef::from(&acme.id);
            let sent = send_code(&fixture.domain, &caller, (&tenant, &ask)).await.unwrap();
            assert!(sent.code.is_none(), "{kind:?}");
            assert_eq!(fixture.mails().await.len(), mails, "{kind:?}");
        }
    }
}
