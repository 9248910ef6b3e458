//! A whole session against a running server: from naming it to signing out.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Dev, Home, Outcome, finish};

const EXCHANGE: &str = "token exchange --aud backend-worker --scope jobs:read,jobs:write \
                        --tenant codecompany --sub worker-01";

#[test]
fn dev_prints_one_line_and_writes_a_profile_that_works() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let url = dev.text("url").to_owned();
    let positions = [
        "url",
        "apiKey",
        "webApiKey",
        "adminEmail",
        "adminPassword",
        "firebaseAdminPath",
        "dataDir",
    ]
    .map(|member| dev.line.find(&format!("\"{member}\":")).unwrap());
    assert!(positions.is_sorted(), "{}", dev.line);
    assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with('/'), "{url}");

    let listed = home.run("profile list --output json").json();
    assert_eq!(
        listed,
        json!([{ "name": "dev", "current": true, "baseUrl": url, "tenantId": null,
                 "hasApiKey": true, "hasSession": false }])
    );
    let outcome = home.run(&format!("init --host {url}"));
    assert!(outcome.stderr.contains("✔ tikti "), "{outcome:?}");
    assert!(outcome.stderr.contains("Profile `dev` is current"), "{outcome:?}");

    let secrets = ["apiKey", "webApiKey", "adminPassword", "firebaseAdminPath"]
        .map(|member| dev.text(member).to_owned());
    let ended = dev.terminate();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    for secret in secrets {
        assert!(!ended.stderr.contains(&secret), "{}", ended.stderr);
    }
}

#[test]
fn the_session_of_the_landing_page() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let line = format!("auth login --user {} --password-stdin", dev.text("adminEmail"));
    let password = format!("{}\n", dev.text("adminPassword"));
    let outcome = home.run_with_input(&line, &password);
    assert_eq!(outcome.stderr, "✔ Session active.\n");
    assert_eq!(outcome.done(), "");

    let outcome = home.run("tenant create --slug codecompany");
    assert!(outcome.stderr.starts_with("✔ Tenant codecompany created (t-"), "{outcome:?}");
    assert_eq!(outcome.done(), "");

    let outcome = home.run(EXCHANGE);
    assert_eq!(outcome.stderr, "✔ Access Token (RS256) minted.\n");
    let token = outcome.done().trim_end().to_owned();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(home.run("token show --type access").done(), format!("{token}\n"));

    let verified = home.run("token verify --aud backend-worker --scope jobs:read --output json");
    let verified = verified.json();
    let claims = &verified["claims"];
    assert_eq!(verified["valid"], true);
    assert_eq!(claims["iss"], dev.ready["url"]);
    assert_eq!(claims["sub"], "worker-01");
    assert_eq!(claims["scope"], "jobs:read jobs:write");
    assert!(claims["act"]["sub"].is_string());
    let table = home.run("token verify --aud backend-worker").done();
    assert!(table.contains("audience  backend-worker\n"), "{table}");

    let tenants = home.run("tenant list --output json").json();
    let tenant = tenants["tenants"].as_array().unwrap().iter();
    let tenant = Vec::from_iter(tenant.filter(|tenant| tenant["slug"] == "codecompany"));
    assert_eq!(tenant.len(), 1);
    assert_eq!(tenant[0]["id"], claims["tid"]);
}

#[test]
fn a_token_of_every_form_of_output() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let quiet = home.run(&format!("{EXCHANGE} --quiet"));
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.done().trim_end().split('.').count(), 3);

    let reply = home.run(&format!("--output json {EXCHANGE}")).json();
    assert_eq!(reply["tokenType"], "Bearer");
    assert_eq!(reply["scope"], "jobs:read jobs:write");
    assert_eq!(reply["expiresIn"], 900);

    let yaml = home.run(&format!("{EXCHANGE} --output yaml")).done();
    assert!(yaml.contains("tokenType: Bearer\n"), "{yaml}");

    let worker = home
        .run("token exchange --aud codeq-worker --tenant codecompany --event-types render_video");
    assert_eq!(worker.stderr, "✔ Worker Token (RS256) minted.\n");
    let worker = worker.done();
    assert_eq!(home.run("token show --type worker").done(), worker);
    let verified = home.run_with_input("token verify --aud codeq-worker - --output json", &worker);
    assert_eq!(verified.json()["claims"]["eventTypes"], json!(["render_video"]));
}

#[test]
fn tenants_are_found_shown_and_chosen() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let made = home.run("tenant create --slug second --name Second --output json").json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["name"], "Second");
    assert_eq!(home.run("tenant get second --output json").json(), made);
    assert_eq!(home.run(&format!("tenant get {id} --quiet")).done(), format!("{id}\n"));
    home.run("tenant use second").done();
    let listed = home.run("profile list --output json").json();
    assert_eq!(listed[0]["tenantId"], made["id"]);
    // The tenant of the profile is meant where none is named.
    let reply = home.run("token exchange --aud backend-worker --output json").json();
    assert_eq!(reply["tenantId"], made["id"]);
    let table = home.run("tenant list").done();
    assert!(table.starts_with("ID ") && table.contains("Second"), "{table}");
}

