//! The task between the queue and a transport.

use tikti_domain::mail::LEASE_MILLIS;
use tikti_domain::testing::FaultPlan;

use super::smtp_server::SmtpServer;
use super::*;
use crate::config::Security;
use crate::shutdown;
use crate::tasks::Tasks;
use crate::telemetry::testing::Lines;

/// Sends everything that is due and waits until it has arrived or failed.
async fn hand_out(delivery: &mut Delivery) {
    let mut on_their_way = Tasks::default();
    delivery.hand_out(&mut on_their_way).await;
    on_their_way.all_ended().await;
}

fn captured() -> (Capture, MailConfig) {
    let capture = Capture::default();
    (capture.clone(), config(MailTransport::Capture(capture)))
}

#[tokio::test]
async fn what_two_replicas_find_in_one_store_goes_out_once() {
    let fixture = Fixture::new().await;
    let (store, clock) = (fixture.store().clone(), fixture.clock.clone());
    let other = fixture.replica(2, &FaultPlan::crash_after(u64::MAX - 1)).await;
    let (domain, _home) = fixture.into_parts();
    for number in 0..60 {
        let mail = new_mail(&format!("user{number}@example.org"));
        enqueue(&domain, &mail, START).await.unwrap();
    }
    let (capture, shared) = captured();
    let mut first = delivery(&state(domain), &clock, shared.clone());
    let mut second = delivery(&state(other), &clock, shared);
    tokio::join!(hand_out(&mut first), hand_out(&mut second));
    let mut to: Vec<_> = capture.mails().into_iter().map(|mail| mail.to).collect();
    to.sort();
    to.dedup();
    assert_eq!((capture.mails().len(), to.len()), (60, 60));
    assert_eq!(waiting(&store, START).await, 0);
}

#[tokio::test]
async fn what_a_mail_server_refuses_for_now_arrives_later_and_what_it_refuses_for_good_is_erased() {
    let answers = ["451 4.2.1 <ADDRESS> later", "421 4.3.2 <ADDRESS> later"];
    let mut server = SmtpServer::answering(Security::StartTls, &answers);
    let fixture = Fixture::new().await;
    let (store, clock) = (fixture.store().clone(), fixture.clock.clone());
    let (domain, _home) = fixture.into_parts();
    enqueue(&domain, &new_mail(ADDRESS), START).await.unwrap();
    let smtp = || config(MailTransport::Smtp(server.config()));
    let state = state(domain);
    let mut task = delivery(&state, &clock, smtp());
    for pause in [10_000, 20_000] {
        hand_out(&mut task).await;
        assert_eq!(waiting(&store, clock.now()).await, 1);
        clock.advance(pause);
    }
    hand_out(&mut task).await;
    assert_eq!(waiting(&store, clock.now()).await, 0);
    assert_eq!(server.mail()["to"], serde_json::json!([ADDRESS]));

    let refusing = SmtpServer::answering(Security::StartTls, &["550 5.1.1 <ADDRESS> is unknown"]);
    enqueue(&state.domain, &new_mail(ADDRESS), START).await.unwrap();
    let mut task = delivery(&state, &clock, config(MailTransport::Smtp(refusing.config())));
    hand_out(&mut task).await;
    assert_eq!(waiting(&store, clock.now()).await, 0);
    assert_eq!(refusing.rest().len(), 0);
}

#[tokio::test]
async fn a_mail_server_that_hangs_keeps_no_mail_for_ever() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smtp = crate::config::SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        security: Security::None,
        credentials: None,
        ca_file: None,
        connect_timeout: GENEROUS,
    };
    let fixture = Fixture::new().await;
    let (store, clock) = (fixture.store().clone(), fixture.clock.clone());
    let (domain, _home) = fixture.into_parts();
    for _ in 0..20 {
        enqueue(&domain, &new_mail(ADDRESS), START).await.unwrap();
    }
    let mut hanging = config(MailTransport::Smtp(smtp));
    hanging.timeout = Duration::from_millis(20);
    let state = state(domain);
    hand_out(&mut delivery(&state, &clock, hanging)).await;
    assert_eq!(waiting(&store, START).await, 20);
    clock.advance(10_000);
    let (capture, working) = captured();
    hand_out(&mut delivery(&state, &clock, working)).await;
    assert_eq!((capture.mails().len(), waiting(&store, START).await), (20, 0));
}

