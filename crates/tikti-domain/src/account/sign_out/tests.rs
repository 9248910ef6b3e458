//! What is over after a sign-out, and what is not.

use secrecy::ExposeSecret;

use super::*;
use crate::account::{Lookup, Refresh, end_session, list_sessions, lookup, refresh};
use crate::page::PageRequest;
use crate::record::Record;
use crate::session::SessionDoor;
use crate::testing::{Fixture, bearing, keyed};
use crate::user::GlobalRole;

const ANN: &str = "ann@example.org";

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    fixture
}

async fn looked_up(fixture: &Fixture, id_token: &SecretString) -> Result<UserId, Code> {
    let ask = Lookup { id_token: id_token.clone(), memberships: false };
    let found = lookup(&fixture.domain, &keyed(), &ask).await;
    found.map(|found| found.user_id).map_err(|error| error.code())
}

async fn out(fixture: &Fixture, by: SignOutBy, everywhere: bool) -> Result<UserId, Code> {
    sign_out(&fixture.domain, &SignOut { by, everywhere }).await.map_err(|error| error.code())
}

#[tokio::test]
async fn one_session_ends_at_once_by_either_token_and_the_others_go_on() {
    let fixture = fixture().await;
    let stays = fixture.sign_in(ANN).await;
    for by_refresh_token in [false, true] {
        let ended = fixture.sign_in(ANN).await;
        let refresh_token = ended.refresh_token.clone().unwrap();
        let by = if by_refresh_token {
            SignOutBy::RefreshToken(refresh_token.clone())
        } else {
            SignOutBy::IdToken(ended.id_token.clone())
        };
        out(&fixture, by, false).await.unwrap();
        assert_eq!(looked_up(&fixture, &ended.id_token).await, Err(Code::TokenRevoked));
        let ask = Refresh { token: refresh_token.clone(), tenant: None };
        let refused = refresh(&fixture.domain, &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidRefreshToken);
        let again = out(&fixture, SignOutBy::IdToken(ended.id_token), false).await;
        assert_eq!(again, Err(Code::TokenRevoked));
        let again = out(&fixture, SignOutBy::RefreshToken(refresh_token), false).await;
        assert_eq!(again, Err(Code::InvalidRefreshToken));
    }
    looked_up(&fixture, &stays.id_token).await.unwrap();
}

#[tokio::test]
async fn everywhere_ends_all_sessions_of_this_user_and_leaves_no_record() {
    let fixture = fixture().await;
    let bob = fixture.sign_in("bob@example.org").await;
    let mut anns = Vec::new();
    for _ in 0..3 {
        anns.push(fixture.sign_in(ANN).await);
    }
    let by = SignOutBy::IdToken(anns[0].id_token.clone());
    let ann = out(&fixture, by, true).await.unwrap();
    for session in &anns {
        assert_eq!(looked_up(&fixture, &session.id_token).await, Err(Code::TokenRevoked));
    }
    let partition = keyspace::of_user(&ann);
    let left = fixture.domain.store.scan(&partition, keyspace::SESSION, None, 10, fixture.now());
    assert!(left.await.unwrap().entries.is_empty());
    looked_up(&fixture, &bob.id_token).await.unwrap();
    // Whoever signs in again begins anew.
    let again = fixture.sign_in(ANN).await;
    assert_eq!(looked_up(&fixture, &again.id_token).await, Ok(ann));
}

#[tokio::test]
async fn made_up_tokens_sign_nobody_out() {
    let fixture = fixture().await;
    let ann = fixture.sign_in(ANN).await;
    let token = ann.refresh_token.unwrap();
    let (head, _) = token.expose_secret().rsplit_once('.').unwrap();
    let made_up = SecretString::from(format!("{head}.{}", "A".repeat(43)));
    for everywhere in [false, true] {
        let by = SignOutBy::RefreshToken(made_up.clone());
        assert_eq!(out(&fixture, by, everywhere).await, Err(Code::InvalidRefreshToken));
        let by = SignOutBy::IdToken("a.b.c".to_owned().into());
        assert_eq!(out(&fixture, by, everywhere).await, Err(Code::InvalidIdToken));
    }
    looked_up(&fixture, &ann.id_token).await.unwrap();
}

