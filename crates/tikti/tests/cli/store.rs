//! `tikti store`: looked at beside a server, copied to another engine, and what is refused.

use std::fs;
use std::path::Path;

use serde_json::json;
use tikti_store::testing::RedisServer;
use tikti_store::{FaultPlan, Key, OpenOptions, Store, Timestamp, copy};

use crate::serve::SECRETS;
use crate::support::{Dev, Home, redis_is_chosen};

/// Before anything expires.
const EARLY: Timestamp = Timestamp::from_millis(0);

const EXCHANGE: &str = "token exchange --aud backend-worker --scope jobs:read,jobs:write \
                        --tenant codecompany --sub worker-01 --quiet";

async fn open(url: &str) -> Store {
    Store::open(url, OpenOptions::new([3; 16], "a test")).await.unwrap()
}

/// The first key of a partition whose name begins so.
async fn key_in(store: &Store, partition: &str) -> Key {
    let mut walk = store.walk(EARLY).await.unwrap();
    while let Some(page) = walk.next().await.unwrap() {
        let mut keys = page.records.into_iter().map(|(key, _)| key);
        if let Some(key) = keys.find(|key| key.partition().as_str().starts_with(partition)) {
            return key;
        }
    }
    panic!("no key of a partition {partition}");
}

/// A server that has been used, with a signed-in administrator.
fn used(home: &Home, options: &str) -> Dev {
    let dev = Dev::start_with(home, "127.0.0.1:0", options);
    home.sign_in(&dev).done();
    home.run("tenant create --slug codecompany").done();
    dev
}

#[test]
fn a_sound_store_is_verified_beside_its_server() {
    let home = Home::new();
    let options = home.store_options();
    let dev = used(&home, &options);
    let verified = home.run(&format!("store verify {options} --output json")).json();
    assert_eq!((&verified["findingsTotal"], &verified["findings"]), (&json!(0), &json!([])));
    assert_eq!(verified["pending"], 0);
    assert!(verified["records"].as_u64().unwrap() > 10, "{verified}");
    assert_eq!(verified["kinds"]["t/member"], 1);

    let outcome = home.run(&format!("store verify {options}"));
    assert!(outcome.stderr.starts_with("✔ "), "{outcome:?}");
    assert!(outcome.stderr.contains("every rule holds"), "{outcome:?}");
    assert_eq!(outcome.done(), "");
    // The server has not noticed.
    home.run(EXCHANGE).done();
    assert_eq!(dev.terminate().code, Some(0));
}

