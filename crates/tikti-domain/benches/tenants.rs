//! Does a tenant's size cost anything, or the number of tenants?
//!
//! A page of members in a small tenant beside the same page in a large one; making, finding and using
//! a tenant in a deployment of few beside one of many. Both sides of a line are measured in turns, in
//! one process, and the line gives the median of the rounds' ratios: 1 means that size costs nothing.
//!
//! The engine is the embedded one in memory, or a Redis of its own where `TIKTI_TEST_STORE` is `redis`.
//! `--quick` makes everything smaller: does it work?
//!
//! Target (spec, HTTP API, "Lists"): a page costs by its size, never by that of the collection.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]

use std::time::{Duration, Instant};

use secrecy::SecretString;
use tikti_domain::Caller;
use tikti_domain::account::{Lookup, lookup};
use tikti_domain::email::Email;
use tikti_domain::id::{ClientId, Slug, TenantId, TenantRef, UserId};
use tikti_domain::page::PageRequest;
use tikti_domain::tenancy::{CreateTenant, create_tenant, get_tenant, list_members, list_tenants};
use tikti_domain::testing::{Fixture, bearing, keyed};
use tikti_domain::token_exchange::{Exchange, exchange};

const ADMIN: &str = "root@corp.sys";
const ROUNDS: usize = 15;

/// How much there is of everything.
struct Sizes {
    members: [u32; 2],
    tenants: [u32; 2],
    /// Calls of one side in one round.
    calls: u32,
    /// Tenants made on one side in one round.
    made: u32,
}

const WHOLE: Sizes =
    Sizes { members: [100, 100_000], tenants: [100, 10_000], calls: 200, made: 10 };
const QUICK: Sizes = Sizes { members: [100, 1_000], tenants: [10, 100], calls: 20, made: 2 };

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let sizes = if is_quick { QUICK } else { WHOLE };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        println!("{:<48} {:>9} {:>9}   ratio (least to most)", "", "small", "large");
        Box::pin(members(&sizes)).await;
        Box::pin(tenants(&sizes)).await;
    });
}

/// A page of 50 members, the first and one from the middle.
async fn members(sizes: &Sizes) {
    let fixture = Fixture::new().await;
    fixture.admin(ADMIN).await;
    let mut sides = Vec::new();
    for (slug, size) in ["small", "large"].into_iter().zip(sizes.members) {
        let tenant = fixture.tenant(ADMIN, slug).await;
        fill(&fixture, &tenant.id, size).await;
        let reference = TenantRef::parse(slug).expect("a reference");
        let caller = bearing(&fixture.sign_in(ADMIN).await.id_token);
        let middle = middle_of(&fixture, (&caller, &reference), size).await;
        sides.push((reference, caller, middle));
    }
    for (name, from_middle) in [("page of 50 members, the first", false), ("the middle one", true)]
    {
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            for (side, (reference, caller, middle)) in sides.iter().enumerate() {
                let token = from_middle.then(|| middle.clone()).flatten();
                let ask = PageRequest { size: PageRequest::USUAL, token };
                let began = Instant::now();
                for _ in 0..sizes.calls {
                    let page = list_members(&fixture.domain, caller, (reference, &ask)).await;
                    assert_eq!(page.expect("a page").items.len(), 50);
                }
                rounds.add(side, began.elapsed() / sizes.calls);
            }
        }
        rounds.print(name);
    }
}

/// Makes a tenant `size` members large.
async fn fill(fixture: &Fixture, tenant: &TenantId, size: u32) {
    let model = fixture.user(&format!("model@{tenant}.example"), role()).await;
    let seat = fixture.member(tenant, &model, &["TENANT_USER"]).await;
    for number in 0..size {
        let id = UserId::parse(&format!("{tenant}-{number:08}")).expect("a user id");
        let (mut user, mut seat) = (model.clone(), seat.clone());
        user.id = id.clone();
        user.email = Some(Email::parse(&format!("u{number}@corp.example")).expect("an address"));
        seat.user_id = id;
        fixture.put_user(&user).await;
        fixture.put_membership(&seat).await;
        if number % 20_000 == 19_999 {
            eprintln!("# {} of {size} members", number + 1);
        }
    }
}

fn role() -> tikti_domain::user::GlobalRole {
    tikti_domain::user::GlobalRole::CompanyEmployee
}

/// The token of the page in the middle.
async fn middle_of(
    fixture: &Fixture,
    (caller, reference): (&Caller, &TenantRef),
    size: u32,
) -> Option<String> {
    let mut token = None;
    for _ in 0..(size / 2).div_ceil(u32::from(PageRequest::USUAL)) {
        let ask = PageRequest { size: PageRequest::USUAL, token };
        let page = list_members(&fixture.domain, caller, (reference, &ask)).await;
        token = page.expect("a page").next;
    }
    token
}

/// A deployment of some tenants.
struct Deployment {
    fixture: Fixture,
    admin: Caller,
    number: u32,
    /// A member's idToken of the first tenant, and one of the last.
    id_tokens: [SecretString; 2],
}

