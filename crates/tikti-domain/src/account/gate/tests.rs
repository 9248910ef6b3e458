//! Whose tokens and keys open the administration of accounts, and whose do not.

use secrecy::SecretString;
use tikti_store::Entry;

use crate::account::{
    Revoke, RevokeScope, SetStatus, SignUp, UpdateUser, Validate, get_user, list_users,
    remove_user, revoke, revoke_jti, set_status, sign_up, update_user, validate,
};
use crate::api_key::{ApiKey, KeyScope};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ClientId, UserId};
use crate::id_token::Holder;
use crate::issue;
use crate::keyspace;
use crate::page::PageRequest;
use crate::record::Record;
use crate::session::{Session, SessionDoor};
use crate::testing::{Fixture, PASSWORD, bearing, keyed_bearing};
use crate::user::{GlobalRole, User, UserStatus};

const ROOT: &str = "root@corp.sys";

/// Every operation of administrators on accounts, on somebody who does not exist, with its answer; and
/// whether it changes something.
async fn every_answer(domain: &Domain, caller: &Caller) -> Vec<(&'static str, bool, Code)> {
    let email = Email::parse("nobody@example.org").unwrap();
    let nobody = UserId::parse("nobody").unwrap();
    let token = SecretString::from("a.b.c".to_owned());
    let new = SignUp {
        email: email.clone(),
        // Refused behind the gate.
        password: "short".to_owned().into(),
        role: GlobalRole::CompanyEmployee,
        joins: None,
    };
    let status = SetStatus { email: email.clone(), status: UserStatus::Active };
    let all = Revoke { email: email.clone(), scope: RevokeScope::Global };
    let name = UpdateUser { display_name: Some("A".to_owned()), ..UpdateUser::default() };
    let ask = Validate { token: token.clone(), audience: "a".to_owned() };
    let page = PageRequest::new(None, Some("made up".to_owned())).unwrap();
    let code = |outcome: Result<(), Error>| outcome.unwrap_err().code();
    vec![
        ("signUp", true, code(sign_up(domain, caller, &new).await.map(|_| ()))),
        ("status", true, code(set_status(domain, caller, &status).await.map(|_| ()))),
        ("revoke", true, code(revoke(domain, caller, &all).await.map(|_| ()))),
        ("revokeJti", true, code(revoke_jti(domain, caller, &token).await.map(|_| ()))),
        ("validate", false, code(validate(domain, caller, &ask).await.map(|_| ()))),
        ("list", false, code(list_users(domain, caller, &page, None).await.map(|_| ()))),
        ("get", false, code(get_user(domain, caller, &nobody).await.map(|_| ()))),
        ("patch", true, code(update_user(domain, caller, (&nobody, &name)).await.map(|_| ()))),
        ("delete", true, code(remove_user(domain, caller, &nobody).await)),
    ]
}

/// An idToken of a session of the administrator that was changed by `change`.
async fn token_of(
    fixture: &Fixture,
    root: &User,
    change: impl FnOnce(&mut Session) + Send,
) -> SecretString {
    let signed_in = fixture.sign_in(ROOT).await;
    let token =
        crate::id_token::verify(&fixture.domain, &signed_in.id_token, fixture.now()).unwrap();
    assert_eq!(Holder::keys(&token)[0], keyspace::user(&root.id));
    let key = keyspace::session(&root.id, &token.session_id);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap().unwrap();
    let mut session = Session::decode(&key, &stored).unwrap();
    change(&mut session);
    put_session(fixture, &session).await;
    issue::id_token(&fixture.domain, root, &session, None, fixture.now()).await.unwrap()
}

async fn put_session(fixture: &Fixture, session: &Session) {
    let key = keyspace::session(&session.user_id, &session.id);
    let bytes = session.encode().unwrap();
    fixture.domain.store.put(&key, Entry::new(&bytes), fixture.now()).await.unwrap();
}

