//! A log of the service from its events to the proof that it is whole, pruned in between.

use std::time::Duration;

use tikti_domain::audit::{PruneCursor, REMOVE_AFTER_MILLIS, prune};
use tikti_domain::clock::Clock;
use tikti_domain::testing::{START, verified_head};
use tikti_domain::{Domain, secret::SecretString};

use super::*;
use crate::audit_log::{Tampering, read_line, verify};

const LOG: &str = "/v1/tenants/own-company/audit";
/// Older than what is kept here.
const OLD_MILLIS: u64 = 32 * 24 * 3_600_000;

/// A service that keeps events for thirty days. Its tenant has four that are old and three that are not; the
/// heads over both are signed.
struct World {
    router: Router,
    replica: Domain,
    clock: Clock,
    root: SecretString,
}

impl World {
    async fn new() -> Self {
        let kept = Duration::from_hours(30 * 24);
        let fixture = Fixture::with(|settings| settings.audit_retention = kept).await;
        fixture.admin("root@corp.sys").await;
        fixture.tenant("root@corp.sys", "own-company").await;
        let replica = fixture.replica(3, &FaultPlan::crash_after(1_000)).await;
        let clock = fixture.clock.clone();
        let before = fixture.sign_in("root@corp.sys").await.id_token;
        clock.advance(OLD_MILLIS);
        let root = fixture.sign_in("root@corp.sys").await.id_token;
        let router = serve(fixture, routes().0);
        for (token, time, roles) in
            [(&before, START, 0..4), (&root, START.plus_millis(OLD_MILLIS), 4..7)]
        {
            clock.set(time);
            for number in roles {
                make_role(&router, token, number).await;
            }
            sign_heads(&replica, &mut HeadsCursor::default(), clock.now()).await.unwrap();
        }
        Self { router, replica, clock, root }
    }

    /// Signs the checkpoint, and removes what it names five minutes later.
    async fn prune(&self) {
        let signed = prune(&self.replica, &mut PruneCursor::default(), self.clock.now()).await;
        assert_eq!(signed.unwrap().checkpoints, 2);
        self.clock.advance(REMOVE_AFTER_MILLIS);
        let gone = prune(&self.replica, &mut PruneCursor::default(), self.clock.now()).await;
        assert!(gone.unwrap().removed >= 5);
    }

    async fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path, "application/json").await).unwrap()
    }

    async fn text(&self, path: &str, accept: &str) -> String {
        let bearer = format!("Bearer {}", self.root.expose_secret());
        let request = Request::get(path).header("Authorization", bearer).header("Accept", accept);
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    async fn export(&self) -> String {
        self.text(LOG, "application/jsonl").await
    }
}

async fn make_role(router: &Router, token: &SecretString, number: u8) {
    let bearer = format!("Bearer {}", token.expose_secret());
    let ask = json!({"name": format!("R{number}"), "permissions": ["a:b"]});
    let headers = [("Authorization", bearer.as_str())];
    let (status, body) =
        send(router, "POST", "/v1/tenants/own-company/roles", &headers, &ask).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn an_export_is_verified_from_its_checkpoint_to_its_head_by_published_keys() {
    let world = World::new().await;
    let whole = world.export().await;
    world.prune().await;
    let (head, list) = (world.get(&format!("{LOG}/head")).await, world.get(LOG).await);
    assert_eq!(list["checkpoint"], head["checkpoint"]["checkpoint"]);
    assert_eq!((&list["events"][0]["seq"], &head["checkpoint"]["seq"]), (&json!(5), &json!(4)));
    let keys = world.text("/v1/audit/keys", "application/json").await;
    let signed = |jws: &Value| verified_head(&keys, jws.as_str().unwrap());
    let (begin, gone) = signed(&list["checkpoint"]);
    let (end, not_gone) = signed(&head["head"]);
    assert_eq!((gone, not_gone), (Some(4), None));
    let log = world.export().await;
    assert_eq!(whole.lines().skip(4).collect::<Vec<_>>(), log.lines().collect::<Vec<_>>());
    let read = |log: &str| log.lines().map(read_line).collect::<Vec<_>>();
    assert_eq!(verify(read(&log), Some(&begin), Some(&end)).unwrap().seq, 7);
    assert_eq!(verify(read(&log), None, None), Err(Tampering::Dropped { seq: 1, next: 5 }));
    // What was exported before is the same log still, and the checkpoint a head over it.
    assert_eq!(verify(read(&whole), None, Some(&begin)).unwrap().seq, 7);
}

#[tokio::test]
async fn a_page_token_of_what_was_pruned_is_refused() {
    let world = World::new().await;
    let list = world.get(&format!("{LOG}?pageSize=2")).await;
    world.prune().await;
    let bearer = format!("Bearer {}", world.root.expose_secret());
    let path = format!("{LOG}?pageToken={}", list["nextPageToken"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str())];
    let (status, body) = send(&world.router, "GET", &path, &headers, &json!(null)).await;
    assert_eq!((status.as_u16(), &body["code"]), (400, &json!("INVALID_ARGUMENT")));
    assert!(body["details"]["pageToken"].as_str().unwrap().contains("begin anew"), "{body}");
}
