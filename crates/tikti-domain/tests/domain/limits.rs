//! Limits as callers meet them: the first refusal, the way back, what replicas share, and what nobody
//! can do to others.

use std::net::IpAddr;

use tikti_domain::account::{Lookup, Refresh, SignIn, SignInCall, lookup, refresh, sign_in};
use tikti_domain::api_key::{ApiKey, KeyScope};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::limits::{code_redemption, code_send, failed_redemption};
use tikti_domain::settings::{Limits, Settings};
use tikti_domain::testing::{FaultPlan, Fixture, PASSWORD, keyed, put_user};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::{GlobalRole, UserStatus};
use tikti_domain::{Caller, Domain};

pub(crate) const ANN: &str = "ann@example.org";
const NOBODY: &str = "nobody@example.org";
pub(crate) const WRONG: &str = "wrong password";
const MINUTE: u64 = 60_000;

pub(crate) async fn fixture() -> Fixture {
    Fixture::with(|settings| settings.limits = Limits::shipped()).await
}

pub(crate) async fn fixture_with(change: impl FnOnce(&mut Limits) + Send) -> Fixture {
    let switch_on = |settings: &mut Settings| {
        settings.limits.enabled = true;
        change(&mut settings.limits);
    };
    Fixture::with(switch_on).await
}

pub(crate) fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

pub(crate) fn v4(a: u8, b: u8, c: u8) -> Option<IpAddr> {
    Some(IpAddr::from([198, a, b, c]))
}

pub(crate) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

/// What came of a call: the code of its refusal and the seconds that it names.
fn outcome<T>(result: Result<T, Error>) -> Option<(Code, Option<u64>)> {
    match result {
        Ok(_) => None,
        Err(Error::Refused(refusal)) => Some((refusal.code, refusal.retry_after_seconds)),
        Err(error) => Some((error.code(), None)),
    }
}

fn limited(seconds: u64) -> Option<(Code, Option<u64>)> {
    Some((Code::RateLimited, Some(seconds)))
}

pub(crate) const INVALID: Option<(Code, Option<u64>)> = Some((Code::InvalidLoginCredentials, None));

pub(crate) async fn try_at(
    domain: &Domain,
    (address, password): (&str, &str),
    from: Option<IpAddr>,
) -> Option<(Code, Option<u64>)> {
    let ask = SignIn {
        call: SignInCall::Open,
        email: email(address),
        password: password.to_owned().into(),
        tenant: None,
        client: None,
        return_secure_token: false,
    };
    outcome(sign_in(domain, &Caller { ip: from, ..Caller::default() }, &ask).await)
}

/// Asks until refused, waits as long as told less a second, is refused again, waits that second and is
/// let through. Gives how often it was let through at first.
async fn first_refusal_and_recovery<T>(
    fixture: &Fixture,
    ask: impl AsyncFn() -> Result<T, Error>,
) -> u64 {
    let mut passed = 0;
    let seconds = loop {
        match outcome(ask().await) {
            None => passed += 1,
            Some((code, seconds)) => {
                assert_eq!(code, Code::RateLimited);
                break seconds.unwrap();
            }
        }
    };
    assert!(seconds >= 1);
    fixture.clock.advance((seconds - 1) * 1000);
    assert_eq!(outcome(ask().await), limited(1));
    fixture.clock.advance(1000);
    assert_eq!(outcome(ask().await), None);
    passed
}

