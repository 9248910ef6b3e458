//! Which tokens end when they are to be revoked, for whom, and what is written down of it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tikti_domain::account::{Refresh, refresh};
use tikti_domain::api_key::KeyScope;
use tikti_domain::audit::{AuditQuery, list_deployment_events, list_events};
use tikti_domain::error::{Code, Error};
use tikti_domain::id::TenantRef;
use tikti_domain::page::PageRequest;
use tikti_domain::revoke::{RevokeToken, revoke_token};
use tikti_domain::testing::{Fixture, all, bearing, keyed};
use tikti_domain::{Caller, Domain};

use super::introspection::{ANN, Credential, Place, credentials, secret_of, with_key};

async fn end(domain: &Domain, who: &Credential, token: &SecretString) -> Result<(), Error> {
    let ask = RevokeToken { token: token.clone(), client: who.client.clone() };
    revoke_token(domain, &who.caller, &ask).await
}

fn deployment() -> Credential {
    Credential { caller: keyed(), client: None }
}

fn events() -> AuditQuery {
    let (from, to, action, actor) = (None, None, None, None);
    AuditQuery { from, to, action, actor, page: PageRequest::new(Some(200), None).unwrap() }
}

/// The revocations that the chains tell of: the deployment's, then acme's.
async fn told(place: &Place) -> [Vec<Value>; 2] {
    let root = bearing(&place.fixture.sign_in(super::introspection::ROOT).await.id_token);
    let acme = TenantRef::parse("acme").unwrap();
    let pages = [
        list_deployment_events(place.domain(), &root, &events()).await.unwrap(),
        list_events(place.domain(), &root, (&acme, &events())).await.unwrap(),
    ];
    pages.map(|page| {
        let events = page.items.iter().map(|link| serde_json::from_str(&link.event).unwrap());
        events.filter(|event: &Value| event["action"] == "token.revoke").collect()
    })
}

