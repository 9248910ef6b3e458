//! When is the issuer asked, how often, and by whom is that waited for?

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tikti_verify::{Freshness, Refusal, VerifyError};
use tokio::task::JoinSet;

use crate::support::*;

const UNKNOWN: Option<Refusal> = Some(Refusal::Token(VerifyError::UnknownKey));

#[tokio::test]
async fn keys_are_found_from_the_issuer_alone() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    assert_eq!(issuer.asked(DISCOVERY), 0, "nobody is asked before a token comes");
    let claims = verifier.verify_access(&issuer.token(key(0))).await.unwrap();
    assert_eq!(claims.claims(), &issuer.access_claims());
    let worker = verifier.verify_worker(&issuer.worker_token(key(0))).await.unwrap();
    assert_eq!(worker.event_types, ["render"]);
    assert_eq!((issuer.asked(DISCOVERY), issuer.asked(JWKS)), (1, 1));
    let status = verifier.status();
    assert_eq!((status.freshness, status.keys, status.fetches), (Freshness::Fresh, 1, 1));
}

#[tokio::test]
async fn keys_may_be_at_a_configured_address() {
    let issuer = Issuer::start(&[key(0)]).await;
    issuer.set(DISCOVERY, Mood::Answers(500));
    let verifier = issuer.builder().keys_at(&format!("{}{JWKS}", issuer.url)).build().unwrap();
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, None);
    assert_eq!((issuer.asked(DISCOVERY), issuer.asked(JWKS)), (0, 1));
}

#[tokio::test]
async fn a_rotation_is_followed_without_waiting() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.publish(&[key(1), key(0)]);
    pass(seconds(226)).await;
    // Due: this one is served with what is held, and starts the fetch.
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, None);
    until(|| verifier.status().fetches == 2).await;
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, None);
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, None);
    issuer.publish(&[key(1)]);
    pass(seconds(226)).await;
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, None);
    until(|| verifier.status().fetches == 3).await;
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, UNKNOWN);
    assert_eq!(issuer.asked(DISCOVERY), 1);
}

#[tokio::test]
async fn who_comes_while_keys_are_due_does_not_wait() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set(JWKS, Mood::Hangs);
    pass(seconds(250)).await;
    for _ in 0..10 {
        assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, None);
    }
    until(|| issuer.hanging() == 1).await;
    assert_eq!(verifier.status().fetches, 1, "the second is still on its way");
    assert_eq!(verifier.status().freshness, Freshness::Due);
}

#[tokio::test]
async fn a_key_revoked_while_nobody_came_is_not_taken() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.publish(&[key(1)]);
    pass(seconds(301)).await;
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, UNKNOWN);
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, None);
    assert_eq!(issuer.asked(JWKS), 2);
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.publish(&[key(1), key(0)]);
    pass(seconds(10)).await;
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, None, "an emergency rotation");
    assert_eq!(issuer.asked(JWKS), 2);
    pass(seconds(10)).await;
    assert_eq!(refusal(&verifier, &token_naming("gone")).await, UNKNOWN);
    assert_eq!(issuer.asked(JWKS), 3);
    pass(seconds(12)).await;
    assert_eq!(refusal(&verifier, &token_naming("gone")).await, UNKNOWN);
    assert_eq!(issuer.asked(JWKS), 3, "it is remembered for two intervals");
    assert_eq!(verifier.status().held_back, 1);
    pass(seconds(9)).await;
    assert_eq!(refusal(&verifier, &token_naming("gone")).await, UNKNOWN);
    assert_eq!(issuer.asked(JWKS), 4);
}

/// An emergency: the new key signs while a fetch is under way which was answered before.
#[tokio::test]
async fn who_joined_a_fetch_from_before_his_key_is_no_stranger() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    pass(seconds(11)).await;
    let token = issuer.token(key(1));
    let (joined, started) = {
        let other = token_naming("gone");
        let mut first = pin!(refusal(&verifier, &other));
        let mut context = Context::from_waker(Waker::noop());
        // The task of the fetch does not run before this one waits: so both are there first.
        assert!(first.as_mut().poll(&mut context).is_pending());
        tokio::join!(refusal(&verifier, &token), first)
    };
    assert_eq!((joined, started), (UNKNOWN, UNKNOWN));
    assert_eq!(issuer.asked(JWKS), 2, "one fetch for both");
    issuer.publish(&[key(1)]);
    pass(seconds(11)).await;
    assert_eq!(refusal(&verifier, &token).await, None);
    assert_eq!(issuer.asked(JWKS), 3);
}

