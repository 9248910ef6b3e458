//! Which codes open a session, and which session that is.

use super::*;
use crate::account::{Lookup, OobRequest, lookup};
use crate::id::TenantId;
use crate::id_token;
use crate::keyspace;
use crate::oob_code::{self, OobCode};
use crate::record::Record;
use crate::session::{Session, SessionDoor};
use crate::settings::Tenantless;
use crate::testing::{Fixture, all, keyed};
use crate::user::{GlobalRole, User, UserStatus};

const ANN: &str = "ann@example.org";

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

async fn fixture() -> (Fixture, User) {
    let fixture = Fixture::new().await;
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    (fixture, ann)
}

async fn code(fixture: &Fixture) -> SecretString {
    fixture.oob_code(OobRequest::EmailSignIn(email(ANN))).await
}

/// A code as a tenant's key has it sent.
async fn tenants_code(fixture: &Fixture, user: &User, tenant: &TenantId) -> SecretString {
    let mut record =
        OobCode::about(&fixture.reload(user).await, OobType::EmailSignIn, fixture.now());
    record.tenant_id = Some(tenant.clone());
    oob_code::put(&fixture.domain, record, fixture.now()).await.unwrap()
}

async fn enter(fixture: &Fixture, address: &str, code: &SecretString) -> Result<SignedIn, Code> {
    let ask =
        SignInWithOobCode { email: email(address), code: code.clone(), return_secure_token: true };
    let session = sign_in_with_oob_code(&fixture.domain, &Caller::default(), &ask).await;
    session.map_err(|error| error.code())
}

async fn refused(fixture: &Fixture, code: &SecretString) -> Code {
    enter(fixture, ANN, code).await.unwrap_err()
}

async fn session(fixture: &Fixture, of: &SignedIn) -> Session {
    let token = id_token::verify(&fixture.domain, &of.id_token, fixture.now()).unwrap();
    let key = keyspace::session(&token.user_id, &token.session_id);
    let stored = fixture.store().get(&key, fixture.now()).await.unwrap().unwrap();
    Session::decode(&key, &stored).unwrap()
}

#[tokio::test]
async fn a_code_opens_a_session_by_otp_and_verifies_the_address() {
    let (fixture, _) = fixture().await;
    let signed_in = enter(&fixture, ANN, &code(&fixture).await).await.unwrap();
    assert!(signed_in.refresh_token.is_some());
    let session = session(&fixture, &signed_in).await;
    assert_eq!((session.amr, session.door), (vec!["otp".to_owned()], SessionDoor::Plain));
    let ask = Lookup { id_token: signed_in.id_token, memberships: false };
    let found = lookup(&fixture.domain, &keyed(), &ask).await.unwrap();
    assert!(found.email_verified && found.last_login_at == Some(fixture.now()));
}

#[tokio::test]
async fn t6_a_tenants_code_opens_a_session_bound_to_that_tenant_while_its_user_is_a_member() {
    let (fixture, ann) = fixture().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let beta = fixture.tenant("root@corp.sys", "beta").await;
    // Acme is the default; the code's tenant counts all the same.
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    fixture.member(&beta.id, &ann, &["TENANT_USER"]).await;
    let code = tenants_code(&fixture, &ann, &beta.id).await;
    let signed_in = enter(&fixture, ANN, &code).await.unwrap();
    assert_eq!(signed_in.tenant_id.as_ref(), Some(&beta.id));
    let session = session(&fixture, &signed_in).await;
    assert_eq!(session.door, SessionDoor::TenantCode);
    assert!(session.is_bound() && !session.may_administer());

    let code = tenants_code(&fixture, &ann, &beta.id).await;
    fixture.clock.advance(1);
    crate::tenancy::remove_member(&fixture.domain, &beta.id, &ann.id, fixture.now()).await.unwrap();
    assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode);
    // A10: a membership made again does not revive it.
    fixture.clock.advance(1);
    fixture.member(&beta.id, &ann, &["TENANT_USER"]).await;
    assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode);
    let code = tenants_code(&fixture, &ann, &beta.id).await;
    enter(&fixture, ANN, &code).await.unwrap();
}

