//! How does the page of a mailed link look? A form for what the code is good for, what became of it, or
//! why not.
//!
//! No script, nothing from elsewhere, and everything in it is escaped: an address, a code and a URL come
//! from whoever wrote them. The page's own policy holds it to that, and lets its form go nowhere else.
//!
//! Spec: HTTP API, "Identity", `/action`.

use std::fmt::Write as _;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tikti_domain::account::ShownCode;
use tikti_domain::action_link::ContinueUrl;
use tikti_domain::mail::Language;
use tikti_domain::oob_code::OobType;
use tikti_domain::secret::{ExposeSecret, SecretString};

use crate::docs_page::escape;
use crate::error::{self, ApiError};
use words::Words;

mod words;

/// The page's style; its hash stands in [`POLICY`], which a test compares.
const STYLE: &str = include_str!("action_page.css");

/// Allows the page its own style and its own form, and nothing else.
const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-NBfl884grLGWn5ZMjKJgiohCIgZ+NSh2sxlbkMuF8IE='; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a link is for, and what its page needs to say and do it.
pub(crate) struct Task {
    /// What the code is for.
    pub(crate) kind: OobType,
    /// The code, which the form sends.
    pub(crate) code: SecretString,
    /// Whom it is about.
    pub(crate) about: ShownCode,
    /// Where the page goes on to.
    pub(crate) on: Option<ContinueUrl>,
}

/// The page that asks whether it shall be done; again, where `refused` says what was wrong.
pub(crate) fn ask(language: Language, task: &Task, refused: Option<ApiError>) -> Response {
    let words = Words::of(language);
    let (title, sentence, button) = words.task(task.kind);
    let mut body = String::with_capacity(1024);
    if let Some(error) = &refused {
        paragraph(&mut body, "<p class=\"bad\" role=\"alert\">", words.refusal(error.code()));
    }
    paragraph(&mut body, "<p>", sentence);
    if let Some(email) = task.about.new_email.as_ref().or(task.about.email.as_ref()) {
        let _ = write!(body, "<p><strong>{}</strong></p>", escape(email.as_str()));
    }
    if task.kind == OobType::EmailSignIn {
        hand_on(&mut body, task, button, words);
    } else {
        form(&mut body, task, button, words);
    }
    respond(language, title, &body, refused)
}

/// The page that says that it is done.
pub(crate) fn done(language: Language, kind: OobType, on: Option<&ContinueUrl>) -> Response {
    let words = Words::of(language);
    let mut body = String::new();
    paragraph(&mut body, "<p>", words.done(kind));
    if let Some(on) = on {
        link(&mut body, on.as_str(), words.go_on);
    }
    respond(language, words.done_title, &body, None)
}

/// The page that says why not.
pub(crate) fn refuse(language: Language, error: ApiError) -> Response {
    let words = Words::of(language);
    let mut body = String::new();
    paragraph(&mut body, "<p class=\"bad\" role=\"alert\">", words.refusal(error.code()));
    respond(language, words.refused_title, &body, Some(error))
}

/// The application goes on with the code; without one the person does.
fn hand_on(body: &mut String, task: &Task, button: &str, words: &Words) {
    match &task.on {
        Some(on) => {
            link(body, on.with_code(task.kind, &task.code).expose_secret(), button);
        }
        None => {
            paragraph(body, "<p>", words.type_the_code);
            let _ = write!(body, "<code>{}</code>", escape(task.code.expose_secret()));
        }
    }
}

fn form(body: &mut String, task: &Task, button: &str, words: &Words) {
    // Relative to the page's own URL: the issuer may have a path before it.
    body.push_str("<form method=\"post\" action=\"action\">");
    hidden(body, "mode", task.kind.mode());
    hidden(body, "oobCode", task.code.expose_secret());
    if let Some(on) = &task.on {
        hidden(body, "continueUrl", on.as_str());
    }
    if task.kind == OobType::PasswordReset {
        // Tells a password manager whose password it is.
        if let Some(email) = &task.about.email {
            let _ = write!(
                body,
                "<input type=\"hidden\" autocomplete=\"username\" name=\"username\" value=\"{}\">",
                escape(email.as_str())
            );
        }
        let _ = write!(
            body,
            "<label for=\"p\">{}</label><input id=\"p\" type=\"password\" name=\"newPassword\" \
             autocomplete=\"new-password\" minlength=\"8\" required autofocus>\
             <small>{}</small><br>",
            escape(words.password),
            escape(words.password_rule),
        );
    }
    let _ = write!(body, "<button>{}</button></form>", escape(button));
}

fn hidden(body: &mut String, name: &str, value: &str) {
    let value = escape(value);
    let _ = write!(body, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
}

fn link(body: &mut String, url: &str, text: &str) {
    let (url, text) = (escape(url), escape(text));
    let _ = write!(body, "<a class=\"go\" rel=\"noreferrer\" href=\"{url}\">{text}</a>");
}

/// Adds a paragraph; `open` is its beginning.
fn paragraph(body: &mut String, open: &str, text: &str) {
    let _ = write!(body, "{open}{}</p>", escape(text));
}

/// A whole page. Of a refusal it has the status and the headers, and stands in place of the JSON.
fn respond(language: Language, title: &str, body: &str, refused: Option<ApiError>) -> Response {
    let tag = words::tag(language);
    let title = escape(title);
    let page = format!(
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}\
         </main></body></html>\n"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_LANGUAGE, tag),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    match refused {
        None => (StatusCode::OK, headers, page).into_response(),
        Some(error) => error::as_page(error, (headers, page)),
    }
}

#[cfg(test)]
mod tests;
