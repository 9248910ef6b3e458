//! Tenants: who may make and read them, and that a name has one owner whatever happens.

use tikti_domain::Caller;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{Slug, TenantId, TenantRef};
use tikti_domain::page::PageRequest;
use tikti_domain::tenancy::{CreateTenant, create_tenant, get_tenant, list_tenants};
use tikti_domain::testing::{Fixture, all, bearing, keyed};
use tikti_domain::user::GlobalRole;

fn ask(slug: &str, id: Option<&str>) -> CreateTenant {
    CreateTenant {
        slug: Slug::parse(slug).unwrap(),
        name: None,
        id: id.map(|id| TenantId::parse(id).unwrap()),
    }
}

fn reference(text: &str) -> TenantRef {
    TenantRef::parse(text).unwrap()
}

async fn root(fixture: &Fixture) -> Caller {
    fixture.admin("root@corp.sys").await;
    bearing(&fixture.sign_in("root@corp.sys").await.id_token)
}

#[tokio::test]
async fn a_tenant_is_found_by_id_and_by_slug() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let made = create_tenant(&fixture.domain, &root, &ask("acme", None)).await.unwrap();
    assert_eq!(made.name, "acme");
    for name in ["acme", made.id.as_str()] {
        let found = get_tenant(&fixture.domain, &root, &reference(name)).await.unwrap();
        assert_eq!(found, made);
    }
}

#[tokio::test]
async fn ids_and_slugs_share_one_namespace() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let made = create_tenant(&fixture.domain, &root, &ask("acme", Some("corp"))).await.unwrap();
    let generated = create_tenant(&fixture.domain, &root, &ask("beta", None)).await.unwrap();
    let taken = [
        ask("acme", None),
        ask("corp", None),
        ask("gamma", Some("acme")),
        ask("gamma", Some("corp")),
        ask(generated.id.as_str(), None),
    ];
    for ask in taken {
        let refused = create_tenant(&fixture.domain, &root, &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantExists, "{ask:?}");
    }
    // The refused tries have left no name behind.
    create_tenant(&fixture.domain, &root, &ask("gamma", None)).await.unwrap();
    let found = get_tenant(&fixture.domain, &root, &reference("corp")).await.unwrap();
    assert_eq!(found, made);
}

#[tokio::test]
async fn words_of_the_paths_name_no_tenant() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    for (ask, member) in [(ask("id", None), "slug"), (ask("acme", Some("id")), "id")] {
        let refused = create_tenant(&fixture.domain, &root, &ask).await.unwrap_err();
        let Error::Refused(refusal) = refused else { panic!("a refusal") };
        assert_eq!(refusal.code, Code::InvalidArgument);
        assert!(refusal.details.contains_key(member));
    }
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_slug() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let (domain, root) = (&fixture.domain, &root);
    let tries =
        (0..20).map(|_| async move { create_tenant(domain, root, &ask("acme", None)).await });
    let outcomes = all(tries).await;
    let made: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(made.len(), 1);
    assert!(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .all(|error| error.code() == Code::TenantExists)
    );
    let listed = list_tenants(domain, root, &PageRequest::new(None, None).unwrap()).await.unwrap();
    assert_eq!(listed.items.iter().collect::<Vec<_>>(), made);
}

#[tokio::test]
async fn only_a_stored_administrator_with_a_recent_sign_in_makes_tenants() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    fixture.user("ann@example.org", GlobalRole::CompanyAdmin).await;
    let ann = bearing(&fixture.sign_in("ann@example.org").await.id_token);
    let refused = |caller: Caller| {
        let domain = &fixture.domain;
        async move { create_tenant(domain, &caller, &ask("acme", None)).await.unwrap_err().code() }
    };
    assert_eq!(refused(Caller::default()).await, Code::Unauthenticated);
    assert_eq!(refused(keyed()).await, Code::Unauthenticated);
    assert_eq!(refused(bearing(&"nonsense".to_owned().into())).await, Code::Unauthenticated);
    assert_eq!(refused(ann).await, Code::AdminRequired);
    fixture.clock.advance(13 * 3_600_000);
    assert_eq!(refused(root).await, Code::Unauthenticated);
}

#[tokio::test]
async fn a_sign_in_of_more_than_twelve_hours_ago_makes_no_tenant() {
    let long = std::time::Duration::from_hours(24);
    let fixture = Fixture::with(move |settings| settings.id_token_ttl = long).await;
    let root = root(&fixture).await;
    fixture.clock.advance(12 * 3_600_000);
    create_tenant(&fixture.domain, &root, &ask("acme", None)).await.unwrap();
    fixture.clock.advance(1_000);
    let refused = create_tenant(&fixture.domain, &root, &ask("beta", None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::CredentialTooOld);
}

#[tokio::test]
async fn strangers_cannot_tell_a_tenant_from_none() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let caller = bearing(&fixture.sign_in("ann@example.org").await.id_token);
    for name in ["acme", acme.id.as_str(), "nowhere"] {
        let refused = get_tenant(&fixture.domain, &caller, &reference(name)).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantNotFound, "{name}");
    }
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    let refused = get_tenant(&fixture.domain, &caller, &reference("acme")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    fixture.member(&acme.id, &ann, &["TENANT_ADMIN"]).await;
    assert_eq!(get_tenant(&fixture.domain, &caller, &reference("acme")).await.unwrap(), acme);
}

