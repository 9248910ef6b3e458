//! `tikti apply` and `tikti diff`: a file, and a running server that becomes as it says.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Dev, Home, Outcome, ask, finish};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/apply.yaml");

/// A file with what a tenant is to be: the lines of `text`, below its slug.
fn write(home: &Home, text: &str) -> String {
    let file = home.path().join("tikti.yaml");
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    fs::write(&file, format!("tenants:\n  - slug: codecompany\n{indented}")).unwrap();
    file.display().to_string()
}

/// Asks the server as its administrator, in place of somebody who changes things by hand.
fn by_hand(home: &Home, dev: &Dev, method: &str, path: &str, body: &Value) -> Value {
    let token = home.run("token show --type id --quiet").done();
    let bearer = format!("Authorization: Bearer {}\r\nIf-Match: *\r\n", token.trim_end());
    let head = format!("{method} {path} HTTP/1.1\r\nContent-Type: application/json\r\n{bearer}");
    let (_, reply) = ask(&dev.address(), &head, &body.to_string());
    assert!(reply["code"].is_null(), "{method} {path}: {reply}");
    reply
}

/// What a drift is printed as.
fn drift(outcome: Outcome) -> (String, String) {
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    (outcome.stdout, outcome.stderr)
}

/// The actions of an answer, each with what it was about.
fn actions(answer: &Value) -> Vec<String> {
    let changes = answer["changes"].as_array().unwrap().iter();
    let text = |change: &Value, member: &str| change[member].as_str().unwrap_or("-").to_owned();
    let told = |change: &Value| {
        let all = ["action", "kind", "tenant", "name", "result"].map(|name| text(change, name));
        all.join(" ")
    };
    changes.map(told).collect()
}

/// What somebody does beside the file.
fn change_by_hand(home: &Home, dev: &Dev) {
    let role = "/v1/tenants/acme/roles/BILLING";
    by_hand(home, dev, "PUT", role, &json!({"permissions": ["bills:read", "bills:delete"]}));
    let client = "/v1/tenants/northwind/clients/fleet";
    by_hand(home, dev, "PATCH", client, &json!({"tokenTtlSeconds": 3000}));
    by_hand(home, dev, "DELETE", "/v1/tenants/harbour/workers/agent-08", &json!({}));
    let users = by_hand(home, dev, "GET", "/v1/tenants/acme/users", &json!({}));
    let users = users["users"].as_array().unwrap().iter();
    let eve = users.clone().find(|user| user["email"] == "eve@acme.example").unwrap();
    let eve = format!("/v1/tenants/acme/users/{}", eve["userId"].as_str().unwrap());
    by_hand(home, dev, "PATCH", &eve, &json!({"roles": []}));
}

