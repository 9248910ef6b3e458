//! That nothing on a page is more than text, in either language.

use axum::body::to_bytes;
use axum::http::header::WWW_AUTHENTICATE;
use tikti_domain::email::Email;
use tikti_domain::settings::Settings;

use super::*;
use crate::docs_page::hash_source;
use tikti_domain::error::Code;

const LANGUAGES: [Language; 2] = [Language::English, Language::Portuguese];

async fn text(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn task(kind: OobType, on: Option<&str>) -> Task {
    let mut settings = Settings::shipped("https://id.example.org").unwrap();
    settings.allowed_origins = vec!["https://app.example.org".to_owned()];
    Task {
        kind,
        code: "\"><script>alert(1)</script>".to_owned().into(),
        about: ShownCode {
            email: Some(Email::parse("\"<b>&'@example.org").unwrap()),
            new_email: Some(Email::parse("<img/src=x>@example.org").unwrap()),
        },
        on: on.map(|on| ContinueUrl::parse(&settings, on).unwrap()),
    }
}

#[test]
fn the_policy_allows_exactly_this_style() {
    let source = hash_source(STYLE);
    assert!(POLICY.contains(&source), "the style's hash is now {source}");
}

#[tokio::test]
async fn everything_on_a_page_is_escaped_and_nothing_is_from_elsewhere() {
    for language in LANGUAGES {
        for kind in OobType::ALL {
            for on in [None, Some("https://app.example.org/?a=b&c=d")] {
                let (status, page) = text(ask(language, &task(kind, on), None)).await;
                assert_eq!(status, 200);
                let hostile = ["<script", "<img", "<b>", "src=\"", "@import", "url(", "<link"];
                for raw in hostile.into_iter().chain(["?a=b&c"]) {
                    assert!(!page.contains(raw), "{kind:?} {raw}: {page}");
                }
                let has_form = page.contains("<form method=\"post\" action=\"action\">");
                assert_eq!(has_form, kind != OobType::EmailSignIn);
            }
        }
    }
}

#[tokio::test]
async fn a_sign_in_goes_on_with_mode_and_code_or_shows_the_code() {
    let mut task = task(OobType::EmailSignIn, Some("https://app.example.org/in?a=b"));
    task.code = "ABC234".to_owned().into();
    let (_, page) = text(ask(Language::English, &task, None)).await;
    let link = "href=\"https://app.example.org/in?a=b&amp;mode=signIn&amp;oobCode=ABC234\"";
    assert!(page.contains(link), "{page}");
    assert!(!page.to_lowercase().contains("token"));
    task.on = None;
    let (_, page) = text(ask(Language::English, &task, None)).await;
    assert!(page.contains("<code>ABC234</code>") && !page.contains("href"), "{page}");
}

#[tokio::test]
async fn a_refusal_is_a_page_with_its_status_and_its_headers() {
    for language in LANGUAGES {
        for code in Code::ALL {
            let response = refuse(language, (*code).into());
            assert_eq!(response.status(), error::status(*code));
            let is_401 = response.status() == StatusCode::UNAUTHORIZED;
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), is_401);
            // The layers around it leave it as it is.
            let response = error::write_body(response, "id");
            assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
            let (_, page) = text(response).await;
            assert!(page.starts_with("<!doctype html>") && page.contains("class=\"bad\""));
        }
    }
}

#[tokio::test]
async fn a_page_says_in_which_language_it_is() {
    for (language, tag, title) in
        [(Language::English, "en", "Sign in"), (Language::Portuguese, "pt-BR", "Entrar")]
    {
        let response = ask(language, &task(OobType::EmailSignIn, None), None);
        assert_eq!(response.headers()[CONTENT_LANGUAGE], tag);
        let (_, page) = text(response).await;
        assert!(page.contains(&format!("<html lang=\"{tag}\">")), "{page}");
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
    }
}

#[tokio::test]
async fn the_form_goes_where_its_page_is_also_where_the_issuer_has_a_path() {
    let (_, page) = text(ask(Language::English, &task(OobType::VerifyEmail, None), None)).await;
    let (_, behind) = page.split_once("<form method=\"post\" action=\"").unwrap();
    let (action, _) = behind.split_once('"').unwrap();
    for (page, form) in [
        ("https://id.test/action?mode=verifyEmail&oobCode=A", "https://id.test/action"),
        ("https://id.test/a/b/action?mode=verifyEmail&oobCode=A", "https://id.test/a/b/action"),
        ("https://id.test/a/b/action", "https://id.test/a/b/action"),
    ] {
        assert_eq!(url::Url::parse(page).unwrap().join(action).unwrap().as_str(), form);
    }
}