impl Deployment {
    async fn new(number: u32) -> Self {
        let fixture = Fixture::new().await;
        fixture.admin(ADMIN).await;
        let admin = bearing(&fixture.sign_in(ADMIN).await.id_token);
        let mut id_tokens = Vec::new();
        for made in 0..number {
            let tenant = make(&fixture, &admin, made).await;
            if made == 0 || made + 1 == number {
                let email = format!("ann@{}.example", slug(made));
                let user = fixture.user(&email, role()).await;
                fixture.member(&tenant, &user, &["TENANT_USER", "JOBS_OPERATOR"]).await;
                id_tokens.push(fixture.sign_in(&email).await.id_token);
            }
            if made % 2_000 == 1_999 {
                eprintln!("# {} of {number} tenants", made + 1);
            }
        }
        let id_tokens = id_tokens.try_into().expect("two members");
        Self { fixture, admin, number, id_tokens }
    }

    /// A tenant, each time another one.
    fn any(&self, step: u32) -> TenantRef {
        TenantRef::parse(&slug(step.wrapping_mul(2_654_435_761) % self.number)).expect("a slug")
    }
}

fn slug(number: u32) -> String {
    format!("tenant-{number}")
}

async fn make(fixture: &Fixture, admin: &Caller, number: u32) -> TenantId {
    let slug = Slug::parse(&slug(number)).expect("a slug");
    let ask = CreateTenant { slug, name: None, id: None };
    create_tenant(&fixture.domain, admin, &ask).await.expect("a new tenant").id
}

/// Making a tenant, finding it by its slug, the list, a lookup and an exchange.
async fn tenants(sizes: &Sizes) {
    let [small, large] = sizes.tenants;
    let mut sides = [Deployment::new(small).await, Deployment::new(large).await];
    let mut lines: [Rounds; 5] = Default::default();
    for _ in 0..ROUNDS {
        for (side, deployment) in sides.iter_mut().enumerate() {
            let took = round(deployment, sizes).await;
            for (line, took) in lines.iter_mut().zip(took) {
                line.add(side, took);
            }
        }
    }
    let names =
        ["create a tenant", "get it by its slug", "page of 50 tenants", "lookup", "exchange"];
    for (line, name) in lines.iter().zip(names) {
        line.print(name);
    }
}

async fn round(deployment: &mut Deployment, sizes: &Sizes) -> [Duration; 5] {
    let began = Instant::now();
    for _ in 0..sizes.made {
        make(&deployment.fixture, &deployment.admin, deployment.number).await;
        deployment.number += 1;
    }
    let made = began.elapsed() / sizes.made;
    let (domain, admin) = (&deployment.fixture.domain, &deployment.admin);
    let began = Instant::now();
    for step in 0..sizes.calls {
        get_tenant(domain, admin, &deployment.any(step)).await.expect("a tenant");
    }
    let found = began.elapsed() / sizes.calls;
    let ask = PageRequest { size: PageRequest::USUAL, token: None };
    let began = Instant::now();
    for _ in 0..sizes.calls {
        list_tenants(domain, admin, &ask).await.expect("a page");
    }
    let listed = began.elapsed() / sizes.calls;
    let [looked_up, exchanged] = used(deployment, sizes.calls).await;
    [made, found, listed, looked_up, exchanged]
}

async fn used(deployment: &Deployment, calls: u32) -> [Duration; 2] {
    let (domain, caller) = (&deployment.fixture.domain, keyed());
    let began = Instant::now();
    for id_token in deployment.id_tokens.iter().cycle().take(calls as usize) {
        let ask = Lookup { id_token: id_token.clone(), memberships: false };
        lookup(domain, &caller, &ask).await.expect("a lookup");
    }
    let looked_up = began.elapsed() / calls;
    let began = Instant::now();
    for id_token in deployment.id_tokens.iter().cycle().take(calls as usize) {
        let ask = Exchange {
            id_token: id_token.clone(),
            audience: ClientId::parse("backend-worker").expect("an audience"),
            scopes: None,
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: None,
            tenant_header: None,
        };
        exchange(domain, &caller, &ask).await.expect("a token");
    }
    [looked_up, began.elapsed() / calls]
}

/// What both sides took, round by round.
#[derive(Default)]
struct Rounds {
    sides: [Vec<Duration>; 2],
}

impl Rounds {
    fn add(&mut self, side: usize, took: Duration) {
        if let Some(side) = self.sides.get_mut(side) {
            side.push(took);
        }
    }

    fn print(&self, name: &str) {
        let [small, large] = &self.sides;
        let of = |(small, large): (&Duration, &Duration)| large.as_secs_f64() / small.as_secs_f64();
        let mut ratios: Vec<f64> = small.iter().zip(large).map(of).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios.first().expect("a round"), ratios.last().expect("a round"));
        let ratio = ratios.get(ratios.len() / 2).expect("a round");
        let [small, large] = [small, large].map(|side| median(side).as_secs_f64() * 1e6);
        println!(
            "{name:<48} {small:>6.0} µs {large:>6.0} µs   {ratio:.2} ({least:.2} to {most:.2})"
        );
    }
}

fn median(of: &[Duration]) -> Duration {
    let mut sorted = of.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().expect("a round")
}