/// Attacks, row E2: codes are limited at send and at redemption, by the code's address and not only by
/// the host.
#[tokio::test]
async fn e2_codes_are_limited_by_their_address_at_send_and_at_redemption() {
    let fixture = fixture().await;
    let (domain, ann) = (&fixture.domain, email(ANN));
    let mut host = 0;
    let mut next_host = || {
        host += 1;
        v4(51, 100, host)
    };
    for _ in 0..3 {
        code_send(domain, &ann, next_host(), fixture.now()).await.unwrap();
    }
    let refused = code_send(domain, &ann, next_host(), fixture.now()).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    for _ in 0..10 {
        failed_redemption(domain, &ann, fixture.now()).await.unwrap();
    }
    let refused = failed_redemption(domain, &ann, fixture.now()).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    // Another address is another matter.
    let bob = email("bob@example.org");
    failed_redemption(domain, &bob, fixture.now()).await.unwrap();
    code_send(domain, &bob, next_host(), fixture.now()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_asks_for_too_many_codes_uses_up_nobody_s() {
    let fixture = fixture().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let host = ip("2001:db8:1:2::1");
    for number in 0..30 {
        code_send(domain, &email(&format!("u{number}@x")), host, now).await.unwrap();
    }
    for _ in 0..100 {
        // Its whole /64 is one host.
        let refused = code_send(domain, &email(ANN), ip("2001:db8:1:2::9"), now).await;
        assert_eq!(refused.unwrap_err().code(), Code::RateLimited);
    }
    for _ in 0..3 {
        code_send(domain, &email(ANN), ip("2001:db8:1:3::1"), now).await.unwrap();
    }
}

#[tokio::test]
async fn each_limit_refuses_first_beyond_its_number_and_recovers_when_it_said() {
    let fixture = fixture().await;
    let (domain, ann) = (&fixture.domain, email(ANN));
    let now = || fixture.now();
    let sends = async || code_send(domain, &ann, None, now()).await;
    assert_eq!(first_refusal_and_recovery(&fixture, sends).await, 3);
    let mut passed = 0;
    let refused = loop {
        let address = email(&format!("u{passed}@x"));
        match code_send(domain, &address, ip("203.0.113.7"), now()).await {
            Ok(()) => passed += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!((passed, refused.code()), (30, Code::RateLimited));
    let redeems = async || code_redemption(domain, ip("203.0.113.7"), now()).await;
    assert_eq!(first_refusal_and_recovery(&fixture, redeems).await, 100);
    let redeems = async || failed_redemption(domain, &ann, now()).await;
    assert_eq!(first_refusal_and_recovery(&fixture, redeems).await, 10);
}

#[tokio::test]
async fn exchanges_are_limited_per_user_and_only_those_that_were_allowed_count() {
    let fixture = fixture().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let ask = |audience: &str| Exchange {
        id_token: session.id_token.clone(),
        audience: ClientId::parse(audience).unwrap(),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: Some(TenantRef::parse("acme").unwrap()),
        tenant_header: None,
    };
    let (unknown, known) = (ask("nowhere"), ask("backend-worker"));
    let caller = keyed();
    for _ in 0..20 {
        let refused = exchange(&fixture.domain, &caller, &unknown).await.unwrap_err();
        assert_eq!(refused.code(), Code::UnknownAudience);
    }
    let exchanges = async || exchange(&fixture.domain, &caller, &known).await;
    assert_eq!(first_refusal_and_recovery(&fixture, exchanges).await, 600);
}

#[tokio::test]
async fn refreshes_are_limited_per_session_and_a_theft_is_seen_all_the_same() {
    let fixture = fixture().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let (one, other) = (fixture.sign_in(ANN).await, fixture.sign_in(ANN).await);
    let first = one.refresh_token.unwrap();
    let present = tokio::sync::Mutex::new(first.clone());
    let refreshes = async || {
        let mut present = present.lock().await;
        let ask = Refresh { token: present.clone(), tenant: None };
        let next = refresh(&fixture.domain, &ask).await?;
        *present = next.refresh_token;
        Ok::<_, Error>(())
    };
    assert_eq!(first_refusal_and_recovery(&fixture, &refreshes).await, 60);
    // The other session of the same user has its own count.
    let ask = Refresh { token: other.refresh_token.unwrap(), tenant: None };
    refresh(&fixture.domain, &ask).await.unwrap();
    // A token that was used long ago ends the session, however often it was refreshed.
    while refreshes().await.is_ok() {}
    let ask = Refresh { token: first, tenant: None };
    let refused = refresh(&fixture.domain, &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidRefreshToken);
    assert_eq!(refreshes().await.unwrap_err().code(), Code::InvalidRefreshToken);
}

#[tokio::test]
async fn lookups_are_limited_per_key_where_that_is_switched_on() {
    let off = fixture().await;
    off.user(ANN, GlobalRole::CompanyEmployee).await;
    let ask = Lookup { id_token: off.sign_in(ANN).await.id_token, memberships: false };
    for _ in 0..700 {
        lookup(&off.domain, &keyed(), &ask).await.unwrap();
    }
    let on = fixture_with(|limits| limits.lookups_per_key.most = 20).await;
    on.user(ANN, GlobalRole::CompanyEmployee).await;
    let ask = Lookup { id_token: on.sign_in(ANN).await.id_token, memberships: false };
    let caller = keyed();
    let lookups = async || lookup(&on.domain, &caller, &ask).await;
    assert_eq!(first_refusal_and_recovery(&on, lookups).await, 20);
    let key = on.api_key("other", &[KeyScope::Lookup], |_| ()).await;
    let other = Caller { api_key: Some(key), ..Caller::default() };
    lookup(&on.domain, &other, &ask).await.unwrap();
}

#[tokio::test]
async fn two_replicas_share_each_limit() {
    let fixture = fixture().await;
    let never = FaultPlan::crash_after(u64::MAX - 1);
    let other = fixture.replica(2, &never).await;
    let replicas = [&fixture.domain, &other];
    for turn in 0..10 {
        failed_redemption(replicas[turn % 2], &email(ANN), fixture.now()).await.unwrap();
        assert_eq!(try_at(replicas[turn % 2], (NOBODY, WRONG), v4(51, 100, 1)).await, INVALID);
    }
    for replica in replicas {
        let refused = failed_redemption(replica, &email(ANN), fixture.now()).await.unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        assert_eq!(try_at(replica, (NOBODY, WRONG), v4(51, 100, 1)).await, limited(60));
    }
}

#[tokio::test]
async fn whoever_is_far_over_is_refused_without_asking_the_store() {
    let fixture = fixture().await;
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let replica = fixture.replica(2, &plan).await;
    for _ in 0..11 {
        let _ = failed_redemption(&replica, &email(ANN), fixture.now()).await;
        try_at(&replica, (ANN, WRONG), v4(51, 100, 1)).await;
    }
    let calls = plan.calls();
    for _ in 0..100 {
        let refused = failed_redemption(&replica, &email(ANN), fixture.now()).await.unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        assert_eq!(try_at(&replica, (ANN, PASSWORD), v4(51, 100, 1)).await, limited(60));
    }
    assert_eq!(plan.calls(), calls);
}

#[tokio::test]
async fn failed_sign_ins_are_blocked_for_a_minute_then_twice_as_long_each_time() {
    let fixture = fixture().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let domain = &fixture.domain;
    let from = v4(51, 100, 1);
    for _ in 0..10 {
        assert_eq!(try_at(domain, (ANN, WRONG), from).await, INVALID);
    }
    for minutes in [1, 2, 4, 8, 15, 15] {
        // The right password helps as little as a wrong one, from the whole network.
        assert_eq!(try_at(domain, (ANN, WRONG), from).await, limited(minutes * 60));
        assert_eq!(try_at(domain, (ANN, PASSWORD), v4(51, 100, 99)).await, limited(minutes * 60));
        fixture.clock.advance(minutes * MINUTE - 1);
        assert_eq!(try_at(domain, (ANN, PASSWORD), from).await, limited(1));
        fixture.clock.advance(1);
        assert_eq!(try_at(domain, (ANN, WRONG), from).await, INVALID);
    }
    // Elsewhere, and with another address, nothing of it is felt.
    assert_eq!(try_at(domain, (ANN, PASSWORD), v4(51, 101, 1)).await, None);
    assert_eq!(try_at(domain, (NOBODY, WRONG), from).await, INVALID);
    // The right password begins afresh.
    fixture.clock.advance(15 * MINUTE);
    assert_eq!(try_at(domain, (ANN, PASSWORD), from).await, None);
    for _ in 0..10 {
        assert_eq!(try_at(domain, (ANN, WRONG), from).await, INVALID);
    }
    assert_eq!(try_at(domain, (ANN, WRONG), from).await, limited(60));
}

#[tokio::test]
async fn a_host_that_tries_many_addresses_is_refused_until_its_count_allows_one_more() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let host = v4(51, 100, 1);
    for number in 0..100 {
        let address = format!("u{number}@example.org");
        assert_eq!(try_at(domain, (&address, WRONG), host).await, INVALID);
    }
    let refused = try_at(domain, (ANN, PASSWORD), host).await;
    let Some((Code::RateLimited, Some(seconds))) = refused else { panic!("{refused:?}") };
    assert!((1..=120).contains(&seconds), "{seconds}");
    // Its neighbours are not.
    assert_eq!(try_at(domain, (ANN, PASSWORD), v4(51, 100, 2)).await, None);
    fixture.clock.advance((seconds - 1) * 1000);
    assert_eq!(try_at(domain, (ANN, PASSWORD), host).await, limited(1));
    fixture.clock.advance(1000);
    assert_eq!(try_at(domain, (ANN, PASSWORD), host).await, None);
}

/// Attacks, row E10: rate limits lock nobody out of where he signs in from.
#[tokio::test]
async fn e10_after_10_000_wrong_passwords_from_one_network_the_admin_signs_in_from_his_own() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    const ROOT: &str = "root@corp.sys";
    fixture.admin(ROOT).await;
    let home = ip("2001:db8:7:100::1");
    assert_eq!(try_at(domain, (ROOT, PASSWORD), home).await, None);
    let mut checked = 0;
    for number in 0..10_000_u64 {
        let from = v4(51, 100, u8::try_from(number % 250).unwrap());
        match try_at(domain, (ROOT, WRONG), from).await {
            INVALID => checked += 1,
            Some((Code::RateLimited, Some(_))) => {}
            other => panic!("{other:?}"),
        }
        fixture.clock.advance(100);
    }
    // 1000 seconds: the first ten, and one after each of the blocks of 1, 2, 4 and 8 minutes.
    assert_eq!(checked, 14);
    assert_eq!(try_at(domain, (ROOT, PASSWORD), home).await, None);
    assert_eq!(try_at(domain, (ROOT, PASSWORD), ip("2001:db8:7:1ff::1")).await, None);
}

/// Attacks, row E10, from everywhere at once: beyond the limit of the address alone only networks are
/// refused that the account does not know.
#[tokio::test]
async fn e10_wrong_passwords_from_many_networks_lock_nobody_out_of_where_he_signs_in_from() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let home = ip("203.0.113.7");
    assert_eq!(try_at(domain, (ANN, PASSWORD), home).await, None);
    for address in [ANN, NOBODY] {
        for number in 0..100 {
            assert_eq!(try_at(domain, (address, WRONG), v4(51, number, 1)).await, INVALID);
        }
    }
    // Whether there is an account makes no difference to a stranger.
    let stranger = v4(52, 0, 1);
    let refused = try_at(domain, (ANN, WRONG), stranger).await;
    assert!(matches!(refused, Some((Code::RateLimited, Some(1..)))), "{refused:?}");
    assert_eq!(try_at(domain, (NOBODY, WRONG), stranger).await, refused);
    assert_eq!(try_at(domain, (ANN, PASSWORD), stranger).await, refused);
    // From home he comes in, and after 30 days away home is a place like any other.
    assert_eq!(try_at(domain, (ANN, PASSWORD), home).await, None);
    assert_eq!(try_at(domain, (ANN, PASSWORD), ip("203.0.113.200")).await, None);
    fixture.clock.advance(30 * 24 * 60 * MINUTE);
    for number in 0..100 {
        assert_eq!(try_at(domain, (ANN, WRONG), v4(51, number, 1)).await, INVALID);
    }
    assert!(matches!(try_at(domain, (ANN, PASSWORD), home).await, Some((Code::RateLimited, _))));
}

/// Domain, rule 7: the whole course of it is the same for an address without an account.
#[tokio::test]
async fn strangers_wrong_passwords_and_suspended_users_are_limited_alike() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    put_user(domain, "gone@example.org", UserStatus::Suspended).await;
    let mut courses = vec![];
    for (network, address) in [(1, ANN), (2, NOBODY), (3, "gone@example.org")] {
        let mut course = vec![];
        for _ in 0..12 {
            course.push(try_at(domain, (address, WRONG), v4(51, network, 1)).await);
        }
        courses.push(course);
    }
    assert_eq!(courses[0], courses[1]);
    assert_eq!(courses[0], courses[2]);
    assert_eq!(courses[0][9..], [INVALID, limited(60), limited(60)]);
}