#[tokio::test]
async fn a_hundred_unknown_keys_at_once_are_one_fetch() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    pass(seconds(11)).await;
    let mut tasks = JoinSet::new();
    for number in 0..100 {
        let verifier = verifier.clone();
        tasks.spawn(async move { refusal(&verifier, &token_naming(&number.to_string())).await });
    }
    assert_eq!(tasks.join_all().await, [UNKNOWN; 100]);
    assert_eq!(issuer.asked(JWKS), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_tokens_on_many_threads_are_one_fetch() {
    for _ in 0..20 {
        let issuer = Issuer::start(&[key(0)]).await;
        let verifier = issuer.verifier();
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let (verifier, token) = (verifier.clone(), issuer.token(key(0)));
            tasks.spawn(async move { refusal(&verifier, &token).await });
        }
        assert_eq!(tasks.join_all().await, [None; 64]);
        assert_eq!((issuer.asked(DISCOVERY), issuer.asked(JWKS)), (1, 1));
    }
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch_each_ten_seconds() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    let start = tokio::time::Instant::now();
    // Two minutes, 20 strangers a second, in which the keys are not due.
    for number in 0..2_400 {
        pass(Duration::from_millis(50)).await;
        assert_eq!(refusal(&verifier, &token_naming(&format!("stranger-{number}"))).await, UNKNOWN);
    }
    let fetches = issuer.asked(JWKS) - 1;
    let most = usize::try_from(start.elapsed().as_secs() / 10 + 1).unwrap();
    assert!((11..=most).contains(&fetches), "{fetches} of {most}");
    assert_eq!(verifier.status().held_back + fetches as u64, 2_400);
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, None);
}

#[tokio::test]
async fn what_no_key_can_be_called_asks_nobody() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    for kid in ["a b", "\u{e9}", "a\n", &"x".repeat(129)] {
        pass(seconds(11)).await;
        assert_eq!(refusal(&verifier, &token_naming(kid)).await, UNKNOWN, "{kid:?}");
    }
    assert_eq!(refusal(&verifier, "not.a.token").await.unwrap().status(), 401);
    assert_eq!(issuer.asked(JWKS), 1);
}

#[tokio::test]
async fn a_request_that_is_given_up_does_not_end_the_fetch() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    let token = issuer.token(key(0));
    {
        let mut request = pin!(verifier.verify_access(&token));
        let mut context = Context::from_waker(Waker::noop());
        assert!(request.as_mut().poll(&mut context).is_pending());
    }
    until(|| verifier.status().keys == 1).await;
    assert_eq!(refusal(&verifier, &token).await, None);
    assert_eq!((verifier.status().fetches, issuer.asked(JWKS)), (1, 1));
}

#[tokio::test]
async fn nothing_outlives_the_verifier() {
    let issuer = Issuer::start(&[key(0)]).await;
    issuer.set(DISCOVERY, Mood::Hangs);
    let verifier = issuer.builder().timeouts(seconds(60), seconds(3_600)).build().unwrap();
    let clone = verifier.clone();
    let token = issuer.token(key(0));
    {
        let mut request = pin!(clone.verify_access(&token));
        let mut context = Context::from_waker(Waker::noop());
        assert!(request.as_mut().poll(&mut context).is_pending());
    }
    until(|| issuer.hanging() == 1).await;
    drop(verifier);
    tokio::task::yield_now().await;
    assert_eq!(issuer.hanging(), 1, "a clone is still there");
    drop(clone);
    until(|| issuer.hanging() == 0).await;
}

#[tokio::test]
async fn keep_fresh_needs_no_token() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    let mut tasks = JoinSet::new();
    let kept = verifier.clone();
    tasks.spawn(async move { kept.keep_fresh().await });
    for fetches in 1..=5 {
        until(|| verifier.status().fetches == fetches).await;
        assert_eq!(verifier.status().freshness, Freshness::Fresh);
        pass(seconds(226)).await;
    }
}

#[tokio::test]
async fn keep_fresh_pauses_also_where_nothing_may_be_kept() {
    let issuer = Issuer::start(&[key(0)]).await;
    issuer.caches("no-store");
    let verifier = issuer.builder().cache_times(seconds(1), seconds(1)).build().unwrap();
    let start = tokio::time::Instant::now();
    verifier.refresh().await.unwrap();
    let kept = verifier.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { kept.keep_fresh().await });
    until(|| verifier.status().fetches >= 3).await;
    // Three quarters of a second before each.
    let most = start.elapsed().as_millis() / 750 + 1;
    assert!(u128::from(verifier.status().fetches) <= most, "{:?}", verifier.status());
}

#[tokio::test]
async fn the_reply_says_how_long_keys_are_fresh_within_bounds() {
    let issuer = Issuer::start(&[key(0)]).await;
    for (cache_control, fresh, due) in [
        ("no-store", 700, 800),
        ("max-age=0", 700, 800),
        // What a replica names that has not read its keys for long.
        ("max-age=4", 2_900, 3_100),
        ("max-age=100", 74_000, 76_000),
        ("", 224_000, 226_000),
        ("max-age=31536000, immutable", 2_699_000, 2_701_000),
    ] {
        issuer.caches(cache_control);
        let verifier = issuer.verifier();
        verifier.refresh().await.unwrap();
        pass(Duration::from_millis(fresh)).await;
        assert_eq!(verifier.status().freshness, Freshness::Fresh, "{cache_control}");
        pass(Duration::from_millis(due - fresh)).await;
        assert_eq!(verifier.status().freshness, Freshness::Due, "{cache_control}");
    }
}

#[tokio::test]
async fn keys_that_did_not_change_are_not_sent_again() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    for round in 0..3 {
        verifier.refresh().await.unwrap();
        assert_eq!((issuer.asked(JWKS), issuer.not_modified()), (round + 1, round));
        pass(seconds(299)).await;
    }
    issuer.publish(&[key(1)]);
    verifier.refresh().await.unwrap();
    assert_eq!((issuer.asked(JWKS), issuer.not_modified()), (4, 2));
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, None);
}
