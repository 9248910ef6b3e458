//! `tikti token revoke` on a running server.

use serde_json::json;

use crate::support::{Dev, Home, finish};

const EXCHANGE: &str = "token exchange --aud backend-worker --tenant codecompany --quiet";
const WORKER: &str = "token exchange --aud codeq-worker --tenant codecompany \
                      --event-types render_video --quiet";
const REACH: &str =
    "  A token that is not this server's, or not within reach of the API key, stays as it is.\n";

struct World {
    dev: Dev,
    home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let dev = Dev::with_tenant(&home);
        Self { home, dev }
    }

    /// By the words of the server, which alone knows what was revoked.
    fn is_active(&self, token: &str) -> bool {
        let client = std::net::TcpStream::connect(self.dev.address()).unwrap();
        let body = format!("token={token}");
        let head = format!(
            "POST /oauth2/introspect HTTP/1.1\r\nHost: tikti\r\nX-API-Key: {}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.dev.text("apiKey"),
            body.len()
        );
        let mut reply = String::new();
        std::io::Write::write_all(&mut &client, head.as_bytes()).unwrap();
        std::io::Read::read_to_string(&mut &client, &mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        reply.contains("\"active\":true")
    }

    fn get(&self, line: &str) -> String {
        self.home.run(line).done().trim_end().to_owned()
    }
}

#[test]
fn a_revoked_token_is_taken_no_more_and_leaves_the_profile() {
    let world = World::new();
    let (access, worker) = (world.get(EXCHANGE), world.get(WORKER));
    let other = world.get(EXCHANGE);
    assert!([&access, &worker, &other].iter().all(|token| world.is_active(token)));

    let outcome = world.home.run("token revoke");
    let lines = Vec::from_iter(outcome.stderr.split_inclusive('\n'));
    let url = world.dev.text("url");
    assert_eq!(lines[0], format!("✔ {url} takes the access token no more.\n"));
    assert!(
        lines[1].starts_with("  Services that verify it offline may take it until 20"),
        "{lines:?}"
    );
    assert_eq!(lines[2..], [REACH]);
    assert_eq!(outcome.done(), "");
    // The profile holds the last one.
    assert!(!world.is_active(&other) && world.is_active(&access) && world.is_active(&worker));
    world.home.run("token show --type access").fails(2);

    let piped = world.home.run_with_input("token revoke - --output json", &format!("{access}\n"));
    assert_eq!(piped.stderr, "");
    assert_eq!(piped.json(), json!({}));
    assert!(!world.is_active(&access));
    assert_eq!(world.home.run("token revoke --type worker --quiet").done(), "");
    assert!(!world.is_active(&worker));
    world.home.run("token show --type worker").fails(2);
}

#[test]
fn a_revoked_id_token_is_replaced_and_a_refresh_token_ends_its_session() {
    let world = World::new();
    let id_token = world.get("token show --type id");
    let outcome = world.home.run("token revoke --type id");
    assert_eq!(
        outcome.stderr,
        format!("✔ {} takes the idToken no more.\n{REACH}", world.dev.text("url"))
    );
    let mut command = world.home.command("tenant list");
    let stderr = finish(command.env("TIKTI_TOKEN", &id_token), "").fails(2);
    assert!(stderr.contains("next: sign in again"), "{stderr}");
    // The session lives.
    world.home.run("tenant list").done();
    assert_ne!(world.get("token show --type id"), id_token);

    let config = std::fs::read_to_string(world.home.config()).unwrap();
    let line = config.lines().find_map(|line| line.trim().strip_prefix("refreshToken: "));
    let id_token = world.get("token show --type id");
    let outcome = world.home.run_with_input("token revoke -", line.unwrap());
    let said = "takes the refresh token and its session no more.";
    assert!(outcome.stderr.contains(said), "{outcome:?}");
    assert!(!world.is_active(&id_token));
    let stderr = world.home.run("tenant list").fails(2);
    assert!(stderr.contains("next: sign in"), "{stderr}");
}

#[test]
fn what_is_no_token_or_not_the_askers_is_told() {
    let world = World::new();
    let stderr = world.home.run("token revoke").fails(2);
    assert!(stderr.contains("holds no access token"), "{stderr}");
    let stderr = world.home.run("token revoke tk_not_a_token").fails(3);
    assert!(stderr.contains("this cannot be read as a token"), "{stderr}");
    world.get(EXCHANGE);
    let stderr = world.home.run("token revoke --api-key tk_0000000000_nobody").fails(2);
    assert!(stderr.contains("(INVALID_API_KEY)\n"), "{stderr}");
    assert!(!stderr.contains("invalid_client"), "{stderr}");
    let line = format!("token revoke --api-key {}", world.dev.text("webApiKey"));
    let stderr = world.home.run(&line).fails(1);
    assert!(stderr.contains("(API_KEY_FORBIDDEN)"), "{stderr}");
    // It was not revoked, and is still there.
    world.get("token show --type access");
}
