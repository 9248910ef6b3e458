//! Somebody who is active administers each tenant.

use tikti_domain::Caller;
use tikti_domain::account::{
    SetStatus, UpdateUser, delete_account, get_user, remove_user, set_status, update_user,
};
use tikti_domain::error::{Code, Error, Refusal};
use tikti_domain::id::{RoleName, TenantId, TenantRef};
use tikti_domain::integrity::verify;
use tikti_domain::tenancy::{MemberName, delete_member, update_member};
use tikti_domain::tenant::{Tenant, TenantStatus};
use tikti_domain::testing::{Fixture, keyed, keyed_bearing};
use tikti_domain::user::{GlobalRole, User, UserStatus};

const ROOT: &str = "root@corp.sys";

/// A tenant that Ann administers and nobody else.
struct World {
    fixture: Fixture,
    root: Caller,
    acme: Tenant,
    ann: User,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin(ROOT).await;
        let root = keyed_bearing(&fixture.sign_in(ROOT).await.id_token);
        let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        let acme = fixture.tenant(ROOT, "acme").await;
        let world = Self { fixture, root, acme, ann };
        world.hand_over(&world.acme.id).await;
        world
    }

    /// Makes Ann the only one who administers the tenant.
    async fn hand_over(&self, tenant: &TenantId) {
        self.fixture.member(tenant, &self.ann, &["TENANT_ADMIN"]).await;
        let creator = self.fixture.sign_in(ROOT).await.user_id;
        let (tenant, name) = (TenantRef::from(tenant), MemberName::Id(creator));
        delete_member(&self.fixture.domain, &self.root, (&tenant, &name)).await.unwrap();
    }

    async fn set(&self, user: &User, status: UserStatus) -> Result<User, Error> {
        let ask = SetStatus { email: user.email.clone().unwrap(), status };
        set_status(&self.fixture.domain, &self.root, &ask).await
    }

    async fn delete(&self, user: &User) -> Result<(), Error> {
        remove_user(&self.fixture.domain, &self.root, &user.id).await
    }

    /// Fails unless Ann stays active whatever is tried, and is told which tenant she is needed in.
    async fn assert_ann_stays(&self, tenant: &TenantId) {
        let domain = &self.fixture.domain;
        let own = self.fixture.sign_in("ann@example.org").await.id_token;
        let inactive = UserStatus::Inactive;
        let update = UpdateUser { status: Some(inactive), ..UpdateUser::default() };
        let refusals = [
            self.set(&self.ann, UserStatus::Suspended).await.map(|_| ()),
            update_user(domain, &self.root, (&self.ann.id, &update)).await.map(|_| ()),
            self.delete(&self.ann).await,
            delete_account(domain, &keyed(), &own).await.map(|_| ()),
        ];
        for refused in refusals {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::LastAdmin);
            let names = |refusal: &Refusal| {
                refusal.details.get("tenantId").map(String::as_str) == Some(tenant.as_str())
            };
            assert!(matches!(&refused, Error::Refused(refusal) if names(refusal)), "{refused:?}");
        }
        let ann = get_user(domain, &self.root, &self.ann.id).await.unwrap();
        assert_eq!((ann.is_active(), ann.ver), (true, self.fixture.reload(&self.ann).await.ver));
        self.assert_sound().await;
    }

    async fn assert_sound(&self) {
        let report = verify(self.fixture.store(), self.fixture.now(), &mut |_| ()).await.unwrap();
        assert_eq!((report.findings, report.pending), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn the_last_one_who_administers_a_tenant_is_neither_suspended_nor_deleted_by_anybody() {
    let world = World::new().await;
    let acme = &world.acme.id;
    world.assert_ann_stays(acme).await;
    // Whoever has no such role, or is suspended, is nobody to rely on.
    let bob = world.fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    world.fixture.member(acme, &bob, &["TENANT_USER"]).await;
    world.assert_ann_stays(acme).await;
    let carl = world.fixture.user("carl@example.org", GlobalRole::CompanyEmployee).await;
    world.set(&carl, UserStatus::Suspended).await.unwrap();
    world.fixture.member(acme, &carl, &["TENANT_ADMIN"]).await;
    world.assert_ann_stays(acme).await;
    // Made active he is.
    world.set(&carl, UserStatus::Active).await.unwrap();
    world.set(&world.ann, UserStatus::Suspended).await.unwrap();
    world.assert_sound().await;
    let refused = world.delete(&carl).await.unwrap_err();
    assert_eq!(refused.code(), Code::LastAdmin);
    world.set(&world.ann, UserStatus::Active).await.unwrap();
    world.delete(&carl).await.unwrap();
    world.assert_ann_stays(acme).await;
}

#[tokio::test]
async fn a_member_who_is_promoted_counts_at_once_if_he_is_active() {
    let world = World::new().await;
    let (domain, acme) = (&world.fixture.domain, &world.acme.id);
    let bob = world.fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    world.fixture.member(acme, &bob, &["TENANT_USER"]).await;
    let reference = TenantRef::from(acme);
    let admin = [RoleName::parse("TENANT_ADMIN").unwrap()].into();
    let user = [RoleName::parse("TENANT_USER").unwrap()].into();
    world.set(&bob, UserStatus::Suspended).await.unwrap();
    update_member(domain, &world.root, (&reference, &bob.id, &admin)).await.unwrap();
    world.assert_ann_stays(acme).await;
    // He who is away is not needed either, while somebody counts.
    update_member(domain, &world.root, (&reference, &bob.id, &user)).await.unwrap();
    world.set(&bob, UserStatus::Active).await.unwrap();
    update_member(domain, &world.root, (&reference, &bob.id, &admin)).await.unwrap();
    world.delete(&world.ann).await.unwrap();
    world.assert_sound().await;
    let told = update_member(domain, &world.root, (&reference, &bob.id, &user)).await;
    assert_eq!(told.unwrap_err().code(), Code::LastAdmin);
}

#[tokio::test]
async fn each_of_his_tenants_keeps_somebody_and_where_another_one_is_left_he_still_counts() {
    let world = World::new().await;
    let bob = world.fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    world.fixture.member(&world.acme.id, &bob, &["TENANT_ADMIN"]).await;
    let other = world.fixture.tenant(ROOT, "other").await;
    world.hand_over(&other.id).await;
    world.assert_ann_stays(&other.id).await;
    // Bob may go, since nothing was taken from her where she was not the last one.
    world.delete(&bob).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn a_suspended_tenant_holds_its_administrator_and_one_that_is_being_deleted_nobody() {
    for (status, holds) in [(TenantStatus::Suspended, true), (TenantStatus::Deleting, false)] {
        for deletes in [true, false] {
            let world = World::new().await;
            world.fixture.put_tenant(&Tenant { status, ..world.acme.clone() }).await;
            let told = match deletes {
                true => world.delete(&world.ann).await,
                false => world.set(&world.ann, UserStatus::Suspended).await.map(|_| ()),
            };
            let told = told.map_err(|error| error.code());
            let expected = if holds { Err(Code::LastAdmin) } else { Ok(()) };
            assert_eq!(told, expected, "{status:?}, deletes: {deletes}");
        }
    }
}
