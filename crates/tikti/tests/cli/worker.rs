//! `tikti worker`: what it is, its secrets, and a token of its own.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Home, Outcome, finish};
use crate::tenant_world::TenantWorld;

const CREATE: &str =
    "worker create worker-01 --clients backend-worker --scopes jobs:read,jobs:write";

fn worker_01() -> Value {
    json!({
        "id": "worker-01", "clients": ["backend-worker"], "scopes": ["jobs:read", "jobs:write"],
        "eventTypes": [], "mintableBy": [], "jwks": {"keys": []}, "customTokens": false,
        "secrets": [{"n": 1, "createdAt": "TIME"}], "lastSecret": 1, "status": "ACTIVE",
        "createdAt": "TIME",
    })
}

#[test]
fn a_worker_is_made_shown_changed_and_deleted() {
    let world = TenantWorld::start();
    assert_eq!(
        world.said("worker list"),
        "No worker yet: `tikti worker create WORKER` makes one.\n"
    );
    assert_eq!(
        world.said(CREATE),
        "✔ Worker worker-01 created\n  It is shown this once: keep it now, nobody can show it again\nSECRET\n"
    );
    assert_eq!(
        world.said("worker get worker-01 --tenant codecompany"),
        "worker  worker-01\nstatus  ACTIVE\nclients  backend-worker\nscopes  jobs:read jobs:write\n\
         events  -\nmintable by  -\nsecrets  1\nkeys  0\ncreated  TIME\n"
    );
    assert_eq!(world.json("worker get worker-01"), worker_01());
    assert_eq!(
        world.said("worker list"),
        "WORKER  STATUS  CLIENTS  SCOPES  EVENTS  MINTABLE BY  SECRETS  KEYS  CREATED\n\
         worker-01  ACTIVE  backend-worker  jobs:read jobs:write  -  -  1  0  TIME\n"
    );
    assert_eq!(world.json("worker list"), json!({ "workers": [worker_01()] }));
    assert_eq!(world.run("worker list --quiet").done(), "worker-01\n");

    let change =
        "worker update worker-01 --event-types a,b --mintable-by TENANT_ADMIN --clear scopes";
    assert_eq!(world.said(change), "✔ Worker worker-01 changed\n");
    let mut changed = worker_01();
    changed["eventTypes"] = json!(["a", "b"]);
    changed["mintableBy"] = json!(["TENANT_ADMIN"]);
    changed["scopes"] = json!([]);
    changed["status"] = json!("DISABLED");
    assert_eq!(world.json("worker update worker-01 --status DISABLED"), changed);
    assert_eq!(world.run("worker update worker-01 --status ACTIVE --quiet").done(), "worker-01\n");

    public_keys_take_the_place_of_a_secret(&world);
    assert_eq!(world.said("worker delete worker-01 --yes"), "✔ Worker worker-01 deleted\n");
    assert_eq!(world.json("worker delete worker-02 --yes"), json!({}));
    let mut made = world.json(CREATE);
    assert_eq!(made["secret"], "SECRET");
    made.as_object_mut().unwrap().remove("secret");
    assert_eq!(made, worker_01());
    refusals(&world);
}

fn public_keys_take_the_place_of_a_secret(world: &TenantWorld) {
    let jwks = world.home.path().join("jwks.json");
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "use": "sig",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    fs::write(&jwks, json!({ "keys": [key] }).to_string()).unwrap();
    let jwks = jwks.display();
    let made = world.json(&format!("worker create worker-02 --jwks {jwks}"));
    assert_eq!((made.get("secret"), &made["secrets"]), (None, &json!([])));
    assert_eq!(made["jwks"]["keys"][0]["kid"], "k1");
    let changed = world.json(&format!("worker update worker-01 --jwks {jwks} --scopes jobs:read"));
    assert_eq!(changed["jwks"]["keys"].as_array().unwrap().len(), 1);
    assert_eq!(changed["scopes"], json!(["jobs:read"]));
}