#[test]
fn the_example_is_made_then_there_is_nothing_to_do_and_drift_is_mended() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let planned = home.run(&format!("diff -f {EXAMPLE} --output json"));
    assert!(planned.stderr.contains("differs from"), "{planned:?}");
    let (planned, _) = drift(planned);
    let planned: Value = serde_json::from_str(&planned).unwrap();
    let of_kind = |kind: &str| {
        let changes = planned["changes"].as_array().unwrap().iter();
        changes.filter(|change| change["kind"] == kind && change["action"] == "create").count()
    };
    let counts = ["tenant", "role", "client", "worker", "member"].map(of_kind);
    assert_eq!(counts, [3, 20, 12, 30, 6]);

    let made = home.run(&format!("apply -f {EXAMPLE} --yes --output json"));
    assert_eq!(made.stderr, "");
    let made = made.json();
    assert!(actions(&made).iter().all(|told| told.ends_with(" done")), "{made}");
    assert_eq!(made["changes"].as_array().unwrap().len(), 71);
    assert!(!made.to_string().contains("secret"), "{made}");

    let again = home.run(&format!("apply -f {EXAMPLE} --yes"));
    let url = dev.text("url");
    assert_eq!(again.stderr, format!("✔ 0 changes: {url} is as {EXAMPLE} says\n"));
    assert_eq!(again.done(), "");
    assert_eq!(home.run(&format!("diff -f {EXAMPLE} --output json")).done(), "{\"changes\":[]}\n");

    change_by_hand(&home, &dev);
    let (shown, said) = drift(home.run(&format!("diff -f {EXAMPLE}")));
    // What the file does not say of the client of northwind is no drift.
    let drifted = [
        "  tenant acme",
        "  ~ role BILLING: permissions bills:delete bills:read → bills:read bills:write",
        "  ~ member eve@acme.example: roles - → AUDITOR",
        "  tenant harbour",
        "  + worker agent-08: clients agents models; mintableBy AGENT_OPERATOR; scopes agents:run models:read",
        "",
    ]
    .join("\n");
    assert_eq!(shown, drifted);
    assert_eq!(
        said,
        format!(
            "error: {url} differs from {EXAMPLE}: 3 changes\n  \
             next: `tikti apply -f {EXAMPLE}` makes it as the file says\n"
        )
    );
    assert_eq!(drift(home.run(&format!("diff -f {EXAMPLE} --quiet"))).0, "3\n");

    let mended = home.run(&format!("apply -f {EXAMPLE} --yes"));
    assert_eq!(mended.stdout, drifted, "{mended:?}");
    assert_eq!(
        mended.stderr,
        "✔ 3 changes made\n  \
         Secrets of new workers and clients that nobody was given: 1 (--write-env DIR keeps them)\n  \
         A worker gets another one: `tikti worker rotate-secret ID --tenant REF`\n"
    );
    home.run(&format!("diff -f {EXAMPLE}")).done();
}

#[test]
fn only_what_the_file_names_is_touched_and_pruning_has_its_bounds() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    let file = write(
        &home,
        "roles:
  - {name: BILLING, permissions: [bills:read]}
  - {name: OLD, permissions: [old:read]}
clients: [{id: old-client}]
workers: [{id: worker-01}, {id: worker-02, clients: [old-client]}]
members: [{email: ann@example.org, roles: [BILLING], create: true}]",
    );
    home.run(&format!("apply -f {file} --yes --quiet")).done();

    // A section that is empty, one that is not there, and one that names one of two.
    let file = write(&home, "roles: [{name: BILLING, permissions: []}]\nclients:\nworkers: []");
    let (shown, _) = drift(home.run(&format!("diff -f {file}")));
    assert_eq!(shown, "  tenant codecompany\n  ~ role BILLING: permissions bills:read → -\n");
    let (shown, said) = drift(home.run(&format!("diff -f {file} --prune")));
    assert_eq!(
        shown,
        "  tenant codecompany\n  ~ role BILLING: permissions bills:read → -\n  \
         - worker worker-01\n  - worker worker-02\n  - role OLD\n"
    );
    assert!(said.contains(&format!("`tikti apply -f {file} --prune`")), "{said}");
    home.run(&format!("apply -f {file} --yes --prune")).done();
    let listed = |what: &str, member: &str| {
        let path = format!("/v1/tenants/codecompany/{what}");
        let list = by_hand(&home, &dev, "GET", &path, &json!({}));
        let items = list[what].as_array().unwrap().iter();
        Vec::from_iter(items.map(|item| item[member].as_str().unwrap().to_owned()))
    };
    // What is built in or of the template stays, whatever the file says.
    let roles = listed("roles", "name");
    for stays in ["BILLING", "CODEQ_ADMIN", "JOBS_OPERATOR", "TENANT_ADMIN", "TENANT_USER"] {
        assert!(roles.iter().any(|role| role == stays), "{roles:?}");
    }
    assert!(!roles.contains(&"OLD".to_owned()), "{roles:?}");
    assert!(listed("clients", "clientId").contains(&"old-client".to_owned()));
    assert_eq!(listed("workers", "id"), Vec::<String>::new());
    let members = listed("users", "email");
    assert_eq!(members.len(), 2, "{members:?}");

    // Whoever asks is the last administrator: he stays, the others go.
    let file = write(&home, "clients: []\nmembers: []");
    let answer = home.run(&format!("apply -f {file} --yes --prune --output json")).json();
    assert_eq!(
        actions(&answer),
        [
            "delete member codecompany ann@example.org done",
            "delete client codecompany old-client done"
        ]
    );
    assert_eq!(listed("users", "email"), [dev.text("adminEmail")]);
    assert!(listed("clients", "clientId").contains(&"tikti".to_owned()));
}

