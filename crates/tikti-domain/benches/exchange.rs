//! What an exchange costs: the decision alone, and the whole operation beside the raw signature.
//!
//! Target (spec, Performance): the decision without I/O under 5 microseconds.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tikti_domain::account::{Lookup, lookup};
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::testing::{Fixture, keyed};
use tikti_domain::token_exchange::{Exchange, Facts, decide, exchange};

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (fixture, request) = runtime.block_on(async {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        fixture.tenant("root@corp.sys", "acme").await;
        let session = fixture.sign_in("root@corp.sys").await;
        let request = Exchange {
            id_token: session.id_token,
            audience: ClientId::parse("backend-worker").expect("an audience"),
            scopes: Some(ScopeSet::parse("jobs:read jobs:write").expect("scopes")),
            event_types: None,
            ttl_seconds: None,
            subject: Some("worker-01".to_owned()),
            tenant: Some(TenantRef::parse("acme").expect("a tenant")),
            tenant_header: None,
        };
        (fixture, request)
    });
    let caller = keyed();
    let now = fixture.now();
    let facts =
        runtime.block_on(Facts::load(&fixture.domain, &caller, &request, now)).expect("the facts");
    assert!(decide(&facts, &request).outcome.is_ok());
    criterion.bench_function("exchange decision", |bench| {
        bench.iter(|| decide(black_box(&facts), black_box(&request)));
    });
    criterion.bench_function("exchange facts", |bench| {
        bench.iter(|| {
            runtime.block_on(Facts::load(&fixture.domain, &caller, &request, now)).is_ok()
        });
    });
    criterion.bench_function("exchange whole", |bench| {
        bench.iter(|| runtime.block_on(exchange(&fixture.domain, &caller, &request)).is_ok());
    });
    let ask = Lookup { id_token: request.id_token.clone(), memberships: false };
    criterion.bench_function("lookup whole", |bench| {
        bench.iter(|| runtime.block_on(lookup(&fixture.domain, &caller, &ask)).is_ok());
    });
}

criterion_group!(all, benches);
criterion_main!(all);
