//! What happens while the issuer is away, slow or in another's hands?

use tikti_verify::{Freshness, RefreshError, Refusal, VerifyError};

use crate::support::*;

const UNTOLD: Option<Refusal> = Some(Refusal::KeysUnavailable);

#[tokio::test]
async fn old_keys_serve_for_a_day_while_the_issuer_is_away() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    let token = issuer.token(key(0));
    assert_eq!(refusal(&verifier, &token).await, None);
    issuer.set(JWKS, Mood::Answers(500));
    issuer.set(DISCOVERY, Mood::Answers(500));
    for hour in 1..24 {
        pass(seconds(3_600)).await;
        assert_eq!(refusal(&verifier, &token).await, None, "after {hour} h");
        until(|| verifier.status().fetches == 1 + hour).await;
    }
    let status = verifier.status();
    assert_eq!(status.freshness, Freshness::Stale);
    assert_eq!(status.last_failure, Some(RefreshError::Status(500)));
    assert_eq!(status.failures, 23);
    pass(seconds(3_700)).await;
    assert_eq!(refusal(&verifier, &token).await, UNTOLD, "a day is over");
    assert_eq!(verifier.status().freshness, Freshness::Missing);

    issuer.set(DISCOVERY, Mood::Says(issuer.discovery(&issuer.url, JWKS)));
    issuer.publish(&[key(0)]);
    pass(seconds(31)).await;
    assert_eq!(refusal(&verifier, &token).await, None, "it is back");
    assert_eq!(verifier.status().failures, 0);
}

#[tokio::test]
async fn one_failed_fetch_before_idle_hours_takes_no_token_of_a_revoked_key() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    let token = issuer.token(key(0));
    assert_eq!(refusal(&verifier, &token).await, None);
    issuer.set(JWKS, Mood::Answers(500));
    pass(seconds(301)).await;
    assert_eq!(refusal(&verifier, &token).await, None, "it is away");
    assert_eq!(verifier.status().failures, 1);
    // It is back, without the key, and ten hours nobody comes.
    issuer.publish(&[key(1)]);
    pass(seconds(36_000)).await;
    let unknown = Some(Refusal::Token(VerifyError::UnknownKey));
    assert_eq!(refusal(&verifier, &token).await, unknown);
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, None);
}

#[tokio::test]
async fn an_outage_may_be_shorter() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.builder().longest_outage(seconds(600)).build().unwrap();
    let token = issuer.token(key(0));
    assert_eq!(refusal(&verifier, &token).await, None);
    issuer.set(JWKS, Mood::Answers(503));
    pass(seconds(500)).await;
    assert_eq!(refusal(&verifier, &token).await, None);
    pass(seconds(101)).await;
    assert_eq!(refusal(&verifier, &token).await, UNTOLD);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_asked_rarely() {
    let issuer = Issuer::start(&[key(0)]).await;
    issuer.set(DISCOVERY, Mood::Answers(500));
    let verifier = issuer.verifier();
    let token = issuer.token(key(0));
    let start = tokio::time::Instant::now();
    for _ in 0..1_200 {
        assert_eq!(refusal(&verifier, &token).await, UNTOLD);
        pass(std::time::Duration::from_millis(100)).await;
    }
    let times = [0, 1, 3, 7, 15, 31].into_iter().chain((61..).step_by(30));
    let most = times.take_while(|time| seconds(*time) <= start.elapsed()).count();
    assert!((7..=most).contains(&issuer.asked(DISCOVERY)), "{}", issuer.asked(DISCOVERY));
}

#[tokio::test]
async fn a_token_that_names_an_unknown_key_is_not_called_bad_during_an_outage() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    assert_eq!(refusal(&verifier, &issuer.token(key(0))).await, None);
    issuer.set(JWKS, Mood::Answers(500));
    pass(seconds(11)).await;
    assert_eq!(refusal(&verifier, &issuer.token(key(1))).await, UNTOLD);
    assert_eq!(refusal(&verifier, "a.b.c").await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_slow_issuer_is_given_up() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.builder().timeouts(seconds(60), seconds(600)).build().unwrap();
    let token = issuer.token(key(0));
    assert_eq!(refusal(&verifier, &token).await, None);
    issuer.set(JWKS, Mood::Hangs);
    // From here the clock jumps to the next timer whenever all wait.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(verifier.refresh().await, Err(RefreshError::TimedOut));
    assert!(before.elapsed() <= seconds(601), "{:?}", before.elapsed());
    until(|| issuer.hanging() == 0).await;
    assert_eq!(refusal(&verifier, &token).await, None, "what is held stays good");
}

#[tokio::test]
async fn an_issuer_that_does_not_exist_is_unreachable() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let verifier = tikti_verify::Verifier::builder(&nobody).audience(AUDIENCE).build().unwrap();
    assert_eq!(verifier.refresh().await, Err(RefreshError::Unreachable));
    let status = verifier.status();
    assert_eq!((status.keys, status.age, status.failures), (0, None, 1));
}
