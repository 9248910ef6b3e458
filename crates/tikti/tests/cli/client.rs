//! `tikti client`, as its users meet it.

use serde_json::{Value, json};

use crate::tenant_world::TenantWorld;

fn jobs_api() -> Value {
    json!({
        "clientId": "jobs-api", "type": "SERVICE", "status": "ACTIVE",
        "allowedGrantTypes": ["client_credentials", "token_exchange"],
        "allowedScopes": ["jobs:read", "jobs:write"], "defaultScopes": ["jobs:read"],
        "eventTypes": [], "subjectPolicy": "user", "tokenTtlSeconds": 900, "managed": false,
    })
}

const CREATE: &str = "client create jobs-api --scopes jobs:read,jobs:write --default-scopes jobs:read \
                      --grant-types client_credentials,token_exchange";

#[test]
fn a_client_is_made_shown_changed_and_deleted() {
    let world = TenantWorld::start();
    assert_eq!(
        world.said(CREATE),
        "✔ Client jobs-api created\n  It is shown this once: keep it now, nobody can show it again\nSECRET\n"
    );
    assert_eq!(
        world.said("client get jobs-api"),
        "client  jobs-api\ntype  SERVICE\nstatus  ACTIVE\ngrants  token_exchange client_credentials\n\
         scopes  jobs:read jobs:write\ndefault  jobs:read\nevents  -\nsubjects  user\nttl  900\nmanaged  -\n"
    );
    let mut jobs_api = jobs_api();
    jobs_api["allowedGrantTypes"] = json!(["token_exchange", "client_credentials"]);
    assert_eq!(world.json("client get jobs-api --tenant codecompany"), jobs_api);

    let listed = world.said("client list");
    let mut lines = listed.lines();
    let header = "CLIENT  TYPE  STATUS  GRANTS  SCOPES  DEFAULT  EVENTS  SUBJECTS  TTL  MANAGED";
    assert_eq!(lines.next(), Some(header));
    let row = "jobs-api  SERVICE  ACTIVE  token_exchange client_credentials  jobs:read jobs:write  \
               jobs:read  -  user  900  -";
    assert!(lines.any(|line| line == row), "{listed}");
    let quiet = world.run("client list --quiet").done();
    assert_eq!(quiet, "backend-worker\ncodeq-producer\ncodeq-worker\njobs-api\ntikti\n");
    let listed = world.json("client list");
    let clients = listed["clients"].as_array().unwrap();
    assert!(listed.get("nextPageToken").is_none() && clients.contains(&jobs_api), "{listed}");

    // Only what is given changes.
    let change = "client update jobs-api --ttl 1800 --subject-policy any --clear default-scopes";
    assert_eq!(world.said(change), "✔ Client jobs-api changed\n");
    jobs_api["tokenTtlSeconds"] = json!(1800);
    jobs_api["subjectPolicy"] = json!("any");
    jobs_api["defaultScopes"] = json!([]);
    assert_eq!(world.json("client get jobs-api"), jobs_api);
    jobs_api["status"] = json!("DISABLED");
    assert_eq!(world.json("client update jobs-api --status DISABLED"), jobs_api);
    assert_eq!(world.run("client update jobs-api --status ACTIVE --quiet").done(), "jobs-api\n");

    assert_eq!(world.said("client delete jobs-api --yes"), "✔ Client jobs-api deleted\n");
    assert_eq!(
        world.refused("client get jobs-api", 1),
        "error: There is no such client in this tenant. (CLIENT_NOT_FOUND)\n  \
         next: see which clients there are: `tikti client list`"
    );

    secrets_are_shown_once(&world);
    refusals(&world);
}

fn secrets_are_shown_once(world: &TenantWorld) {
    let mut made = world.json(CREATE);
    assert_eq!(made["secret"], "SECRET");
    made.as_object_mut().unwrap().remove("secret");
    let mut jobs_api = jobs_api();
    jobs_api["allowedGrantTypes"] = json!(["token_exchange", "client_credentials"]);
    assert_eq!(made, jobs_api);
    assert_eq!(world.json("client delete jobs-api --yes"), json!({}));
    let secret = world.run(&format!("{CREATE} --quiet"));
    assert_eq!(secret.stderr, "");
    assert_eq!(world.masked(&secret.done()), "SECRET\n");
    // An application has none.
    assert_eq!(world.said("client create shop --type APPLICATION"), "✔ Client shop created\n");
}

fn refusals(world: &TenantWorld) {
    for (line, code, says) in [
        (CREATE, 1, "(CLIENT_EXISTS)\n  next: choose another id"),
        ("client update jobs-api", 1, "(INVALID_ARGUMENT)"),
        ("client update jobs-api --ttl 1", 1, "(INVALID_TTL)"),
        ("client update tikti --ttl 1000", 1, "(CONFLICT)"),
        ("client update jobs-api --scopes ,", 3, "--scopes is empty"),
        ("client update jobs-api --scopes a --clear scopes", 3, "contradict each other"),
        ("client delete jobs-api", 3, "next: say so with --yes"),
        ("client get jobs-api --tenant nowhere", 1, "(TENANT_NOT_FOUND)"),
    ] {
        let said = world.refused(line, code);
        assert!(said.contains(says), "{line}: {said}");
    }
    world.run("client get jobs-api").done();
}
