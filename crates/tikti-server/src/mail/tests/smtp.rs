//! SMTP against a real mail server.

use tikti_domain::mail::Undelivered;
use tikti_domain::testing::START;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::smtp_server::{SmtpServer, authority};
use super::*;
use crate::config::{Security, SmtpConfig};
use crate::mail::message::Refused;

async fn send_over(smtp: SmtpConfig, address: &str) -> Result<(), Refused> {
    let outbox = outbox(config(MailTransport::Smtp(smtp)));
    let sent = outbox.send(&due(address).await, START).await;
    if let Err(refused) = &sent {
        for secret in [address, CODE, "a password", "mail.test"] {
            assert!(!refused.reason.contains(secret), "{refused:?}");
        }
    }
    sent
}

fn for_now(sent: Result<(), Refused>) -> String {
    let refused = sent.unwrap_err();
    assert_eq!(refused.how, Undelivered::Temporary, "{refused:?}");
    refused.reason
}

#[tokio::test]
async fn a_mail_arrives_whole_over_each_kind_of_connection() {
    for (security, encrypted) in
        [(Security::StartTls, true), (Security::Tls, true), (Security::None, false)]
    {
        let mut server = SmtpServer::start(security);
        send_over(server.config(), ADDRESS).await.unwrap();
        let mail = server.mail();
        assert_eq!(mail["encrypted"], encrypted, "{security:?}");
        assert_eq!(mail["authenticated"], true);
        assert_eq!(mail["from"], "no-reply@mail.example.org");
        assert_eq!(mail["to"], serde_json::json!([ADDRESS]));
        assert_eq!(mail["hello"], "mail.example.org");
        let content = mail["content"].as_str().unwrap();
        for line in [
            "Subject: Reset your password\r\n",
            "To: ann.who.waits@example.org\r\n",
            "Date: Tue, 27 Jan 2026 16:43:34 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
            "for the next 15 minutes",
        ] {
            assert!(content.contains(line), "{line}: {content}");
        }
        let headers = content.split("\r\n\r\n").next().unwrap();
        let id = headers.lines().find(|line| line.starts_with("Message-ID: <01"));
        assert!(id.unwrap().ends_with("@mail.example.org>"), "{headers}");
        assert!(!headers.contains(CODE));
        assert_eq!(server.rest(), Vec::<serde_json::Value>::new());
    }
}

#[tokio::test]
async fn a_wrong_password_is_the_operators_matter_and_the_mail_waits() {
    let server = SmtpServer::start(Security::StartTls);
    let mut config = server.config();
    config.credentials = Some(("tikti".to_owned(), "another".to_owned().into()));
    let reason = for_now(send_over(config, ADDRESS).await);
    assert_eq!(reason, "the mail server answered 535: user or password are not right for it");
    let none = SmtpConfig { credentials: None, ..server.config() };
    let reason = for_now(send_over(none, ADDRESS).await);
    assert_eq!(reason, "the mail server answered 530: user or password are not right for it");
    assert_eq!(server.rest().len(), 0);
}

