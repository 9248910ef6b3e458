//! Rate limits from outside: what a refusal looks like, and who counts as whom.

use serde_json::{Value, json};
use tikti_domain::settings::Limits;
use tikti_server::config::{Cidr, Config, TrustedProxies};

use crate::support::{LOG, Place, Reply, Server};

/// As deployed, behind a proxy on this machine.
fn as_deployed(config: &mut Config) {
    config.domain.settings.limits = Limits::shipped();
    config.trusted_proxies = TrustedProxies::new(vec![Cidr::parse("127.0.0.0/8").unwrap()]);
}

async fn sign_in(server: &Server, email: &str, password: &str, from: &str) -> Reply {
    let ask = json!({"email": email, "password": password});
    server.post("/v1/accounts/signIn").header("X-Forwarded-For", from).json(ask).send().await
}

#[tokio::test]
async fn a_refused_sign_in_says_when_to_come_back_and_looks_alike_for_strangers() {
    let server = Server::start_with(Place::new(), as_deployed).await;
    let mut refusals = vec![];
    for (email, host) in [("root@corp.sys", "198.51.100.1"), ("nobody@corp.sys", "198.51.100.2")] {
        for _ in 0..10 {
            let reply = sign_in(&server, email, "not the password", host).await;
            reply.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
        }
        let reply = sign_in(&server, email, "not the password", host).await;
        reply.assert_refusal(429, "RATE_LIMITED");
        let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        // The time that passes between the two is theirs; all else is the same.
        let headers = reply.masked().replace(&format!("retry-after: {seconds}"), "retry-after: n");
        refusals.push(headers);
    }
    assert_eq!(refusals[0], refusals[1]);
    insta::assert_snapshot!(refusals[0], @r#"
        429
        retry-after: n
        {
          "code": "RATE_LIMITED",
          "details": {},
          "error": "Too many requests of this kind.",
          "requestId": "[request id]"
        }
    "#);
    // The right password does not help from there, and does from elsewhere.
    let password = &server.setup.admin_password;
    let reply = sign_in(&server, "root@corp.sys", password, "198.51.100.77").await;
    reply.assert_refusal(429, "RATE_LIMITED");
    assert_eq!(sign_in(&server, "root@corp.sys", password, "203.0.113.7").await.status, 200);
}

#[tokio::test]
async fn a_client_is_whom_a_trusted_proxy_names() {
    let server = Server::start_with(Place::new(), as_deployed).await;
    let password = server.setup.admin_password.clone();
    let reply = sign_in(&server, "root@corp.sys", &password, "1.1.1.1, 2001:db8::7").await;
    let token = reply.json()["idToken"].as_str().unwrap().to_owned();
    let listed = server.get("/v1/accounts/sessions").bearer(&token).send().await.json();
    assert_eq!(listed["sessions"][0]["ip"], "2001:db8::7");
}

#[tokio::test]
async fn a_header_of_an_untrusted_peer_is_not_believed_and_warned_of_once() {
    let server = Server::start().await;
    let mut warnings = 0;
    for number in 0..3 {
        let (id, host) = (format!("limits-{number}"), format!("198.51.100.{number}"));
        let ask = json!({"email": "root@corp.sys", "password": server.setup.admin_password});
        let request = server.post("/v1/accounts/signIn").header("X-Request-Id", &id);
        let reply = request.header("X-Forwarded-For", &host).json(ask).send().await;
        let token = reply.json()["idToken"].as_str().unwrap().to_owned();
        let listed = server.get("/v1/accounts/sessions").bearer(&token).send().await.json();
        assert_eq!(listed["sessions"][number]["ip"], "127.0.0.1");
        let lines = LOG.of_request(&id);
        warnings += lines.iter().filter(|line| is_warning(line)).count();
    }
    assert_eq!(warnings, 1);
}

fn is_warning(line: &Value) -> bool {
    let message = line["message"].as_str().unwrap_or_default();
    line["level"] == "WARN" && message.contains("trustedProxies")
}

#[tokio::test]
async fn a_refresh_and_an_exchange_beyond_the_limit_are_told_when_to_come_back() {
    let server = Server::start_with(Place::new(), |config| {
        let limits = &mut config.domain.settings.limits;
        limits.exchanges_per_user.most = 1;
        limits.refreshes_per_session.most = 1;
        limits.lookups_per_key.most = 1;
    })
    .await;
    let session = server.session().await;
    let token = session["idToken"].as_str().unwrap();
    server.tenant(token, "codecompany").await;
    let exchange =
        json!({"idToken": token, "audience": "backend-worker", "tenantId": "codecompany"});
    let lookup = json!({ "idToken": token });
    let mut refresh_token = session["refreshToken"].clone();
    for round in 0..2 {
        let refresh = json!({"grant_type": "refresh_token", "refresh_token": refresh_token});
        let replies = [
            server.post("/v1/token").json(refresh).send().await,
            server.post("/v1/accounts/token/exchange").keyed().json(exchange.clone()).send().await,
            server.post("/v1/accounts/lookup").keyed().json(lookup.clone()).send().await,
        ];
        if round == 0 {
            assert_eq!(replies.each_ref().map(|reply| reply.status), [200; 3]);
            refresh_token = replies[0].json()["refresh_token"].clone();
        } else {
            for reply in &replies {
                reply.assert_refusal(429, "RATE_LIMITED");
                let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=120).contains(&seconds), "{seconds}");
            }
        }
    }
}

