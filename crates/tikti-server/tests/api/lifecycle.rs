//! Starting, stopping, and what lasts from one to the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tikti_domain::Domain;
use tikti_domain::account::{NewUser, create_user};
use tikti_domain::clock::{Clock, Timestamp};
use tikti_domain::email::Email;
use tikti_domain::random::Random;
use tikti_domain::testing::FaultPlan;
use tikti_domain::user::GlobalRole;
use tikti_server::dev::DevSetup;
use tikti_server::maintenance::verify_store;
use tikti_server::{Listener, ServeError, dev};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{LOG, Place, Server, assert_reply};

#[tokio::test]
async fn a_stopping_server_is_unready_finishes_what_runs_and_ends() {
    let server = Server::start().await;
    let token = server.admin().await;
    let body = r#"{"slug":"codecompany"}"#;
    let mut stream = server.connect().await;
    let head = format!(
        "POST /v1/tenants HTTP/1.1\r\nHost: t\r\nAuthorization: {token}\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so the request is being worked on.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 Continue"));

    server.ask_to_stop();
    let unready = server.get("/readyz").send().await;
    assert_reply!(unready, @r#"
        503
        {
          "status": "stopping"
        }
    "#);

    stream.write_all(body.as_bytes()).await.unwrap();
    let created = server.read_reply(&mut stream).await;
    assert_eq!((created.status, &created.json()["slug"]), (200, &json!("codecompany")));
    server.stopped().await;
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let server = Server::start().await;
    let _idle = server.connect().await;
    server.assert_alive().await;
    server.ask_to_stop();
    // Well under the ten seconds that a silent connection has.
    tokio::time::timeout(Duration::from_secs(3), server.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_stopping_server_says_so_for_a_while_also_when_nothing_runs() {
    let server = Server::start_with(Place::new(), |config| {
        config.shutdown_grace = Duration::from_secs(600);
    })
    .await;
    server.ask_to_stop();
    for _ in 0..2 {
        let unready = server.get("/readyz").send().await;
        assert_eq!((unready.status, unready.header("connection")), (503, Some("close")));
        assert_eq!(unready.json(), json!({"status": "stopping"}));
    }
    // From here on time jumps to whatever happens next.
    tokio::time::pause();
    server.stopped().await;
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart() {
    let server = Server::start().await;
    let before = server.tenant(&server.admin().await, "codecompany").await;
    let place = server.stop().await;
    let server = Server::start_over(place).await;
    let token = server.admin().await;
    let after = server.get("/v1/tenants/codecompany").bearer(&token).send().await;
    assert_eq!(after.json(), before);
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_told_who_holds_it() {
    let server = Server::start_over(Place::embedded()).await;
    let setup = dev::prepare(&server.setup.data_dir, None).unwrap();
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let config = setup.config("http://127.0.0.1:1");
    let error = tikti_server::start(listener, config, setup.seed()).await.unwrap_err();
    assert!(matches!(error, ServeError::Store(_)));
    let message = error.to_string();
    assert!(message.contains(&server.address.to_string()), "{message}");
}

#[tokio::test]
async fn where_address_and_store_are_taken_the_holder_is_named() {
    let server = Server::start_over(Place::embedded()).await;
    let store = server.setup.store();
    let error = Listener::bind_over(server.address, store).await.unwrap_err();
    assert!(error.to_string().contains("is in use by pid"), "{error}");
    let other = tempfile::tempdir().unwrap();
    let store = dev::store(other.path(), None);
    let error = Listener::bind_over(server.address, &store).await.unwrap_err();
    assert!(matches!(error, ServeError::Bind { .. }), "{error}");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = Server::start().await;
    let error = Listener::bind(server.address).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {}", server.address)));
}

/// Lets a process die in the middle of making a user, two minutes ago.
async fn die_making_a_user(setup: &DevSetup) {
    let config = || setup.config("http://127.0.0.1:1").domain;
    let ago = Clock::system().now().as_millis() - 120_000;
    let clock = Clock::manual(Timestamp::from_millis(ago));
    let mut opening = 0;
    // The first time only counts the calls of opening; the second dies behind its first write.
    for crash in [None, Some(2)] {
        let plan = FaultPlan::crash_after(crash.map_or(u64::MAX - 1, |calls| opening + calls));
        let store = setup.store().open("a test").await.unwrap();
        let failing = store.with_faults(Arc::clone(&plan));
        let opened = Domain::open(failing, config(), clock.clone(), Random::system()).await;
        let domain = opened.unwrap();
        opening = plan.calls();
        if crash.is_some() {
            let email = Email::parse("half@corp.sys").unwrap();
            let new = NewUser { email, password_hash: None, role: GlobalRole::CompanyEmployee };
            create_user(&domain, new, clock.now()).await.unwrap_err();
        }
        drop(domain);
        store.close().await;
    }
}

#[tokio::test]
async fn what_a_dead_process_left_half_done_is_finished_in_the_background() {
    let server = Server::start().await;
    let url = server.setup.store().url.clone();
    let setup = dev::prepare(&server.setup.data_dir, Some(url)).unwrap();
    let pending = async || verify_store(setup.store(), &mut |_| ()).await.unwrap().pending;
    let place = server.stop().await;
    die_making_a_user(&setup).await;
    assert_eq!(pending().await, 1);

    let server = Server::start_over(place).await;
    // By now every task of the server waits for something, the sweeper for its time.
    server.assert_alive().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !LOG.contains("finished operations whose processes had ended") {
        assert!(std::time::Instant::now() < deadline, "nothing was finished");
        tokio::task::yield_now().await;
    }
    let _place = server.stop().await;
    assert_eq!(pending().await, 0);
    assert_eq!(verify_store(setup.store(), &mut |_| ()).await.unwrap().findings, []);
}
