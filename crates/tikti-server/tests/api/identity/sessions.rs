//! `signOut`, `token`, `sessions`

use serde_json::{Value, json};

use super::{By, World};
use crate::support::Server;

#[tokio::test]
async fn sign_out_answers_as_promised() {
    let world = World::new().await;
    let mut asks = Vec::new();
    for email in ["one@corp.sys", "two@corp.sys"] {
        asks.push(json!({"idToken": world.somebody(email).await}));
    }
    let asks = asks.try_into().unwrap();
    insta::assert_snapshot!(world.twice("signOut", By::Nothing, asks).await, @"200 {}");
    let mut cases = vec![
        ("no refresh token of ours", By::Nothing, json!({"refreshToken": "rt_x"})),
        ("nothing", By::Nothing, json!({})),
        ("two tokens", By::Nothing, json!({"idToken": world.ann, "refreshToken": "rt_x"})),
        ("another type", By::Nothing, json!({"idToken": world.ann, "everywhere": 1})),
    ];
    cases.extend(world.token_cases(json!({})).await);
    insta::assert_snapshot!(world.lines("signOut", &cases).await, @r#"
    no refresh token of ours: 401 www-authenticate=Bearer {"code":"INVALID_REFRESH_TOKEN","details":{},"error":"The refresh token is unknown, used, expired or revoked.","requestId":"[request id]"}
    nothing: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"give this or refreshToken, one of them"},"error":"idToken: give this or refreshToken, one of them","requestId":"[request id]"}
    two tokens: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"give this or refreshToken, one of them"},"error":"idToken: give this or refreshToken, one of them","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"everywhere":"must be a boolean"},"error":"everywhere: must be a boolean","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    a token of another type: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"must be a string"},"error":"idToken: must be a string","requestId":"[request id]"}
    "#);
}

async fn refresh_token(server: &Server) -> Value {
    server.session().await["refreshToken"].clone()
}

#[tokio::test]
async fn token_answers_as_promised() {
    let world = World::new().await;
    let server = &world.server;
    let ask = |token: &Value| json!({"grant_type": "refresh_token", "refresh_token": token});
    let used = refresh_token(server).await;
    let mut elsewhere = ask(&refresh_token(server).await);
    elsewhere["tenantId"] = json!("nowhere");
    let mut in_tenant = ask(&refresh_token(server).await);
    in_tenant["tenantId"] = json!("codecompany");
    let mut misnamed = ask(&used);
    misnamed["tenantId"] = json!("No Tenant");
    let mut lines = Vec::new();
    for (name, ask) in [
        ("a session goes on", ask(&used)),
        ("in a tenant", in_tenant),
        ("no member", elsewhere),
        ("no name of a tenant", misnamed),
        ("made up", ask(&json!("rt_x"))),
        ("no grant", json!({"grant_type": "password", "refresh_token": used})),
        ("no token", json!({"grant_type": "refresh_token"})),
        ("another type", ask(&json!(7))),
    ] {
        let reply = world.send(("POST", "/v1/token"), By::Nothing, &ask).await;
        lines.push(format!("{name}: {}", reply.line()));
    }
    let form = "application/x-www-form-urlencoded";
    for (name, media_type, body) in [
        ("an empty form", form, ""),
        ("a form with a token that is made up", form, "grant_type=refresh_token&refresh_token=x"),
        ("no form", "text/plain", "x"),
    ] {
        let request = server.post("/v1/token").header("Content-Type", media_type);
        lines.push(format!("{name}: {}", request.body(body).send().await.line()));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    a session goes on: 200 {"expires_in":3600,"id_token":"[token]","refresh_token":"[token]","token_type":"Bearer","user_id":"[user id]"}
    in a tenant: 200 {"expires_in":3600,"id_token":"[token]","refresh_token":"[token]","token_type":"Bearer","user_id":"[user id]"}
    no member: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    no name of a tenant: 400 {"code":"INVALID_ARGUMENT","details":{"tenantId":"must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter"},"error":"tenantId: must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter","requestId":"[request id]"}
    made up: 401 www-authenticate=Bearer {"code":"INVALID_REFRESH_TOKEN","details":{},"error":"The refresh token is unknown, used, expired or revoked.","requestId":"[request id]"}
    no grant: 400 {"code":"UNSUPPORTED_GRANT_TYPE","details":{},"error":"The grant type is not one of those served.","requestId":"[request id]"}
    no token: 400 {"code":"INVALID_ARGUMENT","details":{"refresh_token":"is missing"},"error":"refresh_token: is missing","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"refresh_token":"must be a string"},"error":"refresh_token: must be a string","requestId":"[request id]"}
    an empty form: 400 {"code":"INVALID_ARGUMENT","details":{"grant_type":"is missing"},"error":"grant_type: is missing","requestId":"[request id]"}
    a form with a token that is made up: 401 www-authenticate=Bearer {"code":"INVALID_REFRESH_TOKEN","details":{},"error":"The refresh token is unknown, used, expired or revoked.","requestId":"[request id]"}
    no form: 415 {"code":"UNSUPPORTED_MEDIA_TYPE","details":{"Content-Type":"must be application/json or application/x-www-form-urlencoded"},"error":"The body is not of a type that the call takes.","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn sessions_answer_as_promised() {
    let world = World::new().await;
    let (expired, revoked) = (world.expired(), world.revoked().await);
    let list = ("GET", "/v1/accounts/sessions");
    let end = ("DELETE", "/v1/accounts/sessions/01JD0000000000000000000000");
    let mut lines = Vec::new();
    for (name, call, by) in [
        ("no token", list, By::Nothing),
        ("a key is no token", list, By::Key),
        ("no token of ours", list, By::Bearer("a.b.c")),
        ("a token that has ended", list, By::Bearer(&expired)),
        ("a token that was revoked", list, By::Bearer(&revoked)),
        ("no size", ("GET", "/v1/accounts/sessions?pageSize=0"), By::Bearer(&world.ann)),
        ("no place", ("GET", "/v1/accounts/sessions?pageToken=AAAA"), By::Bearer(&world.ann)),
        ("ends with no token", end, By::Nothing),
        ("ends with no token of ours", end, By::Bearer("a.b.c")),
        ("ends with one that has ended", end, By::Bearer(&expired)),
        ("ends with one that was revoked", end, By::Bearer(&revoked)),
        ("no such session", end, By::Bearer(&world.ann)),
    ] {
        lines.push(format!("{name}: {}", world.send(call, by, &Value::Null).await.line()));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    a key is no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    no size: 400 {"code":"INVALID_ARGUMENT","details":{"pageSize":"must be 1 to 200"},"error":"pageSize: must be 1 to 200","requestId":"[request id]"}
    no place: 400 {"code":"INVALID_ARGUMENT","details":{"pageToken":"is not one that this server made for this list"},"error":"pageToken: is not one that this server made for this list","requestId":"[request id]"}
    ends with no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    ends with no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    ends with one that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    ends with one that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    no such session: 404 {"code":"SESSION_NOT_FOUND","details":{},"error":"There is no such session.","requestId":"[request id]"}
    "#);
}
