//! The wire as clients see it: exact member names, what may be left out, what is refused.

use serde_json::{Value, json};

use super::*;

fn parse_exchange(mut extra: Value) -> Result<ExchangeRequest, serde_json::Error> {
    let members = extra.as_object_mut().unwrap();
    members.insert("idToken".into(), json!("t"));
    members.insert("audience".into(), json!("backend-worker"));
    serde_json::from_value(extra)
}

#[test]
fn scopes_may_be_an_array_or_one_string() {
    for scopes in [json!(["jobs:read", "jobs:write"]), json!(" jobs:read  jobs:write ")] {
        let request = parse_exchange(json!({ "scopes": scopes })).unwrap();
        let list = request.scopes.unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), ["jobs:read", "jobs:write"]);
    }
}

#[test]
fn scopes_of_another_type_are_named() {
    for scopes in [json!(7), json!([7]), json!({}), json!(true)] {
        let error = parse_exchange(json!({ "scopes": scopes })).err().unwrap().to_string();
        assert!(error.contains("invalid type"), "{error}");
    }
}

#[test]
fn null_is_absent_and_unknown_members_are_ignored() {
    let request = parse_exchange(json!({
        "scopes": null, "eventTypes": null, "ttlSeconds": null, "subject": null, "tenantId": null,
        "userId": "someone-else", "role": "ADMIN",
    }))
    .unwrap();
    assert_eq!(
        serde_json::to_value(&request).unwrap(),
        json!({ "idToken": "t", "audience": "backend-worker" })
    );
}

#[test]
fn sign_in_request_is_what_codeq_sends() {
    let request: SignInRequest =
        serde_json::from_str(r#"{"email":"a@b.c","password":"mypassword2"}"#).unwrap();
    assert_eq!(request.return_secure_token, None);
}

#[test]
fn sign_in_reply_has_the_four_members_of_old_clients() {
    let reply = SignInReply {
        id_token: "t".into(),
        email: Some("a@b.c".into()),
        local_id: "u".into(),
        expires_in: 3600,
        refresh_token: None,
        tenant_id: None,
    };
    assert_eq!(
        serde_json::to_string(&reply).unwrap(),
        r#"{"idToken":"t","email":"a@b.c","localId":"u","expiresIn":3600}"#
    );
}

#[test]
fn error_reply_is_read_from_the_earliest_shape_with_a_code() {
    let reply: ErrorReply = serde_json::from_str(r#"{"error":"no","code":"NOT_FOUND"}"#).unwrap();
    assert_eq!(reply.request_id, "");
    assert!(reply.details.is_empty());
}