/// Attacks, row E9: an idToken that was given to a service was replayed against the admin API.
#[tokio::test]
async fn e9_tokens_that_a_service_or_a_tenant_could_hold_administer_no_accounts() {
    let fixture = Fixture::new().await;
    let root = fixture.admin(ROOT).await;
    let to_door = async |door| token_of(&fixture, &root, |session| session.door = door).await;
    let mut tokens = Vec::new();
    for door in [
        SessionDoor::TenantKey,
        SessionDoor::Firebase,
        SessionDoor::CustomToken,
        SessionDoor::TenantCode,
    ] {
        tokens.push((format!("{door:?}"), to_door(door).await));
    }
    let of_app = |session: &mut Session| {
        session.client_id = Some(ClientId::parse("an-app").unwrap());
    };
    tokens.push(("another audience".to_owned(), token_of(&fixture, &root, of_app).await));
    tokens.push(("no token".to_owned(), "a.b.c".to_owned().into()));
    for (which, token) in tokens {
        for (call, _, code) in every_answer(&fixture.domain, &keyed_bearing(&token)).await {
            assert_eq!(code, Code::Unauthenticated, "{call} by {which}");
        }
    }
    let plain = to_door(SessionDoor::Plain).await;
    for (call, _, code) in every_answer(&fixture.domain, &keyed_bearing(&plain)).await {
        let behind = match call {
            "signUp" => Code::WeakPassword,
            "revokeJti" | "validate" => Code::InvalidIdToken,
            "list" => Code::InvalidArgument,
            _ => Code::UserNotFound,
        };
        assert_eq!(code, behind, "{call}");
    }
}

#[tokio::test]
async fn e9_an_old_sign_in_of_an_administrator_reads_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let root = fixture.admin(ROOT).await;
    fixture.clock.advance(13 * 3_600_000);
    let long_ago = Timestamp::from_millis(fixture.now().as_millis() - 12 * 3_600_000 - 1000);
    let old = token_of(&fixture, &root, |session| session.created_at = long_ago).await;
    for (call, is_change, code) in every_answer(&fixture.domain, &keyed_bearing(&old)).await {
        assert_eq!(code == Code::CredentialTooOld, is_change, "{call}: {code}");
        assert_ne!(code, Code::Unauthenticated, "{call}");
    }
}

#[tokio::test]
async fn who_is_no_administrator_or_comes_with_no_fitting_key_gets_nowhere() {
    let fixture = Fixture::new().await;
    fixture.admin(ROOT).await;
    fixture.user("ann@example.org", GlobalRole::CompanyAdmin).await;
    let (root, ann) = (fixture.sign_in(ROOT).await, fixture.sign_in("ann@example.org").await);
    let acme = fixture.tenant(ROOT, "acme").await.id;
    let others: Vec<_> =
        KeyScope::ALL.into_iter().filter(|scope| *scope != KeyScope::Admin).collect();
    let without = fixture.api_key("without", &others, |_| ()).await;
    let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(acme);
    let of_tenant = fixture.api_key("tenants", &KeyScope::ALL, of_tenant).await;
    let with =
        |key: &SecretString| Caller { api_key: Some(key.clone()), ..bearing(&root.id_token) };
    let unknown = SecretString::from("tk_none_abcdefghijklmnopqrstuvwxyz012345".to_owned());
    for (caller, code) in [
        (keyed_bearing(&ann.id_token), Code::AdminRequired),
        (bearing(&root.id_token), Code::InvalidApiKey),
        (with(&unknown), Code::InvalidApiKey),
        (with(&without), Code::ApiKeyForbidden),
        (with(&of_tenant), Code::ApiKeyForbidden),
    ] {
        for (call, _, found) in every_answer(&fixture.domain, &caller).await {
            // It needs no API key.
            if call != "signUp" || code == Code::AdminRequired {
                assert_eq!(found, code, "{call}");
            }
        }
    }
    let still = fixture.try_sign_in(ROOT, PASSWORD).await;
    assert!(still.is_ok());
}