/// A process that dies after the mail server took the mail, and before it is erased.
#[tokio::test]
async fn a_mail_that_could_not_be_erased_goes_out_twice_with_one_id() {
    let fixture = Fixture::new().await;
    let (store, clock) = (fixture.store().clone(), fixture.clock.clone());
    enqueue(&fixture.domain, &new_mail(ADDRESS), START).await.unwrap();
    let dying = fixture.replica(2, &FaultPlan::crash_after(u64::MAX - 1)).await;
    let (capture, shared) = captured();
    let taken = {
        let mut cursor = MailCursor::default();
        loop {
            if let NextMail::Due(mail) = next_due(&dying, &mut cursor, START).await.unwrap() {
                break mail;
            }
        }
    };
    outbox(shared.clone()).send(&taken, START).await.unwrap();
    drop((dying, taken));
    let (domain, _home) = fixture.into_parts();
    let mut task = delivery(&state(domain), &clock, shared);
    hand_out(&mut task).await;
    assert_eq!(capture.mails().len(), 1);
    clock.advance(LEASE_MILLIS);
    hand_out(&mut task).await;
    assert_eq!((capture.mails().len(), waiting(&store, clock.now()).await), (2, 0));
}

#[tokio::test]
async fn a_running_task_sends_what_is_queued_and_ends_when_it_is_asked_to() {
    let fixture = Fixture::new().await;
    let clock = fixture.clock.clone();
    let (domain, _home) = fixture.into_parts();
    let (seen, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let capture = Capture::default().shown_to(move |_| seen.send(()).unwrap());
    let state = state(domain);
    let task = delivery(&state, &clock, config(MailTransport::Capture(capture)));
    let (stop, asked) = shutdown::channel();
    let running = crate::tasks::start(task.run(asked));
    for _ in 0..3 {
        enqueue(&state.domain, &new_mail(ADDRESS), START).await.unwrap();
        heard.recv().await.unwrap();
    }
    stop.shut_down();
    tokio::time::timeout(GENEROUS, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn no_log_line_has_an_address_a_code_or_a_mail_servers_words() {
    let lines = Lines::default();
    let writing_to = |writer| {
        tracing::Dispatch::new(
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(writer)
                .with_ansi(false)
                .finish(),
        )
    };
    // While there is only one subscriber, a line that another thread comes by first is off for all.
    let _second = writing_to(Lines::default());
    let subscriber = writing_to(lines.clone());
    // Tasks of this test run on its own thread.
    let _guard = tracing::dispatcher::set_default(&subscriber);
    let answers = ["451 4.2.1 <ADDRESS> later", "550 5.1.1 <ADDRESS> is unknown"];
    let server = SmtpServer::answering(Security::StartTls, &answers);
    let fixture = Fixture::new().await;
    let clock = fixture.clock.clone();
    let (domain, _home) = fixture.into_parts();
    let state = state(domain);
    let mut task = delivery(&state, &clock, config(MailTransport::Smtp(server.config())));
    for _ in 0..3 {
        enqueue(&state.domain, &new_mail(ADDRESS), clock.now()).await.unwrap();
        hand_out(&mut task).await;
    }
    let text = lines.take();
    for said in
        ["mails cannot be sent", "answered 451", "mail given up", "answered 550", "mail sent"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    for secret in [ADDRESS, "ann.who", CODE, "oobCode", "is unknown", "a password"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
