//! What an operation under way explains, and for how long.

use super::*;

#[tokio::test]
async fn an_operation_under_way_explains_what_it_is_about_and_nothing_else() {
    let (acme, ann) = ("acmeId", "annId");
    for (work, explained) in [
        (format!(r#"{{"addMember":{{"tenantId":"{acme}","userId":"{ann}"}}}}"#), true),
        (format!(r#"{{"addMember":{{"tenantId":"{acme}","userId":"other"}}}}"#), false),
        (format!(r#"{{"deleteUser":{{"userId":"{ann}"}}}}"#), true),
        (format!(r#"{{"deleteTenant":{{"tenantId":"{acme}"}}}}"#), true),
        (r#"{"deleteTenant":{"tenantId":"t-other"}}"#.to_owned(), false),
        (r#"{"somethingNew":{}}"#.to_owned(), false),
    ] {
        let world = World::new().await;
        world.break_rule(Rule::EntryWithoutMember).await;
        let work = work.replace(acme, world.acme.id.as_str()).replace(ann, world.ann.id.as_str());
        world.put_intent(START, &work).await;
        let report = world.verify().await;
        assert_eq!(report.findings_total, u64::from(!explained), "{work}");
        assert_eq!(report.pending, 1);
    }
}

#[tokio::test]
async fn a_damaged_intent_does_not_hide_those_around_it() {
    let world = World::new().await;
    world.break_rule(Rule::EntryWithoutMember).await;
    let shard = keyspace::of_intents(0);
    let intent = |id: &str| Key::new(&shard, keyspace::INTENT, id);
    let member = world.ann.id.as_str();
    let since = START.as_millis();
    let work = format!(r#"{{"deleteUser":{{"userId":"{member}"}}}}"#);
    let json = format!(r#"{{"since":{since},"work":{work}}}"#);
    for id in ["A", "C"] {
        let world = &world;
        world.put_raw(&intent(id), &json).await;
        let bytes = world.store().get(&intent(id), START).await.unwrap().unwrap();
        world.store().load(&[(intent("B"), bytes)], START).await.unwrap();
        assert_eq!(world.broken().await, [Rule::Damaged].into(), "{id}");
        world.delete(&intent(id)).await;
    }
}

#[tokio::test]
async fn an_operation_that_nobody_finishes_is_a_finding_and_explains_nothing() {
    let world = World::new().await;
    world.break_rule(Rule::EntryWithoutMember).await;
    let (acme, ann) = (world.acme.id.as_str(), world.ann.id.as_str());
    let work = format!(r#"{{"addMember":{{"tenantId":"{acme}","userId":"{ann}"}}}}"#);
    world.put_intent(START, &work).await;
    let at =
        async |millis| verify(world.store(), START.plus_millis(millis), &mut |_| ()).await.unwrap();
    assert_eq!(at(OVERDUE_MILLIS - 1).await.findings, []);
    let report = at(OVERDUE_MILLIS).await;
    let found: BTreeSet<_> =
        report.findings.iter().map(|found| (found.rule, found.detail.as_str())).collect();
    let expected =
        [(Rule::OperationUnfinished, "for 10 minutes"), (Rule::EntryWithoutMember, acme)];
    assert_eq!((found, report.pending), (expected.into(), 1));
}

/// Both sides of a record from before operations had ids say zeros, or neither does.
#[tokio::test]
async fn a_claim_without_an_operation_fits_a_user_without_one() {
    let world = World::new().await;
    let key = email_claim("ann@example.org");
    world.put_raw(&key, &format!(r#"{{"userId":"{}"}}"#, world.ann.id)).await;
    assert_eq!(world.broken().await, [Rule::EmailClaimDiffers].into());
    let mut ann = world.fixture.reload(&world.ann).await;
    ann.email_claim = OperationId::default();
    world.fixture.put_user(&ann).await;
    assert_eq!(world.broken().await, BTreeSet::new());
}
