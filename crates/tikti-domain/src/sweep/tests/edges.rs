//! What the sweep looks at and what it leaves, long lists, the last administrator, and records from
//! before operations had ids.

use tikti_store::{Entry, Key};

use super::world::{assert_clean, sweep_all};
use crate::account::{NewUser, change_email, create_user, delete_user};
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::Code;
use crate::id::{OperationId, RoleName, Slug, TenantId, TenantRef, UserId};
use crate::intent::{self, AddingMember, DeletingTenant, Work};
use crate::keyspace;
use crate::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, sweep};
use crate::tenancy::{
    CreateTenant, add_member, create_tenant, delete_tenant, get_tenant, remove_member,
};
use crate::testing::{Fixture, all, bearing};
use crate::user::{GlobalRole, User};

async fn clean(fixture: &Fixture) {
    assert_clean(&fixture.domain.store, fixture.now(), "at the end").await;
}

async fn user(fixture: &Fixture, email: &str) -> User {
    let (email, role) = (Email::parse(email).unwrap(), GlobalRole::CompanyEmployee);
    let new = NewUser { email, password_hash: None, role };
    create_user(&fixture.domain, new, fixture.now()).await.unwrap()
}

fn nobody() -> UserId {
    UserId::parse("nobody").unwrap()
}

