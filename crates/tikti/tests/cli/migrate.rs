//! What an older Tikti left in a Redis moves in: said first, then done, once, and resumed where it was killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tikti_store::testing::RedisServer;

use crate::serve::SECRETS;
use crate::support::{Dev, Home, redis_is_chosen};

/// bcrypt of `correct horse battery`, cost 4, as an older Tikti kept it.
const HASH: &str = "$2a$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";
const PASSWORD: &str = "correct horse battery";
const ACME: &str = "0193a5c8-1f6e-7000-8000-000000000000";

/// A Redis as an older Tikti left it, with one of everything that can be wrong.
fn old_data(redis: &RedisServer) {
    let set = |key: &str, field: &str, json: &Value| {
        redis.call(&["HSET", key, field, &json.to_string()]);
    };
    let ann = json!({"localId": "u-1", "password": HASH, "role": "COMPANY_EMPLOYEE", "status": "ACTIVE",
        "companyId": ACME, "createdAt": "2024-01-31T12:00:00Z"});
    set("users", "Ann@example.org", &ann);
    let ann = json!({"localId": "u-1", "email": "ann@example.org", "password": HASH});
    set("users_v2", "u-1", &ann);
    set("users", "chief@corp.sys", &json!({"id": "u-2", "passwordHash": HASH, "role": "ADMIN"}));
    set("users", "cid@example.org", &json!({"password": HASH}));
    set("users", "dan@example.org", &json!({"localId": "u-4", "password": "hunter2"}));
    set("users", "no address", &json!({"localId": "u-5"}));
    redis.call(&["HSET", "users", "broken@example.org", "{"]);
    redis.call(&["SET", "userByEmail:ANN@example.org", "u-1"]);
    set("tenants", ACME, &json!({"id": ACME, "slug": "acme", "name": "Acme", "status": "ACTIVE"}));
    let roles = format!("roles:{ACME}");
    set(&roles, "BILLING", &json!({"name": "BILLING", "permissions": ["billing:read"]}));
    let clients = format!("clients:{ACME}");
    let billing = json!({"clientId": "billing", "type": "SERVICE", "allowedGrantTypes": ["token_exchange"],
        "defaultScopes": ["billing:read"], "secretHash": HASH, "status": "ACTIVE"});
    set(&clients, "billing", &billing);
    let members = format!("memberships:{ACME}");
    let ann = json!({"id": "m-1", "tenantId": ACME, "userId": "u-1", "roles": ["BILLING"]});
    set(&members, "m-1", &ann);
    set(&members, "m-2", &json!({"userId": "u-9", "roles": []}));
    redis.call(&["SADD", "membershipsByUser:u-1", ACME]);
    redis.call(&["SET", "memberships:odd", "a string"]);
    set("oobs", "123", &json!({"email": "ann@example.org"}));
    redis.call(&["HSET", "oob:456", "email", "ann@example.org"]);
}