#[tokio::test]
async fn a_refusal_is_for_now_or_for_good_as_the_server_says_and_is_not_quoted() {
    let answers = [
        "451 4.2.1 <ADDRESS> is busy",
        "550 5.1.1 <ADDRESS> is unknown",
        // Of us, not of the recipient: it waits until somebody has put it right.
        "554 5.7.1 <ADDRESS>: relay access denied",
        "553 5.1.8 the sender of mail to <ADDRESS> is not verified",
        "550 not for <ADDRESS>",
    ];
    let mut server = SmtpServer::answering(Security::StartTls, &answers);
    let reason = for_now(send_over(server.config(), ADDRESS).await);
    assert_eq!(reason, "the mail server answered 451");
    let refused = send_over(server.config(), ADDRESS).await.unwrap_err();
    assert_eq!(refused, Refused::for_good("the mail server answered 550"));
    for code in [554, 553, 550] {
        let reason = for_now(send_over(server.config(), ADDRESS).await);
        assert_eq!(reason, format!("the mail server answered {code}"));
    }
    send_over(server.config(), ADDRESS).await.unwrap();
    assert_eq!(server.mail()["to"], serde_json::json!([ADDRESS]));
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_cannot_show_who_it_is() {
    for security in [Security::StartTls, Security::Tls] {
        let server = SmtpServer::start(security);
        // Of this machine's authorities none has vouched for it.
        let untrusted = SmtpConfig { ca_file: None, ..server.config() };
        for_now(send_over(untrusted, ADDRESS).await);
        assert_eq!(server.rest().len(), 0);
        // One has, but not for this name.
        let impostor = SmtpServer::showing("client", security, &[]);
        for_now(send_over(impostor.config(), ADDRESS).await);
        assert_eq!(impostor.rest().len(), 0);
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let server = SmtpServer::start(Security::None);
    let wanted = SmtpConfig {
        security: Security::StartTls,
        ca_file: Some(authority().to_owned()),
        ..server.config()
    };
    let reason = for_now(send_over(wanted, ADDRESS).await);
    assert!(reason.contains("STARTTLS is not supported"), "{reason}");
    assert_eq!(server.rest().len(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_hangs_costs_a_bounded_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let smtp = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::None,
        credentials: None,
        ca_file: None,
        connect_timeout: GENEROUS,
    };
    // It takes the connection and says nothing: not even its greeting.
    let mut hanging = config(MailTransport::Smtp(smtp.clone()));
    hanging.timeout = Duration::from_millis(50);
    let outbox = outbox(hanging);
    let mail = due(ADDRESS).await;
    let (sent, accepted) = tokio::join!(outbox.send(&mail, START), listener.accept());
    assert_eq!(for_now(sent), "no answer in time");
    // The connection is given up as well.
    let mut end = Vec::new();
    accepted.unwrap().0.read_to_end(&mut end).await.unwrap();
    assert_eq!(end, b"");
    drop(listener);
    let reason = for_now(send_over(smtp, ADDRESS).await);
    assert!(reason.starts_with("the mail server cannot be used: "), "{reason}");
}

#[tokio::test]
async fn e7_an_address_cannot_add_a_recipient_or_a_header() {
    let mut server = SmtpServer::start(Security::None);
    // What our own grammar of addresses lets through.
    for hostile in ["a,b@example.org", "<x@example.org", "a@b>,<c", "\"a@example.org", "a;b@c:d"] {
        let refused = send_over(server.config(), hostile).await.unwrap_err();
        assert_eq!(refused, Refused::for_good("no mail server knows such an address"), "{hostile}");
    }
    // Strange, but an address.
    send_over(server.config(), "o'brien+%tag=1@example.org").await.unwrap();
    assert_eq!(server.mail()["to"], serde_json::json!(["o'brien+%tag=1@example.org"]));
    assert_eq!(server.rest().len(), 0);
}

#[tokio::test]
async fn words_of_other_languages_arrive_as_they_were_written() {
    let mut server = SmtpServer::start(Security::None);
    let mut written = config(MailTransport::Smtp(server.config()));
    written.language = Language::Portuguese;
    outbox(written).send(&due(ADDRESS).await, START).await.unwrap();
    let mail = server.mail();
    let content = mail["content"].as_str().unwrap();
    // ASCII on the way, whatever it says.
    assert!(content.is_ascii());
    assert!(content.contains("Ol=C3=A1,") || content.contains("T2zDoSw"), "{content}");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_served() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    let smtp = SmtpConfig {
        host: "localhost".to_owned(),
        port: 1,
        security: Security::Tls,
        credentials: None,
        ca_file: Some(file.path().to_owned()),
        connect_timeout: GENEROUS,
    };
    let refused = |smtp: SmtpConfig| {
        let opened = Outbox::open(config(MailTransport::Smtp(smtp)));
        opened.err().unwrap().to_string()
    };
    let named = format!("mail.smtp.caFile: {}: ", file.path().display());
    assert_eq!(refused(smtp.clone()), format!("{named}holds no certificate as PEM"));
    let missing = SmtpConfig { ca_file: Some("/nowhere/ca.pem".into()), ..smtp };
    assert!(refused(missing).starts_with("mail.smtp.caFile: /nowhere/ca.pem: "));
}
