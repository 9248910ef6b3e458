//! A mail from the queue of a whole server to where it goes.

use std::time::Duration;

use serde_json::{Value, json};
use tikti_domain::Domain;
use tikti_domain::clock::Clock;
use tikti_domain::email::Email;
use tikti_domain::mail::{Language, MailKind, NewMail, enqueue};
use tikti_domain::random::Random;
use tikti_domain::secret::ExposeSecret;
use tikti_server::config::{MailConfig, MailTransport, WebhookConfig};
use tikti_server::dev::{self, DevSetup};
use tikti_server::mail::Capture;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::support::{LOG, Place, Server};

const ADDRESS: &str = "who.waits.for.mail@example.org";
const CODE: &str = "Q3VJ6HW2NDRAYC5EUFLGSPK7QX2M5ZB4";

/// A process that queues a mail and is gone before anybody has delivered it.
async fn queue_and_die(setup: &DevSetup) {
    let clock = Clock::system();
    let store = setup.store().open("a test").await.unwrap();
    let config = setup.config("http://127.0.0.1:1").domain;
    let opened = Domain::open(store.clone(), config, clock.clone(), Random::system()).await;
    let domain = opened.unwrap();
    let mail = NewMail {
        kind: MailKind::EmailSignIn,
        to: Email::parse(ADDRESS).unwrap(),
        link: format!("https://id.example.org/action?oobCode={CODE}").into(),
        code: CODE.to_owned().into(),
        expires_at: clock.now().plus_millis(900_000),
        language: Some(Language::Portuguese),
    };
    enqueue(&domain, &mail, clock.now()).await.unwrap();
    drop(domain);
    store.close().await;
}