#[tokio::test]
async fn ones_own_sessions_are_listed_by_page_and_ended_one_by_one() {
    let fixture = fixture().await;
    let bob = fixture.sign_in("bob@example.org").await;
    let mut anns = Vec::new();
    for _ in 0..5 {
        fixture.clock.advance(1);
        anns.push(fixture.sign_in(ANN).await);
    }
    let (domain, ann) = (&fixture.domain, bearing(&anns[0].id_token));
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = list_sessions(domain, &ann, &PageRequest::new(Some(2), token).unwrap()).await;
        let page = page.unwrap();
        assert!(page.items.len() <= 2);
        found.extend(page.items);
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    let times: Vec<_> = found.iter().map(|session| session.created_at).collect();
    assert!(times.is_sorted() && found.len() == 5, "{times:?}");

    // Of others' sessions nobody can tell that they are there.
    let ended = &found[4].id;
    for (caller, session) in [(&bearing(&bob.id_token), ended), (&ann, &found[0].id)] {
        let outcome = end_session(domain, caller, session).await;
        if caller.bearer.as_ref().unwrap().expose_secret() == bob.id_token.expose_secret() {
            assert_eq!(outcome.unwrap_err().code(), Code::SessionNotFound);
        } else {
            outcome.unwrap();
        }
    }
    // It was the one that the token belongs to.
    let page = PageRequest::new(None, None).unwrap();
    let refused = list_sessions(domain, &ann, &page).await.unwrap_err();
    assert_eq!(refused.code(), Code::TokenRevoked);
    let ann = bearing(&anns[1].id_token);
    end_session(domain, &ann, ended).await.unwrap();
    let again = end_session(domain, &ann, ended).await.unwrap_err();
    assert_eq!(again.code(), Code::SessionNotFound);
    assert_eq!(list_sessions(domain, &ann, &page).await.unwrap().items.len(), 3);
    let nobody = list_sessions(domain, &crate::domain::Caller::default(), &page).await;
    assert_eq!(nobody.unwrap_err().code(), Code::Unauthenticated);
}

/// A tenant that holds an idToken of its own door learns and ends nothing of the user's other tenants.
#[tokio::test]
async fn t6_a_bound_session_sees_ends_and_changes_nothing_of_other_tenants() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    let ann = looked_up(&fixture, &fixture.sign_in(ANN).await.id_token).await.unwrap();
    fixture.admin("root@example.org").await;
    let email = crate::email::Email::parse(ANN).unwrap();
    let user = super::super::find_by_email(domain, &email, fixture.now());
    let user = user.await.unwrap().unwrap();
    let mut tenants = Vec::new();
    for name in ["acme", "beta"] {
        let tenant = fixture.tenant("root@example.org", name).await;
        fixture.member(&tenant.id, &user, &["TENANT_USER"]).await;
        tenants.push(tenant.id);
    }
    let id =
        |token: &SecretString| id_token::verify(domain, token, fixture.now()).unwrap().session_id;
    let (bound, same, other) =
        (fixture.sign_in(ANN).await, fixture.sign_in(ANN).await, fixture.sign_in(ANN).await);
    for (signed_in, door, tenant) in [
        (&bound, SessionDoor::TenantKey, &tenants[0]),
        (&same, SessionDoor::TenantCode, &tenants[0]),
        (&other, SessionDoor::Plain, &tenants[1]),
    ] {
        let key = keyspace::session(&ann, &id(&signed_in.id_token));
        let stored = domain.store.get(&key, fixture.now()).await.unwrap().unwrap();
        let session = Session::decode(&key, &stored).unwrap();
        let session = Session { door, tenant_id: Some(tenant.clone()), ..session };
        let bytes = session.encode().unwrap();
        domain.store.put(&key, Entry::new(&bytes), fixture.now()).await.unwrap();
    }
    let caller = bearing(&bound.id_token);
    let page = PageRequest::new(None, None).unwrap();
    let seen = list_sessions(domain, &caller, &page).await.unwrap().items;
    let seen: Vec<_> = seen.into_iter().map(|session| session.id).collect();
    assert_eq!(seen, [id(&bound.id_token), id(&same.id_token)]);
    let refused = end_session(domain, &caller, &id(&other.id_token)).await.unwrap_err();
    assert_eq!(refused.code(), Code::SessionNotFound);
    let ask = Lookup { id_token: bound.id_token.clone(), memberships: true };
    let found = lookup(domain, &keyed(), &ask).await.unwrap().memberships.unwrap();
    assert_eq!(found.into_iter().map(|(tenant, _)| tenant).collect::<Vec<_>>(), tenants[..1]);
    let ask = crate::account::UpdateAccount {
        id_token: bound.id_token.clone(),
        email: None,
        password: None,
        display_name: None,
        default_tenant: Some(crate::id::TenantRef::from(&tenants[1])),
    };
    let refused = crate::account::update_account(domain, &keyed(), &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantConflict);
    let by = SignOutBy::IdToken(bound.id_token.clone());
    out(&fixture, by, true).await.unwrap();
    for token in [&bound.id_token, &same.id_token] {
        assert_eq!(looked_up(&fixture, token).await, Err(Code::TokenRevoked));
    }
    let key = keyspace::session(&ann, &id(&other.id_token));
    assert!(domain.store.get(&key, fixture.now()).await.unwrap().is_some());
}
