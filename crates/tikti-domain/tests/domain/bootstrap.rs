//! The first administrator and key of a deployment: once, whoever begins how often, and wherever one stops.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use tikti_domain::account::{UpdateUser, list_users, update_user};
use tikti_domain::api_key::KeyScope;
use tikti_domain::api_keys::{KeysOf, list_api_keys};
use tikti_domain::bootstrap::{Begun, First, begin};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::integrity;
use tikti_domain::page::PageRequest;
use tikti_domain::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, sweep};
use tikti_domain::testing::{FaultPlan, Fixture, PASSWORD, all, keyed_bearing};
use tikti_domain::user::GlobalRole;

const ROOT: &str = "root@corp.sys";

fn first(email: &str) -> First {
    First {
        admin: (Email::parse(email).unwrap(), PASSWORD.into()),
        api_key: Some("tk_bootstrap00_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".into()),
    }
}

/// One administrator who can sign in, one key with every scope, and nothing left under way.
async fn assert_begun(fixture: &Fixture) {
    let root = keyed_bearing(&fixture.sign_in(ROOT).await.id_token);
    let page = PageRequest::new(Some(50), None).unwrap();
    let users = list_users(&fixture.domain, &root, &page, None).await.unwrap().items;
    let admins = users.iter().map(|user| (user.email.as_ref().unwrap().as_str(), user.role));
    assert_eq!(Vec::from_iter(admins), [(ROOT, GlobalRole::Admin)]);
    let keys = list_api_keys(&fixture.domain, &root, (KeysOf::Deployment, &page)).await.unwrap();
    let scopes: Vec<BTreeSet<KeyScope>> =
        keys.items.iter().map(|key| key.record.scopes.iter().copied().collect()).collect();
    assert_eq!(scopes, [BTreeSet::from(KeyScope::ALL)]);
    // What stopped half-way leaves nothing that is not tidied up.
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    let mut cursor = SweepCursor::default();
    while sweep(&fixture.domain, &mut cursor, fixture.now()).await.unwrap().more {}
    let report = integrity::verify(fixture.store(), fixture.now(), &mut |_| ()).await.unwrap();
    assert_eq!((report.findings, report.pending), (vec![], 0));
}

#[tokio::test]
async fn replicas_that_begin_at_once_make_one_administrator() {
    let fixture = Fixture::new().await;
    let each_step = FaultPlan::wait_before_each();
    let mut replicas = Vec::new();
    for seed in 2..6 {
        replicas.push(fixture.replica(seed, &each_step).await);
    }
    let first = first(ROOT);
    let begun = replicas.iter().cycle().take(12).map(|replica| begin(replica, &first));
    let begun = Vec::from_iter(all(begun).await.into_iter().map(Result::unwrap));
    // Whoever was told to repeat it finds him now.
    assert!(begun.contains(&Begun::Made), "{begun:?}");
    assert_eq!(begin(&fixture.domain, &first).await.unwrap(), Begun::Before);
    assert_begun(&fixture).await;
}

#[tokio::test]
async fn one_that_stops_anywhere_is_repeated() {
    for calls in 0.. {
        let fixture = Fixture::new().await;
        let replica = fixture.replica(2, &FaultPlan::crash_after(calls)).await;
        let stopped = begin(&replica, &first(ROOT)).await;
        let lived = fixture.try_sign_in(ROOT, PASSWORD).await.is_ok();
        // Whoever is told that it is done can rely on it, and half an administrator is none.
        assert!(stopped.is_err() || lived, "{calls}");
        let again = begin(&fixture.domain, &first(ROOT)).await.unwrap();
        assert_eq!(again, if lived { Begun::Before } else { Begun::Made }, "{calls}");
        assert_begun(&fixture).await;
        if stopped.is_ok() {
            assert!(calls > 10, "{calls}");
            return;
        }
    }
}