/// To a tenant's key a stranger with the right password looks as one with a wrong one does: also in how
/// often he may try.
#[tokio::test]
async fn a_stranger_of_a_tenant_is_limited_like_a_wrong_password() {
    let fixture = fixture().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let of_acme = |key: &mut ApiKey| key.tenant_id = Some(acme.id.clone());
    let key = fixture.api_key("acme", &[KeyScope::SignIn], of_acme).await;
    let mut courses = vec![];
    for (network, password) in [(1, PASSWORD), (2, WRONG)] {
        let ip = v4(51, network, 1);
        let caller = Caller { api_key: Some(key.clone()), ip, ..Caller::default() };
        let mut course = vec![];
        for _ in 0..12 {
            let ask = SignIn {
                call: SignInCall::Keyed,
                email: email(ANN),
                password: password.to_owned().into(),
                tenant: None,
                client: None,
                return_secure_token: false,
            };
            course.push(outcome(sign_in(&fixture.domain, &caller, &ask).await));
        }
        courses.push(course);
    }
    assert_eq!(courses[0], courses[1]);
    assert_eq!(courses[0][10], limited(60));
}

#[tokio::test]
async fn a_refusal_costs_no_bcrypt_whoever_is_meant() {
    let fixture = fixture().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let from = v4(51, 100, 1);
    let never = FaultPlan::crash_after(u64::MAX - 1);
    // Every bcrypt is one too many for this one.
    let full = fixture.replica_with(2, &never, |settings| settings.password_pool.queue = 0).await;
    for address in [ANN, NOBODY] {
        let overloaded = try_at(&full, (address, WRONG), from).await;
        assert!(matches!(overloaded, Some((Code::Overloaded, _))), "{overloaded:?}");
        for _ in 0..10 {
            assert_eq!(try_at(&fixture.domain, (address, WRONG), from).await, INVALID);
        }
        assert_eq!(try_at(&full, (address, PASSWORD), from).await, limited(60));
    }
}

