//! The operations under test, each with what it needs, and what can be seen of it from outside.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tikti_store::{FaultPlan, Store};

use super::api_keys;
use super::furnish::furnish;
use super::roles::{create_role, role_is_there};
use super::sessions::{end_sessions, events_about};
use crate::account::change_user::change_user;
use crate::account::{
    ImportedUser, Lookup, NewUser, change_email, create_user, delete_user, find_by_email,
    import_user, lookup,
};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ApiKeyId, OperationId, RoleName, Slug, TenantId, TenantRef, UserId};
use crate::keyspace;
use crate::mail::MailKind;
use crate::password::PasswordHash;
use crate::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, Swept, sweep};
use crate::tenancy::{
    CreateTenant, Standing, add_member, create_tenant, delete_tenant, get_tenant, remove_member,
    resolve, standing,
};
use crate::testing::{Fixture, PASSWORD, bearing, keyed, redis_is_chosen};
use crate::user::{GlobalRole, User, UserChange, UserStatus};

/// An operation of several partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateUser,
    CreateAdmin,
    ImportUser,
    ChangeEmail,
    DeleteUser,
    DeleteAdmin,
    CreateTenant,
    CreateTenantOfId,
    /// Its id is its slug.
    CreateTenantOfOneName,
    DeleteTenant,
    AddMember,
    RemoveMember,
    SuspendAdmin,
    Promote,
    /// One of those whose change is in one partition and its audit event in another.
    CreateRole,
    /// The same in a partition of a user.
    EndSessions,
    CreateKey,
    DisableKey,
    DeleteKey,
}

impl Operation {
    pub(super) const ALL: [Self; 19] = [
        Self::CreateUser,
        Self::CreateAdmin,
        Self::ImportUser,
        Self::ChangeEmail,
        Self::DeleteUser,
        Self::DeleteAdmin,
        Self::CreateTenant,
        Self::CreateTenantOfId,
        Self::CreateTenantOfOneName,
        Self::DeleteTenant,
        Self::AddMember,
        Self::RemoveMember,
        Self::SuspendAdmin,
        Self::Promote,
        Self::CreateRole,
        Self::EndSessions,
        Self::CreateKey,
        Self::DisableKey,
        Self::DeleteKey,
    ];

    /// What a repeated call may say that has nothing left to do.
    pub(super) fn says_that_it_was_done(self, code: Code) -> bool {
        code == match self {
            Self::CreateUser | Self::CreateAdmin => Code::EmailExists,
            Self::CreateTenant | Self::CreateTenantOfId | Self::CreateTenantOfOneName => {
                Code::TenantExists
            }
            Self::AddMember => Code::MemberExists,
            Self::DeleteUser | Self::DeleteAdmin | Self::RemoveMember => Code::UserNotFound,
            Self::DeleteTenant => Code::TenantNotFound,
            Self::CreateRole => Code::RoleExists,
            Self::DeleteKey => Code::ApiKeyNotFound,
            // Say nothing: everything is as it was asked for.
            Self::ChangeEmail | Self::ImportUser | Self::SuspendAdmin => return false,
            Self::Promote | Self::CreateKey | Self::DisableKey => return false,
            Self::EndSessions => return false,
        }
    }

    /// Whether the sweep carries it on although its decisive step did not happen.
    pub(super) fn takes_away(self) -> bool {
        matches!(
            self,
            Self::DeleteUser
                | Self::DeleteAdmin
                | Self::DeleteTenant
                | Self::RemoveMember
                | Self::SuspendAdmin
        )
    }
}

/// A deployment with an administrator, and a second replica whose store can be made to fail.
pub(super) struct World {
    pub(super) fixture: Fixture,
    pub(super) replica: Domain,
    hash: PasswordHash,
    cases: AtomicU32,
    /// Every address that a mail went to which offers the way back.
    told: Mutex<BTreeSet<String>>,
}

/// One operation on things of its own.
pub(super) struct Case {
    pub(super) operation: Operation,
    root: SecretString,
    user: UserId,
    email: Email,
    other_email: Email,
    slug: Slug,
    tenant: TenantId,
    key: ApiKeyId,
    /// A token of the user, who was there before: with the tenant's context where he is a member.
    token: Option<SecretString>,
    hash: PasswordHash,
}

