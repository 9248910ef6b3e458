//! `POST /oauth2/token`

use data_encoding::BASE64;
use serde_json::{Value, json};
use tikti_domain::settings::Limits;

use crate::support::{COMPANY, JOBS, Place, Reply, Server, assert_reply, claims};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const FORM: &str = "application/x-www-form-urlencoded";

/// A server with the company, and its administrator's idToken.
async fn start() -> (Server, String) {
    let server = Server::start().await;
    server.tenant(&server.admin().await, COMPANY).await;
    let token = server.admin().await;
    (server, token)
}

/// The form of an exchange that is allowed, with some of it changed.
fn ask(token: &str, change: Value) -> Value {
    let mut ask = json!({
        "grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ID_TOKEN,
        "audience": "backend-worker", "tenant": COMPANY,
    });
    ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    ask
}

/// Sends the form with the deployment's key in its header.
async fn send(server: &Server, form: Value) -> Reply {
    server.post("/oauth2/token").keyed().form(&form).send().await
}

#[tokio::test]
async fn exchanges_an_id_token_as_rfc_8693_says() {
    let (server, token) = start().await;
    let form = ask(&token, json!({"scope": JOBS, "requested_token_type": ACCESS_TOKEN}));
    let reply = send(&server, form).await;
    assert_reply!(reply, @r#"
        200
        pragma: no-cache
        {
          "access_token": "[token]",
          "expires_in": 900,
          "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
          "scope": "jobs:read jobs:write",
          "tenant_id": "[tenant id]",
          "token_type": "Bearer"
        }
    "#);
}

#[tokio::test]
async fn event_types_come_with_spaces_or_commas_and_yield_a_worker_token() {
    let (server, token) = start().await;
    for event_types in ["build render", "build,render", "build, render", " build  render,"] {
        let change = json!({
            "audience": "codeq-worker", "scope": "codeq:claim", "event_types": event_types,
            "subject": "worker-01",
            "requested_token_type": "urn:ietf:params:oauth:token-type:jwt",
        });
        let reply = send(&server, ask(&token, change)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let claims = claims(reply.json()["access_token"].as_str().unwrap());
        assert_eq!(claims["token_use"], "worker");
        assert_eq!(claims["eventTypes"], json!(["build", "render"]), "{event_types}");
    }
}

#[tokio::test]
async fn the_api_key_comes_in_the_header_the_query_or_basic() {
    let (server, token) = start().await;
    let key = server.setup.api_key.clone();
    let (id, secret) = key.strip_prefix("tk_").unwrap().split_once('_').unwrap();
    let form = ask(&token, json!({}));
    let post = || server.post("/oauth2/token").form(&form);
    let path = format!("/oauth2/token?key={key}");
    for (what, request) in [
        ("header", post().header("X-API-Key", &key)),
        ("query", server.post(&path).form(&form)),
        ("basic", post().basic(id, secret)),
        ("basic, and the id in the form", {
            server
                .post("/oauth2/token")
                .form(&ask(&token, json!({"client_id": id})))
                .basic(id, secret)
        }),
        ("basic with the whole key", post().basic("deployment-key", &key)),
        ("basic and the same in the header", post().basic(id, secret).header("X-API-Key", &key)),
        // A bearer token says nothing here.
        ("header, and a bearer token", post().header("X-API-Key", &key).bearer("a.b.c")),
    ] {
        let reply = request.send().await;
        assert_eq!(reply.status, 200, "{what} {}", reply.text());
    }
    for (what, request) in [
        ("nothing", post()),
        ("a wrong secret", post().basic(id, "wrong")),
        ("no secret", post().basic(id, "")),
        ("an id that nobody has", post().basic("nobody", secret)),
        ("a wrong whole key", post().basic("deployment-key", secret)),
        ("a worker's", post().basic("t-x.worker-01", secret)),
        ("a bearer token alone", post().bearer(&token)),
        ("the key in the form", {
            let change = json!({"client_id": id, "client_secret": secret});
            server.post("/oauth2/token").form(&ask(&token, change))
        }),
    ] {
        let reply = request.send().await;
        assert_eq!(reply.status, 401, "{what} {}", reply.text());
        reply.assert_oauth_refusal(401, "invalid_client", "INVALID_API_KEY");
    }
    let browser = post().header("X-API-Key", &server.setup.web_api_key).send().await;
    browser.assert_oauth_refusal(400, "unauthorized_client", "API_KEY_FORBIDDEN");
}

#[tokio::test]
async fn who_says_two_things_at_once_is_refused() {
    let (server, token) = start().await;
    let key = server.setup.api_key.clone();
    let post = |change| server.post("/oauth2/token").form(&ask(&token, change));
    let secret = json!({"client_id": "t-x.w", "client_secret": "s"});
    let id = json!({"client_id": "t-x.v"});
    let query = server.post("/oauth2/token?key=another").form(&ask(&token, json!({})));
    for request in [
        query.header("X-API-Key", &key),
        post(json!({})).header("X-API-Key", &key).basic("abcd", "efgh"),
        post(json!({})).header("X-API-Key", &key).basic("t-x.w", "s"),
        post(secret.clone()).header("X-API-Key", &key),
        post(secret).basic("t-x.w", "s"),
        post(id).basic("t-x.w", "s"),
        post(json!({})).basic("abcd", "efgh").bearer("a.b.c"),
    ] {
        request.send().await.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    }
}

/// RFC 6749, section 5.2: who tried to authenticate by the header, and failed, is told so with a challenge.
#[tokio::test]
async fn basic_that_cannot_be_read_is_a_client_that_is_not_authenticated() {
    let (server, token) = start().await;
    let key = server.setup.api_key.clone();
    let good = BASE64.encode(b"t-x.w:s");
    let encoded = |text: &[u8]| format!("Basic {}", BASE64.encode(text));
    let unreadable = [
        "Basic".to_owned(),
        "Basic !".to_owned(),
        format!("Basic {good}x"),
        encoded(b"no colon"),
        encoded(b"t-x.w\xff:s"),
        encoded(b"t-x.w:%"),
        encoded(b"t-x.w:%zz"),
        encoded(b"t-x.w:%ff"),
        encoded(b":s"),
    ];
    for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
        let mut form = ask(&token, json!({}));
        form["token"] = json!(token);
        let post = || server.post(path).form(&form);
        for header in &unreadable {
            // The form is not looked at, nor is what else is shown.
            for request in [post(), post().header("X-API-Key", &key), server.post(path)] {
                let reply = request.header("Authorization", header).send().await;
                reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
            }
        }
        // What can be read, and says two things, is a malformed request.
        form["client_id"] = json!("t-x.w");
        form["client_secret"] = json!("s");
        let twice = server.post(path).form(&form).header("Authorization", &format!("Basic {good}"));
        twice.send().await.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn each_refusal_has_its_error_and_its_code() {
    let (server, token) = start().await;
    for (change, error, code) in [
        (json!({"grant_type": null}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"grant_type": ""}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"grant_type": "password"}), "unsupported_grant_type", "UNSUPPORTED_GRANT_TYPE"),
        (json!({"subject_token": null}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"subject_token": "x"}), "invalid_request", "INVALID_ID_TOKEN"),
        (json!({"subject_token_type": null}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"subject_token_type": ACCESS_TOKEN}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"requested_token_type": ID_TOKEN}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"audience": null}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"audience": "a b"}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"audience": "Backend-Worker"}), "invalid_target", "UNKNOWN_AUDIENCE"),
        (json!({"tenant": "No Tenant"}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"scope": "jobs:delete"}), "invalid_scope", "SCOPE_NOT_PERMITTED"),
        (json!({"scope": "a\"b"}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"event_types": "build"}), "invalid_request", "EVENT_TYPE_NOT_PERMITTED"),
        (json!({"event_types": "a\\b"}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"audience": "codeq-worker"}), "invalid_request", "EVENT_TYPES_REQUIRED"),
        (json!({"subject": "a@corp.sys"}), "invalid_request", "SUBJECT_NOT_PERMITTED"),
        (json!({"scope": [JOBS, JOBS]}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"grant_type": [EXCHANGE, EXCHANGE]}), "invalid_request", "INVALID_ARGUMENT"),
    ] {
        let reply = send(&server, ask(&token, change.clone())).await;
        reply.assert_oauth_refusal(400, error, code);
    }
    let scope = send(&server, ask(&token, json!({"scope": "jobs:delete"}))).await;
    assert_reply!(scope, @r#"
        400
        pragma: no-cache
        {
          "code": "SCOPE_NOT_PERMITTED",
          "details": {
            "scopes": "jobs:delete"
          },
          "error": "invalid_scope",
          "error_description": "A scope is outside what the roles and the client allow.",
          "requestId": "[request id]"
        }
    "#);
    // There is no such tenant for an administrator either: to a stock client the request is wrong, not the path.
    let nowhere = send(&server, ask(&token, json!({"tenant": "nowhere"}))).await;
    nowhere.assert_oauth_refusal(400, "invalid_request", "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn a5_the_audience_is_one_and_a_resource_is_the_client_of_exactly_that_id() {
    let (server, token) = start().await;
    let uri = "https://jobs.example.org/api";
    let client = json!({
        "clientId": uri, "allowedScopes": ["jobs:read"], "defaultScopes": ["jobs:read"],
    });
    let path = format!("/v1/tenants/{COMPANY}/clients");
    let made = server.post(&path).bearer(&token).json(client).send().await;
    assert_eq!(made.status, 200, "{}", made.text());
    for change in [
        json!({"audience": null, "resource": uri}),
        json!({"audience": uri, "resource": uri}),
        json!({"audience": [uri, uri]}),
    ] {
        let reply = send(&server, ask(&token, change.clone())).await;
        assert_eq!(reply.status, 200, "{change} {}", reply.text());
        assert_eq!(claims(reply.json()["access_token"].as_str().unwrap())["aud"], uri);
    }
    for change in [
        json!({"audience": ["backend-worker", uri]}),
        json!({"resource": uri}),
        json!({"audience": null, "resource": [uri, "https://jobs.example.org/other"]}),
        json!({"audience": null, "resource": "backend-worker"}),
        json!({"audience": null, "resource": "https://jobs.example.org/api/"}),
        json!({"audience": null, "resource": "https://JOBS.example.org/api"}),
        json!({"audience": null, "resource": "https://jobs.example.org:443/api"}),
        json!({"audience": null, "resource": "https://jobs.example.org/api#part"}),
        json!({"audience": null, "resource": "https://jobs.example.org/api?x=1"}),
        json!({"audience": null, "resource": "/api"}),
        json!({"audience": null, "resource": format!("{}/backend-worker", server.url())}),
    ] {
        let reply = send(&server, ask(&token, change.clone())).await;
        reply.assert_oauth_refusal(400, "invalid_target", "UNKNOWN_AUDIENCE");
    }
}

#[tokio::test]
async fn a6_only_an_id_token_is_exchanged_whatever_it_is_called() {
    let (server, token) = start().await;
    let session = server.session().await;
    let access = send(&server, ask(&token, json!({}))).await.json()["access_token"].clone();
    let worker = json!({
        "audience": "codeq-worker", "scope": "codeq:claim", "event_types": "build",
        "subject": "worker-01",
    });
    let worker = send(&server, ask(&token, worker)).await.json()["access_token"].clone();
    let refresh = session["refreshToken"].clone();
    let key = json!(server.setup.api_key);
    for shown in [&access, &worker, &refresh, &key] {
        let reply = send(&server, ask(&token, json!({"subject_token": shown}))).await;
        reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ID_TOKEN");
    }
    for kind in ["access_token", "refresh_token", "jwt", "saml1", "saml2", "ID_TOKEN", "id_token "]
    {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let reply = send(&server, ask(&token, json!({"subject_token_type": kind}))).await;
        reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    }
    // The other grant takes nothing but a refresh token.
    for shown in [&access, &worker, &key, &session["idToken"]] {
        let form = json!({"grant_type": "refresh_token", "refresh_token": shown});
        let reply = server.post("/oauth2/token").form(&form).send().await;
        reply.assert_oauth_refusal(400, "invalid_grant", "INVALID_REFRESH_TOKEN");
    }
}

#[tokio::test]
async fn a7_nobody_names_an_actor_and_a_delegated_token_is_not_exchanged() {
    let (server, token) = start().await;
    for actor in [
        json!({"actor_token": token, "actor_token_type": ID_TOKEN}),
        json!({"actor_token": token}),
        json!({"actor_token_type": ID_TOKEN}),
        json!({"actor_token": "x", "subject": "worker-01"}),
    ] {
        let reply = send(&server, ask(&token, actor)).await;
        reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    }
    let root = claims(&token)["sub"].clone();
    for extra in [
        json!({}),
        json!({"act": "", "actor": "worker-01", "actor_token": ""}),
        json!({"sub": "worker-01", "act": "{\"sub\":\"worker-01\"}"}),
    ] {
        let mut form = ask(&token, json!({"subject": "worker-01"}));
        form.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let reply = send(&server, form).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let delegated = reply.json()["access_token"].as_str().unwrap().to_owned();
        let claims = claims(&delegated);
        assert_eq!((&claims["sub"], &claims["act"]), (&json!("worker-01"), &json!({"sub": root})));
        for again in [json!({}), json!({"subject": "worker-01"})] {
            let reply = send(&server, ask(&delegated, again)).await;
            reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ID_TOKEN");
        }
    }
}

#[tokio::test]
async fn a_refresh_gives_the_id_token_by_both_of_its_names() {
    let (server, _) = start().await;
    let session = server.session().await;
    let form = json!({
        "grant_type": "refresh_token", "refresh_token": session["refreshToken"],
        "tenant": COMPANY, "client_id": "tikti-identity",
    });
    let reply = server.post("/oauth2/token").form(&form).send().await;
    assert_reply!(reply, @r#"
        200
        pragma: no-cache
        {
          "access_token": "[token]",
          "expires_in": 3600,
          "id_token": "[token]",
          "issued_token_type": "urn:ietf:params:oauth:token-type:id_token",
          "refresh_token": "[token]",
          "tenant_id": "[tenant id]",
          "token_type": "Bearer"
        }
    "#);
    let next = reply.json();
    assert_eq!(next["access_token"], next["id_token"]);
    // It is an idToken under either name: Tikti takes it, and it is exchanged.
    let lookup =
        server.post("/v1/accounts/lookup").keyed().json(json!({"idToken": next["id_token"]}));
    assert_eq!(lookup.send().await.status, 200);
    let token = next["access_token"].as_str().unwrap();
    assert_eq!(send(&server, ask(token, json!({}))).await.status, 200);
    // By whatever it would be judged, it is no access token: none of the published keys has signed it or it is for
    // no resource server, and it says itself what it is.
    let said = claims(token);
    assert_eq!((&said["token_use"], &said["aud"]), (&json!("id"), &json!("tikti-identity")));
    assert!(said.get("scope").is_none() && said.get("client_id").is_none(), "{said}");
    for hint in ["access_token", "refresh_token"] {
        let form = json!({"token": token, "token_type_hint": hint});
        let told = server.post("/oauth2/introspect").keyed().form(&form).send().await;
        assert_eq!(told.text(), r#"{"active":false}"#, "{hint}");
    }
    let admin = server.get("/v1/users?pageSize=1").keyed().bearer(token).send().await;
    assert_eq!(admin.status, 200, "{}", admin.text());
    // The next token of the session, at Tikti's own endpoint.
    let ask = json!({"grant_type": "refresh_token", "refresh_token": next["refresh_token"]});
    assert_eq!(server.post("/v1/token").json(ask).send().await.status, 200);
}

#[tokio::test]
async fn what_a_refresh_cannot_give_is_refused_and_uses_nothing_up() {
    let (server, _) = start().await;
    let session = server.session().await;
    let refresh = |change: Value| {
        let mut form =
            json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
        form.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        server.post("/oauth2/token").form(&form)
    };
    for (change, error, code) in [
        (json!({"refresh_token": null}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"refresh_token": "rt_x"}), "invalid_grant", "INVALID_REFRESH_TOKEN"),
        (json!({"scope": "openid"}), "invalid_scope", "SCOPE_NOT_PERMITTED"),
        (json!({"audience": "backend-worker"}), "invalid_target", "UNKNOWN_AUDIENCE"),
        (json!({"resource": "https://a.example"}), "invalid_target", "UNKNOWN_AUDIENCE"),
        (json!({"tenant": "No Tenant"}), "invalid_request", "INVALID_ARGUMENT"),
        (json!({"tenant": "nowhere"}), "invalid_request", "MEMBERSHIP_REQUIRED"),
        (
            json!({"client_id": "t-x.w", "client_secret": "s"}),
            "unauthorized_client",
            "GRANT_NOT_ALLOWED",
        ),
    ] {
        refresh(change).send().await.assert_oauth_refusal(400, error, code);
    }
    // Whatever key is shown is not looked at, as at Tikti's own endpoint.
    let reply = refresh(json!({})).header("X-API-Key", "whatever").send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn what_is_refused_before_the_form_is_read_has_the_same_shape() {
    let server = Server::start().await;
    let post = || server.post("/oauth2/token");
    let json = post().header("Content-Type", "application/json").body("{}").send().await;
    assert_reply!(json, @r#"
        400
        pragma: no-cache
        {
          "code": "UNSUPPORTED_MEDIA_TYPE",
          "details": {
            "Content-Type": "must be application/x-www-form-urlencoded"
          },
          "error": "invalid_request",
          "error_description": "Content-Type: must be application/x-www-form-urlencoded",
          "requestId": "[request id]"
        }
    "#);
    for (request, status, code) in [
        (post().body("grant_type=refresh_token"), 400, "UNSUPPORTED_MEDIA_TYPE"),
        (post().header("Content-Type", "text/plain").body("a=b"), 400, "UNSUPPORTED_MEDIA_TYPE"),
        (post().header("Content-Type", FORM), 400, "INVALID_ARGUMENT"),
        (post().header("Content-Type", FORM).body("a".repeat(65_537)), 400, "BODY_TOO_LARGE"),
        (
            post().header("Content-Type", FORM).body("a".repeat(65_537)).chunked(),
            400,
            "BODY_TOO_LARGE",
        ),
        (post().header("Content-Type", FORM).body("a=%zz"), 400, "INVALID_ARGUMENT"),
        (post().header("Content-Type", FORM).body(b"a=\xff".to_vec()), 400, "INVALID_ARGUMENT"),
        (post().header("Content-Type", FORM).body("a=1&a=2"), 400, "INVALID_ARGUMENT"),
        (server.get("/oauth2/token"), 405, "METHOD_NOT_ALLOWED"),
        (server.put("/oauth2/token"), 405, "METHOD_NOT_ALLOWED"),
        (server.post("/oauth2/nothing"), 404, "NOT_FOUND"),
    ] {
        request.send().await.assert_oauth_refusal(status, "invalid_request", code);
    }
    // A form says in which letters it is written.
    let form = "grant_type=refresh_token&refresh_token=rt_x";
    let request = post().header("Content-Type", &format!("{FORM}; charset=UTF-8")).body(form);
    request.send().await.assert_oauth_refusal(400, "invalid_grant", "INVALID_REFRESH_TOKEN");
}

#[tokio::test]
async fn whoever_asks_too_much_is_told_to_slow_down() {
    let server = Server::start_with(Place::new(), |config| {
        config.domain.settings.limits = Limits::shipped();
        config.domain.settings.limits.exchanges_per_user.most = 1;
    })
    .await;
    server.tenant(&server.admin().await, COMPANY).await;
    let token = server.admin().await;
    let mut last = send(&server, ask(&token, json!({}))).await;
    // The minute may turn between two of them.
    for _ in 0..2 {
        last = send(&server, ask(&token, json!({}))).await;
    }
    last.assert_oauth_refusal(429, "slow_down", "RATE_LIMITED");
    assert!(last.header("retry-after").is_some());
}

#[tokio::test]
async fn basic_is_decoded_by_the_rules_of_a_form() {
    let (server, token) = start().await;
    let key = server.setup.api_key.clone();
    // Every character of the key by its escape.
    let escaped: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let credentials = BASE64.encode(format!("deployment%2Dkey:{escaped}").as_bytes());
    let request = server.post("/oauth2/token").form(&ask(&token, json!({})));
    let reply = request.header("Authorization", &format!("basic {credentials}")).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}
