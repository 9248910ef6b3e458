//! What is missing before a worker can work, and what would break others? Decided from what is there.
//!
//! What is there stays: lists only grow, by what the worker needs. What others would notice (a client that is
//! disabled, one that would take tokens of another class) is refused before anything is changed. Pure.
//!
//! Spec: Command line, `worker provision`.

use tikti_server::api::{
    ClientReply, CreateClientRequest, CreateWorkerRequest, UpdateClientRequest,
    UpdateWorkerRequest, WorkerReply,
};

use crate::exit::Failure;

const GRANT: &str = "client_credentials";
const ANY: &str = "*";
const ACTIVE: &str = "ACTIVE";

/// What the command line names.
pub(super) struct Wish {
    pub(super) worker: String,
    pub(super) audience: String,
    /// None: those that the client gives by default.
    pub(super) scopes: Option<Vec<String>>,
    pub(super) event_types: Option<Vec<String>>,
}

/// What is to be done about a client or a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<Make, Change> {
    Make(Make),
    Change(Change),
    Stays,
}

/// All that is to be done, the client first: a worker can only name one that is there.
pub(super) struct Plan {
    pub(super) client: Step<CreateClientRequest, UpdateClientRequest>,
    pub(super) worker: Step<CreateWorkerRequest, UpdateWorkerRequest>,
    /// What the worker's tokens will hold.
    pub(super) scopes: Vec<String>,
    pub(super) event_types: Vec<String>,
}

/// Decides what is to be done.
///
/// Errors: exit code 3 where scopes or event types have to be named; 1 for what is not changed in passing.
pub(super) fn plan(
    wish: &Wish,
    client: Option<&ClientReply>,
    worker: Option<&WorkerReply>,
) -> Result<Plan, Failure> {
    let scopes = scopes(wish, client)?;
    let event_types = event_types(wish, client)?;
    let client = match client {
        Some(client) => client_change(client, (&scopes, &event_types))?,
        None => Step::Make(new_client(wish, (&scopes, &event_types))),
    };
    let worker = match worker {
        Some(worker) => worker_change(wish, worker, (&scopes, &event_types))?,
        None => Step::Make(new_worker(wish, (&scopes, &event_types))),
    };
    Ok(Plan { client, worker, scopes, event_types })
}

fn scopes(wish: &Wish, client: Option<&ClientReply>) -> Result<Vec<String>, Failure> {
    let audience = &wish.audience;
    match (&wish.scopes, client) {
        (Some(scopes), _) => Ok(scopes.clone()),
        (None, Some(client)) if !client.default_scopes.is_empty() => {
            Ok(client.default_scopes.clone())
        }
        (None, Some(_)) => {
            Err(Failure::usage(format!("client {audience} gives no scopes by default"))
                .next("name those of the worker with --scopes"))
        }
        (None, None) => Err(Failure::usage(format!("client {audience} is not there yet"))
            .next("name its scopes with --scopes, and it is made")),
    }
}

/// Never taken from the client by itself: there they may be all that there are.
fn event_types(wish: &Wish, client: Option<&ClientReply>) -> Result<Vec<String>, Failure> {
    let audience = &wish.audience;
    let wanted = wish.event_types.clone().unwrap_or_default();
    let takes_worker_tokens = client.map(|client| !client.event_types.is_empty());
    match takes_worker_tokens {
        Some(true) if wanted.is_empty() => {
            Err(Failure::usage(format!("client {audience} takes worker tokens, which are for event types"))
                .next("name those of the worker with --event-types"))
        }
        Some(false) if !wanted.is_empty() => Err(Failure::refused(format!(
            "client {audience} takes access tokens: with event types it would take worker tokens from \
             everybody, and no access tokens"
        ))
        .next(format!(
            "leave --event-types out, or mean it: `tikti client update {audience} --event-types TYPES`"
        ))),
        _ => Ok(wanted),
    }
}

fn new_client(wish: &Wish, (scopes, event_types): (&[String], &[String])) -> CreateClientRequest {
    CreateClientRequest {
        client_id: wish.audience.clone(),
        kind: None,
        allowed_grant_types: Some(vec![GRANT.to_owned()]),
        allowed_scopes: Some(scopes.to_vec()),
        default_scopes: Some(scopes.to_vec()),
        event_types: Some(event_types.to_vec()).filter(|types| !types.is_empty()),
        subject_policy: None,
        token_ttl_seconds: None,
    }
}

