//! `/v1/users`: the directory, for administrators. What it answers where it does not refuse is in
//! `platform::users`.

use serde_json::{Value, json};

use super::{ANN, By, World};
use crate::support::PASSWORD;

async fn id_of_ann(world: &World) -> String {
    let ask = json!({ "idToken": world.ann });
    let ann = world.send(("POST", "/v1/accounts/lookup"), By::Key, &ask).await.json();
    ann["users"][0]["localId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_gate_of_the_directory_answers_as_promised() {
    let world = World::new().await;
    let path = format!("/v1/users/{}", id_of_ann(&world).await);
    let name = json!({"displayName": "Ann"});
    let none = Value::Null;
    let mut gates = Vec::new();
    for (method, path, ask) in [
        ("PATCH", path.as_str(), &name),
        ("DELETE", &path, &none),
        ("GET", &path, &none),
        ("GET", "/v1/users", &none),
    ] {
        let mut lines = Vec::new();
        // An old sign-in may read.
        let is_gate = |case: &str| method != "GET" || case != "an old sign-in";
        for (case, by, ask) in world.admin_cases(ask).into_iter().filter(|(case, ..)| is_gate(case))
        {
            lines.push(format!("{case}: {}", world.send((method, path), by, &ask).await.line()));
        }
        gates.push(lines.join("\n"));
    }
    insta::assert_snapshot!(gates[0], @r#"
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no good token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"the token is not accepted here: sign in again","requestId":"[request id]"}
    no administrator: 403 {"code":"ADMIN_REQUIRED","details":{},"error":"The call needs a platform administrator.","requestId":"[request id]"}
    an old sign-in: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    "#);
    assert_eq!(gates[1], gates[0]);
    assert_eq!(gates[2], gates[3]);
    assert!(gates[0].starts_with(&gates[2]), "{}", gates[2]);
    assert_eq!(world.server.sign_in(ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_directory_refuses_as_promised() {
    let world = World::new().await;
    let me = world.server.session().await["localId"].as_str().unwrap().to_owned();
    let (mine, path) =
        (format!("/v1/users/{me}"), format!("/v1/users/{}", id_of_ann(&world).await));
    let mut lines = Vec::new();
    for (case, call, ask) in [
        ("reads nobody", ("GET", "/v1/users/nobody"), json!(null)),
        ("changes nobody", ("PATCH", "/v1/users/nobody"), json!({"displayName": "Ann"})),
        ("deletes nobody", ("DELETE", "/v1/users/nobody"), json!(null)),
        ("no size", ("GET", "/v1/users?pageSize=201"), json!(null)),
        ("no place", ("GET", "/v1/users?pageToken=AAAA"), json!(null)),
        ("no address", ("GET", "/v1/users?email=x"), json!(null)),
        ("no change", ("PATCH", path.as_str()), json!({})),
        ("no role", ("PATCH", &path), json!({"role": "ROOT"})),
        ("no status", ("PATCH", &path), json!({"status": "DELETED"})),
        ("no name", ("PATCH", &path), json!({"displayName": ""})),
        ("another type", ("PATCH", &path), json!({"emailVerified": "yes"})),
        ("no member", ("PATCH", &path), json!({"defaultTenantId": "codecompany"})),
        ("no tenant", ("PATCH", &path), json!({"defaultTenantId": "nowhere"})),
        ("demotes the last administrator", ("PATCH", &mine), json!({"role": "COMPANY_ADMIN"})),
        ("suspends the last administrator", ("PATCH", &mine), json!({"status": "SUSPENDED"})),
        ("deletes the last administrator", ("DELETE", &mine), json!(null)),
    ] {
        let line = world.send(call, By::KeyAndBearer(&world.admin), &ask).await.line();
        lines.push(format!("{case}: {line}"));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    reads nobody: 404 {"code":"USER_NOT_FOUND","details":{},"error":"There is no such user.","requestId":"[request id]"}
    changes nobody: 404 {"code":"USER_NOT_FOUND","details":{},"error":"There is no such user.","requestId":"[request id]"}
    deletes nobody: 404 {"code":"USER_NOT_FOUND","details":{},"error":"There is no such user.","requestId":"[request id]"}
    no size: 400 {"code":"INVALID_ARGUMENT","details":{"pageSize":"must be 1 to 200"},"error":"pageSize: must be 1 to 200","requestId":"[request id]"}
    no place: 400 {"code":"INVALID_ARGUMENT","details":{"pageToken":"is not one that this server made for this list"},"error":"pageToken: is not one that this server made for this list","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    no change: 400 {"code":"INVALID_ARGUMENT","details":{"body":"give what is to change: role, status, displayName, emailVerified or defaultTenantId"},"error":"body: give what is to change: role, status, displayName, emailVerified or defaultTenantId","requestId":"[request id]"}
    no role: 400 {"code":"INVALID_ARGUMENT","details":{"role":"must be ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE"},"error":"role: must be ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE","requestId":"[request id]"}
    no status: 400 {"code":"INVALID_ARGUMENT","details":{"status":"must be ACTIVE, INACTIVE or SUSPENDED"},"error":"status: must be ACTIVE, INACTIVE or SUSPENDED","requestId":"[request id]"}
    no name: 400 {"code":"INVALID_ARGUMENT","details":{"displayName":"must be 1 to 256 bytes"},"error":"displayName: must be 1 to 256 bytes","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"emailVerified":"must be a boolean"},"error":"emailVerified: must be a boolean","requestId":"[request id]"}
    no member: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    no tenant: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    demotes the last administrator: 409 {"code":"LAST_ADMIN","details":{},"error":"The last administrator cannot be removed, demoted, suspended or deleted.","requestId":"[request id]"}
    suspends the last administrator: 409 {"code":"LAST_ADMIN","details":{},"error":"The last administrator cannot be removed, demoted, suspended or deleted.","requestId":"[request id]"}
    deletes the last administrator: 409 {"code":"LAST_ADMIN","details":{},"error":"The last administrator cannot be removed, demoted, suspended or deleted.","requestId":"[request id]"}
    "#);
}

/// A reply, also a refusal, bears the id that the request gave it.
#[tokio::test]
async fn an_answer_bears_the_id_of_its_request() {
    let world = World::new().await;
    for (by, status) in [(By::KeyAndBearer(&world.admin), 200), (By::Nothing, 401)] {
        let request = world.by(world.server.get("/v1/users"), by);
        let reply = request.header("X-Request-Id", "users-7.a_b").send().await;
        assert_eq!((reply.status, reply.header("x-request-id")), (status, Some("users-7.a_b")));
        if status == 401 {
            assert_eq!(reply.json()["requestId"], "users-7.a_b");
        }
    }
}