impl World {
    pub(super) async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let hash = fixture.domain.passwords.hash(&PASSWORD.to_owned().into()).await.unwrap();
        let replica = open_replica(&fixture, 2).await;
        Self { fixture, replica, hash, cases: AtomicU32::new(0), told: Mutex::default() }
    }

    /// A number that no other case has.
    pub(super) fn next(&self) -> u32 {
        self.cases.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn store(&self) -> &Store {
        &self.fixture.domain.store
    }

    /// Makes the replica's store fail as planned.
    pub(super) fn fail(&mut self, plan: &Arc<FaultPlan>) {
        self.replica.store = self.store().with_faults(Arc::clone(plan));
    }

    /// Makes what the operation needs, with names that no other case has.
    pub(super) async fn case(&self, operation: Operation) -> Case {
        let (fixture, number) = (&self.fixture, self.next());
        let root = fixture.sign_in("root@corp.sys").await.id_token;
        let mut case = Case {
            operation,
            root,
            user: UserId::parse("nobody").unwrap(),
            email: Email::parse(&format!("user{number}@example.org")).unwrap(),
            other_email: Email::parse(&format!("other{number}@example.org")).unwrap(),
            slug: Slug::parse(&format!("tenant-{number}")).unwrap(),
            tenant: TenantId::parse(&format!("given-{number}")).unwrap(),
            key: api_keys::key_id(number),
            token: None,
            hash: self.hash.clone(),
        };
        let email = case.email.as_str().to_owned();
        match operation {
            Operation::CreateUser | Operation::CreateAdmin => return case,
            Operation::ImportUser => {
                case.user = UserId::parse(&format!("Given_{number}")).unwrap();
                return case;
            }
            Operation::CreateTenant | Operation::CreateTenantOfId => return case,
            Operation::CreateTenantOfOneName => {
                case.tenant = TenantId::parse(case.slug.as_str()).unwrap();
                return case;
            }
            Operation::DeleteAdmin | Operation::SuspendAdmin => {
                case.user = fixture.admin(&email).await.id;
            }
            _ => case.user = fixture.user(&email, GlobalRole::CompanyEmployee).await.id,
        }
        let has_tenant = ![Operation::ChangeEmail, Operation::Promote].contains(&operation);
        if has_tenant {
            case.tenant = fixture.tenant("root@corp.sys", case.slug.as_str()).await.id;
        }
        let joins = [
            Operation::DeleteUser,
            Operation::DeleteAdmin,
            Operation::DeleteTenant,
            Operation::RemoveMember,
            Operation::SuspendAdmin,
            Operation::EndSessions,
        ];
        if joins.contains(&operation) {
            let user = case.load(fixture).await.unwrap();
            fixture.member(&case.tenant, &user, &["TENANT_ADMIN"]).await;
        }
        match operation {
            Operation::DeleteTenant => furnish(fixture, &case.tenant, number).await,
            Operation::DisableKey | Operation::DeleteKey => {
                api_keys::put_key(fixture, &case.tenant, number).await;
            }
            _ => {}
        }
        case.token = Some(fixture.sign_in(&email).await.id_token);
        case
    }

    /// Waits until everything that was begun is taken for dead, and sweeps once.
    pub(super) async fn sweep(&self) -> Swept {
        self.land().await;
        self.age();
        sweep_all(&self.fixture.domain, self.fixture.now()).await
    }

    /// Waits for every write that somebody has begun and not waited for: it is in front of this one.
    pub(super) async fn land(&self) {
        self.store().delete(&keyspace::intent(&OperationId::default())).await.unwrap();
    }

    pub(super) fn age(&self) {
        self.fixture.clock.advance(SWEEP_AFTER_MILLIS);
    }

    /// Fails unless whoever lost an address was told, and nobody else was.
    pub(super) async fn assert_told(&self, case: &Case, when: &str) {
        let due = self.fixture.mails().await;
        let due = due.into_iter().filter(|mail| mail.kind == MailKind::RecoverEmail);
        let due: Vec<_> = due.map(|mail| mail.to.as_str().to_owned()).collect();
        let is_told = {
            let mut told = self.told.lock().unwrap();
            told.extend(due);
            told.contains(case.email.as_str())
        };
        let has_left =
            case.operation == Operation::ChangeEmail && case.is_done(&self.fixture).await;
        assert_eq!(is_told, has_left, "{when}");
    }

    /// Fails unless all records fit together.
    pub(super) async fn assert_clean(&self, when: &str) {
        assert_clean(self.store(), self.fixture.now(), when).await;
    }
}

/// Whether a run on Redis leaves this case out: of every five cases it takes one. For what is not
/// about the engine, and is tried in full on the embedded one.
pub(super) fn is_left_out(number: u64) -> bool {
    redis_is_chosen() && !number.is_multiple_of(5)
}

/// Another replica of the same deployment, which waits before every write of its store: whoever polls what it
/// does can stop it there.
pub(super) async fn open_replica(fixture: &Fixture, seed: u64) -> Domain {
    fixture.replica(seed, &FaultPlan::wait_before_writes()).await
}

