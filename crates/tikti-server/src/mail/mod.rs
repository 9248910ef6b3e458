//! How does a mail leave the service? From the queue, through a template, over one transport.
//!
//! The queue and its rules are the domain's: `tikti_domain::mail`. Here, `delivery` is the task that
//! takes what is due, `templates` makes a text of it, and one of `smtp`, `webhook` and `capture` hands
//! it over. Invariant: an address, a link or a code leaves by the transport alone; no log line and no
//! error has one, not even as a mail server's words.
//!
//! Spec: HTTP API, "OOB codes"; Operations, "Configuration"; Command line, `tikti dev`. Why:
//! docs/decisions/0019; for operators: docs/mail.md.

mod capture;
mod delivery;
mod mailbox;
mod message;
mod outbox;
mod smtp;
mod templates;
#[cfg(test)]
mod tests;
mod webhook;

pub use capture::{Capture, CapturedMail};
pub(crate) use delivery::Delivery;
pub(crate) use mailbox::{KeptMail, kept_mails};
pub use outbox::MailError;
pub(crate) use outbox::Outbox;
pub use templates::Templates;
