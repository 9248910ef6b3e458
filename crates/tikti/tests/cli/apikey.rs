//! `tikti apikey`, of a tenant and of the deployment.

use serde_json::{Value, json};

use crate::tenant_world::TenantWorld;

/// A key that was made, and whose it is.
struct Key<'a> {
    world: &'a TenantWorld,
    owner: &'a str,
    id: String,
    prefix: String,
    secret: String,
}

impl<'a> Key<'a> {
    fn make(world: &'a TenantWorld, owner: &'a str) -> Self {
        let line = format!("apikey create {owner} --name backend --scopes introspect,token:revoke");
        let made = world.run(&format!("{line} --output json")).json();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        let key =
            Self { world, owner, id: text("id"), prefix: text("prefix"), secret: text("key") };
        assert!(key.secret.starts_with(&key.prefix) && key.secret.contains(&key.id), "{made}");
        let mut shown = key.masked(&made.to_string());
        shown.as_object_mut().unwrap().remove("key");
        assert_eq!(shown, key.shown());
        key
    }

    fn shown(&self) -> Value {
        json!({"id": "KEYID", "prefix": "PREFIX", "name": "backend", "status": "ACTIVE",
            "scopes": ["token:revoke", "introspect"], "createdAt": "TIME"})
    }

    fn text(&self, text: &str) -> String {
        self.world.masked(text).replace(&self.prefix, "PREFIX").replace(&self.id, "KEYID")
    }

    fn masked(&self, json: &str) -> Value {
        serde_json::from_str(&self.text(json)).unwrap()
    }

    /// A command about this key.
    fn line(&self, verb: &str, more: &str) -> String {
        format!("apikey {verb} {} {} {more}", self.id, self.owner)
    }

    fn said(&self, line: &str) -> String {
        self.text(&self.world.said(line))
    }

    fn json(&self, line: &str) -> Value {
        self.masked(&self.world.run(&format!("{line} --output json")).done())
    }
}

#[test]
fn a_key_is_made_shown_changed_and_deleted() {
    let world = TenantWorld::start();
    for owner in ["--tenant codecompany", "--deployment"] {
        let key = Key::make(&world, owner);
        is_shown(&key);
        is_changed_and_deleted(&key);
        shows_its_secret_once(&world, owner);
    }
    for (line, says) in [
        ("apikey create", "--scopes"),
        ("apikey create --scopes ,", "--scopes is empty"),
        ("apikey list --deployment --tenant codecompany", "cannot be used with"),
        ("apikey get ..", "not an id"),
    ] {
        let said = world.run(line).fails(3);
        assert!(said.contains(says), "{line}: {said}");
    }
    let said = world.refused("apikey create --scopes accounts:admin", 1);
    assert!(said.contains("ESCALATION_DENIED"), "{said}");
}

fn is_shown(key: &Key<'_>) {
    let Key { world, owner, .. } = key;
    assert_eq!(
        key.said(&key.line("get", "")),
        "id  KEYID\nname  backend\nprefix  PREFIX\nstatus  ACTIVE\nscopes  token:revoke introspect\n\
         created  TIME\nexpires  -\nlast used  -\n"
    );
    assert_eq!(key.json(&key.line("get", "")), key.shown());
    let listed = key.said(&format!("apikey list {owner}"));
    let header = "ID  NAME  PREFIX  STATUS  SCOPES  CREATED  EXPIRES  LAST USED\n";
    let row = "KEYID  backend  PREFIX  ACTIVE  token:revoke introspect  TIME  -  -\n";
    assert!(listed.starts_with(header) && listed.contains(row), "{listed}");
    let listed = key.json(&format!("apikey list {owner}"));
    assert!(listed["apiKeys"].as_array().unwrap().contains(&key.shown()), "{listed}");
    assert!(!listed.to_string().contains(&key.secret));
    let quiet = world.run(&format!("apikey list {owner} --quiet")).done();
    assert!(quiet.lines().any(|line| line == key.id), "{quiet}");
}

fn is_changed_and_deleted(key: &Key<'_>) {
    let world = key.world;
    let line = key.line("update", "--status DISABLED");
    assert_eq!(key.said(&line), "✔ API key KEYID changed\n");
    let mut shown = key.shown();
    shown["status"] = json!("DISABLED");
    shown["scopes"] = json!(["introspect"]);
    shown["expiresAt"] = json!("TIME");
    let line = key.line("update", "--scopes introspect --expires-at 2099-01-01T00:00:00Z");
    assert_eq!(key.json(&line), shown);
    assert_eq!(world.run(&format!("{line} --quiet")).done(), format!("{}\n", key.id));

    let said = world.refused(&key.line("delete", ""), 3);
    assert!(said.contains("next: say so with --yes"), "{said}");
    let delete = key.line("delete", "--yes");
    assert_eq!(key.said(&delete), "✔ API key KEYID deleted\n");
    let said = world.refused(&delete, 1);
    assert!(said.contains("(API_KEY_NOT_FOUND)\n  next: see which API keys"), "{said}");
}

fn shows_its_secret_once(world: &TenantWorld, owner: &str) {
    let create = format!("apikey create {owner} --scopes introspect");
    let outcome = world.run(&create);
    let id = outcome.stderr.split(' ').nth(3).unwrap();
    assert_eq!(
        outcome.stderr,
        format!(
            "✔ API key {id} created\n  It is shown this once: keep it now, nobody can show it again\n"
        )
    );
    assert_eq!(world.masked(&outcome.done()), "SECRET\n");
    let quiet = world.run(&format!("{create} --quiet"));
    assert_eq!(quiet.stderr, "");
    // A key that is known, and does no more than it was made for.
    let key = quiet.done();
    let line = format!("token exchange --aud backend-worker --api-key {}", key.trim_end());
    let said = world.refused(&line, 1);
    assert!(said.contains("(API_KEY_FORBIDDEN)"), "{said}");
}