/// Sweeps until there is nothing more to do.
pub(super) async fn sweep_all(domain: &Domain, now: Timestamp) -> Swept {
    let mut cursor = SweepCursor::default();
    let mut total = Swept::default();
    loop {
        let swept = sweep(domain, &mut cursor, now).await.unwrap();
        total.finished += swept.finished;
        total.failed += swept.failed;
        if !swept.more {
            return total;
        }
    }
}

/// Fails unless all records fit together and nothing is under way.
pub(super) async fn assert_clean(store: &Store, now: Timestamp, when: &str) {
    let report = crate::integrity::verify(store, now, &mut |_| ()).await.unwrap();
    assert_eq!((report.findings, report.pending), (Vec::new(), 0), "{when}");
}

impl Case {
    /// Runs the operation on one replica.
    pub(super) async fn run(&self, domain: &Domain) -> Result<(), Error> {
        let now = domain.clock.now();
        let (user, tenant) = (&self.user, &self.tenant);
        match self.operation {
            Operation::CreateUser => self.create_user(domain, GlobalRole::CompanyEmployee).await,
            Operation::CreateAdmin => self.create_user(domain, GlobalRole::Admin).await,
            Operation::ImportUser => self.import_user(domain).await,
            Operation::ChangeEmail => {
                change_email(domain, user, &self.other_email, now).await.map(|_| ())
            }
            Operation::DeleteUser | Operation::DeleteAdmin => delete_user(domain, user, now).await,
            Operation::CreateTenant => self.create_tenant(domain, None).await,
            Operation::CreateTenantOfId | Operation::CreateTenantOfOneName => {
                self.create_tenant(domain, Some(tenant.clone())).await
            }
            Operation::DeleteTenant => delete_tenant(domain, tenant, now).await,
            Operation::AddMember => {
                let roles = [RoleName::parse("TENANT_ADMIN").unwrap()].into();
                add_member(domain, tenant, user, roles, now).await.map(|_| ())
            }
            Operation::RemoveMember => remove_member(domain, tenant, user, now).await,
            Operation::SuspendAdmin | Operation::Promote => {
                change_user(domain, user, &self.change(), now).await.map(|_| ())
            }
            Operation::CreateRole => create_role(domain, &self.root, tenant).await,
            Operation::EndSessions => end_sessions(domain, &self.root, (tenant, user)).await,
            Operation::CreateKey | Operation::DisableKey | Operation::DeleteKey => {
                api_keys::run(self.operation, domain, &self.root, (tenant, &self.key)).await
            }
        }
    }

    fn change(&self) -> UserChange {
        match self.operation {
            Operation::Promote => {
                UserChange { role: Some(GlobalRole::Admin), ..UserChange::default() }
            }
            _ => UserChange { status: Some(UserStatus::Suspended), ..UserChange::default() },
        }
    }

    async fn create_user(&self, domain: &Domain, role: GlobalRole) -> Result<(), Error> {
        let new =
            NewUser { email: self.email.clone(), password_hash: Some(self.hash.clone()), role };
        create_user(domain, new, domain.clock.now()).await.map(|_| ())
    }

    async fn import_user(&self, domain: &Domain) -> Result<(), Error> {
        let imported = ImportedUser {
            password_hash: Some(self.hash.clone()),
            ..ImportedUser::new(self.user.clone(), self.email.clone())
        };
        import_user(domain, imported, domain.clock.now()).await.map(|_| ())
    }

    async fn create_tenant(&self, domain: &Domain, id: Option<TenantId>) -> Result<(), Error> {
        let ask = CreateTenant { slug: self.slug.clone(), name: None, id };
        create_tenant(domain, &bearing(&self.root), &ask).await.map(|_| ())
    }

    async fn load(&self, fixture: &Fixture) -> Option<User> {
        let key = keyspace::user(&self.user);
        let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
        User::load(&key, stored.as_ref()).unwrap()
    }

    /// Whether the operation has happened, from what can be seen; fails where half of it has.
    pub(super) async fn is_done(&self, fixture: &Fixture) -> bool {
        match self.operation {
            Operation::CreateUser | Operation::CreateAdmin => self.user_is_there(fixture).await,
            Operation::ImportUser => {
                let there = self.user_is_there(fixture).await;
                assert_eq!(there, self.load(fixture).await.is_some());
                there
            }
            Operation::ChangeEmail => {
                let old = signs_in(fixture, &self.email).await;
                let new = signs_in(fixture, &self.other_email).await;
                assert_ne!(old, new, "one address signs in, whatever happens");
                new
            }
            Operation::DeleteUser | Operation::DeleteAdmin => self.user_is_gone(fixture).await,
            Operation::CreateTenant
            | Operation::CreateTenantOfId
            | Operation::CreateTenantOfOneName => self.tenant_is_there(fixture).await,
            Operation::DeleteTenant => self.tenant_is_gone(fixture).await,
            Operation::AddMember => self.is_member(fixture).await,
            Operation::RemoveMember => !self.is_member(fixture).await,
            Operation::SuspendAdmin => self.stands(fixture, UserStatus::Suspended).await,
            Operation::Promote => self.stands(fixture, UserStatus::Active).await,
            Operation::CreateRole => role_is_there(fixture, &self.tenant).await,
            Operation::EndSessions => self.sessions_are_over(fixture).await,
            Operation::CreateKey | Operation::DisableKey | Operation::DeleteKey => {
                api_keys::is_done(self.operation, fixture, (&self.tenant, &self.key)).await
            }
        }
    }

