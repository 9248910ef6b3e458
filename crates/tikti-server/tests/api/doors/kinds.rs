//! Row A6: every kind of token, code and key, at every place that takes one, in both forms of the path:
//! refused unless it is the one that belongs there.

use std::time::Duration;

use serde_json::{Value, json};
use tikti_domain::mail::MailKind;
use tikti_domain::secret::ExposeSecret;
use tikti_server::config::MailConfig;
use tikti_server::mail::Capture;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{ANN, Door, Slot, World, doors};
use crate::support::{PASSWORD, Server};

const FORM: &str = "application/x-www-form-urlencoded";

/// The kinds of code that can be asked for, and the `mode` of each one's page.
const CODES: [(&str, &str); 4] = [
    ("PASSWORD_RESET", "resetPassword"),
    ("EMAIL_SIGNIN", "signIn"),
    ("VERIFY_EMAIL", "verifyEmail"),
    ("VERIFY_AND_CHANGE_EMAIL", "verifyAndChangeEmail"),
];

/// Has a code of Ann sent.
async fn code(server: &Server, ann: &Value, kind: &str) -> String {
    let ask = if kind.starts_with("VERIFY") {
        json!({"requestType": kind, "idToken": ann["idToken"], "newEmail": "ann@new.example"})
    } else {
        json!({"requestType": kind, "email": ANN})
    };
    let reply = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
    reply.json()["oobCode"].as_str().unwrap().to_owned()
}

/// A code that is right for this door.
pub(super) async fn code_for(world: &World, door: &Door) -> String {
    let ann = world.server.sign_in(ANN, PASSWORD).await;
    // Another test of the same door may have changed Ann's password.
    let ann = if ann.status == 200 {
        ann.json()
    } else {
        world.server.sign_in(ANN, "a staple that is correct").await.json()
    };
    let kind = match door.route.path {
        "/v1/accounts/resetPassword" => "PASSWORD_RESET",
        "/v1/accounts/signInWithOobCode" => "EMAIL_SIGNIN",
        "/v1/accounts/update" => "VERIFY_EMAIL",
        path => panic!("say which codes {path} takes"),
    };
    code(&world.server, &ann, kind).await
}

/// A page token of the list at `path`.
pub(super) async fn page_token_of(world: &World, path: &str) -> String {
    // So that each list is longer than one page.
    let word: String = path.chars().filter(char::is_ascii_alphanumeric).collect();
    let member = json!({"email": format!("{word}@corp.sys"), "roles": [], "create": true});
    let users = world.filled("/v1/tenants/{t}/users");
    world.server.post(&users).bearer(&world.admin).json(member).send().await;
    for _ in 0..2 {
        for keys in ["/v1/tenants/{t}/apiKeys", "/v1/apiKeys"] {
            let ask = json!({"scopes": ["introspect"]});
            let request = world.server.post(&world.filled(keys)).bearer(&world.admin).json(ask);
            request.send().await;
        }
    }
    for id in ["worker-01", "worker-02"] {
        let workers = world.filled("/v1/tenants/{t}/workers");
        world.server.post(&workers).bearer(&world.admin).json(json!({"id": id})).send().await;
    }
    let slug = format!("a{}", word.to_ascii_lowercase());
    world.server.post("/v1/tenants").bearer(&world.admin).json(json!({"slug": slug})).send().await;
    let path = format!("{}?pageSize=1", world.filled(path));
    let page = world.server.get(&path).keyed().bearer(&world.admin).send().await.json();
    page["nextPageToken"].as_str().unwrap().to_owned()
}

/// One good credential of every kind.
async fn one_of_each(world: &World, recovery: String) -> Vec<(&'static str, String)> {
    let server = &world.server;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let exchange = async |ask: Value| {
        let mut ask = ask;
        ask["idToken"] = json!(world.admin);
        let reply = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        text(&reply.json()["accessToken"])
    };
    let worker = json!({
        "audience": "codeq-worker", "eventTypes": ["build"], "subject": "worker-01",
    });
    let mut kinds = vec![
        ("idToken", world.admin.clone()),
        ("access token", exchange(json!({"audience": "backend-worker"})).await),
        ("worker token", exchange(worker).await),
        ("refresh token", text(&server.session().await["refreshToken"])),
        ("page token", page_token_of(world, "/v1/users").await),
        ("API key", server.setup.api_key.clone()),
        ("RECOVER_EMAIL", recovery),
    ];
    let ann = server.sign_in(ANN, PASSWORD).await.json();
    for (kind, _) in CODES {
        kinds.push((kind, code(server, &ann, kind).await));
    }
    kinds
}

