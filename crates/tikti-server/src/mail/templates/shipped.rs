//! The shipped texts: plain, friendly, and with nothing that a mail program would have to fetch.

use std::collections::BTreeMap;

use tikti_domain::mail::{Language, MailKind};

use super::{Source, Sources, stem};

/// Names the two files of a template.
macro_rules! pair {
    ($name:literal) => {
        (include_str!(concat!($name, ".txt")), include_str!(concat!($name, ".html")))
    };
}

/// All of them, as if they had been found in a directory.
pub(super) fn sources() -> Sources {
    let mut sources = BTreeMap::new();
    for kind in MailKind::ALL {
        for language in Language::ALL {
            let (text, html) = pair(kind, language);
            let name = format!("{}.{}", stem(kind), language.tag());
            let source = Source {
                text: Some((format!("{name}.txt"), text.to_owned())),
                html: Some((format!("{name}.html"), html.to_owned())),
            };
            sources.insert((kind, language), source);
        }
    }
    sources
}

const fn pair(kind: MailKind, language: Language) -> (&'static str, &'static str) {
    use Language::{English, Portuguese};
    match (kind, language) {
        (MailKind::PasswordReset, English) => pair!("password_reset.en"),
        (MailKind::PasswordReset, Portuguese) => pair!("password_reset.pt"),
        (MailKind::EmailSignIn, English) => pair!("email_signin.en"),
        (MailKind::EmailSignIn, Portuguese) => pair!("email_signin.pt"),
        (MailKind::VerifyEmail, English) => pair!("verify_email.en"),
        (MailKind::VerifyEmail, Portuguese) => pair!("verify_email.pt"),
        (MailKind::VerifyAndChangeEmail, English) => pair!("verify_and_change_email.en"),
        (MailKind::VerifyAndChangeEmail, Portuguese) => pair!("verify_and_change_email.pt"),
        (MailKind::RecoverEmail, English) => pair!("recover_email.en"),
        (MailKind::RecoverEmail, Portuguese) => pair!("recover_email.pt"),
    }
}
