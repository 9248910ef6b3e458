//! How does the mailbox of `tikti dev` look? The newest mail first, each with its link and its code.
//!
//! No script, nothing from elsewhere, and everything in it is escaped: whoever asks for a mail chooses words of it.
//!
//! Spec: Command line, `tikti dev`.

use std::fmt::Write as _;

use crate::docs_page::escape;
use crate::mail::KeptMail;

/// The page's style; its hash stands in [`POLICY`], which a test compares.
const STYLE: &str = include_str!("mailbox_page.css");

/// Allows the page its own style, and nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-0QA0AOdlX3grwaVyPwcA+h2o7Xrfao8Ws+uBErQTUAA='; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The page of `mails`, which come the oldest first.
pub(crate) fn render(mails: &[KeptMail]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Mailbox of tikti dev</title><style>{STYLE}</style></head><body><main>\
         <h1>Mails that were not sent</h1>"
    );
    if mails.is_empty() {
        page.push_str("<p>None yet. Reload this page after a mail was asked for.</p>");
    }
    for mail in mails.iter().rev() {
        article(&mut page, mail);
    }
    page.push_str("</main></body></html>\n");
    page
}

fn article(page: &mut String, mail: &KeptMail) {
    let KeptMail { to, request_type, oob_code, link, subject, sent_at } = mail;
    let [to, kind, code, link, subject, sent_at] =
        [to, request_type, oob_code, link, subject, sent_at].map(|text| escape(text));
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<article><h2>{subject}</h2><p>to {to}, {sent_at}, {kind}</p>\
         <p><a rel=\"noreferrer\" href=\"{link}\">{link}</a></p><p>code <code>{code}</code></p></article>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs_page::hash_source;

    fn mail(to: &str, subject: &str) -> KeptMail {
        KeptMail {
            to: to.to_owned(),
            request_type: "PASSWORD_RESET".to_owned(),
            oob_code: "C0DE".to_owned(),
            link: "http://127.0.0.1:8080/action?mode=resetPassword&oobCode=C0DE".to_owned(),
            subject: subject.to_owned(),
            sent_at: "2026-01-02T03:04:05.000Z".to_owned(),
        }
    }

    #[test]
    fn the_policy_allows_exactly_this_style() {
        let source = hash_source(STYLE);
        assert!(POLICY.contains(&source), "the style's hash is now {source}");
    }

    #[test]
    fn the_newest_comes_first_and_nothing_in_a_mail_is_more_than_text() {
        let mails = [mail("first@example.org", "One"), mail("\"<b>&'@example.org", "<script>")];
        let page = render(&mails);
        insta::assert_snapshot!(page.split_once("</h1>").unwrap().1, @r##"<article><h2>&lt;script&gt;</h2><p>to &quot;&lt;b&gt;&amp;&#39;@example.org, 2026-01-02T03:04:05.000Z, PASSWORD_RESET</p><p><a rel="noreferrer" href="http://127.0.0.1:8080/action?mode=resetPassword&amp;oobCode=C0DE">http://127.0.0.1:8080/action?mode=resetPassword&amp;oobCode=C0DE</a></p><p>code <code>C0DE</code></p></article><article><h2>One</h2><p>to first@example.org, 2026-01-02T03:04:05.000Z, PASSWORD_RESET</p><p><a rel="noreferrer" href="http://127.0.0.1:8080/action?mode=resetPassword&amp;oobCode=C0DE">http://127.0.0.1:8080/action?mode=resetPassword&amp;oobCode=C0DE</a></p><p>code <code>C0DE</code></p></article></main></body></html>"##);
    }

    #[test]
    fn an_empty_mailbox_says_so() {
        assert!(render(&[]).contains("None yet."));
    }
}