fn kinds(reply: &Value) -> Vec<String> {
    let troubles = reply["troubles"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    troubles
        .map(|one| format!("{} {} {}", text(&one["kind"]), text(&one["key"]), text(&one["field"])))
        .map(|line| line.replace(ACME, "ACME").trim_end().to_owned())
        .collect()
}

fn reply(home: &Home, line: &str, code: i32) -> Value {
    let outcome = home.run(&format!("{line} --output json"));
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    // No hash, not even a wrong one, and no address in a log.
    let shown = format!("{outcome:?}");
    assert!(!shown.contains("$2a$") && !shown.contains("hunter2"), "{shown}");
    assert!(!outcome.stderr.contains("example.org"), "{shown}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// A home whose server has been there, and is stopped.
fn stopped(home: &Home) -> String {
    let dev = Dev::start(home);
    let address = dev.address();
    assert_eq!(dev.terminate().code, Some(0));
    address
}

#[test]
fn what_an_older_tikti_left_moves_in_and_works() {
    let home = Home::new();
    let address = stopped(&home);
    let options = home.store_options();
    let redis = RedisServer::start_with(&["--enable-debug-command", "local"]);
    old_data(&redis);
    let line = format!("migrate legacy --from {} {options}", redis.url());
    let before = redis.call(&["DEBUG", "DIGEST"]).text();

    let dry = reply(&home, &line, 4);
    assert_eq!(dry["dryRun"], true);
    assert_eq!(dry["users"], json!({"found": 7, "taken": 4, "present": 0, "merged": 1, "left": 2}));
    assert_eq!(dry["tenants"]["taken"], 1);
    assert_eq!(
        dry["memberships"],
        json!({"found": 2, "taken": 1, "present": 0, "merged": 0, "left": 1})
    );
    assert_eq!(dry["oobCodesLeft"], 2);
    assert_eq!(
        kinds(&dry),
        [
            "wrong_type memberships:odd",
            "unreadable users broken@example.org",
            "bad_address users no address",
            "password users dan@example.org",
            "address_case users Ann@example.org",
            "without_id users cid@example.org",
            "client_secret clients:ACME billing",
            "member_missing memberships:ACME m-2",
        ]
    );
    // Twice the same, and nothing has happened.
    assert_eq!(reply(&home, &line, 4), dry);

    let report = home.path().join("troubles.json");
    let done = reply(&home, &format!("{line} --yes --report {}", report.display()), 4);
    for member in ["tenants", "roles", "clients", "users", "memberships", "troubles", "lost"] {
        assert_eq!(done[member], dry[member], "{member}");
    }
    let written: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(written, done);
    assert_eq!(fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    let again = reply(&home, &format!("{line} --yes"), 4);
    assert_eq!((&again["users"]["taken"], &again["users"]["present"]), (&json!(0), &json!(4)));
    assert_eq!(again["troubles"], dry["troubles"]);
    home.run(&format!("store verify {options}")).done();
    assert_eq!(redis.call(&["DEBUG", "DIGEST"]).text(), before, "the old data was changed");

    let _dev = Dev::start_at(&home, &address);
    is_at_home(&home);
}

/// Whoever moved in signs in, and is what he was.
fn is_at_home(home: &Home) {
    for user in ["ann@example.org", "cid@example.org"] {
        let sign_in = format!("auth login --user {user} --password-stdin");
        home.run_with_input(&sign_in, "wrong password").fails(2);
        home.run_with_input(&sign_in, PASSWORD).done();
    }
    home.run_with_input("auth login --user ann@example.org --password-stdin", PASSWORD).done();
    // The tenant by its slug, by its id and by the id that it had.
    for tenant in ["acme", &format!("t-{ACME}"), ACME] {
        let exchange = format!("token exchange --aud billing --tenant {tenant} --quiet");
        let token = home.run(&exchange).done();
        let claims = home.run_with_input("token inspect - --output json", &token).json();
        let text = claims.to_string();
        assert!(text.contains("billing:read") && text.contains(&format!("t-{ACME}")), "{text}");
    }
    home.run("token exchange --aud billing --scope jobs:write --tenant acme").fails(1);
    home.run_with_input("auth login --user chief@corp.sys --password-stdin", PASSWORD).done();
    let tenants = home.run("tenant list --output json").done();
    assert!(tenants.contains("\"acme\""), "{tenants}");
    let audit = home.run("audit list --deployment --output json").done();
    assert!(audit.contains("tenant.create") && audit.contains("migration"), "{audit}");
}

#[test]
fn people_see_a_table_and_what_was_left() {
    let home = Home::new();
    stopped(&home);
    let redis = RedisServer::start();
    let from = format!("migrate legacy --from {}", redis.url());
    for number in 0..103 {
        redis.call(&["HSET", "users", &format!("{number:03}"), "{}"]);
    }
    redis.call(&["HSET", "users", "ann@example.org", r#"{"localId":"u-1"}"#]);
    let outcome = home.run(&format!("{from} {}", home.store_options()));
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["FOUND", "TO", "TAKE", "PRESENT", "MERGED", "LEFT"]
    );
    assert_eq!(
        lines[4].split_whitespace().collect::<Vec<_>>(),
        ["users", "104", "1", "0", "0", "103"]
    );
    assert_eq!(lines.last(), Some(&"and 3 more: --report FILE or --output json has all"));
    assert!(outcome.stderr.contains("1 things would be taken over"), "{outcome:?}");
    assert!(outcome.stderr.contains("103 cannot be taken"), "{outcome:?}");
    let quiet = home.run(&format!("{from} {} --quiet", home.store_options()));
    assert_eq!((quiet.code, quiet.stdout.trim()), (Some(4), "1"));
    // Nothing is wrong any more.
    for number in 0..103 {
        redis.call(&["HDEL", "users", &format!("{number:03}")]);
    }
    let outcome = home.run(&format!("{from} {} --yes", home.store_options()));
    assert!(outcome.stderr.contains("1 things were taken over"), "{outcome:?}");
    outcome.done();
}

#[test]
fn what_cannot_be_read_is_refused_and_no_password_is_shown() {
    let home = Home::new();
    stopped(&home);
    let options = home.store_options();
    let refused = |from: &str, said: &str| {
        let stderr = home.run(&format!("migrate legacy --from {from} {options} --yes")).fails(3);
        assert!(stderr.contains(said), "{from}: {stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    };
    let locked = RedisServer::start_with(&["--requirepass", "another"]);
    let port = locked.port();
    refused(&format!("redis://:s3cret@127.0.0.1:{port}"), "the password is wrong");
    refused(&format!("redis://127.0.0.1:{port}"), "password");
    refused("redis://127.0.0.1:1", "127.0.0.1:1");
    refused("mysql://me:s3cret@127.0.0.1", "no storage engine");
    refused("redis+cluster://127.0.0.1:1", "one server is read");
    refused("@/nonexistent", "/nonexistent");
    let line =
        format!("migrate legacy --from redis://127.0.0.1:1 {options} --report /none/x --yes");
    assert!(home.run(&line).fails(3).contains("writing /none/x"));
    let empty = RedisServer::start();
    refused(&empty.url(), "holds nothing of an older Tikti");
    refused(&format!("{}/77", empty.url()), "it has no database 77");
    let (url, data) = (empty.url(), Dev::data(&home));
    let line = format!("migrate legacy --from {url} --data {data} --store {url} --yes");
    assert!(home.run(&line).fails(3).contains("the same server and database"));
    // A database of its own.
    let cli = |arguments: &[&str]| {
        let port = empty.port().to_string();
        let line = [&["-p", &port, "-n", "3"], arguments].concat();
        let done = std::process::Command::new("redis-cli").args(line).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    cli(&["HSET", "users", "ann@example.org", r#"{"localId":"u-1"}"#]);
    refused(&empty.url(), "holds nothing");
    home.run(&format!("migrate legacy --from {}/3 {options} --yes", empty.url())).done();
    // Something that answers, and is no Redis.
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in web.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 400 Bad\r\n\r\n");
        }
    });
    refused(&format!("redis://{address}"), &address.to_string());
    // No deployment to move into.
    let line = format!("migrate legacy --from {} --data {}/none", empty.url(), Dev::data(&home));
    assert!(home.run(&line).fails(3).contains("secrets.yaml is not there"));
    let line = format!("migrate legacy --from {} --dry-run --yes {options}", empty.url());
    assert!(home.run(&line).fails(3).contains("cannot be used with"));
}

#[test]
fn a_store_that_is_in_use_is_left_alone_and_a_dry_run_goes_on_beside_it() {
    if redis_is_chosen() {
        return;
    }
    let home = Home::new();
    let redis = RedisServer::start();
    redis.call(&["HSET", "users", "ann@example.org", r#"{"localId":"u-1"}"#]);
    let _dev = Dev::start(&home);
    let line = format!("migrate legacy --from {} {}", redis.url(), home.store_options());
    home.run(&line).done();
    let stderr = home.run(&format!("{line} --yes")).fails(3);
    assert!(stderr.contains("is in use by"), "{stderr}");
}

/// Ten thousand users take no bcrypt, and a run that was killed half-way goes on.
#[test]
fn ten_thousand_users_move_in_and_a_killed_run_goes_on() {
    const USERS: usize = 10_000;
    let home = Home::new();
    let redis = RedisServer::start();
    let mut fields = vec!["HSET".to_owned(), "users_v2".to_owned()];
    let mut members = vec!["HSET".to_owned(), "memberships:acme".to_owned()];
    for number in 0..USERS {
        let user = json!({"email": format!("u{number}@example.org"), "password": HASH});
        fields.extend([format!("u-{number}"), user.to_string()]);
        if number % 10 == 0 {
            members.extend([format!("u-{number}"), r#"{"roles":["TENANT_USER"]}"#.to_owned()]);
        }
    }
    redis.call(&fields);
    redis.call(&members);
    redis.call(&["HSET", "tenants", "acme", "{}"]);
    let config = home.path().join("config.yaml");
    let store = home.path().join("store");
    let text = format!(
        "issuer: http://127.0.0.1:8080\nlisten: 127.0.0.1:0\nstore: {{url: \"embedded:{}\"}}\n{SECRETS}",
        store.display()
    );
    fs::write(&config, text).unwrap();
    let line = format!("migrate legacy --from {} --config {}", redis.url(), config.display());
    // There is no store yet.
    let dry = home.run(&format!("{line} --output json")).json();
    assert_eq!(dry["users"]["taken"], USERS);
    assert!(!store.exists());

    let mut killed = home.command(&format!("{line} --yes")).spawn().unwrap();
    // Once something has been written: how much of it there is, is of no importance.
    let begun = Instant::now();
    while !store.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    let length = || fs::metadata(store.join("data.mdb")).map_or(0, |found| found.len());
    while length() < 3_000_000 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();

    let begun = Instant::now();
    let done = home.run(&format!("{line} --yes --output json")).json();
    let took = begun.elapsed();
    let (taken, present) = (&done["users"]["taken"], &done["users"]["present"]);
    let (taken, present) = (taken.as_u64().unwrap(), present.as_u64().unwrap());
    assert_eq!(taken + present, USERS as u64);
    assert!(
        taken > 0 && present > 0,
        "it was not killed half-way: {taken} taken, {present} present"
    );
    println!("{taken} users were left to take, {present} were there: {took:?}");
    // 10,000 bcrypts of cost 12 would take three quarters of an hour.
    assert!(took < Duration::from_secs(600), "{took:?}");
    let verified = home.run(&format!("store verify --config {} --output json", config.display()));
    assert_eq!(verified.json()["findingsTotal"], 0);
    let again = home.run(&format!("{line} --yes --output json")).json();
    assert_eq!((&again["users"]["taken"], &again["memberships"]["taken"]), (&json!(0), &json!(0)));
    assert_eq!(again["memberships"]["present"], USERS / 10);
}