/// Begins additions to a tenant that does not exist, and leaves them.
async fn begin(fixture: &Fixture, count: usize) {
    for _ in 0..count {
        let tenant_id = TenantId::parse("t-none").unwrap();
        let user_id = nobody();
        let work = Work::AddMember(AddingMember { tenant_id, user_id });
        intent::begin(&fixture.domain, work, fixture.now()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_younger_than_a_minute_is_left_alone() {
    let fixture = Fixture::new().await;
    begin(&fixture, 40).await;
    fixture.clock.advance(SWEEP_AFTER_MILLIS - 1);
    begin(&fixture, 40).await;
    assert_eq!(sweep_all(&fixture.domain, fixture.now()).await.finished, 0);
    fixture.clock.advance(1);
    assert_eq!(sweep_all(&fixture.domain, fixture.now()).await.finished, 40);
    fixture.clock.advance(SWEEP_AFTER_MILLIS - 1);
    assert_eq!(sweep_all(&fixture.domain, fixture.now()).await.finished, 40);
    clean(&fixture).await;
}

#[tokio::test]
async fn one_call_is_bounded_and_says_that_there_is_more() {
    let fixture = Fixture::new().await;
    begin(&fixture, 600).await;
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    let mut cursor = SweepCursor::default();
    let swept = sweep(&fixture.domain, &mut cursor, fixture.now()).await.unwrap();
    assert!((1..=256).contains(&swept.finished) && swept.more, "{swept:?}");
    let rest = sweep_all(&fixture.domain, fixture.now()).await;
    assert_eq!((swept.finished + rest.finished, rest.failed), (600, 0));
    clean(&fixture).await;
}

#[tokio::test]
async fn intents_that_cannot_be_read_hold_nobody_up() {
    let fixture = Fixture::new().await;
    let (store, now) = (&fixture.domain.store, fixture.now());
    for number in 0..40 {
        let id = OperationId::parse(&format!("000000000000000000000000{number:02}")).unwrap();
        let entry = Entry::new(b"\x01{\"work\":\"of a newer version\"}");
        store.put(&keyspace::intent(&id), entry, now).await.unwrap();
    }
    let odd = Key::new(&keyspace::of_intents(0), keyspace::INTENT, "no operation");
    store.put(&odd, Entry::new(b"\x01{}"), now).await.unwrap();
    begin(&fixture, 40).await;
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    let swept = sweep_all(&fixture.domain, fixture.now()).await;
    assert_eq!((swept.finished, swept.failed), (40, 41));
}

/// Puts the bytes of another record at this key: their checksum is over another key.
async fn damage(fixture: &Fixture, key: &Key) {
    let (store, now) = (&fixture.domain.store, fixture.now());
    let bytes = store.get(&keyspace::deployment(), now).await.unwrap().unwrap();
    store.load(&[(key.clone(), bytes)], now).await.unwrap();
}

#[tokio::test]
async fn damaged_intents_are_counted_and_hold_nobody_up() {
    let fixture = Fixture::new().await;
    begin(&fixture, 200).await;
    // Before, between and behind the others.
    let mut damaged = 0;
    for shard in 0..keyspace::INTENT_SHARDS {
        let list = keyspace::of_intents(shard);
        let store = &fixture.domain.store;
        let page = store.scan(&list, keyspace::INTENT, None, 100, fixture.now()).await.unwrap();
        let mut ids = vec![b"0".to_vec(), b"00".to_vec(), b"Z".to_vec()];
        ids.extend(page.entries.iter().map(|(id, _)| [id.as_ref(), b"0"].concat()));
        for id in &ids {
            damage(&fixture, &Key::new(&list, keyspace::INTENT, id)).await;
        }
        damaged += ids.len();
    }
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    let swept = sweep_all(&fixture.domain, fixture.now()).await;
    assert_eq!((swept.finished, swept.failed), (200, damaged));
    let again = sweep_all(&fixture.domain, fixture.now()).await;
    assert_eq!((again.finished, again.failed), (0, damaged));
}

#[tokio::test]
async fn operations_that_fail_every_time_starve_none_behind_them() {
    let fixture = Fixture::new().await;
    // What these would look at first is damaged.
    let member = keyspace::member(&TenantId::parse("t-none").unwrap(), &nobody());
    damage(&fixture, &member).await;
    begin(&fixture, 600).await;
    fixture.clock.advance(1);
    let work = DeletingTenant { tenant_id: TenantId::parse("t-gone").unwrap(), draft: None };
    for _ in 0..64 {
        let work = Work::DeleteTenant(work.clone());
        intent::begin(&fixture.domain, work, fixture.now()).await.unwrap();
    }
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    let swept = sweep_all(&fixture.domain, fixture.now()).await;
    assert_eq!((swept.finished, swept.failed), (64, 600));
}

#[tokio::test]
async fn the_sweep_gives_back_the_space_of_what_has_expired() {
    let fixture = Fixture::new().await;
    begin(&fixture, 1).await;
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    sweep_all(&fixture.domain, fixture.now()).await;
    // Its two fences, a day and an hour later.
    fixture.clock.advance(26 * 3_600_000);
    let mut cursor = SweepCursor::default();
    let swept = sweep(&fixture.domain, &mut cursor, fixture.now()).await.unwrap();
    // Other engines give it back by themselves.
    let embedded = fixture.domain.store.engine_name() == "embedded";
    assert_eq!(swept.reclaimed, if embedded { 2 } else { 0 });
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let fixture = Fixture::new().await;
    let (root, other) = (fixture.admin("root@corp.sys").await, fixture.admin("b@corp.sys").await);
    let (domain, now) = (&fixture.domain, fixture.now());
    let both = [&root.id, &other.id].map(|id| delete_user(domain, id, now));
    let outcomes = all(both).await;
    let codes: Vec<_> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().err().map(|e| e.code())).collect();
    assert_eq!(codes, [Code::LastAdmin]);
    let left = if outcomes[0].is_ok() { other } else { root };
    let refused = delete_user(domain, &left.id, now).await.unwrap_err();
    assert_eq!(refused.code(), Code::LastAdmin);
    clean(&fixture).await;
    fixture.sign_in(left.email.unwrap().as_str()).await;
}

#[tokio::test]
async fn an_administrator_who_is_suspended_is_nobody_to_rely_on() {
    let fixture = Fixture::new().await;
    let (root, mut other) =
        (fixture.admin("root@corp.sys").await, fixture.admin("b@corp.sys").await);
    other.status = crate::user::UserStatus::Suspended;
    fixture.put_user(&other).await;
    let refused = delete_user(&fixture.domain, &root.id, fixture.now()).await.unwrap_err();
    assert_eq!(refused.code(), Code::LastAdmin);
    delete_user(&fixture.domain, &other.id, fixture.now()).await.unwrap();
    clean(&fixture).await;
}

#[tokio::test]
async fn a_tenant_with_more_members_than_a_page_goes_with_all_of_them() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await.id;
    let mut last = None;
    for number in 0..=crate::purge::PAGE {
        let joined = user(&fixture, &format!("user{number}@example.org")).await;
        fixture.member(&acme, &joined, &["TENANT_USER"]).await;
        last = Some(joined);
    }
    let last = last.unwrap();
    assert_eq!(fixture.reload(&last).await.default_tenant, Some(acme.clone()));
    delete_tenant(&fixture.domain, &acme, fixture.now()).await.unwrap();
    clean(&fixture).await;
    assert_eq!(fixture.reload(&last).await.default_tenant, None);
    let again = delete_tenant(&fixture.domain, &acme, fixture.now()).await.unwrap_err();
    assert_eq!(again.code(), Code::TenantNotFound);
}

#[tokio::test]
async fn a_user_with_more_memberships_and_sessions_than_a_page_goes_with_all_of_them() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    for number in 0..=crate::purge::PAGE {
        let slug = Slug::parse(&format!("tenant-{number}")).unwrap();
        let ask = CreateTenant { slug, name: None, id: None };
        let tenant = create_tenant(&fixture.domain, &caller, &ask).await.unwrap();
        fixture.member(&tenant.id, &ann, &["TENANT_USER"]).await;
        fixture.sign_in("ann@example.org").await;
    }
    delete_user(&fixture.domain, &ann.id, fixture.now()).await.unwrap();
    clean(&fixture).await;
    let again = delete_user(&fixture.domain, &ann.id, fixture.now()).await.unwrap_err();
    assert_eq!(again.code(), Code::UserNotFound);
    user(&fixture, "ann@example.org").await;
    clean(&fixture).await;
}

