//! TLS against a real server: who is let in, who is turned away, and what is said about it.

use std::fs;
use std::time::Duration;

use tikti_store::testing::{Certificates, RedisServer};
use tikti_store::{OpenError, OpenOptions, Store, TlsFiles, conformance};
use tokio::time::timeout;

use crate::support::options;

const ANYBODY: [&str; 2] = ["--tls-auth-clients", "no"];

fn url(server: &RedisServer) -> String {
    format!("rediss://127.0.0.1:{}", server.tls_port())
}

/// Gives up long before an operator would: that nothing answers has to be said within seconds.
async fn try_open(url: &str, tls: TlsFiles) -> Result<Store, OpenError> {
    const LIMIT: Duration = Duration::from_secs(10);
    let mut options: OpenOptions = options("test");
    options.redis.tls = tls;
    timeout(LIMIT, Store::open(url, options)).await.expect("an answer within seconds")
}

/// The sentence of a server that could not be reached.
async fn unreachable(url: &str, tls: TlsFiles) -> String {
    match try_open(url, tls).await {
        Err(OpenError::Unreachable { server, reason }) => {
            assert!(url.ends_with(&server), "{server}");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_over_tls() {
    let certificates = Certificates::make();
    let server = RedisServer::start_with_tls(&certificates, &ANYBODY);
    let by_name = url(&server).replace("127.0.0.1", "localhost");
    for url in [url(&server), by_name] {
        let fresh = async || {
            server.flush_all();
            try_open(&url, certificates.trusted()).await.unwrap()
        };
        conformance::basics::run(&fresh).await;
        conformance::transactions::run(&fresh).await;
    }
}

#[tokio::test]
async fn refuses_a_server_that_no_trusted_authority_vouches_for() {
    let (ours, theirs) = (Certificates::make(), Certificates::make());
    let server = RedisServer::start_with_tls(&ours, &ANYBODY);
    for trusted in [TlsFiles::default(), theirs.trusted()] {
        let said = unreachable(&url(&server), trusted).await;
        assert!(said.contains("certificate"), "{said}");
    }
}

#[tokio::test]
async fn refuses_a_server_of_another_name() {
    let certificates = Certificates::make();
    let options = ["--bind", "127.0.0.1", "127.0.0.2"];
    let server = RedisServer::start_with_tls(&certificates, &[&ANYBODY[..], &options].concat());
    // Not named by the certificate.
    let other = url(&server).replace("127.0.0.1", "127.0.0.2");
    let said = unreachable(&other, certificates.trusted()).await;
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn shows_its_certificate_to_a_server_that_asks_for_one() {
    let certificates = Certificates::make();
    let server = RedisServer::start_with_tls(&certificates, &["--tls-auth-clients", "yes"]);
    try_open(&url(&server), certificates.trusted_and_shown()).await.unwrap();
    let said = unreachable(&url(&server), certificates.trusted()).await;
    assert!(said.contains("certificate"), "{said}");
    // One that another authority vouches for is as good as none.
    let strangers = Certificates::make();
    let client = strangers.trusted_and_shown().client;
    let said = unreachable(&url(&server), TlsFiles { client, ..certificates.trusted() }).await;
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn says_so_when_only_one_side_speaks_tls() {
    let certificates = Certificates::make();
    let server = RedisServer::start_with_tls(&certificates, &ANYBODY);
    let to_plain = format!("rediss://127.0.0.1:{}", server.port());
    let said = unreachable(&to_plain, certificates.trusted()).await;
    assert!(said.contains("redis: instead of rediss:"), "{said}");
    let without = format!("redis://127.0.0.1:{}", server.tls_port());
    let said = unreachable(&without, TlsFiles::default()).await;
    assert!(said.contains("rediss: instead of redis:"), "{said}");
}

#[tokio::test]
async fn names_the_file_that_cannot_be_used() {
    let certificates = Certificates::make();
    let missing = certificates.directory().join("missing.pem");
    let empty = certificates.directory().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for path in [missing, empty] {
        let trusted = TlsFiles { ca: Some(path.clone()), client: None };
        let said = try_open("rediss://127.0.0.1:1", trusted).await.unwrap_err().to_string();
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
}

/// The node names itself by the port on which it was asked, and a cluster of one is enough for that.
#[tokio::test]
async fn speaks_tls_to_the_nodes_that_a_cluster_names() {
    let certificates = Certificates::make();
    let options = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
    let server = RedisServer::start_with_tls(&certificates, &[&ANYBODY[..], &options].concat());
    server.call(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let url = format!("rediss+cluster://localhost:{}", server.tls_port());
    let store = try_open(&url, certificates.trusted()).await.unwrap();
    let status = store.status().await.unwrap();
    assert!(status.engine.contains("a cluster of 1 masters"), "{}", status.engine);
}