fn client_change(
    client: &ClientReply,
    (scopes, event_types): (&[String], &[String]),
) -> Result<Step<CreateClientRequest, UpdateClientRequest>, Failure> {
    let ClientReply { client_id, kind, status, .. } = client;
    if kind != "SERVICE" {
        return Err(Failure::refused(format!(
            "client {client_id} is no service: it signs users in"
        ))
        .next("name the client of a service with --aud"));
    }
    if status != ACTIVE {
        return Err(Failure::refused(format!("client {client_id} is disabled"))
            .next(format!("serve it again: `tikti client update {client_id} --status ACTIVE`")));
    }
    let change = UpdateClientRequest {
        client_id: None,
        kind: None,
        status: None,
        allowed_grant_types: grown(&client.allowed_grant_types, &[GRANT.to_owned()]),
        allowed_scopes: grown(&client.allowed_scopes, scopes),
        default_scopes: None,
        event_types: grown_types(&client.event_types, event_types),
        subject_policy: None,
        token_ttl_seconds: None,
    };
    let lists = [&change.allowed_grant_types, &change.allowed_scopes, &change.event_types];
    let is_enough = lists.into_iter().all(Option::is_none);
    Ok(if is_enough { Step::Stays } else { Step::Change(change) })
}

fn new_worker(wish: &Wish, (scopes, event_types): (&[String], &[String])) -> CreateWorkerRequest {
    CreateWorkerRequest {
        id: wish.worker.clone(),
        clients: Some(vec![wish.audience.clone()]),
        scopes: Some(scopes.to_vec()),
        event_types: Some(event_types.to_vec()).filter(|types| !types.is_empty()),
        mintable_by: None,
        jwks: None,
        custom_tokens: None,
    }
}

fn worker_change(
    wish: &Wish,
    worker: &WorkerReply,
    (scopes, event_types): (&[String], &[String]),
) -> Result<Step<CreateWorkerRequest, UpdateWorkerRequest>, Failure> {
    let id = &worker.id;
    if worker.status != ACTIVE {
        return Err(Failure::refused(format!("worker {id} is disabled"))
            .next(format!("let it act again: `tikti worker update {id} --status ACTIVE`")));
    }
    let change = UpdateWorkerRequest {
        clients: grown(&worker.clients, std::slice::from_ref(&wish.audience)),
        scopes: grown(&worker.scopes, scopes),
        event_types: grown_types(&worker.event_types, event_types),
        mintable_by: None,
        custom_tokens: None,
        status: None,
    };
    let is_enough =
        [&change.clients, &change.scopes, &change.event_types].into_iter().all(Option::is_none);
    Ok(if is_enough { Step::Stays } else { Step::Change(change) })
}

/// All of both; none where nothing is missing.
fn grown(held: &[String], needed: &[String]) -> Option<Vec<String>> {
    let missing = Vec::from_iter(needed.iter().filter(|word| !held.contains(word)).cloned());
    (!missing.is_empty()).then(|| [held, &missing].concat())
}

