//! Two operations on the same things: one stops at every single write, the other runs from beginning
//! to end, then the first goes on. Everything fits together at once, without any sweep; also where a
//! sweep has taken the first one for dead in between. On Redis the first one stops at every fifth wait.

use std::pin::Pin;

use super::api_keys;
use super::delays::run_until;
use super::roles::{ROLE, create_role};
use super::world::{World, is_left_out};
use crate::account::change_user::change_user;
use crate::account::{ImportedUser, NewUser, change_email, create_user, delete_user, import_user};
use crate::domain::Domain;
use crate::email::Email;
use crate::error::Error;
use crate::id::{RoleName, Slug, TenantId, TenantRef, UserId};
use crate::tenancy::{
    CreateTenant, add_member, create_tenant, delete_role, delete_tenant, remove_member,
};
use crate::testing::bearing;
use crate::user::{GlobalRole, UserChange, UserStatus};

/// What both operations are about.
struct Things {
    number: u32,
    root: secrecy::SecretString,
    user: UserId,
    tenant: TenantId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Add,
    Remove,
    DeleteUser,
    DeleteTenant,
    ChangeToOne,
    ChangeToOther,
    CreateUserOfOne,
    ImportUserOfOne,
    ImportUserOfOther,
    CreateTenantOfOne,
    CreateTenantOfOther,
    Suspend,
    Demote,
    Appoint,
    MakeRole,
    DropRole,
    MakeKey,
    DisableKey,
    DropKey,
}

/// Operations that have a record in common, every one with every one of its group.
const GROUPS: [&[Act]; 7] = [
    &[Act::Add, Act::Remove, Act::DeleteUser, Act::DeleteTenant],
    &[Act::ChangeToOne, Act::ChangeToOther, Act::CreateUserOfOne, Act::DeleteUser],
    &[Act::ChangeToOne, Act::CreateUserOfOne, Act::ImportUserOfOne, Act::ImportUserOfOther],
    &[Act::CreateTenantOfOne, Act::CreateTenantOfOther],
    &[Act::Suspend, Act::Demote, Act::Appoint, Act::DeleteUser],
    &[Act::MakeRole, Act::DropRole, Act::DeleteTenant],
    &[Act::MakeKey, Act::DisableKey, Act::DropKey, Act::DeleteTenant],
];

impl Act {
    async fn run(self, domain: &Domain, things: &Things) -> Result<(), Error> {
        let (user, tenant, now) = (&things.user, &things.tenant, domain.clock.now());
        match self {
            Self::Add => {
                let roles = [RoleName::parse("TENANT_ADMIN").unwrap()].into();
                add_member(domain, tenant, user, roles, now).await.map(|_| ())
            }
            Self::Remove => remove_member(domain, tenant, user, now).await,
            Self::DeleteUser => delete_user(domain, user, now).await,
            Self::DeleteTenant => delete_tenant(domain, tenant, now).await,
            Self::ChangeToOne => {
                change_email(domain, user, &things.email("one"), now).await.map(|_| ())
            }
            Self::ChangeToOther => {
                change_email(domain, user, &things.email("other"), now).await.map(|_| ())
            }
            Self::CreateUserOfOne => {
                let (email, role) = (things.email("one"), GlobalRole::Admin);
                let new = NewUser { email, password_hash: None, role };
                create_user(domain, new, now).await.map(|_| ())
            }
            Self::ImportUserOfOne => things.import_user(domain, "one").await,
            Self::ImportUserOfOther => things.import_user(domain, "other").await,
            Self::CreateTenantOfOne => things.create_tenant(domain, "one").await,
            Self::CreateTenantOfOther => things.create_tenant(domain, "other").await,
            Self::Suspend | Self::Demote | Self::Appoint => {
                change_user(domain, user, &self.change(), now).await.map(|_| ())
            }
            Self::MakeRole => create_role(domain, &things.root, tenant).await,
            Self::DropRole => {
                let (tenant, name) = (TenantRef::from(tenant), RoleName::parse(ROLE).unwrap());
                delete_role(domain, &bearing(&things.root), (&tenant, &name)).await
            }
            Self::MakeKey => api_keys::make_key(domain, &things.root, tenant).await,
            Self::DisableKey => {
                let key = api_keys::key_id(things.number);
                api_keys::disable_key(domain, &things.root, (tenant, &key)).await
            }
            Self::DropKey => {
                let key = api_keys::key_id(things.number);
                api_keys::drop_key(domain, &things.root, (tenant, &key)).await
            }
        }
    }

    fn change(self) -> UserChange {
        let none = UserChange::default();
        match self {
            Self::Suspend => UserChange { status: Some(UserStatus::Suspended), ..none },
            Self::Demote => UserChange { role: Some(GlobalRole::CompanyAdmin), ..none },
            _ => UserChange {
                role: Some(GlobalRole::Admin),
                status: Some(UserStatus::Active),
                ..none
            },
        }
    }

