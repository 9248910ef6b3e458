//! `GET /openapi.json`

use std::path::Path;

use serde_json::{Value, json};
use tikti_server::router::{Needs, ROUTES};

use crate::support::Server;

#[tokio::test]
async fn the_committed_document_is_the_served_one() {
    let server = Server::start().await;
    let served = server.get("/openapi.json").send().await;
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    let text = format!("{}\n", served.text());
    if std::fs::read_to_string(&committed).unwrap_or_default() != text {
        std::fs::write(&fresh, text).unwrap();
        panic!(
            "the API has changed: compare and copy {} to {}",
            fresh.display(),
            committed.display()
        );
    }
}

#[tokio::test]
async fn every_operation_says_what_it_needs_and_how_it_refuses() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").send().await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
        assert!(operation.is_object(), "{} {}", route.method, route.path);
        let security = match route.needs {
            Needs::Nothing => json!([]),
            Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) => {
                json!([{"apiKey": []}, {"apiKeyInQuery": []}])
            }
            Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                json!([{"bearer": []}])
            }
            Needs::ApiKeyAndAdmin(_) => {
                json!([{"apiKey": [], "bearer": []}, {"apiKeyInQuery": [], "bearer": []}])
            }
        };
        assert_eq!(operation["security"], security);
        let refusal = &operation["responses"]["default"]["content"]["application/json"]["schema"];
        let is_oauth = route.path.starts_with("/oauth2/");
        let shape = if is_oauth { "OAuthErrorReply" } else { "ErrorReply" };
        assert_eq!(refusal["$ref"], format!("#/components/schemas/{shape}"));
    }
}

#[tokio::test]
async fn every_reference_has_its_target() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").send().await.json();
    let mut pending = vec![&document];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{target}");
                }
                pending.extend(members.values());
            }
            Value::Array(items) => pending.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
