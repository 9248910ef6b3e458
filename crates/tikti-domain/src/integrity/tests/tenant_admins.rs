//! Who administers a tenant is named, counts while he is active, and nobody else does.

use super::*;
use crate::user::UserStatus;

/// Beside what breaks one rule alone: whoever holds the role counts if he is active, and only then.
#[tokio::test]
async fn who_counts_as_administering_a_tenant_holds_the_role_and_is_active() {
    for (status, counts, expected) in [
        (UserStatus::Active, true, BTreeSet::new()),
        (UserStatus::Active, false, [Rule::TenantAdminNotListed].into()),
        (UserStatus::Suspended, true, [Rule::GhostTenantAdmin].into()),
        (UserStatus::Suspended, false, BTreeSet::new()),
    ] {
        let world = World::new().await;
        let root = &world.root;
        let bee = world.fixture.user("bee@example.org", GlobalRole::CompanyEmployee).await;
        world.fixture.member(&world.acme.id, &bee, &["TENANT_ADMIN"]).await;
        let bee = world.fixture.reload(&bee).await;
        world.fixture.put_user(&User { status, ..bee.clone() }).await;
        match counts {
            true => world.put_tenant_admins(&[root, &bee], &[]).await,
            false => world.put_tenant_admins(&[root], &[&bee]).await,
        }
        assert_eq!(world.broken().await, expected, "{status:?}, counts: {counts}");
    }
    // Nobody is away who does not hold it.
    let world = World::new().await;
    world.put_tenant_admins(&[&world.root], &[&world.ann]).await;
    assert_eq!(world.broken().await, [Rule::GhostTenantAdmin].into());
    // Without any record nobody counts.
    world.delete(&keyspace::tenant_admins(&world.acme.id)).await;
    assert_eq!(world.broken().await, [Rule::TenantAdminNotListed].into());
}
