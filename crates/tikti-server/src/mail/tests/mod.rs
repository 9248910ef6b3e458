//! Mails from the queue to where they go, over real connections.

mod capture;
mod python;
mod queue;
mod smtp;
mod smtp_server;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tikti_domain::clock::{Clock, Timestamp};
use tikti_domain::email::Email;
use tikti_domain::mail::{
    DueMail, Language, MailCursor, MailKind, NewMail, NextMail, enqueue, next_due,
};
use tikti_domain::random::Random;
use tikti_domain::testing::{Fixture, START};
use tikti_domain::{Domain, Store};

use super::{Capture, Delivery, Outbox};
use crate::config::{MailConfig, MailTransport};
use crate::state::{AppState, Shared};

/// A limit for what takes milliseconds: a slow machine must not fail a test.
const GENEROUS: Duration = Duration::from_secs(60);

const ADDRESS: &str = "ann.who.waits@example.org";
const CODE: &str = "K7QX2M5ZB4T3VJ6HW2NDRAYC5EUFLGSP";

fn new_mail(address: &str) -> NewMail {
    NewMail {
        kind: MailKind::PasswordReset,
        to: Email::parse(address).unwrap(),
        link: format!("https://id.example.org/action?mode=x&oobCode={CODE}").into(),
        code: CODE.to_owned().into(),
        expires_at: START.plus_millis(15 * 60_000 + 30_000),
        language: None,
    }
}

fn config(transport: MailTransport) -> MailConfig {
    let captured = MailConfig::captured(Capture::default()).unwrap();
    let from = Some("Tikti & Söhne <no-reply@mail.example.org>".to_owned());
    MailConfig { transport: Some(transport), from, timeout: GENEROUS, ..captured }
}

fn outbox(config: MailConfig) -> Outbox {
    Outbox::open(config).unwrap().unwrap()
}

/// A mail to `address`, as the queue hands it out.
async fn due(address: &str) -> DueMail {
    let fixture = Fixture::new().await;
    enqueue(&fixture.domain, &new_mail(address), START).await.unwrap();
    let mut cursor = MailCursor::default();
    loop {
        match next_due(&fixture.domain, &mut cursor, START).await.unwrap() {
            NextMail::Due(mail) => return *mail,
            NextMail::More => {}
            NextMail::End => panic!("nothing is due"),
        }
    }
}

/// A server's state around a domain, with nothing to serve.
fn state(domain: Domain) -> Shared {
    AppState::over(domain)
}

/// The delivery of a server that sends over this transport.
fn delivery(state: &Shared, clock: &Clock, config: MailConfig) -> Delivery {
    Delivery::new(outbox(config), Arc::clone(state), (clock.clone(), Random::seeded(8)))
}

/// How many mails wait in the store.
async fn waiting(store: &Store, now: Timestamp) -> usize {
    let (mut walk, mut found) = (store.walk(now).await.unwrap(), 0);
    while let Some(page) = walk.next().await.unwrap() {
        found += page.records.iter().filter(|(key, _)| key.kind() == "mail").count();
    }
    found
}