fn refusals(world: &TenantWorld) {
    for (line, code, says) in [
        (CREATE, 1, "(WORKER_EXISTS)\n  next: choose another id"),
        ("worker get worker-02", 1, "(WORKER_NOT_FOUND)\n  next: see which workers there are"),
        ("worker update worker-01 --clients nobody", 1, "(CLIENT_NOT_FOUND)"),
        ("worker update worker-01", 1, "(INVALID_ARGUMENT)"),
        ("worker update worker-01 --clients ,", 3, "--clients is empty"),
        ("worker update worker-01 --jwks /dev/null", 3, "is no JWKS"),
        ("worker delete worker-01", 3, "next: say so with --yes"),
    ] {
        let said = world.refused(line, code);
        assert!(said.contains(says), "{line}: {said}");
    }
}

/// A worker's token by what stands on the line and the secret, where nobody is signed in.
fn token(world: &TenantWorld, secret: &str, more: &str) -> Outcome {
    let (host, id) = (world.dev.text("url"), &world.tenant_id);
    let line = format!("worker token worker-01 --host {host} --tenant {id} --secret-stdin {more}");
    Home::new().run_with_input(&line, secret)
}

#[test]
fn a_worker_gets_tokens_without_a_session() {
    let world = TenantWorld::start();
    let secret = world.run(&format!("{CREATE} --quiet")).done();
    let outcome = token(&world, &secret, "");
    assert_eq!(outcome.stderr, "✔ Token of worker worker-01 minted, good for 900 s\n");
    assert_eq!(outcome.done().trim_end().split('.').count(), 3);
    let quiet = token(&world, &secret, "--quiet");
    assert_eq!((quiet.stderr.as_str(), quiet.stdout.lines().count()), ("", 1));
    let mut reply = token(&world, &secret, "--output json --scope jobs:read").json();
    reply["access_token"].take();
    assert_eq!(
        reply,
        json!({"access_token": null, "token_type": "Bearer", "expires_in": 900, "scope": "jobs:read",
            "tenant_id": world.tenant_id})
    );
    // A slug is looked up by whoever is signed in.
    let line = "worker token worker-01 --tenant codecompany --secret-stdin";
    world.home.run_with_input(line, &secret).done();
    // The environment says as much as the line does.
    let home = Home::new();
    let mut command = home.command("worker token --quiet");
    command.envs([
        ("TIKTI_HOST", world.dev.text("url")),
        ("TIKTI_TENANT", &world.tenant_id),
        ("TIKTI_WORKER_ID", "worker-01"),
        ("TIKTI_WORKER_SECRET", secret.trim_end()),
        ("TIKTI_AUDIENCE", "backend-worker"),
        ("TIKTI_SCOPES", "jobs:read"),
    ]);
    finish(&mut command, "").done();

    for (more, code, says) in [
        ("--aud nobody", 1, "(UNKNOWN_AUDIENCE)"),
        ("--aud codeq-worker", 1, "(GRANT_NOT_ALLOWED)\n"),
        ("--scope codeq:admin", 1, "(SCOPE_NOT_PERMITTED)\n"),
        ("--env-file x", 3, "cannot be used with"),
    ] {
        let said = token(&world, &secret, more).fails(code);
        assert!(said.contains(says), "{more}: {said}");
    }
    for (line, code, says) in [
        ("worker token", 3, "no worker is named"),
        ("worker token worker-01", 3, "no secret of worker worker-01 is given"),
        ("worker token --env-file nowhere.env", 3, "nowhere.env"),
    ] {
        let said = world.refused(line, code);
        assert!(said.contains(says), "{line}: {said}");
    }
}

