//! `tikti config check`: every problem at once, or what the configuration comes to.

use std::fs;

use serde_json::{Value, json};

use crate::serve::SECRETS;
use crate::support::{Home, Outcome, finish};

const YAML: &str = "
issuer: https://id.example.org
trustedProxies: [10.0.0.0/8, 2001:db8::1]
store: {url: 'redis://:store-password@kv.example.org:6380/1', waitReplicas: 1}
tokens: {idTtl: 90m, skew: 45}
limits: {enabled: false}
keys: {rotateEvery: never}
mail:
  from: Example <no-reply@example.org>
  smtp: {host: smtp.example.org, user: tikti, password: smtp-password}
";
const KEY: &str = "tk_deployment_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

fn check(home: &Home, yaml: &str, options: &str) -> Outcome {
    let file = home.path().join("server.yaml");
    fs::write(&file, yaml).unwrap();
    let mut command = home.command(&format!("config check --config {} {options}", file.display()));
    finish(command.env("TIKTI__API_KEY", KEY).env("TIKTI__LOG__LEVEL", "debug"), "")
}

#[test]
fn what_is_effective_is_shown_without_secrets_and_can_be_configured_again() {
    let home = Home::new();
    let yaml = format!("{YAML}{SECRETS}");
    let shown = check(&home, &yaml, "");
    assert_eq!(
        shown.stderr,
        format!("✔ {} can be served.\n", home.path().join("server.yaml").display())
    );
    let shown = shown.done();
    let json = check(&home, &yaml, "--output json").done();
    for secret in ["store-password", "smtp-password", "AAECAw", "pepper-pepper", "hmac-hmac", KEY] {
        assert!(!shown.contains(secret) && !json.contains(secret), "{secret}: {shown}");
    }
    assert_eq!(check(&home, &yaml, "--quiet").done(), "");

    let mut effective: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(effective["apiKey"], "***");
    assert_eq!(effective["log"], json!({ "format": "auto", "level": "debug" }));
    assert_eq!(effective["store"]["url"], "redis://***@kv.example.org:6380/1");
    assert_eq!(effective["secrets"]["hs256"], json!([{ "kid": "h1", "secret": "***" }]));
    assert_eq!(effective["tokens"]["idTtl"], "90m");
    assert_eq!(effective["tokens"]["skew"], "45s");
    assert_eq!(effective["tokens"]["sessionTtl"], "30d");
    assert_eq!(effective["keys"]["rotateEvery"], "never");
    assert_eq!(effective["trustedProxies"], json!(["10.0.0.0/8", "2001:db8::1/128"]));
    assert_eq!(effective["mail"]["smtp"]["port"], 587);
    assert_eq!(effective["listen"], "127.0.0.1:8080");
    assert_eq!(
        effective["tenantTemplate"]["creatorRoles"].as_array().map(Vec::is_empty),
        Some(false)
    );

    // With its secrets put back it is a configuration, and comes to the same.
    let first = effective.clone();
    let members = effective.as_object_mut().unwrap();
    members.remove("apiKey");
    members.remove("secrets");
    effective["store"]["url"] = json!("redis://:store-password@kv.example.org:6380/1");
    effective["mail"]["smtp"]["password"] = json!("smtp-password");
    let lines =
        effective.as_object().unwrap().iter().map(|(name, value)| format!("{name}: {value}\n"));
    let again = format!("{}{SECRETS}", String::from_iter(lines));
    assert_eq!(check(&home, &again, "--output json").json(), first);
}

#[test]
fn of_a_webhook_no_more_is_shown_than_its_host() {
    let home = Home::new();
    for (url, shown) in [
        ("https://hooks.example.org/T0/path-token", "https://hooks.example.org/***"),
        (
            "https://hooks.example.org:8443/?password=query-token",
            "https://hooks.example.org:8443/***",
        ),
        ("https://hooks.example.org/", "https://hooks.example.org"),
    ] {
        let yaml = YAML.split("mail:").next().unwrap();
        let secret = "webhook-secret-webhook-secret-webhook";
        let yaml =
            format!("{yaml}mail: {{webhook: {{url: '{url}', secret: {secret}}}}}\n{SECRETS}");
        let effective = check(&home, &yaml, "--output json").json();
        assert_eq!(effective["mail"]["webhook"], json!({ "url": shown, "secret": "***" }));
        let people = check(&home, &yaml, "").done();
        assert!(people.contains(shown) && !people.contains("-token"), "{people}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let home = Home::new();
    let yaml = "issuer: http://id.example.org\nnonsense: 1\ntokens: {idTtl: soon}\n";
    let stderr = check(&home, yaml, "").fails(3);
    for setting in ["issuer", "nonsense", "tokens.idTtl", "store.url", "secrets.masterKey"] {
        assert!(stderr.contains(&format!(": {setting}")), "{setting}: {stderr}");
    }
    let stderr = home.run("config check --config /nowhere.yaml").fails(3);
    assert!(stderr.contains("/nowhere.yaml"), "{stderr}");
    let stderr = home.run("config check --config f --host http://127.0.0.1:9").fails(3);
    assert!(stderr.contains("asks no server"), "{stderr}");
}