#[tokio::test]
async fn e2_a_code_tried_for_another_address_is_not_used_up() {
    let (fixture, _) = fixture().await;
    fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    let code = code(&fixture).await;
    for address in ["bob@example.org", "nobody@example.org"] {
        assert_eq!(enter(&fixture, address, &code).await.unwrap_err(), Code::InvalidOobCode);
    }
    for bad in ["", "AAAA", &"A".repeat(32), &"A".repeat(10_000)] {
        assert_eq!(refused(&fixture, &bad.to_owned().into()).await, Code::InvalidOobCode);
    }
    enter(&fixture, ANN, &code).await.unwrap();
    assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode);
}

#[tokio::test]
async fn l4_a_code_of_another_type_opens_no_session_even_where_its_bytes_were_moved() {
    let (fixture, ann) = fixture().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    for kind in OobType::ALL.into_iter().filter(|kind| *kind != OobType::EmailSignIn) {
        let record = OobCode::about(&ann, kind, now);
        let code = oob_code::put(domain, record, now).await.unwrap();
        assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode, "{kind:?}");
        let from = &oob_code::keys(&domain.peppers, kind, &code)[0];
        let to = &oob_code::keys(&domain.peppers, OobType::EmailSignIn, &code)[0];
        let stored = domain.store.get(from, now).await.unwrap().unwrap();
        domain.store.put(to, tikti_store::Entry::new(stored.value()), now).await.unwrap();
        assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode, "{kind:?}");
    }
}

#[tokio::test]
async fn l6_of_100_uses_at_once_one_opens_a_session() {
    let (fixture, _) = fixture().await;
    let code = code(&fixture).await;
    let outcomes = all((0..100).map(|_| enter(&fixture, ANN, &code))).await;
    let mut opened = 0;
    for outcome in outcomes {
        match outcome {
            Ok(_) => opened += 1,
            Err(code) => assert_eq!(code, Code::InvalidOobCode),
        }
    }
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_code_ends_to_the_millisecond() {
    let (fixture, _) = fixture().await;
    let (used, late) = (code(&fixture).await, code(&fixture).await);
    fixture.clock.advance(15 * 60 * 1000 - 1);
    enter(&fixture, ANN, &used).await.unwrap();
    fixture.clock.advance(1);
    assert_eq!(refused(&fixture, &late).await, Code::InvalidOobCode);
}

#[tokio::test]
async fn whoever_is_suspended_revoked_or_has_another_address_since_does_not_get_in() {
    type Change = fn(&mut User);
    let changes: [(&str, Change); 3] = [
        ("suspended", |user| user.status = UserStatus::Suspended),
        ("revoked", |user| user.ver += 1),
        ("moved", |user| user.email = Some(Email::parse("new@example.org").unwrap())),
    ];
    for (what, change) in changes {
        let (fixture, mut ann) = fixture().await;
        let code = code(&fixture).await;
        change(&mut ann);
        fixture.put_user(&ann).await;
        assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode, "{what}");
    }
}

#[tokio::test]
async fn a10_a_user_deleted_and_made_again_is_not_opened_by_the_code_of_before() {
    let (fixture, ann) = fixture().await;
    let code = code(&fixture).await;
    crate::account::delete_user(&fixture.domain, &ann.id, fixture.now()).await.unwrap();
    assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode);
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    assert_eq!(refused(&fixture, &code).await, Code::InvalidOobCode);
}

#[tokio::test]
async fn where_only_members_may_sign_in_a_good_code_says_so_and_stays_usable() {
    let fixture = Fixture::with(|settings| settings.tenantless = Tenantless::Admin).await;
    fixture.admin("root@corp.sys").await;
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let code = code(&fixture).await;
    assert_eq!(refused(&fixture, &code).await, Code::MembershipRequired);
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    assert_eq!(enter(&fixture, ANN, &code).await.unwrap().tenant_id, Some(acme.id));
}