/// A built-in role, a life that is too short, and an address that nobody bears.
const REFUSED: &str = "\
roles:
  - {name: TENANT_USER, permissions: [jobs:read]}
  - {name: BILLING, permissions: [bills:read]}
clients:
  - {id: billing, tokenTtlSeconds: 5}
  - {id: other, status: DISABLED}
workers:
  - {id: worker-01, clients: [billing]}
  - {id: worker-02, clients: [other], status: DISABLED}
members:
  - {email: ann@example.org, roles: [BILLING], create: true}
  - {email: bob@example.org, roles: [TENANT_USER], create: true}
  - {email: nobody@example.org, roles: []}";

#[test]
fn what_failed_is_named_and_the_rest_goes_on_where_it_can() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    let file = write(&home, REFUSED);
    let outcome = home.run(&format!("apply -f {file} --yes --output json"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        actions(&answer),
        [
            "create tenant codecompany codecompany done",
            "create role codecompany BILLING done",
            "create role codecompany TENANT_USER failed",
            "create client codecompany billing failed",
            "create client codecompany other done",
            "create worker codecompany worker-01 left",
            "create worker codecompany worker-02 done",
            "create member codecompany ann@example.org done",
            "create member codecompany bob@example.org left",
            "create member codecompany nobody@example.org failed",
        ]
    );
    assert_eq!(answer["changes"][3]["error"]["code"], "INVALID_TTL");
    let said = outcome.stderr;
    for part in [
        "error: role TENANT_USER of codecompany: ",
        "(CONFLICT)",
        "error: client billing of codecompany: ",
        "tokenTtlSeconds: must be 900 to 3600 seconds",
        "error: member nobody@example.org of codecompany: ",
        "(USER_NOT_FOUND)",
        "error: of 10 changes 3 failed and 2 were left out\n  next: mend",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }

    // Mended, it goes on there.
    let mended = REFUSED.replace("  - {name: TENANT_USER, permissions: [jobs:read]}\n", "");
    let mended = mended.replace("tokenTtlSeconds: 5", "tokenTtlSeconds: 1800");
    let file = write(&home, mended.trim_end_matches("  - {email: nobody@example.org, roles: []}"));
    let answer = home.run(&format!("apply -f {file} --yes --output json")).json();
    assert_eq!(
        actions(&answer),
        [
            "create client codecompany billing done",
            "create worker codecompany worker-01 done",
            "create member codecompany bob@example.org done",
        ]
    );
    home.run(&format!("diff -f {file}")).done();
}