#[tokio::test]
async fn a_mail_whose_process_died_is_sent_by_the_next_and_never_logged() {
    let server = Server::start().await;
    let url = server.setup.store().url.clone();
    let setup = dev::prepare(&server.setup.data_dir, Some(url)).unwrap();
    let place = server.stop().await;
    queue_and_die(&setup).await;

    let (sent, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let capture = Capture::default().shown_to(move |line| sent.send(line.to_owned()).unwrap());
    let kept = capture.clone();
    let server = Server::start_with(place, |config| {
        config.mail = MailConfig::captured(capture).unwrap();
    })
    .await;
    let line = tokio::time::timeout(Duration::from_secs(60), arrived.recv()).await;
    assert_eq!(
        line.unwrap().unwrap(),
        format!(
            "mail to {ADDRESS}: O seu link de acesso: https://id.example.org/action?oobCode={CODE}"
        )
    );
    let [mail] = kept.mails().try_into().ok().unwrap();
    assert_eq!((mail.kind, mail.language), (MailKind::EmailSignIn, Language::Portuguese));
    server.stop().await;
    assert!(LOG.contains("mail sent"));
    for secret in [ADDRESS, CODE] {
        assert!(!LOG.contains(secret), "{secret}");
    }
}

/// Waits for a mail to this address and gives it with what its code is.
pub(crate) async fn mail_to(
    kept: &Capture,
    arrived: &mut UnboundedReceiver<String>,
    to: &str,
) -> String {
    loop {
        let found = kept.mails().into_iter().find(|mail| mail.to == to);
        if let Some(mail) = found {
            return mail.code.expose_secret().to_owned();
        }
        tokio::time::timeout(Duration::from_secs(60), arrived.recv()).await.unwrap().unwrap();
    }
}

/// From the request to the mail, and from the mail's code back: by the calls that an application makes.
#[tokio::test]
async fn a_code_comes_by_mail_and_does_what_it_is_for() {
    let (sent, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let capture = Capture::default().shown_to(move |line| sent.send(line.to_owned()).unwrap());
    let kept = capture.clone();
    let server = Server::start_with(Place::new(), |config| {
        config.mail = MailConfig::captured(capture).unwrap();
    })
    .await;
    let (ann, new) = ("ann.waits@example.org", "ann.moved@example.org");
    server.user(ann).await;

    let ask = json!({"requestType": "PASSWORD_RESET", "email": ann});
    let web_key = server.setup.web_api_key.clone();
    let request = server.post("/v1/accounts/sendOobCode").header("X-API-Key", &web_key);
    let reply = request.json(ask).send().await;
    assert_eq!((reply.status, reply.json()["oobCode"].clone()), (200, Value::Null));
    let code = mail_to(&kept, &mut arrived, ann).await;
    let ask = json!({"oobCode": code, "newPassword": "a password of ann"});
    let reply = server.post("/v1/accounts/resetPassword").keyed().json(ask.clone()).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let again = server.post("/v1/accounts/resetPassword").keyed().json(ask).send().await;
    again.assert_refusal(401, "INVALID_OOB_CODE");
    let session = server.sign_in(ann, "a password of ann").await.json();

    // A new address: it is asked whether it is hers by a code to it, and the old one gets a way back.
    let ask = json!({
        "requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": session["idToken"], "newEmail": new,
    });
    let reply = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let code = mail_to(&kept, &mut arrived, new).await;
    let ask = json!({ "oobCode": code });
    let reply = server.post("/v1/accounts/update").keyed().json(ask).send().await;
    assert_eq!((reply.status, reply.json()["email"].as_str()), (200, Some(new)));
    assert!(reply.json().get("idToken").is_none());
    server.sign_in(ann, "a password of ann").await.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    assert_eq!(server.sign_in(new, "a password of ann").await.status, 200);
    let recovery = async {
        loop {
            let mut mails = kept.mails().into_iter();
            if let Some(mail) = mails.find(|mail| mail.kind == MailKind::RecoverEmail) {
                return mail;
            }
            arrived.recv().await.unwrap();
        }
    };
    let mail = tokio::time::timeout(Duration::from_secs(60), recovery).await.unwrap();
    assert_eq!(mail.to, ann);
    let ask = json!({ "oobCode": mail.code.expose_secret() });
    let reply = server.post("/v1/accounts/update").keyed().json(ask).send().await;
    assert_eq!((reply.status, reply.json()["email"].as_str()), (200, Some(ann)));
}

#[tokio::test]
async fn e2_codes_are_limited_at_send_by_address_and_strangers_alike() {
    let server = Server::start_with(Place::new(), |config| {
        let limits = &mut config.domain.settings.limits;
        limits.codes_per_email = tikti_domain::settings::Limits::shipped().codes_per_email;
    })
    .await;
    for email in [server.setup.admin_email.clone(), "nobody@example.org".to_owned()] {
        let send = async || {
            let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
            server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await
        };
        for _ in 0..3 {
            assert_eq!(send().await.status, 200);
        }
        let refused = send().await;
        refused.assert_refusal(429, "RATE_LIMITED");
        assert!(refused.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn captured_mails_are_shown_to_this_machine_and_to_nobody_else() {
    let server = Server::start().await;
    let list = || server.get("/dev/mailbox.json").header("Host", "localhost:8080").send();
    let empty = list().await;
    assert_eq!((empty.status, empty.text()), (200, "[]"));
    server.user("ann.reads@example.org").await;
    let ask = json!({"requestType": "PASSWORD_RESET", "email": "ann.reads@example.org"});
    let web_key = server.setup.web_api_key.clone();
    let request = server.post("/v1/accounts/sendOobCode").header("X-API-Key", &web_key);
    assert_eq!(request.json(ask).send().await.status, 200);

    let arrived = async {
        loop {
            let reply = list().await;
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            let mails = reply.json();
            if let [mail] = mails.as_array().unwrap().as_slice() {
                return mail.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let mail = tokio::time::timeout(Duration::from_secs(60), arrived).await.unwrap();
    let members: Vec<_> = mail.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["link", "oobCode", "requestType", "sentAt", "subject", "to"]);
    let text = |member: &str| mail[member].as_str().unwrap();
    assert_eq!((text("to"), text("requestType")), ("ann.reads@example.org", "PASSWORD_RESET"));
    let ask = json!({"oobCode": text("oobCode"), "newPassword": "a password of ann"});
    let reset = server.post("/v1/accounts/resetPassword").keyed().json(ask).send().await;
    assert_eq!(reset.status, 200, "{}", reset.text());

    let page = server.get("/dev/mailbox").header("Host", "127.0.0.1").send().await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.header("content-security-policy").unwrap().starts_with("default-src 'none'; style")
    );
    assert!(page.text().contains("ann.reads@example.org"), "{}", page.text());

    for path in ["/dev/mailbox", "/dev/mailbox.json"] {
        let rebound = server.get(path).header("Host", "rebound.example:8080").send().await;
        rebound.assert_refusal(404, "NOT_FOUND");
        for header in ["X-Forwarded-For", "Forwarded"] {
            let from_here = server.get(path).header("Host", "127.0.0.1");
            let forwarded = from_here.header(header, "for=127.0.0.1").send().await;
            forwarded.assert_refusal(404, "NOT_FOUND");
        }
        server.post(path).send().await.assert_refusal(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn a_server_that_sends_its_mails_has_no_mailbox() {
    let server = Server::start_with(Place::new(), |config| {
        let url = "http://127.0.0.1:9/mails".parse().unwrap();
        let webhook = WebhookConfig { url, secret: "a secret of thirty-two bytes, no less".into() };
        config.mail.transport = Some(MailTransport::Webhook(webhook));
    })
    .await;
    for path in ["/dev/mailbox", "/dev/mailbox.json"] {
        let reply = server.get(path).header("Host", "127.0.0.1").send().await;
        reply.assert_refusal(404, "NOT_FOUND");
    }
}