#[tokio::test]
async fn pages_hold_every_tenant_once_and_each_only_its_own_for_others() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let mut made = Vec::new();
    for number in 0..7 {
        let ask = ask(&format!("tenant-{number}"), None);
        made.push(create_tenant(&fixture.domain, &root, &ask).await.unwrap().id);
    }
    made.sort();
    let (mut listed, mut token) = (Vec::new(), None);
    loop {
        let ask = PageRequest::new(Some(3), token).unwrap();
        let page = list_tenants(&fixture.domain, &root, &ask).await.unwrap();
        assert!(page.items.len() <= 3);
        listed.extend(page.items.into_iter().map(|tenant| tenant.id));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(listed, made);

    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&made[4], &ann, &["TENANT_USER"]).await;
    let caller = bearing(&fixture.sign_in("ann@example.org").await.id_token);
    let page = PageRequest::new(None, None).unwrap();
    let own = list_tenants(&fixture.domain, &caller, &page).await.unwrap();
    assert_eq!(own.items.into_iter().map(|tenant| tenant.id).collect::<Vec<_>>(), made[4..5]);
}

/// Attacks, row E5: malformed, tampered, foreign and huge page tokens.
#[tokio::test]
async fn e5_forged_page_tokens_read_nothing() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    for number in 0..3 {
        let ask = ask(&format!("tenant-{number}"), None);
        let made = create_tenant(&fixture.domain, &root, &ask).await.unwrap();
        fixture.member(&made.id, &ann, &["TENANT_USER"]).await;
    }
    let one = PageRequest::new(Some(1), None).unwrap();
    let caller = bearing(&fixture.sign_in("ann@example.org").await.id_token);
    let own = list_tenants(&fixture.domain, &caller, &one).await.unwrap().next.unwrap();
    let of_root = list_tenants(&fixture.domain, &root, &one).await.unwrap().next.unwrap();
    let mut tampered = own.clone().into_bytes();
    let last = tampered.len() - 3;
    tampered[last] = if tampered[last] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let named = "dC0wMWpk".to_owned();
    let huge = "A".repeat(100_000);
    let malformed = ["", "!", "AA", "..", "Z-8"].map(str::to_owned);
    for token in malformed.into_iter().chain([tampered, named, of_root, huge]) {
        let ask = PageRequest::new(None, Some(token)).unwrap();
        let refused = list_tenants(&fixture.domain, &caller, &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let ask = PageRequest::new(None, Some(own)).unwrap();
    assert_eq!(list_tenants(&fixture.domain, &caller, &ask).await.unwrap().items.len(), 2);
    for size in [0, 201, u64::MAX] {
        assert!(PageRequest::new(Some(size), None).is_err());
    }
}

#[tokio::test]
async fn a_session_from_before_a_revocation_administers_nothing_there() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let beta = fixture.tenant("root@corp.sys", "beta").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["TENANT_ADMIN"]).await;
    let mut held = fixture.member(&beta.id, &ann, &["TENANT_ADMIN"]).await;
    let caller = bearing(&fixture.sign_in("ann@example.org").await.id_token);
    let page = PageRequest::new(None, None).unwrap();
    assert_eq!(get_tenant(&fixture.domain, &caller, &reference("beta")).await.unwrap(), beta);
    assert_eq!(list_tenants(&fixture.domain, &caller, &page).await.unwrap().items.len(), 2);
    held.revoked_at = Some(fixture.now());
    fixture.put_membership(&held).await;
    let refused = get_tenant(&fixture.domain, &caller, &reference("beta")).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);
    assert_eq!(list_tenants(&fixture.domain, &caller, &page).await.unwrap().items, [acme]);
}

#[tokio::test]
async fn of_two_slugs_for_one_id_the_loser_s_is_free_again() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let (domain, caller) = (&fixture.domain, &root);
    let tries = ["acme", "beta"]
        .map(|slug| async move { create_tenant(domain, caller, &ask(slug, Some("corp"))).await });
    let outcomes = all(tries).await;
    let made: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(made.len(), 1);
    let lost = if made[0].slug.as_str() == "acme" { "beta" } else { "acme" };
    let refused = get_tenant(domain, caller, &reference(lost)).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);
    create_tenant(domain, caller, &ask(lost, None)).await.unwrap();
}