#[tokio::test]
async fn the_id_of_a_deleted_tenant_never_returns_and_its_slug_after_ninety_days() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let corp = TenantId::parse("corp").unwrap();
    let ask = |slug: &str, id: Option<&TenantId>| CreateTenant {
        slug: Slug::parse(slug).unwrap(),
        name: None,
        id: id.cloned(),
    };
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let first = ask("acme", Some(&corp));
    create_tenant(&fixture.domain, &caller, &first).await.unwrap();
    delete_tenant(&fixture.domain, &corp, fixture.now()).await.unwrap();
    let ninety_days = 90 * 24 * 3_600_000;
    fixture.clock.advance(ninety_days - 1);
    for (slug, id) in [("acme", None), ("other", Some(&corp)), ("corp", None)] {
        let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let refused = create_tenant(&fixture.domain, &caller, &ask(slug, id)).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantExists, "{slug}");
    }
    fixture.clock.advance(1);
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    create_tenant(&fixture.domain, &caller, &ask("acme", None)).await.unwrap();
    let never = create_tenant(&fixture.domain, &caller, &ask("corp", None)).await.unwrap_err();
    assert_eq!(never.code(), Code::TenantExists);
    clean(&fixture).await;
}

#[tokio::test]
async fn a_tenant_whose_id_is_its_slug_is_made_found_and_deleted_like_any_other() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = TenantId::parse("acme").unwrap();
    let ask = |slug: &str, id: Option<&TenantId>| CreateTenant {
        slug: Slug::parse(slug).unwrap(),
        name: None,
        id: id.cloned(),
    };
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let (domain, now) = (&fixture.domain, fixture.now());
    let made = create_tenant(domain, &caller, &ask("acme", Some(&acme))).await.unwrap();
    let name = TenantRef::from(&acme);
    assert_eq!(get_tenant(domain, &caller, &name).await.unwrap(), made);
    clean(&fixture).await;
    let refused = |slug: &'static str, id: Option<&TenantId>| {
        let (ask, caller) = (ask(slug, id), &caller);
        async move { create_tenant(domain, caller, &ask).await.unwrap_err().code() }
    };
    for (slug, id) in [("acme", Some(&acme)), ("acme", None), ("other", Some(&acme))] {
        assert_eq!(refused(slug, id).await, Code::TenantExists, "{slug}");
    }
    delete_tenant(domain, &acme, now).await.unwrap();
    let gone = get_tenant(domain, &caller, &name).await.unwrap_err();
    assert_eq!(gone.code(), Code::TenantNotFound);
    clean(&fixture).await;
    // The name is an id, and an id is never used again.
    fixture.clock.advance(90 * 24 * 3_600_000);
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    for (slug, id) in [("acme", Some(&acme)), ("acme", None), ("other", Some(&acme))] {
        let refused = create_tenant(domain, &caller, &ask(slug, id)).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantExists, "{slug}");
    }
    clean(&fixture).await;
}

