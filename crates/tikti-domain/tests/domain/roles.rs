//! Roles: who may make and change them, and that nobody grants what he does not hold.

use tikti_domain::Caller;
use tikti_domain::error::Code;
use tikti_domain::etag::Precondition;
use tikti_domain::id::{RoleName, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::tenancy::{PutRole, create_role, delete_role, get_role, put_role};
use tikti_domain::testing::{Fixture, bearing};
use tikti_domain::user::GlobalRole;

fn ask(name: &str, permissions: &str) -> PutRole {
    PutRole {
        name: RoleName::parse(name).unwrap(),
        permissions: ScopeSet::parse(permissions).unwrap(),
        precondition: Precondition::Any,
    }
}

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

/// A member of the tenant `acme` with these roles, as a caller.
async fn member(fixture: &Fixture, email: &str, roles: &[&str]) -> Caller {
    let user = fixture.user(email, GlobalRole::CompanyEmployee).await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let found = tikti_domain::tenancy::get_tenant(&fixture.domain, &root, &acme()).await.unwrap();
    fixture.member(&found.id, &user, roles).await;
    bearing(&fixture.sign_in(email).await.id_token)
}

async fn place() -> (Fixture, Caller) {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    (fixture, root)
}

#[tokio::test]
async fn a9_what_the_platform_keeps_no_administrator_of_a_tenant_grants() {
    let (fixture, root) = place().await;
    let ann = member(&fixture, "ann@corp.sys", &["TENANT_ADMIN", "CODEQ_ADMIN"]).await;
    let domain = &fixture.domain;
    // Of scopes that nobody keeps he grants any.
    create_role(domain, &ann, &acme(), &new("OWN", "anything:at-all")).await.unwrap();
    for refused in [
        create_role(domain, &ann, &acme(), &new("MINE", "codeq:admin")).await,
        // Managed, whatever is asked for; and what he holds himself.
        put_role(domain, &ann, &acme(), &ask("JOBS_OPERATOR", "jobs:read")).await,
        put_role(domain, &ann, &acme(), &ask("CODEQ_ADMIN", "codeq:publish")).await,
        put_role(domain, &ann, &acme(), &ask("OWN", "codeq:admin anything:at-all")).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::EscalationDenied);
    }
    let named = RoleName::parse("CODEQ_ADMIN").unwrap();
    let refused = delete_role(domain, &ann, (&acme(), &named)).await.unwrap_err();
    assert_eq!(refused.code(), Code::EscalationDenied);
    create_role(domain, &root, &acme(), &new("THEIRS", "codeq:admin")).await.unwrap();
    // What the platform granted it takes away.
    let theirs = RoleName::parse("THEIRS").unwrap();
    let refused = delete_role(domain, &ann, (&acme(), &theirs)).await.unwrap_err();
    assert_eq!(refused.code(), Code::EscalationDenied);
    delete_role(domain, &root, (&acme(), &theirs)).await.unwrap();
}

/// Whoever makes a role, takes it and deletes it still has its name: what the platform puts under that name
/// later would be his at once.
#[tokio::test]
async fn a9_who_held_the_name_of_a_role_gets_nothing_that_the_platform_keeps_by_it() {
    let (fixture, root) = place().await;
    let ann = member(&fixture, "ann@corp.sys", &["TENANT_ADMIN"]).await;
    let domain = &fixture.domain;
    create_role(domain, &ann, &acme(), &new("OPS", "")).await.unwrap();
    delete_role(domain, &ann, (&acme(), &RoleName::parse("OPS").unwrap())).await.unwrap();
    let refused = create_role(domain, &root, &acme(), &new("OPS", "codeq:admin")).await;
    assert_eq!(refused.unwrap_err().code(), Code::Conflict);
    // Nor step by step, by making it without and widening it.
    create_role(domain, &root, &acme(), &new("OPS", "jobs:read")).await.unwrap();
    let refused = put_role(domain, &root, &acme(), &ask("OPS", "codeq:admin jobs:read")).await;
    assert_eq!(refused.unwrap_err().code(), Code::Conflict);
    create_role(domain, &root, &acme(), &new("OTHER", "codeq:admin")).await.unwrap();
}

fn new(name: &str, permissions: &str) -> PutRole {
    PutRole { precondition: Precondition::None, ..ask(name, permissions) }
}

#[tokio::test]
async fn nobody_grants_what_he_does_not_hold() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let clerk = new("CLERK", "roles:read roles:write jobs:read");
    create_role(domain, &root, &acme(), &clerk).await.unwrap();
    let bob = member(&fixture, "bob@corp.sys", &["CLERK"]).await;
    create_role(domain, &bob, &acme(), &new("READER", "jobs:read roles:read")).await.unwrap();
    for beyond in ["jobs:write", "users:write", "jobs:read clients:read"] {
        let refused = create_role(domain, &bob, &acme(), &new("MORE", beyond)).await.unwrap_err();
        assert_eq!(refused.code(), Code::EscalationDenied, "{beyond}");
        let refused = put_role(domain, &bob, &acme(), &ask("CLERK", beyond)).await.unwrap_err();
        assert_eq!(refused.code(), Code::EscalationDenied, "{beyond}");
    }
}

#[tokio::test]
async fn built_in_roles_are_nobodys_to_change() {
    let (fixture, root) = place().await;
    for name in ["TENANT_ADMIN", "TENANT_USER"] {
        let changed = put_role(&fixture.domain, &root, &acme(), &ask(name, "x:y")).await;
        assert_eq!(changed.unwrap_err().code(), Code::Conflict);
        let name = RoleName::parse(name).unwrap();
        let deleted = delete_role(&fixture.domain, &root, (&acme(), &name)).await;
        assert_eq!(deleted.unwrap_err().code(), Code::Conflict);
        get_role(&fixture.domain, &root, (&acme(), &name)).await.unwrap();
    }
}

#[tokio::test]
async fn who_lost_the_right_in_this_moment_changes_nothing() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    create_role(domain, &root, &acme(), &new("CLERK", "roles:write")).await.unwrap();
    let bob = member(&fixture, "bob@corp.sys", &["CLERK"]).await;
    let clerk = RoleName::parse("CLERK").unwrap();
    delete_role(domain, &root, (&acme(), &clerk)).await.unwrap();
    let refused = create_role(domain, &bob, &acme(), &new("X", "roles:write")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_tenant_has_as_many_roles_as_an_exchange_can_read() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let permission = |role: usize, n: usize| format!("{:0>120}", format!("{role}:{n}"));
    let wide = |role: usize| (0..256).map(|n| permission(role, n)).collect::<Vec<_>>().join(" ");
    let mut made = 0;
    let refused = loop {
        match create_role(domain, &root, &acme(), &new(&format!("R{made}"), &wide(made))).await {
            Ok(_) => made += 1,
            Err(refused) => break refused.code(),
        }
    };
    assert_eq!((refused, made), (Code::LimitExceeded, 8));
    let over = (0..257).map(|n| permission(99, n)).collect::<Vec<_>>();
    assert!(ScopeSet::from_list(over.iter().map(String::as_str)).is_err());
}
