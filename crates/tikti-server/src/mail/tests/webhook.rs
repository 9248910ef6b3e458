//! The webhook against a small server, with the signature computed by another program.

use std::process::{Command, Stdio};

use tikti_domain::mail::Undelivered;
use tikti_domain::testing::START;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::WebhookConfig;
use crate::mail::message::Refused;

const SECRET: &str = "a secret that both of them know, 1234";

/// What a request was.
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap().1
    }
}

/// Takes one request and gives this answer.
async fn answer_one(listener: &TcpListener, answer: &str) -> Received {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await.unwrap();
        assert!(read > 0, "the request ended early");
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let received = Received { head: head.to_owned(), body: body.to_owned() };
        if body.len() == received.header("content-length").parse::<usize>().unwrap() {
            let reply =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(reply.as_bytes()).await.unwrap();
            return received;
        }
    }
}

fn webhook_at(listener: &TcpListener) -> MailConfig {
    let url = format!("http://{}/mails?of=tikti", listener.local_addr().unwrap());
    let url = url::Url::parse(&url).unwrap();
    config(MailTransport::Webhook(WebhookConfig { url, secret: SECRET.to_owned().into() }))
}

async fn answered(answer: &str) -> (Result<(), Refused>, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outbox = outbox(webhook_at(&listener));
    let mail = due(ADDRESS).await;
    tokio::join!(outbox.send(&mail, START), answer_one(&listener, answer))
}

/// HMAC-SHA256 as `openssl` computes it.
fn by_openssl(text: &str) -> String {
    use std::io::Write;
    let mut process = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.trim().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_mail_is_posted_whole_and_signed() {
    let (sent, received) = answered("204 No Content").await;
    sent.unwrap();
    assert!(received.head.starts_with("POST /mails?of=tikti HTTP/1.1\r\n"), "{}", received.head);
    assert_eq!(received.header("content-type"), "application/json");
    let time = START.as_millis() / 1000;
    let signed = by_openssl(&format!("{time}.{}", received.body));
    assert_eq!(received.header("tikti-signature"), format!("t={time},v1={signed}"));
    let body: serde_json::Value = serde_json::from_str(&received.body).unwrap();
    insta::assert_json_snapshot!(body, {
        ".id" => "(id)",
        ".html" => "(html)",
        ".text" => "(text)",
    }, @r#"
    {
      "code": "K7QX2M5ZB4T3VJ6HW2NDRAYC5EUFLGSP",
      "expiresAt": "2026-01-27T16:59:04.000Z",
      "from": "Tikti & Söhne <no-reply@mail.example.org>",
      "html": "(html)",
      "id": "(id)",
      "kind": "PASSWORD_RESET",
      "language": "en",
      "link": "https://id.example.org/action?mode=x&oobCode=K7QX2M5ZB4T3VJ6HW2NDRAYC5EUFLGSP",
      "subject": "Reset your password",
      "text": "(text)",
      "to": "ann.who.waits@example.org"
    }
    "#);
    assert!(body["text"].as_str().unwrap().contains("for the next 15 minutes"));
    assert!(body["html"].as_str().unwrap().contains("mode=x&amp;oobCode="));
}

#[tokio::test]
async fn only_what_speaks_of_this_very_mail_is_final() {
    for (answer, how) in [
        ("200 OK", None),
        ("202 Accepted", None),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", Some(Undelivered::Temporary)),
        ("400 Bad Request", Some(Undelivered::Temporary)),
        ("401 Unauthorized", Some(Undelivered::Temporary)),
        ("404 Not Found", Some(Undelivered::Temporary)),
        ("413 Payload Too Large", Some(Undelivered::Permanent)),
        ("422 Unprocessable Entity", Some(Undelivered::Permanent)),
        ("429 Too Many Requests", Some(Undelivered::Temporary)),
        ("500 Internal Server Error", Some(Undelivered::Temporary)),
        ("503 Service Unavailable", Some(Undelivered::Temporary)),
    ] {
        let (sent, _) = answered(answer).await;
        let status = answer.split(' ').next().unwrap();
        let reason = format!("the webhook answered {status}");
        let expected = how.map_or(Ok(()), |how| Err(Refused { how, reason }));
        assert_eq!(sent, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_or_hangs_is_asked_again_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut hanging = webhook_at(&listener);
    hanging.timeout = Duration::from_millis(50);
    let mail = due(ADDRESS).await;
    let sent = outbox(hanging).send(&mail, START).await;
    assert_eq!(sent, Err(Refused::for_now("no answer in time")));
    let config = webhook_at(&listener);
    drop(listener);
    let refused = outbox(config).send(&mail, START).await.unwrap_err();
    assert_eq!(refused.how, Undelivered::Temporary);
    assert!(refused.reason.starts_with("the webhook cannot be reached: "), "{refused:?}");
    for secret in [ADDRESS, CODE, SECRET, "/mails"] {
        assert!(!refused.reason.contains(secret), "{refused:?}");
    }
}