#[test]
fn secrets_of_new_workers_and_clients_are_in_files_and_nowhere_else() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let file = write(
        &home,
        "clients: [{id: billing, allowedScopes: [bills:read], allowedGrantTypes: [client_credentials]}]
workers: [{id: worker-01, clients: [billing], scopes: [bills:read]}]",
    );
    let directory = home.path().join("env");
    let line = format!("apply -f {file} --yes --write-env {}", directory.display());
    let outcome = home.run(&line);
    assert_eq!(outcome.stderr, "✔ 3 changes made\n");
    let path = directory.join("codecompany/workers/worker-01.env");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(path).unwrap();
    let url = dev.text("url");
    let (head, rest) = text.split_once("TIKTI_WORKER_SECRET=").unwrap();
    let id = home.run("tenant get codecompany --quiet").done();
    let id = id.trim_end();
    assert_eq!(head, format!("TIKTI_HOST={url}\nTIKTI_TENANT={id}\nTIKTI_WORKER_ID=worker-01\n"));
    let (secret, rest) = rest.split_once('\n').unwrap();
    assert_eq!(rest, "TIKTI_AUDIENCE=billing\nTIKTI_SCOPES=bills:read\n");
    assert!(!format!("{outcome:?}").contains(secret), "{outcome:?}");
    let client = fs::read_to_string(directory.join("codecompany/clients/billing.env")).unwrap();
    assert!(client.contains("TIKTI_CLIENT_ID=billing\nTIKTI_CLIENT_SECRET=cs_"), "{client}");
    // It is the worker's: a token is had by it.
    let form = "grant_type=client_credentials&audience=billing&scope=bills:read";
    let form = format!("{form}&client_id={id}.worker-01&client_secret={secret}");
    let head = "POST /oauth2/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let (_, token) = ask(&dev.address(), head, &form);
    assert_eq!(token["token_type"], "Bearer", "{token}");
    // A second run makes no secret.
    assert!(home.run(&line).stderr.starts_with("✔ 0 changes"));
    // One at another server would take the place of what nobody can show again.
    let elsewhere = Home::new();
    let other = Dev::signed_in(&elsewhere);
    let said = elsewhere.run(&line).fails(3);
    let client = directory.join("codecompany/clients/billing.env");
    assert!(
        said.contains(&format!("{} is of another server, {url}, ", client.display())),
        "{said}"
    );
    assert!(said.contains(other.text("url")) && said.contains("move that file away"), "{said}");
    elsewhere.run("tenant get codecompany").fails(1);
}

/// A suspended tenant with a worker that signs, by a key of this name.
fn signing(status: &str, kid: &str, custom_tokens: bool) -> String {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    format!(
        "status: {status}
workers:
  - id: signer
    customTokens: {custom_tokens}
    scopes: [jobs:read]
    jwks: {{keys: [{{kty: OKP, crv: Ed25519, kid: {kid}, x: {x}, key_ops: [verify]}}]}}"
    )
}

#[test]
fn public_keys_custom_tokens_and_the_status_of_a_tenant_are_as_the_file_says() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    let file = write(&home, &signing("SUSPENDED", "k1", true));
    let directory = home.path().join("env");
    let made = home.run(&format!("apply -f {file} --yes --write-env {}", directory.display()));
    assert_eq!(
        made.stdout,
        "+ tenant codecompany\n  \
         + worker signer: customTokens true; jwks k1; scopes jobs:read\n\
         ~ tenant codecompany: status - → SUSPENDED\n"
    );
    // Whoever signs with a key of his own has no secret.
    assert_eq!(made.stderr, "✔ 3 changes made\n");
    assert!(!directory.exists());
    home.run(&format!("diff -f {file}")).done();
    let status = || home.run("tenant get codecompany --output json").json()["status"].clone();
    assert_eq!(status(), "SUSPENDED");

    let file = write(&home, &signing("ACTIVE", "k2", false));
    let (shown, _) = drift(home.run(&format!("diff -f {file}")));
    assert_eq!(
        shown,
        "~ tenant codecompany: status SUSPENDED → ACTIVE\n  \
         ~ worker signer: customTokens true → false; jwks k1 → k2\n"
    );
    home.run(&format!("apply -f {file} --yes")).done();
    home.run(&format!("diff -f {file}")).done();
    let worker = home.run("worker get signer --tenant codecompany --output json").json();
    assert_eq!(
        (&worker["jwks"]["keys"][0]["kid"], &worker["customTokens"]),
        (&json!("k2"), &json!(false))
    );

    // Where something is refused the tenant stays open, so that it can be mended.
    let file =
        write(&home, "status: SUSPENDED\nroles: [{name: TENANT_USER, permissions: [jobs:read]}]");
    let outcome = home.run(&format!("apply -f {file} --yes"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("of 2 changes 1 failed and 1 were left out"), "{outcome:?}");
    assert_eq!(status(), "ACTIVE");
}