#[tokio::test]
async fn right_passwords_are_not_counted_and_an_ordinary_sign_in_is_one_commit() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    for round in 0..150 {
        let before = fixture.store().statistics().commits;
        assert_eq!(try_at(domain, (ANN, PASSWORD), v4(51, 100, 1)).await, None, "{round}");
        assert_eq!(fixture.store().statistics().commits, before + 1, "{round}");
    }
}

#[tokio::test]
async fn a_failure_that_cannot_be_counted_tells_nothing_of_the_password() {
    let fixture = fixture().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    for (password, address) in [(WRONG, ANN), (PASSWORD, ANN), (WRONG, NOBODY)] {
        // The two reads pass.
        let plan = FaultPlan::crash_after(2);
        let replica = fixture.replica(2, &plan).await;
        let refused = try_at(&replica, (address, password), v4(51, 100, 1)).await;
        assert_eq!(refused, Some((Code::StoreUnavailable, None)), "{address}");
    }
}

#[tokio::test]
async fn switched_off_nothing_is_limited() {
    let fixture = Fixture::new().await;
    let ann = email(ANN);
    for _ in 0..150 {
        assert_eq!(try_at(&fixture.domain, (ANN, WRONG), v4(51, 100, 1)).await, INVALID);
        code_send(&fixture.domain, &ann, v4(51, 100, 1), fixture.now()).await.unwrap();
        failed_redemption(&fixture.domain, &ann, fixture.now()).await.unwrap();
        code_redemption(&fixture.domain, v4(51, 100, 1), fixture.now()).await.unwrap();
    }
}
