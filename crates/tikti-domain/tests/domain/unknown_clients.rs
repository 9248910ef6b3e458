//! Does it cost a stranger as much to name a client that nobody has as one that is there?
//!
//! What it costs is counted and never timed: calls of the store here, comparisons by how they are written.

use tikti_domain::client::TIKTI;
use tikti_domain::error::Code;
use tikti_domain::id::TenantId;
use tikti_domain::introspect::{Introspect, introspect};
use tikti_domain::revoke::{RevokeToken, revoke_token};
use tikti_domain::testing::{FaultPlan, Fixture};
use tikti_domain::{Caller, Domain};

use super::introspection::{ANN, Place, secret_of};

/// How many calls of the store a wrong secret costs: at introspection, then at revocation.
async fn calls(
    (domain, plan): (&Domain, &FaultPlan),
    (tenant, client): (&TenantId, &str),
    token: &secrecy::SecretString,
) -> [u64; 2] {
    let auth = secret_of(tenant, client, &"junk".to_owned().into());
    let before = plan.calls();
    let ask = Introspect { token: token.clone(), held_for: None, client: Some(auth.clone()) };
    let refused = introspect(domain, &Caller::default(), &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidClientCredentials, "{client}");
    let between = plan.calls();
    let ask = RevokeToken { token: token.clone(), client: Some(auth) };
    let refused = revoke_token(domain, &Caller::default(), &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidClientCredentials, "{client}");
    [between - before, plan.calls() - between]
}

/// Attacks, row E6.
#[tokio::test]
async fn e6_a_client_that_nobody_has_costs_as_many_round_trips_as_one_that_is_there() {
    for limited in [false, true] {
        let fixture = Fixture::with(|settings| settings.limits.enabled = limited).await;
        let place = Place::within(fixture).await;
        let tokens = place.tokens(ANN, &place.acme.id).await;
        let plan = FaultPlan::crash_after(u64::MAX - 1);
        let replica = place.fixture.replica(2, &plan).await;
        let (acme, nowhere) = (&place.acme.id, TenantId::parse("t-nowhere").unwrap());
        let junk = "nonsense".to_owned().into();
        for (class, token) in tokens.each().into_iter().chain([("junk", &junk)]) {
            // The limits count by client: each is tried twice for each token.
            let expected = if limited { [2, 2] } else { [1, 1] };
            for client in [
                (acme, "jobs-api"),
                (acme, "nobody"),
                // There, and without a secret.
                (acme, TIKTI),
                (&nowhere, "jobs-api"),
            ] {
                let found = calls((&replica, &plan), client, token).await;
                assert_eq!(found, expected, "{class} {client:?} {limited}");
            }
            place.fixture.clock.advance(120_000);
        }
    }
}