#[tokio::test]
async fn every_credential_ends_every_token_that_is_its_own_and_no_other() {
    let first = Place::new().await;
    let rows = credentials(&first).await.len();
    for row in 0..rows {
        let place = Place::new().await;
        let both = [
            place.tokens(ANN, &place.acme.id).await,
            place.tokens("bob@example.org", &place.beta.id).await,
        ];
        let (name, who, expected) = credentials(&place).await.swap_remove(row);
        for (tokens, expected) in both.iter().zip(expected) {
            // The refresh token last: with its session everything else ends.
            let mut each = tokens.each();
            each.rotate_left(2);
            for (class, token) in each {
                assert!(place.is_active(token).await, "{name} {class}");
                end(place.domain(), &who, token).await.unwrap();
                let ended = expected.contains(&class);
                assert_eq!(place.is_active(token).await, !ended, "{name} {class}");
                end(place.domain(), &who, token).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_used_ends_what_came_of_it() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let ask = Refresh { token: tokens.refresh.clone(), tenant: None };
    let next = refresh(place.domain(), &ask).await.unwrap().refresh_token;
    // One that nobody was given ends nothing, whatever it says of the session.
    let mut forged = next.expose_secret().to_owned();
    let last = forged.pop();
    forged.push(if last == Some('A') { 'B' } else { 'A' });
    end(place.domain(), &deployment(), &forged.into()).await.unwrap();
    assert!(place.is_active(&next).await && place.is_active(&tokens.access).await);
    // Who holds it may have been robbed of it: then the thief has the next one.
    end(place.domain(), &deployment(), &tokens.refresh).await.unwrap();
    assert!(!place.is_active(&next).await);
    for (class, token) in tokens.each() {
        assert_eq!(place.is_active(token).await, class == "own", "{class}");
    }
}

/// Attacks, row E10: a limit of somebody else's is not used up.
#[tokio::test]
async fn e10_who_may_not_end_a_session_uses_up_no_count_of_its_owner_s() {
    let limited = Fixture::with(|settings| settings.limits.enabled = true).await;
    let place = Place::within(limited).await;
    let stolen = place.tokens(ANN, &place.acme.id).await.refresh;
    let ask = |token: &SecretString| Refresh { token: token.clone(), tenant: None };
    let mut present = stolen.clone();
    for _ in 0..3 {
        present = refresh(place.domain(), &ask(&present)).await.unwrap().refresh_token;
    }
    let strangers = [place.key("beta", Some(&place.beta)).await, place.client(true)];
    for who in strangers.iter().cycle().take(100) {
        end(place.domain(), who, &stolen).await.unwrap();
    }
    assert!(place.is_active(&present).await);
    // Whose it is to end, is not told to come again.
    end(place.domain(), &place.key("acme", Some(&place.acme)).await, &stolen).await.unwrap();
    assert!(!place.is_active(&present).await);
}

#[tokio::test]
async fn a_token_of_somebody_who_is_suspended_is_denied_for_when_he_is_not() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let mut client = place.fixture.client(&place.acme.id, "backend-worker").await;
    client.status = tikti_domain::client::ClientStatus::Disabled;
    place.fixture.put_client(&place.acme.id, &client).await;
    end(place.domain(), &deployment(), &tokens.elsewhere).await.unwrap();
    client.status = tikti_domain::client::ClientStatus::Active;
    place.fixture.put_client(&place.acme.id, &client).await;
    assert!(!place.is_active(&tokens.elsewhere).await);
    assert!(place.is_active(&tokens.access).await);
}

#[tokio::test]
async fn a_hundred_at_once_are_one_revocation_that_is_told_once() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    for token in [&tokens.access, &tokens.own, &tokens.refresh] {
        let who = deployment();
        let each = (0..100).map(|_| end(place.domain(), &who, token));
        let outcomes = all(each).await;
        // Whoever loses every round of a race is told to come again; none is told of a success that is none.
        assert!(outcomes.iter().any(Result::is_ok));
        for outcome in outcomes {
            assert!(matches!(&outcome, Ok(()) | Err(Error::Store(_))), "{outcome:?}");
        }
        assert!(!place.is_active(token).await);
    }
    assert_eq!(told(&place).await[0].len(), 3);
}

#[tokio::test]
async fn the_audit_tells_what_was_revoked_with_which_credential_in_whose_chain() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let key = place.key("acme", Some(&place.acme)).await;
    let stranger = place.key("beta", Some(&place.beta)).await;
    for (who, token) in [
        (&deployment(), &tokens.own),
        (&place.client(true), &tokens.access),
        (&key, &tokens.refresh),
        // Nothing of these is there to be told.
        (&deployment(), &tokens.own),
        (&stranger, &tokens.worker),
        (&deployment(), &"nonsense".to_owned().into()),
    ] {
        end(place.domain(), who, token).await.unwrap();
    }
    let [of_deployment, of_acme] = told(&place).await;
    assert_eq!((of_deployment.len(), of_acme.len()), (1, 2));
    let one = &of_deployment[0];
    assert_eq!(
        (&one["actor"]["type"], &one["actor"]["id"]),
        (&"apiKey".into(), &"deployment".into())
    );
    assert_eq!(one["details"]["credential"], "deployment_key");
    assert_eq!(
        (&one["details"]["workerId"], &one["details"]["tokenUse"]),
        (&"robot".into(), &"access".into())
    );
    let user = tokens.session.user_id.as_str();
    let by_client = of_acme.iter().find(|event| event["actor"]["type"] == "client").unwrap();
    assert_eq!(
        (&by_client["actor"]["id"], &by_client["details"]["userId"]),
        (&"jobs-api".into(), &user.into())
    );
    assert_eq!(by_client["tenantId"], place.acme.id.as_str());
    let by_key = of_acme.iter().find(|event| event["actor"]["type"] == "apiKey").unwrap();
    assert_eq!(
        (&by_key["actor"]["id"], &by_key["details"]["tokenUse"]),
        (&"acme".into(), &"refresh".into())
    );
}

#[tokio::test]
async fn credentials_that_may_not_revoke_end_nothing() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let narrow = with_key(place.fixture.api_key("narrow", &[KeyScope::Introspect], |_| ()).await);
    let nobody = Credential { caller: Caller::default(), client: None };
    let auth = secret_of(&place.acme.id, "jobs-api", &"junk".to_owned().into());
    let guess = Credential { caller: Caller::default(), client: Some(auth) };
    for (who, code) in [
        (narrow, Code::ApiKeyForbidden),
        (nobody, Code::InvalidApiKey),
        (guess, Code::InvalidClientCredentials),
    ] {
        for (_, token) in tokens.each() {
            assert_eq!(end(place.domain(), &who, token).await.unwrap_err().code(), code);
            assert!(place.is_active(token).await);
        }
    }
}