#[test]
fn a_file_that_is_wrong_or_a_plan_that_nobody_saw_changes_nothing() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let file = write(&home, "roles: [{name: BILLING, permission: [bills:read]}]");
    for command in ["diff", "apply --yes"] {
        let said = home.run(&format!("{command} -f {file}")).fails(3);
        assert!(said.contains("tikti.yaml: ") && said.contains("line 3"), "{said}");
        assert!(said.contains("permission"), "{said}");
    }
    let said = home.run_with_input("diff -f -", "tenant: []").fails(3);
    assert!(said.contains("error: standard input: unknown field `tenant`"), "{said}");
    home.run("apply -f nowhere.yaml --yes").fails(3);
    home.run("apply --yes").fails(3);

    let file = write(&home, "roles: [{name: BILLING, permissions: [bills:read]}]");
    let outcome = home.run(&format!("apply -f {file}"));
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert_eq!(outcome.stdout, "+ tenant codecompany\n  + role BILLING: permissions bills:read\n");
    assert!(outcome.stderr.contains("next: say so with --yes"), "{outcome:?}");
    let said = home.run(&format!("apply -f {file} --output json")).fails(3);
    assert!(said.contains("nobody was shown"), "{said}");
    home.run("tenant get codecompany").fails(1);

    // From a pipe, and the id of a tenant is no slug.
    let text = fs::read_to_string(&file).unwrap();
    let answer = home.run_with_input("apply -f - --yes --output json", &text).json();
    assert_eq!(answer["changes"].as_array().unwrap().len(), 2);
    let id = home.run("tenant get codecompany --quiet").done();
    let said = home.run_with_input("diff -f -", &text.replace("codecompany", id.trim_end()));
    let said = said.fails(3);
    assert!(said.contains("next: write `slug: codecompany`"), "{said}");

    let host = dev.text("url").to_owned();
    dev.kill();
    let said = home.run(&format!("diff -f {file}")).fails(1);
    assert!(said.contains(&format!("cannot reach {host}")), "{said}");
    let stranger = Home::new();
    stranger.run(&format!("diff -f {file} --host {host}")).fails(2);
}

#[test]
fn a_pipeline_needs_the_scopes_of_the_sections_that_its_file_has_and_no_others() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    let scopes = "tenants:read,roles:read,roles:write";
    let exchange = format!("token exchange --aud tikti --scope {scopes} --tenant codecompany");
    let token = home.run(&format!("{exchange} --quiet")).done();
    let pipeline = Home::new();
    let run = |line: &str| {
        let mut command = pipeline.command(&format!("{line} --host {}", dev.text("url")));
        finish(command.env("TIKTI_TOKEN", token.trim_end()), "")
    };
    let file = write(&home, "roles: [{name: BILLING, permissions: [roles:read, audit:read]}]");
    let outcome = run(&format!("apply -f {file} --yes --quiet"));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), "0\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("role BILLING of codecompany: "), "{outcome:?}");
    assert!(outcome.stderr.contains("(ESCALATION_DENIED)"), "{outcome:?}");
    let file = write(&home, "roles: [{name: BILLING, permissions: [roles:read]}]");
    assert_eq!(run(&format!("apply -f {file} --yes --quiet")).done(), "1\n");
    run(&format!("diff -f {file}")).done();
    let file = write(&home, "workers: [{id: worker-01}]");
    let said = run(&format!("diff -f {file}")).fails(1);
    assert!(said.contains("(PERMISSION_DENIED)"), "{said}");
}