#[tokio::test]
async fn a_broken_rule_is_named_and_ends_with_1() {
    let home = Home::new();
    let options = home.store_options();
    assert_eq!(used(&home, &options).terminate().code, Some(0));
    let store = open(&home.store_url()).await;
    let claim = key_in(&store, "e:").await;
    store.delete(&claim).await.unwrap();
    store.close().await;

    let outcome = home.run(&format!("store verify {options}"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.starts_with("KEY "), "{outcome:?}");
    assert!(outcome.stdout.contains("an address that is not claimed"), "{outcome:?}");
    assert!(!outcome.stdout.contains("corp.sys"), "{outcome:?}");
    assert!(outcome.stderr.contains("error: 1 broken rule"), "{outcome:?}");

    let outcome = home.run(&format!("store verify {options} --output json"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let verified: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(verified["findings"][0]["rule"], "UserWithoutEmailClaim");
}

#[test]
fn a_status_names_engine_and_size() {
    let home = Home::new();
    let options = home.store_options();
    let _dev = used(&home, &options);
    let status = home.run(&format!("store status {options} --output json")).json();
    let engine = status["engine"].as_str().unwrap().to_owned();
    let expected = if redis_is_chosen() { "Redis " } else { "embedded (LMDB " };
    assert!(engine.starts_with(expected), "{engine}");
    assert!(status["usedBytes"].as_u64().unwrap() > 0, "{status}");
    assert!(home.run(&format!("store status {options}")).done().starts_with("engine"));
}

#[test]
fn an_embedded_store_is_compacted_while_nobody_uses_it() {
    let home = Home::new();
    let options = format!("--data {}", Dev::data(&home));
    let dev = used(&home, &options);
    let stderr = home.run(&format!("store compact {options}")).fails(3);
    assert!(stderr.contains(&dev.pid().to_string()), "{stderr}");
    let address = dev.address();
    assert_eq!(dev.terminate().code, Some(0));

    let compacted = home.run(&format!("store compact {options} --output json")).json();
    let [before, after] =
        ["beforeBytes", "afterBytes"].map(|member| compacted[member].as_u64().unwrap());
    assert!(0 < after && after <= before, "{compacted}");
    let _dev = Dev::start_with(&home, &address, &options);
    home.run(EXCHANGE).done();

    let stderr = home.run("store compact --store redis://127.0.0.1:9").fails(3);
    assert!(stderr.contains("does it by itself"), "{stderr}");
}

/// Copies the store of a used server from engine to engine; on each copy the session goes on.
#[test]
fn a_deployment_moves_from_engine_to_engine_and_its_sessions_with_it() {
    let home = Home::new();
    let redis = RedisServer::start();
    let first = Dev::data(&home);
    let options = format!("--data {first}");
    let dev = used(&home, &options);
    let address = dev.address();
    let tenant = home.run("tenant get codecompany --output json").json();
    let url = |name: &str| format!("embedded:{}", home.path().join(name).display());
    let mut server = Some(dev);
    let mut from = format!("embedded:{first}/store");
    for to in [url("second"), redis.url(), url("third")] {
        assert_eq!(server.take().unwrap().terminate().code, Some(0));
        let copied = home.run(&format!("store copy --from {from} --to {to} --output json"));
        let copied = copied.json();
        assert_eq!(copied["resumed"], false);
        assert_eq!(copied["checksum"].as_str().unwrap().len(), 16);
        let verified = home.run(&format!("store verify --store {to} --output json")).json();
        assert_eq!(verified["findingsTotal"], 0);
        assert_eq!(verified["records"], copied["records"]);

        let options = format!("{options} --store {to}");
        server = Some(Dev::start_with(&home, &address, &options));
        assert_eq!(home.run("tenant get codecompany --output json").json(), tenant);
        let token = home.run(EXCHANGE).done();
        home.run_with_input("token verify --aud backend-worker --scope jobs:read -", &token).done();
        home.run("auth status").done();
        from = to;
    }
}

/// The settings of a store stand in a configuration, and a copy takes them from there.
#[test]
fn a_copy_takes_the_settings_of_a_configuration() {
    let home = Home::new();
    let options = format!("--data {}", Dev::data(&home));
    assert_eq!(used(&home, &options).terminate().code, Some(0));
    let from = format!("embedded:{}/store", Dev::data(&home));
    let volatile = RedisServer::start_with(&["--appendonly", "no"]);
    let stderr = home.run(&format!("store copy --from {from} --to {}", volatile.url())).fails(3);
    assert!(stderr.contains("allowVolatile"), "{stderr}");

    let configured = |name: &str, store: &str| {
        let file = home.path().join(name);
        let yaml = format!("issuer: https://id.example.org\nstore: {{{store}}}\n{SECRETS}");
        fs::write(&file, yaml).unwrap();
        file.display().to_string()
    };
    let new = configured("new", &format!("url: '{}', allowVolatile: true", volatile.url()));
    let copied = home.run(&format!("store copy --from {from} --to-config {new} --output json"));
    let copied = copied.json();
    assert_eq!(copied["expired"], 0);

    let third = configured("third", &format!("url: embedded:{}", home.path().join("3").display()));
    let line = format!("store copy --from-config {new} --to-config {third} --output json");
    let again = home.run(&line).json();
    assert_eq!(again, copied);

    for (line, said) in [
        (format!("store copy --from {from} --from-config {new} --to x"), "cannot be used with"),
        (format!("store copy --from {from}"), "--to <URL>"),
        (format!("store copy --from {from} --to-config /nonexistent"), "/nonexistent"),
    ] {
        let stderr = home.run(&line).fails(3);
        assert!(stderr.contains(said), "{line}: {stderr}");
    }
}

#[tokio::test]
async fn an_unfinished_copy_is_not_served_and_goes_on() {
    let home = Home::new();
    let options = format!("--data {}", Dev::data(&home));
    assert_eq!(used(&home, &options).terminate().code, Some(0));
    let to = format!("embedded:{}", home.path().join("copy").display());
    let from = format!("embedded:{}/store", Dev::data(&home));
    let (source, target) = (open(&from).await, open(&to).await);
    // Looking for a mark, looking for records, and setting the mark: the first record fails.
    let dying = target.with_faults(FaultPlan::crash_after(3));
    copy::copy(&source, &dying, EARLY, &mut |_| ()).await.unwrap_err();
    let mark = copy::unfinished(&target, EARLY).await.unwrap().unwrap();
    drop(dying);
    source.close().await;
    target.close().await;

    let stderr = home.run(&format!("dev --listen 127.0.0.1:0 {options} --store {to}")).fails(3);
    assert!(stderr.contains(&mark), "{stderr}");
    let verified = home.run(&format!("store verify --store {to}"));
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let first = verified.stdout.lines().nth(1).unwrap();
    assert!(first.contains("A copy into this store was not finished"), "{verified:?}");
    assert!(verified.stderr.starts_with("error: the store is half a copy"), "{verified:?}");
    assert!(verified.stderr.contains("next: run the same `tikti store copy`"), "{verified:?}");
    let copied = home.run(&format!("store copy --from {from} --to {to} --output json")).json();
    assert_eq!(copied["resumed"], true);
    let _dev = Dev::start_with(&home, "127.0.0.1:0", &format!("{options} --store {to}"));
}

#[test]
fn a_server_in_use_is_not_copied_under_its_feet() {
    let home = Home::new();
    let options = format!("--data {}", Dev::data(&home));
    let dev = used(&home, &options);
    let from = format!("embedded:{}/store", Dev::data(&home));
    let to = home.path().join("copy");
    let line = format!("store copy --from {from} --to embedded:{}", to.display());
    let stderr = home.run(&line).fails(3);
    assert!(stderr.contains(&dev.pid().to_string()), "{stderr}");
    assert!(!to.exists());
}

#[test]
fn a_url_with_a_password_may_lie_in_a_file() {
    let home = Home::new();
    let redis = RedisServer::start_with(&["--requirepass", "hunter22"]);
    let url = redis.url().replace("redis://", "redis://:hunter22@");
    let file = home.path().join("url");
    fs::write(&file, format!("{url}\n")).unwrap();
    let options = format!("--data {} --store @{}", Dev::data(&home), file.display());
    let dev = used(&home, &options);
    home.run(&format!("store verify {options}")).done();
    let ended = dev.terminate();
    assert!(!ended.stderr.contains("hunter22"), "{ended:?}");

    let wrong = redis.url().replace("redis://", "redis://:hunter23@");
    fs::write(&file, wrong).unwrap();
    let stderr = home.run(&format!("store verify {options}")).fails(3);
    assert!(stderr.contains("password") && !stderr.contains("hunter2"), "{stderr}");
    fs::write(&file, "\n").unwrap();
    let stderr = home.run(&format!("store verify {options}")).fails(3);
    assert!(stderr.contains("holds no URL"), "{stderr}");
}

#[test]
fn what_cannot_be_opened_or_filled_is_one_clear_line() {
    let home = Home::new();
    let options = format!("--data {}", Dev::data(&home));
    assert_eq!(used(&home, &options).terminate().code, Some(0));
    let from = format!("embedded:{}/store", Dev::data(&home));
    let named = |name: &str| home.path().join(name);
    let foreign = named("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("data.mdb"), "of another program").unwrap();
    let [foreign, missing, file] =
        [foreign, named("missing"), named("file")].map(|path| path.display().to_string());
    fs::write(&file, "").unwrap();
    for (line, code, said) in [
        ("store verify --store postgres://u:hunter22@h".to_owned(), 3, "postgres"),
        ("store status --store nothing".to_owned(), 3, "storage engine"),
        ("store verify --store redis://:hunter22@127.0.0.1:9".to_owned(), 3, "127.0.0.1:9"),
        ("store verify --store redis://:hunter22@h:none".to_owned(), 3, "redis"),
        (format!("store verify --data {missing}"), 3, "holds no store"),
        (format!("store verify --store @{missing}"), 3, "missing"),
        (format!("store verify --store embedded:{foreign}"), 3, "another program"),
        (format!("store verify --data {missing} --config {file}"), 3, "cannot be used with"),
        (format!("store verify --config {missing}"), 3, "missing"),
        (format!("store copy --from {from} --to embedded:{foreign}"), 3, "another program"),
        (format!("store copy --from {from} --to embedded:/sys/tikti"), 3, "/sys/tikti"),
        (format!("store copy --from {from} --to embedded:{file}"), 3, "file"),
        (format!("store copy --from {from} --to {from}"), 3, "in use"),
        (format!("store copy --from embedded:{missing} --to {from}"), 3, "holds no store"),
        (format!("store verify --data {missing} --host http://h"), 3, "--host means nothing"),
    ] {
        let stderr = home.run(&line).fails(code);
        assert!(stderr.contains(said) && !stderr.contains("hunter22"), "{line}: {stderr}");
    }
    assert!(!Path::new(&missing).exists());

    // A store that holds something else is left as it is.
    let other = format!("--data {}", home.path().join("other").display());
    assert_eq!(used(&home, &other).terminate().code, Some(0));
    let to = format!("embedded:{}/other/store", home.path().display());
    let stderr = home.run(&format!("store copy --from {from} --to {to}")).fails(1);
    assert!(stderr.contains("the target is not empty"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    home.run(&format!("store verify {other}")).done();
}