/// Guesses at the codes of an address are stopped, and keep its owner from none of his own: a right code is
/// no guess (docs/decisions/0022).
///
/// Attacks, rows E2 and E10.
#[tokio::test]
async fn e2_guessing_at_the_codes_of_an_address_is_stopped_and_closes_no_door_to_the_right_one() {
    let server = Server::start_with(Place::new(), |config| {
        let limits = &mut config.domain.settings.limits;
        limits.redemptions_per_email = Limits::shipped().redemptions_per_email;
    })
    .await;
    let (ann, bob) = ("ann@corp.sys", "bob@corp.sys");
    let codes = codes_of(&server, ann).await;
    let others = codes_of(&server, bob).await;
    let guess = async |email: &str| {
        let ask = json!({"email": email, "oobCode": "A".repeat(32)});
        server.post("/v1/accounts/signInWithOobCode").json(ask).send().await
    };
    for email in [ann, "nobody@corp.sys"] {
        for _ in 0..10 {
            guess(email).await.assert_refusal(401, "INVALID_OOB_CODE");
        }
        let stopped = guess(email).await;
        stopped.assert_refusal(429, "RATE_LIMITED");
        assert!(stopped.header("retry-after").is_some());
    }
    for (email, codes) in [(ann, &codes), (bob, &others)] {
        for reply in redeem_everywhere(&server, email, codes).await {
            assert_eq!(reply.status, 200, "{email} {}", reply.text());
        }
    }
    guess(ann).await.assert_refusal(429, "RATE_LIMITED");
}

/// Makes a user and has a code of each kind sent that somebody can ask for.
async fn codes_of(server: &Server, email: &str) -> [String; 4] {
    let session = server.user(email).await;
    let mut codes = Vec::new();
    for kind in ["EMAIL_SIGNIN", "VERIFY_EMAIL", "VERIFY_EMAIL", "PASSWORD_RESET"] {
        let mut ask = json!({ "requestType": kind });
        if kind == "VERIFY_EMAIL" {
            ask["idToken"] = session["idToken"].clone();
        } else {
            ask["email"] = json!(email);
        }
        let reply = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
        codes.push(reply.json()["oobCode"].as_str().unwrap().to_owned());
    }
    codes.try_into().unwrap()
}

/// Every call and every page that redeems or shows a code, each with one that is good there.
async fn redeem_everywhere(
    server: &Server,
    email: &str,
    [sign_in, verify, by_page, reset]: &[String; 4],
) -> Vec<Reply> {
    let post = async |path: &str, ask: Value| server.post(path).keyed().json(ask).send().await;
    let submit = async |form: String| {
        let request = server.post("/action").header("Sec-Fetch-Site", "same-origin");
        let form_type = "application/x-www-form-urlencoded";
        request.header("Content-Type", form_type).body(form).send().await
    };
    let page = format!("mode=verifyEmail&oobCode={by_page}");
    let reset_page = format!("mode=resetPassword&oobCode={reset}");
    let new_password = format!("{reset_page}&newPassword=a+staple+that+is+correct");
    let enter = json!({"email": email, "oobCode": sign_in});
    vec![
        post("/v1/accounts/signInWithOobCode", enter).await,
        post("/v1/accounts/update", json!({ "oobCode": verify })).await,
        server.get(&format!("/action?{page}")).send().await,
        submit(page).await,
        post("/v1/accounts/resetPassword", json!({ "oobCode": reset })).await,
        server.get(&format!("/action?{reset_page}")).send().await,
        submit(new_password).await,
    ]
}