/// The same for event types, of which `*` means any.
fn grown_types(held: &[String], needed: &[String]) -> Option<Vec<String>> {
    grown(held, needed).filter(|_| {
        let has_any = held.iter().any(|held| held == ANY);
        !has_any || needed.iter().any(|needed| needed == ANY && !held.contains(needed))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn wish(scopes: &[&str], event_types: &[&str]) -> Wish {
        let words = |words: &[&str]| {
            let words = Vec::from_iter(words.iter().map(|&word| word.to_owned()));
            Some(words).filter(|words| !words.is_empty())
        };
        Wish {
            worker: "w".into(),
            audience: "c".into(),
            scopes: words(scopes),
            event_types: words(event_types),
        }
    }

    fn client(members: &Value) -> ClientReply {
        let mut client = json!({
            "clientId": "c", "type": "SERVICE", "status": "ACTIVE", "subjectPolicy": "user",
            "allowedGrantTypes": ["client_credentials"], "allowedScopes": ["a", "b"],
            "defaultScopes": ["a"], "eventTypes": [], "tokenTtlSeconds": 900, "managed": false,
        });
        let client_members = client.as_object_mut().unwrap();
        client_members.extend(members.as_object().unwrap().clone());
        serde_json::from_value(client).unwrap()
    }

    fn worker(members: &Value) -> WorkerReply {
        let mut worker = json!({
            "id": "w", "clients": ["c"], "scopes": ["a", "b"], "eventTypes": [], "mintableBy": [],
            "jwks": {"keys": []}, "customTokens": false, "secrets": [], "status": "ACTIVE",
            "createdAt": "2026-01-01T00:00:00Z",
        });
        worker.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(worker).unwrap()
    }

    fn told<M: serde::Serialize, C: serde::Serialize>(step: &Step<M, C>) -> Value {
        match step {
            Step::Make(request) => json!({ "make": request }),
            Step::Change(request) => json!({ "change": request }),
            Step::Stays => json!("stays"),
        }
    }

    #[test]
    fn from_nothing_both_are_made_with_no_more_than_is_needed() {
        let plan = plan(&wish(&["a", "b"], &["e"]), None, None).unwrap();
        assert_eq!(
            told(&plan.client),
            json!({"make": {"clientId": "c", "allowedGrantTypes": ["client_credentials"],
                "allowedScopes": ["a", "b"], "defaultScopes": ["a", "b"], "eventTypes": ["e"]}})
        );
        assert_eq!(
            told(&plan.worker),
            json!({"make": {"id": "w", "clients": ["c"], "scopes": ["a", "b"], "eventTypes": ["e"]}})
        );
    }

    #[test]
    fn what_is_there_stays_and_only_what_is_missing_is_added() {
        let none = json!({});
        for (client_has, worker_has, wish, client_step, worker_step) in [
            (none.clone(), none.clone(), wish(&["b"], &[]), json!("stays"), json!("stays")),
            // Nothing named: what the client gives by default.
            (
                none.clone(),
                json!({"scopes": []}),
                wish(&[], &[]),
                json!("stays"),
                json!({"change": {"scopes": ["a"]}}),
            ),
            (
                json!({"allowedGrantTypes": ["token_exchange"]}),
                none.clone(),
                wish(&["c"], &[]),
                json!({"change": {"allowedGrantTypes": ["token_exchange", "client_credentials"],
                    "allowedScopes": ["a", "b", "c"]}}),
                json!({"change": {"scopes": ["a", "b", "c"]}}),
            ),
            (
                none,
                json!({"clients": ["x"]}),
                wish(&["a"], &[]),
                json!("stays"),
                json!({"change": {"clients": ["x", "c"]}}),
            ),
            // `*` has them all, but for itself.
            (
                json!({"eventTypes": ["*"]}),
                json!({"eventTypes": ["d"]}),
                wish(&["a"], &["e"]),
                json!("stays"),
                json!({"change": {"eventTypes": ["d", "e"]}}),
            ),
            (
                json!({"eventTypes": ["e"]}),
                json!({"eventTypes": ["*"]}),
                wish(&["a"], &["*"]),
                json!({"change": {"eventTypes": ["e", "*"]}}),
                json!("stays"),
            ),
        ] {
            let plan = plan(&wish, Some(&client(&client_has)), Some(&worker(&worker_has))).unwrap();
            assert_eq!(told(&plan.client), client_step, "{client_has}");
            assert_eq!(told(&plan.worker), worker_step, "{worker_has}");
        }
    }

    #[test]
    fn what_others_would_notice_is_not_done_in_passing() {
        let none = json!({});
        for (client_has, worker_has, wish, says) in [
            (
                json!({"status": "DISABLED"}),
                none.clone(),
                wish(&["a"], &[]),
                "client c is disabled",
            ),
            (json!({"type": "APPLICATION"}), none.clone(), wish(&["a"], &[]), "no service"),
            (
                none.clone(),
                json!({"status": "DISABLED"}),
                wish(&["a"], &[]),
                "worker w is disabled",
            ),
            (none.clone(), none.clone(), wish(&["a"], &["e"]), "takes access tokens"),
            (json!({"eventTypes": ["e"]}), none.clone(), wish(&["a"], &[]), "takes worker tokens"),
            (json!({"defaultScopes": []}), none, wish(&[], &[]), "no scopes by default"),
        ] {
            let refused = plan(&wish, Some(&client(&client_has)), Some(&worker(&worker_has)));
            let failure = refused.err().unwrap();
            assert!(failure.message.contains(says), "{}", failure.message);
            assert!(failure.next.is_some());
        }
        assert!(plan(&wish(&[], &[]), None, None).is_err());
    }
}