#[test]
fn refusals_carry_code_request_id_and_what_to_do() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    let refused = |outcome: Outcome, exit: i32, code: &str, next: &str| {
        let stderr = outcome.fails(exit);
        assert!(stderr.contains(&format!("({code})")), "{stderr}");
        assert!(stderr.contains("\n  request id: "), "{stderr}");
        assert!(stderr.contains(&format!("\n  next: {next}")), "{stderr}");
    };
    for (line, code, next) in [
        ("tenant create --slug codecompany", "TENANT_EXISTS", "choose another --slug"),
        ("tenant get nowhere", "TENANT_NOT_FOUND", "see which tenants"),
        ("token exchange --aud nobody --tenant codecompany", "UNKNOWN_AUDIENCE", "name a client"),
        (
            "token exchange --aud backend-worker --tenant codecompany --scope codeq:admin",
            "SCOPE_NOT_PERMITTED",
            "ask for fewer",
        ),
        (
            "token exchange --aud backend-worker --tenant codecompany --ttl 1",
            "INVALID_TTL",
            "give --ttl",
        ),
    ] {
        refused(home.run(line), 1, code, next);
    }
    refused(
        home.run(&format!("{EXCHANGE} --api-key tk_0000000000_nobody")),
        2,
        "INVALID_API_KEY",
        "store the server's API key",
    );
    refused(
        home.run_with_input(
            &format!("auth login --user {} --password-stdin", dev.text("adminEmail")),
            "wrong password",
        ),
        2,
        "INVALID_LOGIN_CREDENTIALS",
        "check the address",
    );
}

#[test]
fn status_follows_the_session_and_logout_forgets_it() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    let status = home.run("auth status --output json").json();
    assert_eq!(status["email"], dev.ready["adminEmail"]);
    assert_eq!(status["role"], "ADMIN");
    assert_eq!(status["checked"], true);
    assert_eq!(home.run("auth status --quiet").done().trim_end(), dev.text("adminEmail"));

    let token = home.run("token show --type id --quiet").done();
    let inspected = home.run_with_input("token inspect - --output json", &token).json();
    assert_eq!(inspected["header"]["alg"], "HS256");
    assert_eq!(inspected["verified"], false);

    home.run("auth logout --local").done();
    home.run("auth status").fails(2);
    home.run("token show --type id").fails(2);
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(!config.contains(token.trim_end()), "{config}");
    assert!(config.contains(dev.text("apiKey")), "{config}");

    // Whatever else is left of a session goes, too.
    let leftover = config.replace("    baseUrl", "    accessToken: left-over\n    baseUrl");
    assert!(leftover.contains("left-over"), "{leftover}");
    fs::write(home.config(), leftover).unwrap();
    home.run("auth logout").done();
    assert!(!fs::read_to_string(home.config()).unwrap().contains("left-over"));

    // The environment stands in for the profile.
    let mut command = home.command("auth status --quiet");
    command.env("TIKTI_TOKEN", token.trim_end());
    assert_eq!(finish(&mut command, "").done().trim_end(), dev.text("adminEmail"));
    let line = format!("auth login --user {} --password-stdin", dev.text("adminEmail"));
    let mut command = home.command(&line);
    command.env("TIKTI_TOKEN", token.trim_end()).stdin(Stdio::piped());
    let outcome = finish(&mut command, dev.text("adminPassword"));
    assert!(outcome.stderr.contains("TIKTI_TOKEN is set and goes on being used"), "{outcome:?}");
    outcome.done();
}

#[test]
fn a_token_that_is_not_good_is_refused_with_its_step() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let token = home.run(&format!("{EXCHANGE} --quiet")).done();
    let inspected = home.run("token inspect --output json").json();
    assert_eq!(inspected["verified"], true);

    let verify = |line: &str, token: &str, step: &str| {
        let outcome = home.run_with_input(&format!("{line} --output json -"), token);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("refused at step {step}")), "{outcome:?}");
        let refused: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((&refused["valid"], &refused["step"]), (&json!(false), &json!(step)));
    };
    let id_token = home.run("token show --type id").done();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let turned = Vec::from_iter(signature.trim_end().chars().skip(4).chain("AAAA".chars()));
    let forged = format!("{signed}.{}", String::from_iter(turned));
    verify("token verify --aud other", &token, "audience");
    verify("token verify --aud backend-worker --scope jobs:delete", &token, "scope");
    verify("token verify --aud backend-worker", &id_token, "algorithm");
    verify("token verify --aud backend-worker", "not-a-token", "parse");
    verify("token verify --aud backend-worker", &forged, "signature");
}

#[test]
fn credentials_of_a_profile_stay_with_its_server() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    // The same server under another name is another address: nothing of the profile is sent.
    let elsewhere = dev.text("url").replace("127.0.0.1", "localhost");
    let stderr = home.run(&format!("tenant list --host {elsewhere}")).fails(2);
    assert!(stderr.contains("no session"), "{stderr}");
}

#[test]
fn a_second_dev_on_the_same_directory_names_the_holder() {
    let home = Home::new();
    let data = format!("--data {}", Dev::data(&home));
    let dev = Dev::start_with(&home, "127.0.0.1:0", &data);
    let line = format!("dev --output json --listen 127.0.0.1:0 {data}");
    let second = home.run(&line);
    assert_eq!((second.code, second.stdout.as_str()), (Some(3), ""), "{second:?}");
    let holder = dev.pid().to_string();
    assert!(second.stderr.contains(&holder), "holder {holder}: {}", second.stderr);
    // On the same port, too, where the port alone would be said to be taken.
    let address = dev.text("url").trim_start_matches("http://").to_owned();
    let line = format!("dev --output json --listen {address} {data}");
    let stderr = home.run(&line).fails(3);
    assert!(stderr.contains(&holder) && !stderr.contains("takes a port"), "{stderr}");
    // The first one is not disturbed, and its profile neither.
    home.run("keys jwks").done();
}
