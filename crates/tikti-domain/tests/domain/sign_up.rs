//! A user made by an administrator.

use tikti_domain::Caller;
use tikti_domain::account::{Joins, SignUp, sign_up};
use tikti_domain::email::Email;
use tikti_domain::error::Code;
use tikti_domain::id::{RoleName, TenantRef};
use tikti_domain::testing::{Fixture, PASSWORD, bearing};
use tikti_domain::user::GlobalRole;

const ROOT: &str = "root@corp.sys";

fn ask(email: &str, joins: Option<(&str, &[&str])>) -> SignUp {
    SignUp {
        email: Email::parse(email).unwrap(),
        password: PASSWORD.to_owned().into(),
        role: GlobalRole::CompanyEmployee,
        joins: joins.map(|(tenant, roles)| Joins {
            tenant: TenantRef::parse(tenant).unwrap(),
            roles: roles.iter().map(|role| RoleName::parse(role).unwrap()).collect(),
        }),
    }
}

async fn world() -> (Fixture, Caller) {
    let fixture = Fixture::new().await;
    fixture.admin(ROOT).await;
    fixture.tenant(ROOT, "acme").await;
    let root = bearing(&fixture.sign_in(ROOT).await.id_token);
    (fixture, root)
}

#[tokio::test]
async fn a_user_is_made_who_signs_in_and_belongs_where_he_was_put() {
    let (fixture, root) = world().await;
    let domain = &fixture.domain;
    sign_up(domain, &root, &ask("ann@example.org", None)).await.unwrap();
    assert_eq!(fixture.sign_in("ann@example.org").await.tenant_id, None);
    for (email, roles) in [("bob@example.org", &[][..]), ("cid@example.org", &["JOBS_OPERATOR"])] {
        let made = sign_up(domain, &root, &ask(email, Some(("acme", roles)))).await.unwrap();
        let session = fixture.sign_in(email).await;
        assert_eq!(session.user_id, made.id);
        assert!(session.tenant_id.is_some(), "{email}");
    }
    let admin = SignUp { role: GlobalRole::Admin, ..ask("ops@example.org", None) };
    assert!(sign_up(domain, &root, &admin).await.unwrap().is_admin());
}

#[tokio::test]
async fn what_is_refused_leaves_the_address_free() {
    let (fixture, root) = world().await;
    let email = "ann@example.org";
    let many: Vec<String> = (0..33).map(|number| format!("R{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (ask, code) in [
        (ask(email, Some(("nowhere", &[]))), Code::TenantNotFound),
        (ask(email, Some(("acme", &["GONE"]))), Code::RoleNotFound),
        (ask(email, Some(("acme", &many))), Code::InvalidArgument),
        (SignUp { password: "short".to_owned().into(), ..ask(email, None) }, Code::WeakPassword),
    ] {
        let refused = sign_up(&fixture.domain, &root, &ask).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    sign_up(&fixture.domain, &root, &ask(email, None)).await.unwrap();
    let again = sign_up(&fixture.domain, &root, &ask(email, None)).await.unwrap_err();
    assert_eq!(again.code(), Code::EmailExists);
}

#[tokio::test]
async fn only_an_administrator_who_signed_in_lately_makes_users() {
    let (fixture, root) = world().await;
    fixture.user("ann@example.org", GlobalRole::CompanyAdmin).await;
    let ann = bearing(&fixture.sign_in("ann@example.org").await.id_token);
    let ask = ask("new@example.org", None);
    for (caller, code) in [(&Caller::default(), Code::Unauthenticated), (&ann, Code::AdminRequired)]
    {
        let refused = sign_up(&fixture.domain, caller, &ask).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    sign_up(&fixture.domain, &root, &ask).await.unwrap();
}
