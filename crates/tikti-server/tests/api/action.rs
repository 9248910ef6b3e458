//! `GET /action` and `POST /action`: the pages of mailed links.

use serde_json::json;

use crate::support::{LOG, Reply, Server};

const FORM: &str = "application/x-www-form-urlencoded";

/// What holds for every one of these pages, refusals included.
fn assert_page(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{policy}");
    let page = reply.text();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    for foreign in ["<script", "<link", "<img", "src=", "@import", "url(", "onload", "evil"] {
        assert!(!page.contains(foreign), "{foreign}: {page}");
    }
}

async fn show(server: &Server, query: &str) -> Reply {
    server.get(&format!("/action?{query}")).send().await
}

async fn submit(server: &Server, form: &str) -> Reply {
    let request = server.post("/action").header("Content-Type", FORM);
    request.header("Sec-Fetch-Site", "same-origin").body(form).send().await
}

async fn token_code(server: &Server, kind: &str) -> String {
    let ask = json!({
        "requestType": kind, "idToken": server.admin().await, "newEmail": "root@other.sys",
    });
    let reply = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
    reply.json()["oobCode"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_password_is_set_by_the_form_and_opening_the_link_uses_nothing_up() {
    let server = Server::start().await;
    let code = server.oob_code("PASSWORD_RESET").await;
    for _ in 0..3 {
        let page = show(&server, &format!("mode=resetPassword&oobCode={code}")).await;
        assert_page(&page, 200);
        assert!(page.text().contains("root@corp.sys") && page.text().contains(&code));
    }
    let form = |password: &str| format!("mode=resetPassword&oobCode={code}&newPassword={password}");
    for weak in ["5ma11", "12345678", &"x".repeat(73)] {
        let page = submit(&server, &form(weak)).await;
        assert_page(&page, 400);
        assert!(page.text().contains("role=\"alert\"") && page.text().contains("<form"));
        assert!(!page.text().contains(weak));
    }
    let page = submit(&server, &form("hush+my+new+password")).await;
    assert_page(&page, 200);
    assert!(page.text().contains("<h1>Done</h1>") && !page.text().contains("<form"));
    let ask = json!({"email": server.setup.admin_email, "password": "hush my new password"});
    assert_eq!(server.post("/v1/accounts/signIn").json(ask).send().await.status, 200);
    assert_page(&submit(&server, &form("another+good+one")).await, 401);
    assert_page(&show(&server, &format!("mode=resetPassword&oobCode={code}")).await, 401);
    assert!(!LOG.contains(&code) && !LOG.contains("hush my new"));
}

#[tokio::test]
async fn an_address_is_confirmed_and_changed() {
    let server = Server::start().await;
    let code = token_code(&server, "VERIFY_EMAIL").await;
    let query = format!("mode=verifyEmail&oobCode={code}");
    assert_page(&show(&server, &query).await, 200);
    // E4: nothing else in the form decides anything.
    let form = format!("{query}&userId=u-other&email=other%40corp.sys&emailVerified=false");
    assert_page(&submit(&server, &form).await, 200);
    let ask = json!({"idToken": server.admin().await});
    let found = server.post("/v1/accounts/lookup").keyed().json(ask).send().await.json();
    assert_eq!(found["users"][0]["emailVerified"], true);

    let code = token_code(&server, "VERIFY_AND_CHANGE_EMAIL").await;
    let query = format!("mode=verifyAndChangeEmail&oobCode={code}");
    assert!(show(&server, &query).await.text().contains("root@other.sys"));
    assert_page(&submit(&server, &query).await, 200);
    let ask = json!({"email": "root@other.sys", "password": server.setup.admin_password});
    assert_eq!(server.post("/v1/accounts/signIn").json(ask).send().await.status, 200);
}

#[tokio::test]
async fn a_sign_in_goes_on_at_the_application_with_the_code_and_never_a_token() {
    let server = Server::start_with(crate::support::Place::new(), |config| {
        config.domain.settings.allowed_origins = vec!["https://app.example.org".to_owned()];
    })
    .await;
    let code = server.oob_code("EMAIL_SIGNIN").await;
    let query =
        format!("mode=signIn&oobCode={code}&continueUrl=https%3A%2F%2Fapp.example.org%2Fin");
    let page = show(&server, &query).await;
    assert_page(&page, 200);
    let link = format!("href=\"https://app.example.org/in?mode=signIn&amp;oobCode={code}\"");
    assert!(page.text().contains(&link) && !page.text().contains("Token"), "{}", page.text());
    let page = show(&server, &format!("mode=signIn&oobCode={code}")).await;
    assert!(page.text().contains(&format!("<code>{code}</code>")));
    assert_page(&submit(&server, &query).await, 400);
    for url in ["https%3A%2F%2Fevil.example", "javascript%3Aalert(1)", "%2F%2Fevil.example"] {
        let query = format!("mode=signIn&oobCode={code}&continueUrl={url}");
        assert_page(&show(&server, &query).await, 400);
    }
    let ask = json!({"email": server.setup.admin_email, "oobCode": code});
    let session = server.post("/v1/accounts/signInWithOobCode").json(ask).send().await;
    assert_eq!(session.status, 200);
}

#[tokio::test]
async fn l4_a_page_takes_only_codes_of_its_own_kind() {
    let server = Server::start().await;
    let reset = server.oob_code("PASSWORD_RESET").await;
    let verify = token_code(&server, "VERIFY_EMAIL").await;
    for (mode, code) in [
        ("verifyEmail", &reset),
        ("verifyAndChangeEmail", &reset),
        ("recoverEmail", &verify),
        ("resetPassword", &verify),
    ] {
        let query = format!("mode={mode}&oobCode={code}");
        assert_page(&show(&server, &query).await, 401);
        let form = format!("{query}&newPassword=a+good+password");
        assert_page(&submit(&server, &form).await, 401);
    }
    assert_page(&submit(&server, &format!("mode=verifyEmail&oobCode={verify}")).await, 200);
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let server = Server::start().await;
    let code = token_code(&server, "VERIFY_EMAIL").await;
    let form = format!("mode=verifyEmail&oobCode={code}");
    let own = server.url();
    for headers in [
        [("Sec-Fetch-Site", "cross-site"), ("Origin", own.as_str())],
        [("Sec-Fetch-Site", "same-site"), ("Origin", "null")],
        [("Sec-Fetch-Site", "none"), ("Origin", own.as_str())],
        [("X-Other", "-"), ("Origin", "https://evil.example")],
        [("X-Other", "-"), ("Origin", "null")],
        [("X-Forwarded-Host", "evil.example"), ("Origin", "http://evil.example")],
    ] {
        let mut request = server.post("/action").header("Content-Type", FORM);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert_page(&request.body(form.clone()).send().await, 403);
    }
    let request = server.post("/action").header("Content-Type", FORM).header("Origin", &own);
    assert_page(&request.body(form).send().await, 200);
}

#[tokio::test]
async fn e1_no_page_takes_a_host_from_a_header() {
    let server = Server::start().await;
    let code = server.oob_code("PASSWORD_RESET").await;
    let reply = server
        .get(&format!("/action?mode=resetPassword&oobCode={code}"))
        .header("X-Forwarded-Host", "evil.example")
        .header("Forwarded", "host=evil.example;proto=https")
        .send()
        .await;
    assert_page(&reply, 200);
    assert!(reply.text().contains("action=\"action\""));
}

#[tokio::test]
async fn what_is_wrong_with_a_link_is_said_on_a_page_in_the_readers_language() {
    let server = Server::start().await;
    for (query, status) in [
        ("", 400),
        ("mode=resetPassword", 400),
        ("oobCode=A", 400),
        ("mode=evil%22%3E%3Cscript%3E&oobCode=A", 400),
        ("mode=resetPassword&mode=verifyEmail&oobCode=A", 400),
        ("mode=resetPassword&oobCode=A", 401),
        ("mode=resetPassword&oobCode=%22%3E%3Cscript%3E", 401),
        ("mode=recoverEmail&oobCode=%00%ff", 401),
    ] {
        assert_page(&show(&server, query).await, status);
        assert_page(&submit(&server, query).await, status);
    }
    let request = server.get("/action?mode=verifyEmail&oobCode=A");
    let reply = request.header("Accept-Language", "pt-BR,pt;q=0.9,en;q=0.8").send().await;
    assert_page(&reply, 401);
    assert_eq!(reply.header("content-language"), Some("pt-BR"));
    assert!(reply.text().contains("O link não é mais válido"), "{}", reply.text());
    let request = server.post("/action").header("Content-Type", "text/plain");
    assert_page(&request.body("mode=verifyEmail&oobCode=A").send().await, 415);
    assert_page(&submit(&server, &"a".repeat(64 * 1024 + 1)).await, 413);
    server.assert_alive().await;
}

#[tokio::test]
async fn a_refusal_on_a_page_is_logged_with_its_code() {
    let server = Server::start().await;
    let request = server.get("/action?mode=verifyEmail&oobCode=hush-code");
    assert_eq!(request.header("X-Request-Id", "action-1").send().await.status, 401);
    let lines = LOG.of_request("action-1");
    let line = lines.iter().find(|line| line["message"] == "request").unwrap();
    assert_eq!(line["code"], "INVALID_OOB_CODE");
    assert_eq!(line["http.route"], "/action");
    assert!(!LOG.contains("hush-code"));
}