#[tokio::test]
async fn an_address_that_was_left_can_be_returned_to_and_is_free_after_a_week() {
    let fixture = Fixture::new().await;
    let mut ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    ann.email_verified = true;
    fixture.put_user(&ann).await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let (old, new) =
        (Email::parse("ann@example.org").unwrap(), Email::parse("ann@example.com").unwrap());
    let changed = change_email(domain, &ann.id, &new, now).await.unwrap();
    assert_eq!((changed.email.as_ref(), changed.email_verified), (Some(&new), false));
    let back = change_email(domain, &ann.id, &old, now).await.unwrap();
    assert_eq!(back.email.as_ref(), Some(&old));
    change_email(domain, &ann.id, &new, now).await.unwrap();
    clean(&fixture).await;
    fixture.clock.advance(7 * 24 * 60 * 60 * 1000);
    let now = fixture.now();
    let ben = user(&fixture, "ann@example.org").await;
    let refused = change_email(domain, &ben.id, &new, now).await.unwrap_err();
    assert_eq!(refused.code(), Code::EmailExists);
    clean(&fixture).await;
}

/// As an earlier version wrote them: no record names the operation that made it.
async fn forget_tokens(fixture: &Fixture) {
    let (store, now) = (&fixture.domain.store, fixture.now());
    let mut walk = store.walk(now).await.unwrap();
    let mut rewritten = 0;
    while let Some(page) = walk.next().await.unwrap() {
        for (key, stored) in page.records {
            let stored = stored.unwrap();
            let Ok(mut json) = serde_json::from_slice(&stored.value()[1..]) else { continue };
            if strip(&mut json) {
                let bytes = [b"\x01".to_vec(), serde_json::to_vec(&json).unwrap()].concat();
                store.put(&key, Entry::new(&bytes), Timestamp::from_millis(0)).await.unwrap();
                rewritten += 1;
            }
        }
    }
    assert!(rewritten >= 8, "{rewritten}");
}

fn strip(json: &mut serde_json::Value) -> bool {
    let serde_json::Value::Object(members) = json else { return false };
    let stripped = members.remove("token").is_some() | members.remove("emailClaim").is_some();
    members.get_mut("live").is_some_and(strip) || stripped
}

#[tokio::test]
async fn records_from_before_operations_had_ids_are_changed_and_deleted_like_any_other() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await.id;
    let beta = fixture.tenant("root@corp.sys", "beta").await.id;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let ben = fixture.user("ben@example.org", GlobalRole::CompanyEmployee).await;
    for tenant in [&acme, &beta] {
        fixture.member(tenant, &ann, &["TENANT_USER"]).await;
    }
    fixture.member(&beta, &ben, &["TENANT_USER"]).await;
    forget_tokens(&fixture).await;
    clean(&fixture).await;
    let (domain, now) = (&fixture.domain, fixture.now());
    remove_member(domain, &acme, &ann.id, now).await.unwrap();
    let roles = || [RoleName::parse("TENANT_USER").unwrap()].into();
    add_member(domain, &acme, &ann.id, roles(), now).await.unwrap();
    change_email(domain, &ann.id, &Email::parse("new@example.org").unwrap(), now).await.unwrap();
    clean(&fixture).await;
    fixture.clock.advance(7 * 24 * 60 * 60 * 1000);
    let now = fixture.now();
    user(&fixture, "ann@example.org").await;
    clean(&fixture).await;
    delete_user(domain, &ben.id, now).await.unwrap();
    delete_tenant(domain, &beta, now).await.unwrap();
    clean(&fixture).await;
    delete_user(domain, &ann.id, now).await.unwrap();
    clean(&fixture).await;
}