#[test]
fn a_secret_is_rotated_and_the_old_one_ends() {
    let world = TenantWorld::start();
    let first = world.run(&format!("{CREATE} --quiet")).done();
    assert_eq!(
        world.said("worker rotate-secret worker-01"),
        "✔ Secret 2 of worker worker-01 made\n  \
         It is shown this once: keep it now, nobody can show it again\n  \
         Older ones stay good: `tikti worker rotate-secret worker-01 --tenant ID --revoke NUMBER --yes`\nSECRET\n"
    );
    token(&world, &first, "").done();
    let said = world.refused("worker rotate-secret worker-01", 1);
    assert!(said.contains("(LIMIT_EXCEEDED)\n  next: it has two secrets: revoke one"), "{said}");
    assert_eq!(
        world.said("worker rotate-secret worker-01 --revoke 2 --yes"),
        "✔ Secret 2 of worker worker-01 revoked, and its tokens with it\n"
    );
    let said = world.refused("worker rotate-secret worker-01 --revoke 2 --yes", 1);
    assert!(said.contains("(NOT_FOUND)"), "{said}");
    let added = world.json("worker rotate-secret worker-01 --expires-at 2099-01-01T00:00:00Z");
    assert_eq!(added, json!({"n": 3, "secret": "SECRET", "expiresAt": "TIME"}));

    // What takes something away is asked about, or meant.
    for (options, what) in [
        ("--revoke 1", "secret 1 of worker worker-01 at HOST, with its tokens,"),
        ("--revoke-old", "all older secrets of worker worker-01 at HOST, with its tokens,"),
    ] {
        let said = world.refused(&format!("worker rotate-secret worker-01 {options}"), 3);
        let warned = format!("warning: {what} will be revoked; that cannot be undone\n");
        assert!(said.starts_with(&warned) && said.ends_with("next: say so with --yes"), "{said}");
    }
    let outcome = world.run("worker rotate-secret worker-01 --revoke-old --yes");
    assert_eq!(
        outcome.stderr,
        "  Secret 1 of worker worker-01 revoked\n✔ Secret 4 of worker worker-01 made\n  \
         It is shown this once: keep it now, nobody can show it again\n  \
         Secret 3 revoked, and the worker's tokens with it\n"
    );
    token(&world, &outcome.done(), "").done();
    let said = token(&world, &first, "").fails(2);
    assert!(said.contains("(INVALID_CLIENT_CREDENTIALS)\n"), "{said}");
    assert!(said.contains("next: check the worker's id and secret"), "{said}");
    assert!(!said.contains(first.trim_end()) && !said.contains("invalid_client"), "{said}");
    let secret = world.run("worker rotate-secret worker-01 --revoke-old --yes --quiet");
    assert_eq!((secret.stderr.as_str(), secret.stdout.lines().count()), ("", 1));
    token(&world, &secret.done(), "").done();
}

/// Ends a command whose standard output nobody reads.
fn unread(world: &TenantWorld, line: &str) -> Outcome {
    let mut child = world.home.command(line).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code(), stdout: String::new(), stderr }
}

#[test]
fn a_secret_that_nobody_has_read_takes_the_place_of_none() {
    let world = TenantWorld::start();
    let first = world.run(&format!("{CREATE} --quiet")).done();
    for line in [
        "worker rotate-secret worker-01 --revoke-old --yes",
        "worker rotate-secret worker-01 --revoke-old --yes --quiet",
        "worker rotate-secret worker-01 --revoke-old --yes --output json",
    ] {
        let said = unread(&world, line).fails(1);
        assert!(said.contains("error: the secret that was made is lost"), "{said}");
        let (_, next) = said
            .split_once("the secret before it stays good; revoke the new one, `tikti ")
            .unwrap();
        token(&world, &first, "").done();
        world.run(next.split('`').next().unwrap()).done();
    }
    token(&world, &first, "").done();
    for line in [
        "worker create worker-02 --clients backend-worker",
        "client create jobs-api",
        "apikey create --tenant codecompany --name k --scopes introspect",
        "worker provision worker-03 --aud backend-worker --scopes jobs:read",
    ] {
        let said = unread(&world, line).fails(1);
        assert!(said.contains("error: the secret that was made is lost"), "{line}: {said}");
    }
    // What can be shown again may stay unread.
    assert_eq!(unread(&world, "worker get worker-01").code, Some(0));
}
