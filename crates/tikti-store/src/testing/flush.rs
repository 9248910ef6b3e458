//! How does a test empty a server that it did not start?
//!
//! Invariant: whatever the URL names is emptied on every master, or the test fails.
//!
//! Spec: Storage, "KVRocks where `TIKTI_TEST_KVROCKS` names a running one".

use super::resp::{Connection, Frame};

/// Removes everything that is stored on the server or the cluster at `url`: `redis://` or
/// `redis+cluster://`, with a password where one is needed.
///
/// # Panics
/// If the URL is another one, or a server refuses.
pub fn flush_all(url: &str) {
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let authority = rest.split('/').next().unwrap();
    let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let password = credentials.rsplit(':').next().filter(|password| !password.is_empty());
    let first = hosts.split(',').next().unwrap();
    match scheme {
        "redis" => {
            connect(first, password).call(&["FLUSHALL"]);
        }
        "redis+cluster" => {
            for master in masters(connect(first, password)) {
                connect(&master, password).call(&["FLUSHALL"]);
            }
        }
        _ => panic!("a {scheme} URL cannot be emptied: use redis or redis+cluster"),
    }
}

fn connect(address: &str, password: Option<&str>) -> Connection {
    let with_port =
        if address.contains(':') { address.to_owned() } else { format!("{address}:6379") };
    let mut connection = Connection::open(&with_port).expect("the server answers");
    if let Some(password) = password {
        connection.call(&["AUTH", password]);
    }
    connection
}

/// The addresses of the masters: of each range of slots, the first node.
fn masters(mut node: Connection) -> Vec<String> {
    let slots = node.call(&["CLUSTER", "SLOTS"]);
    let address = |range: &Frame| {
        let master = range.items()[2].items();
        format!("{}:{}", master[0].text(), master[1].text())
    };
    let mut masters: Vec<_> = slots.items().iter().map(address).collect();
    masters.sort();
    masters.dedup();
    masters
}
