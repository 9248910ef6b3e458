//! Every rule, broken on purpose: the verification names that rule and no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use tikti_store::{Entry, Kind, OpenOptions};

use super::*;
use crate::account::{NewUser, OobRequest, change_email, create_user, delete_user};
use crate::api_key::KeyScope;
use crate::api_keys::LastUse;
use crate::email::Email;
use crate::id::{ApiKeyId, ClientId, OperationId, RoleName, Slug, TenantId};
use crate::record::Record;
use crate::role::Roles;
use crate::session::DeniedToken;
use crate::tenancy::tenant_admins::TenantAdmins;
use crate::tenancy::{CreateTenant, add_member, create_tenant, remove_member};
use crate::tenant::{NameClaim, Tenant, TenantStatus};
use crate::testing::{Fixture, START, bearing, new_directory};
use crate::user::{Admins, EmailClaim, GlobalRole, User};

mod api_keys;
mod chains;
mod intents;
mod tenant_admins;

/// A deployment with one of everything.
struct World {
    fixture: Fixture,
    acme: Tenant,
    root: User,
    ann: User,
    /// An API key of `acme`.
    key: ApiKeyId,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let root = fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await;
        let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
        fixture.sign_in("ann@example.org").await;
        // Of a user, and of nobody.
        for email in ["ann@example.org", "nobody@example.org"] {
            let email = Email::parse(email).unwrap();
            fixture.oob_code(OobRequest::PasswordReset(email)).await;
        }
        let of_acme = Some(acme.id.clone());
        fixture.api_key("ours", &[KeyScope::SignIn], |key| key.tenant_id = of_acme).await;
        fixture.api_key("global", &[KeyScope::SignIn], |_| ()).await;
        let key = ApiKeyId::parse("ours").unwrap();
        let world = Self { fixture, acme, root, ann, key };
        world.put(&keyspace::api_key_use(&world.key), &LastUse { at: START }).await;
        world
    }

    fn store(&self) -> &Store {
        &self.fixture.domain.store
    }

    async fn put_raw(&self, key: &Key, json: &str) {
        let value = [b"\x01", json.as_bytes()].concat();
        self.store().put(key, Entry::new(&value), START).await.unwrap();
    }

    /// An operation that began then.
    async fn put_intent(&self, since: Timestamp, work: &str) {
        let id = "01JD000000000000000000000Z";
        let key = Key::new(&keyspace::of_intents(15), keyspace::INTENT, id);
        let since = since.as_millis();
        self.put_raw(&key, &format!(r#"{{"since":{since},"work":{work}}}"#)).await;
    }

    async fn put<T: Record + Sync>(&self, key: &Key, record: &T) {
        self.store().put(key, Entry::new(&record.encode().unwrap()), START).await.unwrap();
    }

    async fn delete(&self, key: &Key) {
        self.store().delete(key).await.unwrap();
    }

    async fn read<T: Record>(&self, key: &Key) -> T {
        T::decode(key, &self.store().get(key, START).await.unwrap().unwrap()).unwrap()
    }

    async fn verify(&self) -> IntegrityReport {
        verify(self.store(), START, &mut |_| ()).await.unwrap()
    }

    async fn broken(&self) -> BTreeSet<Rule> {
        self.verify().await.findings.into_iter().map(|finding| finding.rule).collect()
    }

    async fn client(&self, tenant: &TenantId, id: &str, bytes_of: &str) {
        let from = keyspace::client(&self.acme.id, &ClientId::parse(bytes_of).unwrap());
        let client: crate::client::Client = self.read(&from).await;
        self.put(&keyspace::client(tenant, &ClientId::parse(id).unwrap()), &client).await;
    }

    /// Breaks one rule; gives the rules that cannot be kept without it.
    async fn break_rule(&self, rule: Rule) -> Vec<Rule> {
        match rule {
            Rule::Damaged
            | Rule::UnknownKey
            | Rule::Unreadable
            | Rule::OtherId
            | Rule::UnfinishedCopy
            | Rule::OperationUnfinished
            | Rule::NoDeployment
            | Rule::NoSigningKeys
            | Rule::ForeignKey => self.break_a_record(rule).await,
            Rule::EmailClaimWithoutUser
            | Rule::EmailClaimDiffers
            | Rule::UserWithoutEmailClaim
            | Rule::AdminNotListed
            | Rule::GhostAdmin
            | Rule::UserNotListed
            | Rule::UserEntryWithoutUser
            | Rule::RecordWithoutUser => self.break_a_user(rule).await,
            Rule::MemberNotListed
            | Rule::MemberTokenDiffers
            | Rule::EntryWithoutMember
            | Rule::TenantAdminNotListed
            | Rule::GhostTenantAdmin
            | Rule::MemberWithoutUser => return self.break_a_membership(rule).await,
            Rule::ApiKeyNotListed
            | Rule::ApiKeyEntryWithoutKey
            | Rule::ApiKeyDiffers
            | Rule::ApiKeyWithoutTenant
            | Rule::RecordWithoutApiKey => return self.break_a_key(rule).await,
            Rule::AuditLinkDiffers | Rule::AuditHeadDiffers | Rule::AuditCheckpointDiffers => {
                self.break_a_chain(rule).await;
            }
            Rule::NameClaimWithoutTenant
            | Rule::TenantWithoutNameClaim
            | Rule::TenantEntryWithoutTenant
            | Rule::TenantNotListed
            | Rule::DeletionAbandoned
            | Rule::RecordWithoutTenant
            | Rule::BuiltInRolesMissing
            | Rule::BuiltInClientMissing => self.break_a_tenant(rule).await,
        }
        Vec::new()
    }

    async fn break_a_record(&self, rule: Rule) {
        match rule {
            Rule::Damaged => {
                // The bytes of another record: its checksum is over another key.
                let claim = keyspace::name_claim("acme");
                let bytes = self.store().get(&claim, START).await.unwrap().unwrap();
                let key = keyspace::name_claim("other");
                self.store().load(&[(key, bytes)], START).await.unwrap();
            }
            Rule::UnknownKey => {
                let novel = Kind::new("novel");
                self.put_raw(&Key::new(&Partition::global(), novel, "a"), "{}").await;
            }
            Rule::Unreadable => {
                let key = keyspace::client(&self.acme.id, &ClientId::parse("new").unwrap());
                self.put_raw(&key, r#"{"id":"secret@example.org"}"#).await;
            }
            Rule::OtherId => self.client(&self.acme.id, "other", "tikti").await,
            Rule::UnfinishedCopy => {
                let begun = Entry::new(b"a copy");
                self.store().put(&tikti_store::copy::mark(), begun, START).await.unwrap();
            }
            Rule::OperationUnfinished => {
                let work = r#"{"deleteTenant":{"tenantId":"t-other"}}"#;
                self.put_intent(Timestamp::from_millis(1), work).await;
            }
            Rule::NoDeployment => self.delete(&keyspace::deployment()).await,
            Rule::NoSigningKeys => self.delete(&keyspace::signing_keys()).await,
            // The store writes no such key: see the test of its own below.
            _ => {}
        }
    }

    async fn break_a_user(&self, rule: Rule) {
        match rule {
            Rule::EmailClaimWithoutUser => {
                let bytes: EmailClaim = self.read(&email_claim("ann@example.org")).await;
                self.put(&email_claim("other@example.org"), &bytes).await;
            }
            Rule::EmailClaimDiffers => {
                let key = email_claim("ann@example.org");
                let mut claim: EmailClaim = self.read(&key).await;
                claim.token = OperationId::parse("01JD000000000000000000000Z").unwrap();
                self.put(&key, &claim).await;
            }
            Rule::UserWithoutEmailClaim => self.delete(&email_claim("ann@example.org")).await,
            Rule::AdminNotListed => self.put(&keyspace::admins(), &Admins::default()).await,
            Rule::GhostAdmin => {
                let user_ids = [self.root.id.clone(), self.ann.id.clone()].into();
                self.put(&keyspace::admins(), &Admins { user_ids, ..Admins::default() }).await;
            }
            Rule::UserNotListed => self.delete(&keyspace::user_entry(&self.ann.id)).await,
            Rule::UserEntryWithoutUser => {
                let nobody = UserId::parse("nobody").unwrap();
                self.put_raw(&keyspace::user_entry(&nobody), "{}").await;
            }
            _ => {
                let nobody = UserId::parse("nobody").unwrap();
                self.put(&keyspace::denied_token(&nobody, "j"), &DeniedToken {}).await;
            }
        }
    }

    async fn break_a_membership(&self, rule: Rule) -> Vec<Rule> {
        let entry = keyspace::membership_entry(&self.ann.id, &self.acme.id);
        let member = keyspace::member(&self.acme.id, &self.ann.id);
        match rule {
            Rule::MemberNotListed => self.delete(&entry).await,
            Rule::MemberTokenDiffers => {
                self.put_raw(&entry, r#"{"token":"01JD000000000000000000000Z"}"#).await;
            }
            Rule::EntryWithoutMember => self.delete(&member).await,
            Rule::TenantAdminNotListed => self.put_tenant_admins(&[], &[]).await,
            Rule::GhostTenantAdmin => {
                self.put_tenant_admins(&[&self.root, &self.ann], &[]).await;
            }
            _ => {
                let nobody = UserId::parse("nobody").unwrap();
                let mut held: crate::membership::Membership = self.read(&member).await;
                held.user_id = nobody.clone();
                self.put(&keyspace::member(&self.acme.id, &nobody), &held).await;
                let bytes: crate::tenant::ListEntry = self.read(&entry).await;
                self.put(&keyspace::membership_entry(&nobody, &self.acme.id), &bytes).await;
                return vec![Rule::RecordWithoutUser];
            }
        }
        Vec::new()
    }

    /// Says who administers the tenant: those who count, and those who do not.
    async fn put_tenant_admins(&self, counted: &[&User], away: &[&User]) {
        let user_ids = counted.iter().map(|user| user.id.clone()).collect();
        let by = || OperationId::parse("01JD000000000000000000000Z").unwrap();
        let away = away.iter().map(|user| (user.id.clone(), by())).collect();
        let key = keyspace::tenant_admins(&self.acme.id);
        self.put(&key, &TenantAdmins { user_ids, away }).await;
    }

    async fn break_a_tenant(&self, rule: Rule) {
        let (id, none) = (&self.acme.id, TenantId::parse("t-none").unwrap());
        match rule {
            Rule::NameClaimWithoutTenant => {
                let bytes: NameClaim = self.read(&keyspace::name_claim("acme")).await;
                self.put(&keyspace::name_claim("stray"), &bytes).await;
            }
            Rule::TenantWithoutNameClaim => self.delete(&keyspace::name_claim("acme")).await,
            Rule::TenantEntryWithoutTenant => {
                self.put_raw(&keyspace::tenant_entry(&none), "{}").await;
            }
            Rule::TenantNotListed => self.delete(&keyspace::tenant_entry(id)).await,
            Rule::DeletionAbandoned => {
                let mut deleting = self.acme.clone();
                deleting.status = TenantStatus::Deleting;
                self.fixture.put_tenant(&deleting).await;
            }
            Rule::RecordWithoutTenant => self.client(&none, "tikti", "tikti").await,
            Rule::BuiltInRolesMissing => {
                self.put(&keyspace::roles(id), &Roles::default()).await;
            }
            _ => {
                let tikti = ClientId::parse("tikti").unwrap();
                self.delete(&keyspace::client(id, &tikti)).await;
            }
        }
    }
}

fn email_claim(email: &str) -> Key {
    keyspace::email_claim(&Email::parse(email).unwrap())
}

#[tokio::test]
async fn a_sound_deployment_has_no_finding_and_its_records_are_counted() {
    let world = World::new().await;
    let mut told = Vec::new();
    let report =
        verify(world.store(), START, &mut |progress| told.push(progress.done)).await.unwrap();
    assert_eq!((report.findings_total, &report.findings), (0, &Vec::new()));
    assert_eq!(report.pending, 0);
    assert_eq!(report.records, report.kinds.values().sum::<u64>());
    let counts = ["u/user", "t/tenant", "s/claim", "t/member", "k/key", "g/deployment"];
    assert_eq!(counts.map(|kind| report.kinds[kind]), [2, 1, 2, 2, 2, 1]);
    assert_eq!(told.last(), Some(&report.records));
}

#[tokio::test]
async fn names_every_rule_that_is_broken_and_no_other() {
    for rule in Rule::ALL.iter().copied().filter(|rule| *rule != Rule::ForeignKey) {
        let world = World::new().await;
        let mut expected: BTreeSet<Rule> = world.break_rule(rule).await.into_iter().collect();
        expected.insert(rule);
        let report = world.verify().await;
        let found: BTreeSet<Rule> = report.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(found, expected, "{rule:?}: {:?}", report.findings);
        assert!(report.findings.iter().all(|finding| !finding.detail.contains('@')), "{rule:?}");
    }
}

#[tokio::test]
async fn a_tenant_without_any_roles_lacks_the_built_in_ones() {
    let world = World::new().await;
    world.delete(&keyspace::roles(&world.acme.id)).await;
    assert_eq!(world.broken().await, [Rule::BuiltInRolesMissing].into());
}

#[tokio::test]
async fn a_tenant_whose_id_is_its_slug_has_one_claim_and_lacks_one() {
    let world = World::new().await;
    let caller = bearing(&world.fixture.sign_in("root@corp.sys").await.id_token);
    let (slug, id) = (Slug::parse("corp").unwrap(), TenantId::parse("corp").unwrap());
    let ask = CreateTenant { slug, name: None, id: Some(id) };
    create_tenant(&world.fixture.domain, &caller, &ask).await.unwrap();
    assert_eq!(world.verify().await.findings, []);
    world.delete(&keyspace::name_claim("corp")).await;
    let report = world.verify().await;
    let found: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(found, [Rule::TenantWithoutNameClaim]);
}

#[tokio::test]
async fn what_a_deleted_tenant_was_called_rests_and_what_an_abandoned_one_was_is_a_finding() {
    for (cause, expected) in [
        (r#"{"since":1,"cause":"deleted"}"#, BTreeSet::new()),
        (r#"{"since":1,"cause":"abandoned"}"#, [Rule::NameClaimWithoutTenant].into()),
    ] {
        let world = World::new().await;
        let gone = TenantId::parse("t-gone").unwrap();
        world.put_raw(&keyspace::tenant(&gone), &format!(r#"{{"tombstone":{cause}}}"#)).await;
        for name in ["t-gone", "gone"] {
            let json = r#"{"tenantId":"t-gone"}"#;
            world.put_raw(&keyspace::name_claim(name), json).await;
        }
        assert_eq!(world.broken().await, expected);
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_may_outlive_its_user_and_a_session_may_not() {
    let world = World::new().await;
    let gone = UserId::parse("gone").unwrap();
    let tombstone = r#"{"tombstone":{"since":1,"cause":"deleted"}}"#;
    world.put_raw(&keyspace::user(&gone), tombstone).await;
    world.put(&keyspace::denied_token(&gone, "j"), &DeniedToken {}).await;
    let no_tenant = TenantId::parse("gone").unwrap();
    world.put(&keyspace::denied_in_tenant(&no_tenant, "j"), &DeniedToken {}).await;
    assert_eq!(world.broken().await, BTreeSet::new());
    let sid = "01JD0000000000000000000000";
    let session = format!(
        r#"{{"id":"{sid}","userId":"gone","createdAt":1,"refreshedAt":1,"door":"plain","amr":[]}}"#
    );
    let key = keyspace::session(&gone, &crate::id::SessionId::parse(sid).unwrap());
    world.put_raw(&key, &session).await;
    assert_eq!(world.broken().await, [Rule::RecordWithoutUser].into());
}

#[tokio::test]
async fn a_code_that_stands_among_those_of_another_type_is_found() {
    let world = World::new().await;
    let key = keyspace::oob_code(crate::oob_code::OobType::EmailSignIn, "AAAA");
    let code = include_str!("../../tests/domain/golden/oob-code-change-1.json");
    world.put_raw(&key, code.trim()).await;
    assert_eq!(world.broken().await, [Rule::OtherId].into());
}

#[tokio::test]
async fn a_record_that_hangs_on_a_damaged_one_is_not_judged() {
    let world = World::new().await;
    let other = world.store().get(&keyspace::admins(), START).await.unwrap().unwrap();
    world.store().load(&[(keyspace::user(&world.ann.id), other)], START).await.unwrap();
    assert_eq!(world.broken().await, [Rule::Damaged].into());
}

#[tokio::test]
async fn all_findings_are_counted_and_the_first_thousand_given() {
    let world = World::new().await;
    for number in 0..1005 {
        let id = TenantId::parse(&format!("t-{number}")).unwrap();
        world.put_raw(&keyspace::tenant_entry(&id), "{}").await;
    }
    let report = world.verify().await;
    assert_eq!((report.findings_total, report.findings.len()), (1005, MOST_FINDINGS));
}

#[tokio::test]
async fn an_expired_record_breaks_no_rule() {
    let world = World::new().await;
    let nobody = UserId::parse("nobody").unwrap();
    let entry = DeniedToken {}.encode().unwrap();
    let entry = Entry::new(&entry).expires_at(START.plus_millis(1));
    let key = keyspace::denied_token(&nobody, "j");
    world.store().put(&key, entry, START).await.unwrap();
    assert_eq!(world.broken().await, [Rule::RecordWithoutUser].into());
    let later = START.plus_millis(1);
    let report = verify(world.store(), later, &mut |_| ()).await.unwrap();
    assert_eq!(report.findings, []);
}

/// Operations run one behind the other, on the same things, while the store is verified over and over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_and_goes_during_a_verification_is_no_finding() {
    let world = Arc::new(World::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(come_and_go(Arc::clone(&world)));
    let mut verified = 0;
    while tasks.try_join_next().is_none() {
        assert_eq!(world.verify().await.findings, []);
        verified += 1;
    }
    println!("verified {verified} times");
}

async fn come_and_go(world: Arc<World>) {
    let (domain, acme, ann) = (&world.fixture.domain, &world.acme.id, &world.ann.id);
    let addresses = ["ann@example.org", "bee@example.org"].map(|text| Email::parse(text).unwrap());
    for round in 0..40 {
        remove_member(domain, acme, ann, START).await.unwrap();
        let roles = [RoleName::parse("TENANT_USER").unwrap()].into();
        add_member(domain, acme, ann, roles, START).await.unwrap();
        let to = &addresses[(round + 1) % 2];
        change_email(domain, ann, to, START).await.unwrap();
        let other = &addresses[round % 2];
        let new = NewUser { email: other.clone(), password_hash: None, role: GlobalRole::Admin };
        let made = create_user(domain, new, START).await.unwrap();
        delete_user(domain, &made.id, START).await.unwrap();
    }
}

/// No call of the store writes such a key, so its file is edited.
#[tokio::test]
async fn a_key_of_another_program_is_a_finding() {
    let directory = new_directory();
    let url = format!("embedded:{}", directory.path().display());
    let open = || Store::open(&url, OpenOptions::new([3; 16], "test"));
    let store = open().await.unwrap();
    let key = Key::new(&Partition::new("k", "zzzz"), Kind::new("foreign"), "");
    store.put(&key, Entry::new(b"1"), START).await.unwrap();
    drop(store);
    let file = directory.path().join("data.mdb");
    let mut bytes = std::fs::read(&file).unwrap();
    let (from, to) = (b"k:zzzz/foreign/", b"k:zzzz!foreign!");
    let at: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, w)| w == from)
        .map(|(at, _)| at)
        .collect();
    for at in at {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(&file, bytes).unwrap();
    let report = verify(&open().await.unwrap(), START, &mut |_| ()).await.unwrap();
    let found: Vec<_> =
        report.findings.iter().map(|finding| (finding.rule, finding.key.as_str())).collect();
    assert_eq!(
        found,
        [
            (Rule::ForeignKey, "k:zzzz!foreign!"),
            (Rule::NoDeployment, "g/deployment/"),
            (Rule::NoSigningKeys, "g/signing_keys/")
        ]
    );
}

#[test]
fn every_rule_has_a_sentence_of_its_own() {
    let sentences: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
    assert_eq!(sentences.len(), Rule::ALL.len());
    assert!(Rule::ALL.iter().all(|rule| !rule.spec().is_empty()));
}
