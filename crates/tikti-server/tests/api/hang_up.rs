//! Clients that are gone before they are answered: what they asked for is done as if they had waited.

use serde_json::{Value, json};
use tikti_domain::settings::Limits;
use tikti_server::config::{Config, MailConfig};
use tikti_server::mail::Capture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::mail::mail_to;
use crate::support::{PASSWORD, Place, Server};

/// A sign-in takes so long that the end of the connection is noticed in the middle of it.
const DEAR: u32 = 10;

fn as_deployed(config: &mut Config) {
    config.domain.settings.limits = Limits::shipped();
    config.domain.settings.password_cost = DEAR;
}

/// Asks, and closes the connection as soon as the server has the whole request.
async fn ask_and_hang_up(server: &Server, path: &str, headers: &str, body: &Value) {
    let body = body.to_string();
    let mut stream = server.connect().await;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n{headers}\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so the request is being worked on.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 Continue"));
    stream.write_all(body.as_bytes()).await.unwrap();
}

/// Row E2: who does not wait for the answer has no more guesses for it. The stop waits for what is
/// still being looked at, and the block outlasts it.
#[tokio::test]
async fn e2_a_wrong_password_is_counted_also_where_the_client_hangs_up() {
    let server = Server::start_with(Place::new(), as_deployed).await;
    let ask = json!({"email": "root@corp.sys", "password": "not the password"});
    for _ in 0..10 {
        ask_and_hang_up(&server, "/v1/accounts/signIn", "", &ask).await;
    }
    let server = Server::start_with(server.stop().await, as_deployed).await;
    let reply = server.sign_in("root@corp.sys", &server.setup.admin_password).await;
    reply.assert_refusal(429, "RATE_LIMITED");
}

#[tokio::test]
async fn a_change_of_address_whose_client_hangs_up_is_made_and_the_old_address_told() {
    let (sent, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let capture = Capture::default().shown_to(move |line| sent.send(line.to_owned()).unwrap());
    let kept = capture.clone();
    let mails = |capture: Capture| {
        move |config: &mut Config| config.mail = MailConfig::captured(capture).unwrap()
    };
    let server = Server::start_with(Place::new(), mails(capture.clone())).await;
    let (ann, new) = ("ann.hangs.up@example.org", "ann.has.hung.up@example.org");
    let session = server.user(ann).await;
    let ask = json!({"idToken": session["idToken"], "email": new});
    let headers = format!("X-API-Key: {}\r\n", server.setup.api_key);
    ask_and_hang_up(&server, "/v1/accounts/update", &headers, &ask).await;
    let server = Server::start_with(server.stop().await, mails(capture)).await;
    server.sign_in(ann, PASSWORD).await.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    assert_eq!(server.sign_in(new, PASSWORD).await.status, 200);
    mail_to(&kept, &mut arrived, ann).await;
}
