//! What stands behind the secret of a refresh token, and does any door read it otherwise than another?

use secrecy::{ExposeSecret, SecretString};
use tikti_domain::account::{Refresh, SignOut, SignOutBy, refresh, sign_out};
use tikti_domain::id::TenantId;
use tikti_domain::introspect::{ActiveToken, Introspect, TokenUse, introspect};
use tikti_domain::revoke::{RevokeToken, revoke_token};
use tikti_domain::testing::{FaultPlan, keyed};

use super::introspection::{ANN, Credential, Place};

/// Where a refresh token is shown.
#[derive(Clone, Copy, Debug)]
enum Door {
    Refresh,
    SignOut,
    Introspect,
    Revoke,
}

fn deployment() -> Credential {
    Credential { caller: keyed(), client: None }
}

async fn introspected(
    place: &Place,
    who: &Credential,
    token: &SecretString,
) -> Option<ActiveToken> {
    let held_for = Some(TokenUse::Refresh);
    let ask = Introspect { token: token.clone(), held_for, client: who.client.clone() };
    introspect(place.domain(), &who.caller, &ask).await.unwrap()
}

async fn revoked(place: &Place, who: &Credential, token: &SecretString) {
    let ask = RevokeToken { token: token.clone(), client: who.client.clone() };
    revoke_token(place.domain(), &who.caller, &ask).await.unwrap();
}

/// Whether the door takes the token for one of its session.
async fn takes(place: &Place, door: Door, shown: &SecretString, given: &SecretString) -> bool {
    match door {
        Door::Refresh => {
            let ask = Refresh { token: shown.clone(), tenant: None };
            let refreshed = refresh(place.domain(), &ask).await;
            refreshed.is_ok_and(|refreshed| refreshed.tenant_id.as_ref() == Some(&place.acme.id))
        }
        Door::SignOut => {
            let by = SignOutBy::RefreshToken(shown.clone());
            sign_out(place.domain(), &SignOut { by, everywhere: false }).await.is_ok()
        }
        Door::Introspect => {
            let found = introspected(place, &deployment(), shown).await;
            found.is_some_and(|found| found.tenant_id.as_deref() == Some(place.acme.id.as_str()))
        }
        Door::Revoke => {
            revoked(place, &deployment(), shown).await;
            introspected(place, &deployment(), given).await.is_none()
        }
    }
}

/// What is written behind the secret, and whether that is a refresh token at all.
fn hints(place: &Place) -> Vec<(&'static str, String, bool)> {
    let (acme, beta) = (&place.acme.id, &place.beta.id);
    vec![
        ("as it was given out", format!(".{acme}"), true),
        ("none", String::new(), true),
        ("another tenant", format!(".{beta}"), true),
        ("a tenant that is none", ".t-nowhere".to_owned(), true),
        ("its tenant and a client", format!(".{acme}.backend-worker"), true),
        ("another tenant and a client that is none", format!(".{beta}.no.body"), true),
        ("what no tenant's id can be", ".No Tenant".to_owned(), false),
        ("nothing behind a dot", ".".to_owned(), false),
        ("its tenant and what no client's id can be", format!(".{acme}.a b"), false),
    ]
}

#[tokio::test]
async fn every_door_reads_the_session_and_never_the_hint() {
    let rows = hints(&Place::new().await).len();
    for door in [Door::Refresh, Door::SignOut, Door::Introspect, Door::Revoke] {
        for row in 0..rows {
            let place = Place::new().await;
            let given = place.fixture.sign_in(ANN).await.refresh_token.unwrap();
            let (name, hint, is_token) = hints(&place).swap_remove(row);
            let bare = given.expose_secret().strip_suffix(&format!(".{}", place.acme.id));
            let shown = SecretString::from(format!("{}{hint}", bare.unwrap()));
            assert_eq!(takes(&place, door, &shown, &given).await, is_token, "{door:?}: {name}");
        }
    }
}

/// By naming a tenant nobody is told of its sessions, nor may he end them, nor are they hidden from theirs.
#[tokio::test]
async fn t7_whose_a_refresh_token_is_stands_in_the_session_and_not_in_the_hint() {
    let place = Place::new().await;
    let given = place.fixture.sign_in(ANN).await.refresh_token.unwrap();
    let renamed = |tenant: &TenantId| -> SecretString {
        given.expose_secret().replace(place.acme.id.as_str(), tenant.as_str()).into()
    };
    let shown = renamed(&place.beta.id);
    let own = place.key("acme", Some(&place.acme)).await;
    let stranger = place.key("beta", Some(&place.beta)).await;
    for token in [&shown, &given] {
        assert!(introspected(&place, &stranger, token).await.is_none());
        revoked(&place, &stranger, token).await;
        assert!(introspected(&place, &own, token).await.is_some());
    }
    revoked(&place, &own, &shown).await;
    assert!(introspected(&place, &own, &given).await.is_none());
}

/// A second round trip is for whoever is told of the token: how long it takes tells nobody else anything.
#[tokio::test]
async fn a_wrong_hint_costs_one_more_round_trip_and_strangers_none() {
    let place = Place::new().await;
    let given = place.fixture.sign_in(ANN).await.refresh_token.unwrap();
    let (acme, beta) = (place.acme.id.as_str(), place.beta.id.as_str());
    let wrong = SecretString::from(given.expose_secret().replace(acme, beta));
    let own = place.key("acme", Some(&place.acme)).await;
    let stranger = place.key("beta", Some(&place.beta)).await;
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let replica = place.fixture.replica(2, &plan).await;
    for (who, token, calls) in
        [(&own, &given, 1), (&own, &wrong, 2), (&stranger, &given, 1), (&stranger, &wrong, 1)]
    {
        let before = plan.calls();
        let held_for = Some(TokenUse::Refresh);
        let ask = Introspect { token: token.clone(), held_for, client: None };
        introspect(&replica, &who.caller, &ask).await.unwrap();
        assert_eq!(plan.calls() - before, calls, "{who:?}");
    }
}