    /// The role of the user whom both operations are about.
    fn role_for(self, other: Self) -> GlobalRole {
        let of_admins = [Self::Suspend, Self::Demote];
        if of_admins.contains(&self) || of_admins.contains(&other) {
            GlobalRole::Admin
        } else {
            GlobalRole::CompanyEmployee
        }
    }
}

impl Things {
    async fn new(world: &World, number: u32, role: GlobalRole, member: bool) -> Self {
        let fixture = &world.fixture;
        let email = format!("user{number}@example.org");
        let user = fixture.user(&email, role).await;
        let tenant = fixture.tenant("root@corp.sys", &format!("tenant-{number}")).await;
        if member {
            fixture.member(&tenant.id, &user, &["TENANT_ADMIN"]).await;
        }
        api_keys::put_key(fixture, &tenant.id, number).await;
        let root = fixture.sign_in("root@corp.sys").await.id_token;
        Self { number, root, user: user.id, tenant: tenant.id }
    }

    fn email(&self, name: &str) -> Email {
        Email::parse(&format!("{name}{}@example.org", self.number)).unwrap()
    }

    /// A user of one id, by either of two addresses.
    async fn import_user(&self, domain: &Domain, name: &str) -> Result<(), Error> {
        let id = UserId::parse(&format!("given-{}", self.number)).unwrap();
        let imported = ImportedUser::new(id, self.email(name));
        import_user(domain, imported, domain.clock.now()).await.map(|_| ())
    }

    /// A tenant of one id, by either of two slugs.
    async fn create_tenant(&self, domain: &Domain, name: &str) -> Result<(), Error> {
        let slug = Slug::parse(&format!("{name}-{}", self.number)).unwrap();
        let id = Some(TenantId::parse(&format!("given-{}", self.number)).unwrap());
        let ask = CreateTenant { slug, name: None, id };
        create_tenant(domain, &bearing(&self.root), &ask).await.map(|_| ())
    }
}

/// Fails for what is neither done nor refused.
fn is_ok(outcome: Result<(), Error>, when: &str) -> bool {
    match outcome {
        Ok(()) => true,
        Err(Error::Refused(_)) => false,
        Err(error) => panic!("{when}: {error:?}"),
    }
}

/// Whether no more than one of the two may succeed.
fn excludes(first: Act, second: Act) -> bool {
    let takes = |act| match act {
        Act::ChangeToOne | Act::CreateUserOfOne | Act::ImportUserOfOne => 1,
        Act::CreateTenantOfOne | Act::CreateTenantOfOther => 2,
        _ => 0,
    };
    let imports = [Act::ImportUserOfOne, Act::ImportUserOfOther];
    if imports.contains(&first) && imports.contains(&second) {
        // One id; a repeated import is told that its user is there.
        return first != second;
    }
    takes(first) != 0 && takes(first) == takes(second) && first != Act::ChangeToOne
}

async fn interrupt((first, second): (Act, Act), (member, swept): (bool, bool)) {
    // A world for each: what a verification costs grows with what is stored.
    let world = Box::pin(World::new()).await;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        let when = format!("{first:?} at wait {stops}, {second:?}, {member} {swept}");
        let number = world.next();
        let things = Things::new(&world, number, first.role_for(second), member).await;
        let mut running: Pin<Box<_>> = Box::pin(first.run(&world.replica, &things));
        if run_until(&mut running, stops).await.is_some() {
            return;
        }
        world.land().await;
        if swept {
            assert_eq!(world.sweep().await.failed, 0, "{when}");
        }
        let second_done = is_ok(second.run(&world.fixture.domain, &things).await, &when);
        let first_done = is_ok(running.await, &when);
        assert!(!(first_done && second_done && excludes(first, second)), "{when}");
        world.assert_clean(&when).await;
    }
}

async fn interrupt_all(groups: &[&[Act]], (member, swept): (bool, bool)) {
    for group in groups {
        for first in *group {
            for second in *group {
                Box::pin(interrupt((*first, *second), (member, swept))).await;
            }
        }
    }
}

#[tokio::test]
async fn two_operations_on_a_member_fit_together_wherever_the_first_one_waits() {
    interrupt_all(&GROUPS, (true, false)).await;
}

#[tokio::test]
async fn two_operations_on_a_stranger_fit_together_wherever_the_first_one_waits() {
    interrupt_all(&GROUPS[..1], (false, false)).await;
}

#[tokio::test]
async fn an_operation_taken_for_dead_wakes_into_another_one_and_all_fits_together() {
    interrupt_all(&GROUPS, (true, true)).await;
}
