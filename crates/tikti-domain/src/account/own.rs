//! Whose account is it that the holder of an idToken wants to change, and may he now?
//!
//! Address, password and the account itself are worth more than a session: an open browser or a token
//! that leaked must not be enough. Who changes them has signed in lately, with a password or a code that
//! was mailed to him, and not by a custom token, with which a tenant signs its users in.
//!
//! Spec: HTTP API, Identity, `update`, `delete`; Tokens and keys, "Verification".

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::api_key::{KeyScope, PresentedKey};
use crate::audit::{Action, Actor, Draft, Who};
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id_token::{self, Holder, IdToken};
use crate::reads::Reads;
use crate::session::{Session, SessionDoor};
use crate::settings::Settings;
use crate::user::User;

/// The ways to sign in that show who somebody is (RFC 8176): a password, a code by mail.
const PROOFS: [&str; 2] = ["pwd", "otp"];

/// The holder of an idToken.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) token: IdToken,
    pub(super) user: User,
    pub(super) session: Session,
    /// The version of the membership in the token's tenant.
    pub(super) mver: Option<u64>,
}

impl Own {
    /// Recognises the holder, through an API key that may do this; one round trip.
    ///
    /// # Errors
    /// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; `INVALID_ID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`,
    /// `USER_DISABLED`; the store's.
    pub(super) async fn load(
        domain: &Domain,
        caller: &Caller,
        (id_token, scope): (&SecretString, KeyScope),
        now: Timestamp,
    ) -> Result<Self, Error> {
        let presented = domain.present_key(caller);
        if matches!(presented, PresentedKey::Missing) {
            return Err(Code::InvalidApiKey.into());
        }
        let token = id_token::verify(domain, id_token, now);
        let mut keys: Vec<_> = presented.key().cloned().into_iter().collect();
        keys.extend(token.iter().flat_map(Holder::keys));
        let reads = Reads::load(&domain.store, keys, now).await?;
        // A stranger without a key learns nothing of the token, not even whether it is one.
        let key = domain.judge_key(&presented, &reads, scope, now)??;
        let token = token?;
        if !key.covers(token.tenant_id.as_ref()) {
            return Err(Code::ApiKeyForbidden.into());
        }
        let holder = Holder::find(&reads, &token)?;
        let (user, session) = holder.check(&token, domain.not_before)?;
        let mver = holder.membership.as_ref().map(|membership| membership.mver);
        Ok(Self { user: user.clone(), session: session.clone(), mver, token })
    }

    /// What the audit says of something that the holder does to his own account.
    pub(super) fn draft(&self, caller: &Caller, action: Action) -> Draft {
        let id = &self.user.id;
        let (who, session_id) = (Who::User(id.clone()), Some(self.session.id.clone()));
        Draft {
            action,
            target: id.to_string(),
            tenant_id: None,
            actor: Actor { who, session_id, ip: caller.ip },
            request_id: caller.request_id.clone(),
            cross_tenant: false,
            details: BTreeMap::new(),
        }
    }

    /// Requires a sign-in that is recent enough to change what the account hangs on.
    ///
    /// # Errors
    /// `CREDENTIAL_TOO_OLD`.
    pub(super) fn require_recent(
        &self,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        check_recent((&self.user, &self.session), settings, now)
    }

    /// Requires that the account is still held as it was when the holder was recognised: for the
    /// transaction that changes it, as that can be a while later.
    ///
    /// # Errors
    /// `TOKEN_REVOKED`, `USER_DISABLED`.
    pub(super) fn check_still(&self, user: &User, session: Option<&Session>) -> Result<(), Code> {
        if user.ver != self.user.ver || !session.is_some_and(|session| session.is_of(user)) {
            return Err(Code::TokenRevoked);
        }
        if user.is_active() { Ok(()) } else { Err(Code::UserDisabled) }
    }
}

/// Whether a session is one that may change what its user's account hangs on.
///
/// # Errors
/// `CREDENTIAL_TOO_OLD`.
pub(super) fn check_recent(
    (user, session): (&User, &Session),
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Refusal> {
    if is_recent(user, session, settings, now) {
        Ok(())
    } else {
        Err(Refusal::of(Code::CredentialTooOld))
    }
}

fn is_recent(user: &User, session: &Session, settings: &Settings, now: Timestamp) -> bool {
    // He has nothing to sign in with again, and nothing that could be taken from him.
    if user.password_hash.is_none() && user.email.is_none() {
        return true;
    }
    let limit = settings.recent_sign_in.as_secs();
    let is_young = clock::seconds(now) <= clock::seconds(session.created_at).saturating_add(limit);
    let is_proof = session.amr.iter().any(|method| PROOFS.contains(&method.as_str()));
    is_young && is_proof && session.door != SessionDoor::CustomToken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::Email;
    use crate::id::{SessionId, UserId};
    use crate::user::GlobalRole;

    const SIGNED_IN: Timestamp = Timestamp::from_millis(1_769_532_214_000);

    fn user() -> User {
        let email = Email::parse("ann@example.org").unwrap();
        User::new(UserId::parse("u1").unwrap(), email, GlobalRole::CompanyEmployee, SIGNED_IN)
    }

    fn session(door: SessionDoor, amr: &[&str]) -> Session {
        Session {
            id: SessionId::parse("01JD0000000000000000000000").unwrap(),
            user_id: user().id,
            created_at: SIGNED_IN,
            refreshed_at: SIGNED_IN,
            ver: 1,
            tenant_id: None,
            client_id: None,
            door,
            amr: amr.iter().map(|method| (*method).to_owned()).collect(),
            user_agent: None,
            ip: None,
            refresh: None,
        }
    }

    #[test]
    fn a_sign_in_is_recent_for_fifteen_minutes_by_password_or_mailed_code_and_no_other_way() {
        let settings = Settings::shipped("https://api.tikti.test").unwrap();
        let plain = SessionDoor::Plain;
        for (door, amr, seconds, recent) in [
            (plain, &["pwd"][..], 0, true),
            (plain, &["pwd"], 900, true),
            (plain, &["pwd"], 901, false),
            (plain, &["otp"], 900, true),
            (plain, &["custom", "pwd"], 900, true),
            (plain, &["fed"], 0, false),
            (plain, &["mfa"], 0, false),
            (plain, &[], 0, false),
            (SessionDoor::TenantKey, &["pwd"], 900, true),
            (SessionDoor::Firebase, &["pwd"], 900, true),
            (SessionDoor::TenantCode, &["otp"], 900, true),
            (SessionDoor::CustomToken, &["pwd"], 0, false),
            (SessionDoor::CustomToken, &[], 0, false),
        ] {
            let now = SIGNED_IN.plus_millis(seconds * 1000);
            let found = is_recent(&user(), &session(door, amr), &settings, now);
            assert_eq!(found, recent, "{door:?} {amr:?} {seconds}");
        }
    }

    #[test]
    fn a_user_with_nothing_to_sign_in_with_is_excepted() {
        let settings = Settings::shipped("https://api.tikti.test").unwrap();
        let late = SIGNED_IN.plus_millis(24 * 3_600_000);
        let by_custom_token = session(SessionDoor::CustomToken, &[]);
        let with_address = user();
        let nameless = User { email: None, ..user() };
        assert!(is_recent(&nameless, &by_custom_token, &settings, late));
        assert!(!is_recent(&with_address, &by_custom_token, &settings, late));
    }
}
