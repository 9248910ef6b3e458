//! Which settings a store has, which contradict each other, and that its URL is shown nowhere.
//!
//! Spec: Operations, "Configuration"; Storage, "Engine B".

use super::*;

#[test]
fn a_store_names_its_engine_and_shows_nothing_else() {
    for (url, reason) in [
        ("/var/lib/tikti", "does not name its engine"),
        ("embedded:", "names no directory"),
        ("redis:u:hunter22@h", "names no host"),
        ("redis+cluster://", "names no host"),
        ("postgres://u:hunter22@h", "is of an engine that there is not"),
    ] {
        let lines = refused(&stored_at(url, ""), &[]);
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line.starts_with(&format!("store.url: {reason}: write ")), "{line}");
        assert!(!line.contains("hunter22"), "{line}");
    }
}

/// The smallest configuration with another store, and more settings of it.
fn stored_at(url: &str, more: &str) -> String {
    let stored = format!("{{url: '{url}'{more}}}");
    smallest().replace("{url: embedded:/var/lib/tikti}", &stored)
}

#[test]
fn a_store_on_servers_has_its_settings() {
    for url in [
        "redis://h",
        "redis://:hunter22@h:1",
        "redis+cluster://a,b,c",
        "redis+sentinel://a,b/m",
        "rediss+cluster://a",
        "rediss+sentinel://a/m",
    ] {
        let config = load_text(&stored_at(url, ""), &[]).unwrap();
        assert_eq!(config.store.url.expose_secret(), url);
        assert!(!format!("{config:?}").contains("hunter22"));
        let redis = config.store.redis;
        assert_eq!((redis.wait_replicas, redis.allow_volatile), (0, false), "{url}");
    }
    let files = "{caFile: /ca, certFile: /cert, keyFile: /key}";
    let more = format!(", waitReplicas: 1, requireSync: true, tls: {files}");
    let redis = load_text(&stored_at("rediss://h", &more), &[]).unwrap().store.redis;
    assert_eq!((redis.wait_replicas, redis.require_sync), (1, true));
    assert_eq!(redis.tls.ca.as_deref(), Some(Path::new("/ca")));
    let client = redis.tls.client.unwrap();
    assert_eq!(client, ("/cert".into(), "/key".into()));
}

#[test]
fn the_url_of_a_store_may_lie_in_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "redis://:hunter22@h\n").unwrap();
    let pairs = [
        ("TIKTI__STORE__URL_FILE", file.path().to_str().unwrap()),
        ("TIKTI__STORE__ALLOW_VOLATILE", "true"),
        ("TIKTI__STORE__WAIT_REPLICAS", "2"),
    ];
    let store = load_text(&smallest(), &pairs).unwrap().store;
    assert_eq!(store.url.expose_secret(), "redis://:hunter22@h");
    assert!(!store.is_embedded() && store.redis.allow_volatile);
    assert_eq!(store.redis.wait_replicas, 2);
}

#[test]
fn settings_of_a_store_that_contradict_each_other_are_refused() {
    let all = ", waitReplicas: 1, allowVolatile: true, requireSync: true, tls: {caFile: /ca}";
    insta::assert_snapshot!(refused(&stored_at("embedded:/x", all), &[]).join("\n"), @r"
        store.waitReplicas: means nothing to an embedded store
        store.allowVolatile: means nothing to an embedded store
        store.requireSync: means nothing to an embedded store
        store.tls: contradicts store.url: only rediss: URLs are encrypted
        store.requireSync: contradicts allowVolatile: give one of them
    ");
    let bad = ", waitReplicas: 9, allowVolatile: perhaps, tls: {certFile: /c, file: /k}";
    insta::assert_snapshot!(refused(&stored_at("redis://h", bad), &[]).join("\n"), @r"
        store.waitReplicas: must be a number from 0 to 8
        store.allowVolatile: must be true or false
        store.tls.certFile: and keyFile belong together
        store.tls.file: unknown setting; known here: caFile, certFile, keyFile
    ");
    let nothing = ", waitReplicas: 0, allowVolatile: false, requireSync: false, tls: {}";
    load_text(&stored_at("embedded:/x", nothing), &[]).unwrap();
}