/// Polls `begun` until it has made all calls before number `call`; gives what it ended with, where it has no more.
async fn up_to<F: Future>(
    mut begun: Pin<&mut F>,
    plan: &FaultPlan,
    call: u64,
) -> Option<F::Output> {
    poll_fn(|context| {
        // A call is counted before it waits for its turn.
        if plan.calls() >= call {
            return Poll::Ready(None);
        }
        begun.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn one_that_another_overtakes_and_leaves_behind_is_told_to_repeat_it() {
    let plan = FaultPlan::wait_before_each();
    let alone = Fixture::new().await;
    begin(&alone.replica(3, &plan).await, &first(ROOT)).await.unwrap();
    let mut left_behind = 0;
    // From before it takes the address to behind its end.
    for call in plan.calls() - 8..=plan.calls() + 1 {
        for dies_after in 0.. {
            let (told, lived, died) = Box::pin(overtaken(call, dies_after)).await;
            // Whoever was overtaken is not told that it is done before it is.
            assert!(lived || told == Begun::Elsewhere, "{call} {dies_after}: {told:?}");
            left_behind += usize::from(told == Begun::Elsewhere);
            if died.is_ok() {
                break;
            }
        }
    }
    assert!(left_behind > 0);
}

/// What one is told that stands before its `call` while another begins and dies after so many calls, whether there
/// is an administrator then, and how the other one ended.
async fn overtaken(call: u64, dies_after: u64) -> (Begun, bool, Result<Begun, Error>) {
    let (fixture, first) = (Fixture::new().await, first(ROOT));
    let plan = FaultPlan::wait_before_each();
    let waiting = fixture.replica(3, &plan).await;
    let dying = fixture.replica(2, &FaultPlan::crash_after(dies_after)).await;
    let mut begun = pin!(begin(&waiting, &first));
    let ended = up_to(begun.as_mut(), &plan, call).await;
    let died = begin(&dying, &first).await;
    let told = match ended {
        Some(told) => told.unwrap(),
        None => begun.await.unwrap(),
    };
    let lived = fixture.try_sign_in(ROOT, PASSWORD).await.is_ok();
    let again = begin(&fixture.domain, &first).await.unwrap();
    let wanted = if lived { Begun::Before } else { Begun::Made };
    assert_eq!(again, wanted, "{call} {dies_after}");
    assert_begun(&fixture).await;
    (told, lived, died)
}

#[tokio::test]
async fn a_deployment_with_an_administrator_is_left_as_it_is() {
    let fixture = Fixture::new().await;
    assert_eq!(begin(&fixture.domain, &first(ROOT)).await.unwrap(), Begun::Made);
    assert_eq!(begin(&fixture.domain, &first(ROOT)).await.unwrap(), Begun::Before);
    assert_eq!(begin(&fixture.domain, &first("other@corp.sys")).await.unwrap(), Begun::Before);
    assert_begun(&fixture).await;

    // Whoever was the first, and is no administrator any more, does not become one again.
    let root = keyed_bearing(&fixture.sign_in(ROOT).await.id_token);
    let other = fixture.admin("other@corp.sys").await;
    let demoted = UpdateUser { role: Some(GlobalRole::CompanyEmployee), ..UpdateUser::default() };
    let page = PageRequest::new(Some(50), None).unwrap();
    let users = list_users(&fixture.domain, &root, &page, None).await.unwrap().items;
    let first_user = users.into_iter().find(|user| user.id != other.id).unwrap();
    let other = keyed_bearing(&fixture.sign_in("other@corp.sys").await.id_token);
    update_user(&fixture.domain, &other, (&first_user.id, &demoted)).await.unwrap();
    assert_eq!(begin(&fixture.domain, &first(ROOT)).await.unwrap(), Begun::Before);
    assert!(!fixture.reload(&first_user).await.is_admin());
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let refused = async |change: &dyn Fn(&mut First)| {
        let fixture = Fixture::new().await;
        fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        let mut first = first(ROOT);
        change(&mut first);
        let code = begin(&fixture.domain, &first).await.unwrap_err().code();
        // The key would be there before the administrator.
        fixture.admin(ROOT).await;
        let root = keyed_bearing(&fixture.sign_in(ROOT).await.id_token);
        let page = PageRequest::new(Some(50), None).unwrap();
        let keys = list_api_keys(&fixture.domain, &root, (KeysOf::Deployment, &page)).await;
        assert!(keys.unwrap().items.is_empty());
        code
    };
    let ann = |first: &mut First| first.admin.0 = Email::parse("ann@example.org").unwrap();
    assert_eq!(refused(&ann).await, Code::EmailExists);
    let weak = |first: &mut First| first.admin.1 = "short".into();
    assert_eq!(refused(&weak).await, Code::WeakPassword);
    for key in ["tk_bootstrap00_short", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"] {
        let change = |first: &mut First| first.api_key = Some(key.into());
        assert_eq!(refused(&change).await, Code::InvalidArgument, "{key}");
    }
}

#[tokio::test]
async fn a_key_of_the_same_id_with_another_secret_is_told() {
    for calls in 0.. {
        let fixture = Fixture::new().await;
        let replica = fixture.replica(2, &FaultPlan::crash_after(calls)).await;
        begin(&replica, &first(ROOT)).await.expect_err("the key is there before all is done");
        let other = Some("tk_bootstrap00_another0secret0another0secret0".into());
        let again = begin(&fixture.domain, &First { api_key: other, ..first(ROOT) }).await;
        // As soon as one is there, it stays; until then the other one is the first.
        let Err(refused) = again else { continue };
        assert_eq!(refused.code(), Code::Conflict);
        assert_eq!(begin(&fixture.domain, &first(ROOT)).await.unwrap(), Begun::Made);
        return assert_begun(&fixture).await;
    }
}
