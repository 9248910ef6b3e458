//! What do the credentials of a tenant that is not served open at the OAuth doors? Nothing; and those of another
//! tenant, and of the deployment, what they always did.

use tikti_domain::api_key::KeyScope;
use tikti_domain::client::TIKTI;
use tikti_domain::client_auth::ClientAuth;
use tikti_domain::client_credentials::{self, ClientCredentials};
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::introspect::{Introspect, TokenUse, introspect};
use tikti_domain::revoke::{RevokeToken, revoke_token};
use tikti_domain::tenancy::add_worker_secret;
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing::{FaultPlan, bearing, keyed, set_tenant_status};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::{Caller, Domain};

use super::introspection::{ANN, Credential, Place, ROOT, Tokens, with_key};

const NOT_SERVED: [TenantStatus; 2] = [TenantStatus::Suspended, TenantStatus::Deleting];

async fn is_told(place: &Place, who: &Credential, token: &secrecy::SecretString) -> bool {
    let mut told = false;
    for held_for in [TokenUse::Id, TokenUse::Refresh] {
        let held_for = Some(held_for);
        let ask = Introspect { token: token.clone(), held_for, client: who.client.clone() };
        told |= introspect(place.domain(), &who.caller, &ask).await.unwrap().is_some();
    }
    told
}

async fn revoked(
    domain: &Domain,
    who: &Credential,
    token: &secrecy::SecretString,
) -> Result<(), Code> {
    let ask = RevokeToken { token: token.clone(), client: who.client.clone() };
    revoke_token(domain, &who.caller, &ask).await.map_err(|error: Error| error.code())
}

/// The tokens that are good when the tenant is served again.
async fn good(place: &Place, tokens: &Tokens) -> Vec<&'static str> {
    let who = Credential { caller: keyed(), client: None };
    let mut good = Vec::new();
    for (class, token) in tokens.each() {
        if is_told(place, &who, token).await {
            good.push(class);
        }
    }
    good
}

#[tokio::test]
async fn a8_a_key_of_a_tenant_that_is_not_served_is_told_of_nothing_and_revokes_nothing() {
    for status in NOT_SERVED {
        let place = Place::new().await;
        let tokens = place.tokens(ANN, &place.acme.id).await;
        let before = good(&place, &tokens).await;
        assert_eq!(before.len(), tokens.each().len());
        let key = place.key("acme", Some(&place.acme)).await;
        set_tenant_status(place.domain(), &place.acme.id, status).await;
        for (class, token) in tokens.each() {
            assert!(!is_told(&place, &key, token).await, "{status:?} {class}");
            let refused = revoked(place.domain(), &key, token).await;
            assert_eq!(refused, Err(Code::TenantDisabled), "{status:?} {class}");
        }
        // What is nothing of its own has one answer, whoever asks.
        let bob = place.tokens("bob@example.org", &place.beta.id).await;
        let junk = "nonsense".to_owned().into();
        for (_, token) in bob.each().into_iter().chain([("junk", &junk)]) {
            assert!(!is_told(&place, &key, token).await);
            assert_eq!(revoked(place.domain(), &key, token).await, Ok(()));
        }
        assert_eq!(good(&place, &bob).await.len(), bob.each().len());
        set_tenant_status(place.domain(), &place.acme.id, TenantStatus::Active).await;
        assert_eq!(good(&place, &tokens).await, before, "{status:?}");
        for (_, token) in tokens.each().into_iter().rev() {
            revoked(place.domain(), &key, token).await.unwrap();
        }
        assert!(good(&place, &tokens).await.is_empty());
    }
}

#[tokio::test]
async fn a8_a_client_of_a_tenant_that_is_not_served_neither_asks_nor_revokes() {
    for status in NOT_SERVED {
        let place = Place::new().await;
        let tokens = place.tokens(ANN, &place.acme.id).await;
        let client = place.client(true);
        assert!(is_told(&place, &client, &tokens.access).await);
        set_tenant_status(place.domain(), &place.acme.id, status).await;
        let refused = place.ask(&client, &tokens.access).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidClientCredentials);
        let refused = revoked(place.domain(), &client, &tokens.access).await;
        assert_eq!(refused, Err(Code::InvalidClientCredentials));
        set_tenant_status(place.domain(), &place.acme.id, TenantStatus::Active).await;
        assert!(is_told(&place, &client, &tokens.access).await);
    }
}

#[tokio::test]
async fn a8_neither_a_key_nor_a_worker_of_a_tenant_that_is_not_served_gets_a_token() {
    for status in NOT_SERVED {
        let place = Place::new().await;
        let domain = place.domain();
        let tokens = place.tokens(ANN, &place.acme.id).await;
        let key = with_key(
            place
                .fixture
                .api_key("exchanger", &[KeyScope::Exchange], |key| {
                    key.tenant_id = Some(place.acme.id.clone());
                })
                .await,
        );
        let root = bearing(&place.fixture.sign_in(ROOT).await.id_token);
        let robot = place.robot(&place.acme.id).await;
        let named = (&TenantRef::parse("acme").unwrap(), &robot.id);
        let secret = add_worker_secret(domain, &root, named, None).await.unwrap().secret.unwrap();
        let client_id = format!("{}.{}", place.acme.id, robot.id);
        let own = ClientCredentials {
            auth: ClientAuth::Secret { client_id, secret },
            audience: Some(ClientId::parse(TIKTI).unwrap()),
            scopes: None,
            event_types: None,
            tenant: None,
            tenant_header: None,
        };
        let for_user = Exchange {
            id_token: tokens.id.clone(),
            audience: ClientId::parse("backend-worker").unwrap(),
            scopes: None,
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: None,
            tenant_header: None,
        };
        let ask = async || {
            let exchanged = Box::pin(exchange(domain, &key.caller, &for_user)).await;
            let issued = client_credentials::issue(domain, &Caller::default(), &own).await;
            [exchanged.map(drop), issued.map(drop)]
        };
        assert!(ask().await.iter().all(Result::is_ok));
        set_tenant_status(domain, &place.acme.id, status).await;
        for refused in ask().await {
            assert_eq!(refused.unwrap_err().code(), Code::TenantDisabled, "{status:?}");
        }
    }
}

/// The tenant is read together with what was read before.
#[tokio::test]
async fn a_revocation_reads_once_whoever_asks_and_whatever_it_finds() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let own = place.key("acme", Some(&place.acme)).await;
    let stranger = place.key("beta", Some(&place.beta)).await;
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let replica = place.fixture.replica(2, &plan).await;
    let calls = async |who: &Credential, token: &secrecy::SecretString| {
        let before = plan.calls();
        let done = revoked(&replica, who, token).await;
        (done, plan.calls() - before)
    };
    for (class, token) in tokens.each() {
        assert_eq!(calls(&stranger, token).await, (Ok(()), 1), "{class}");
    }
    set_tenant_status(place.domain(), &place.acme.id, TenantStatus::Suspended).await;
    for (class, token) in tokens.each() {
        assert_eq!(calls(&own, token).await, (Err(Code::TenantDisabled), 1), "{class}");
    }
}