/// The kinds that belong at a door.
fn right(door: &Door) -> &'static [&'static str] {
    match &door.slot {
        Slot::Bearer => &["idToken"],
        Slot::Key => &["API key"],
        Slot::Query(_) if door.route.path == "/v1/users" => &["page token"],
        Slot::Query(_) => &[],
        Slot::Member(name) => match (door.route.path, name.as_str()) {
            (_, "idToken") => &["idToken"],
            (_, "token") => &["idToken", "access token", "worker token"],
            (_, "refreshToken" | "refresh_token") => &["refresh token"],
            ("/v1/accounts/resetPassword", "oobCode") => &["PASSWORD_RESET"],
            ("/v1/accounts/signInWithOobCode", "oobCode") => &["EMAIL_SIGNIN"],
            ("/v1/accounts/update", "oobCode") => {
                &["VERIFY_EMAIL", "VERIFY_AND_CHANGE_EMAIL", "RECOVER_EMAIL"]
            }
            _ => panic!("say what {} takes", door.name()),
        },
    }
}

/// Gives a user another address and the code that the old one gets.
async fn recovery_code(
    server: &Server,
    kept: &Capture,
    arrived: &mut UnboundedReceiver<String>,
) -> String {
    let bob = server.user("bob@corp.sys").await;
    let ask = json!({"idToken": bob["idToken"], "email": "bob@new.example"});
    let changed = server.post("/v1/accounts/update").keyed().json(ask).send().await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    loop {
        let found = kept.mails().into_iter().find(|mail| mail.kind == MailKind::RecoverEmail);
        if let Some(mail) = found {
            return mail.code.expose_secret().to_owned();
        }
        tokio::time::timeout(Duration::from_secs(60), arrived.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a6_no_kind_of_credential_is_taken_for_another() {
    let (sent, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let capture = Capture::default().shown_to(move |line| sent.send(line.to_owned()).unwrap());
    let kept = capture.clone();
    let world = World::with(|config| config.mail = MailConfig::captured(capture).unwrap()).await;
    let server = &world.server;
    let recovery = recovery_code(server, &kept, &mut arrived).await;
    let kinds = one_of_each(&world, recovery).await;
    let before = world.state().await;
    for door in doors(server).await {
        for path in std::iter::once(&door.route.path).chain(door.route.aliases) {
            for (kind, shown) in kinds.iter().filter(|(kind, _)| !right(&door).contains(kind)) {
                door.assert_refused(&world, path, (kind, shown)).await;
            }
        }
    }
    for (kind, shown) in &kinds {
        for mode in CODES.iter().map(|(_, mode)| *mode).chain(["recoverEmail"]) {
            let is_own =
                CODES.contains(&(kind, mode)) || (*kind, mode) == ("RECOVER_EMAIL", "recoverEmail");
            if is_own {
                continue;
            }
            let form = format!("mode={mode}&oobCode={shown}&newPassword=a+staple+that+is+correct");
            let page = server.get(&format!("/action?{form}")).send().await;
            assert_eq!(page.status, 401, "{kind} at the page {mode}");
            let request = server.post("/action").header("Content-Type", FORM);
            let page = request.header("Sec-Fetch-Site", "same-origin").body(form).send().await;
            // What signs in is not redeemed by the page at all.
            let status = if mode == "signIn" { 400 } else { 401 };
            assert_eq!(page.status, status, "{kind} at the page {mode}");
        }
    }
    assert_eq!(world.state().await, before);
    assert_still_good(&world, &kinds).await;
}

/// Wherever a code was shown in vain, it was not used up.
async fn assert_still_good(world: &World, kinds: &[(&str, String)]) {
    let server = &world.server;
    let shown = |kind: &str| kinds.iter().find(|(name, _)| *name == kind).unwrap().1.clone();
    let post =
        async |path: &str, ask: Value| server.post(path).keyed().json(ask).send().await.status;
    let ask = json!({"email": ANN, "oobCode": shown("EMAIL_SIGNIN")});
    assert_eq!(post("/v1/accounts/signInWithOobCode", ask).await, 200);
    let ask = json!({"oobCode": shown("PASSWORD_RESET")});
    assert_eq!(post("/v1/accounts/resetPassword", ask).await, 200);
    for kind in ["RECOVER_EMAIL", "VERIFY_EMAIL", "VERIFY_AND_CHANGE_EMAIL"] {
        let ask = json!({"oobCode": shown(kind)});
        assert_eq!(post("/v1/accounts/update", ask).await, 200, "{kind}");
    }
    let ask = json!({"grant_type": "refresh_token", "refresh_token": shown("refresh token")});
    assert_eq!(post("/v1/token", ask).await, 200);
}