    /// Whether the user is an administrator of this status; then nothing of before is good any more.
    async fn stands(&self, fixture: &Fixture, status: UserStatus) -> bool {
        let user = self.load(fixture).await.unwrap();
        let stands = user.is_admin() && user.status == status;
        assert_eq!(stands, !self.token_is_good(fixture).await);
        stands
    }

    /// Whether the member's sessions are over; that is told, exactly once, where they are.
    async fn sessions_are_over(&self, fixture: &Fixture) -> bool {
        let over = !self.token_is_good(fixture).await;
        let place = (&self.tenant, &self.user);
        let events = events_about(&fixture.domain, place, fixture.now()).await;
        assert_eq!(events.len(), usize::from(over), "{events:?}");
        over
    }

    async fn user_is_there(&self, fixture: &Fixture) -> bool {
        let found = find_by_email(&fixture.domain, &self.email, fixture.now()).await.unwrap();
        assert_eq!(found.is_some(), signs_in(fixture, &self.email).await);
        found.is_some()
    }

    async fn user_is_gone(&self, fixture: &Fixture) -> bool {
        let gone = self.load(fixture).await.is_none();
        assert_eq!(gone, !signs_in(fixture, &self.email).await);
        assert_eq!(gone, !self.token_is_good(fixture).await);
        gone
    }

    async fn tenant_is_there(&self, fixture: &Fixture) -> bool {
        let (domain, root) = (&fixture.domain, bearing(&self.root));
        let by_slug = get_tenant(domain, &root, &TenantRef::from(&self.slug)).await;
        let Ok(tenant) = by_slug else {
            assert_eq!(by_slug.unwrap_err().code(), Code::TenantNotFound);
            return false;
        };
        let by_id = get_tenant(domain, &root, &TenantRef::from(&tenant.id)).await.unwrap();
        assert_eq!(by_id, tenant);
        let creator = Email::parse("root@corp.sys").unwrap();
        let creator = find_by_email(domain, &creator, fixture.now()).await.unwrap().unwrap();
        let stands = standing(domain, &tenant.id, &creator.id, fixture.now()).await.unwrap();
        assert!(matches!(stands, Standing::Active(_)));
        true
    }

    async fn tenant_is_gone(&self, fixture: &Fixture) -> bool {
        let now = fixture.now();
        let stands = standing(&fixture.domain, &self.tenant, &self.user, now).await.unwrap();
        let gone = !matches!(stands, Standing::Active(_));
        assert_eq!(gone, !self.token_is_good(fixture).await);
        // The slug rests: it means this tenant still, or nothing else.
        let slug = TenantRef::from(&self.slug);
        let named = resolve(&fixture.domain, &slug, now).await.unwrap();
        assert_eq!(named, Some(self.tenant.clone()));
        gone
    }

    /// Whether the user is a member; the list of memberships says the same.
    async fn is_member(&self, fixture: &Fixture) -> bool {
        let (domain, now) = (&fixture.domain, fixture.now());
        let stands = standing(domain, &self.tenant, &self.user, now).await.unwrap();
        let stands = matches!(stands, Standing::Active(_));
        let listed = crate::tenancy::active_memberships(domain, &self.user, now).await.unwrap();
        assert_eq!(listed.only().map(|held| held.tenant.id == self.tenant), stands.then_some(true));
        if self.operation == Operation::RemoveMember {
            assert_eq!(self.token_is_good(fixture).await, stands);
        }
        stands
    }

    async fn token_is_good(&self, fixture: &Fixture) -> bool {
        let id_token = self.token.clone().unwrap();
        let ask = Lookup { id_token, memberships: false };
        match lookup(&fixture.domain, &keyed(), &ask).await {
            Ok(_) => true,
            Err(refused) => {
                assert!(matches!(
                    refused.code(),
                    Code::TokenRevoked | Code::TokenExpired | Code::UserDisabled
                ));
                false
            }
        }
    }
}

async fn signs_in(fixture: &Fixture, email: &Email) -> bool {
    match fixture.try_sign_in(email.as_str(), PASSWORD).await {
        Ok(_) => true,
        Err(refused) => {
            assert_eq!(refused.code(), Code::InvalidLoginCredentials);
            false
        }
    }
}
