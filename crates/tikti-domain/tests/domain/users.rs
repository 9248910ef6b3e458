//! The directory of users.

use std::collections::BTreeSet;

use tikti_domain::Caller;
use tikti_domain::account::{
    ResetPassword, UpdateUser, delete_user, get_user, list_users, remove_user, reset_password,
    reset_user_password, update_user,
};
use tikti_domain::api_key::KeyScope;
use tikti_domain::email::Email;
use tikti_domain::error::Code;
use tikti_domain::id::{TenantRef, UserId};
use tikti_domain::page::PageRequest;
use tikti_domain::testing::{Fixture, keyed, keyed_bearing};
use tikti_domain::user::{GlobalRole, UserStatus};

const ROOT: &str = "root@corp.sys";

async fn world() -> (Fixture, Caller) {
    let fixture = Fixture::new().await;
    fixture.admin(ROOT).await;
    let root = keyed_bearing(&fixture.sign_in(ROOT).await.id_token);
    (fixture, root)
}

fn page(size: u64, token: Option<String>) -> PageRequest {
    PageRequest::new(Some(size), token).unwrap()
}

/// Every user, by pages of this size; fails where one comes twice or a page is too large.
async fn listed(fixture: &Fixture, root: &Caller, size: u64) -> BTreeSet<UserId> {
    let (mut all, mut token) = (BTreeSet::new(), None);
    loop {
        let found = list_users(&fixture.domain, root, &page(size, token), None).await.unwrap();
        assert!(found.items.len() <= usize::try_from(size).unwrap());
        // A page that is not the last one is a full one.
        assert!(found.next.is_none() || !found.items.is_empty());
        for user in found.items {
            assert!(all.insert(user.id));
        }
        token = found.next;
        if token.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn whoever_lives_is_listed_once_whatever_the_size_of_a_page() {
    let (fixture, root) = world().await;
    let mut expected: BTreeSet<UserId> = listed(&fixture, &root, 50).await;
    assert_eq!(expected.len(), 1);
    for number in 0..40 {
        let email = format!("user{number}@example.org");
        let user = fixture.user(&email, GlobalRole::CompanyEmployee).await;
        if number % 4 == 0 {
            delete_user(&fixture.domain, &user.id, fixture.now()).await.unwrap();
        } else {
            expected.insert(user.id);
        }
    }
    for size in [1, 7, 31, 32, 200] {
        assert_eq!(listed(&fixture, &root, size).await, expected, "{size}");
    }
    let email = Email::parse("user1@example.org").unwrap();
    let found = list_users(&fixture.domain, &root, &page(50, None), Some(&email)).await.unwrap();
    assert_eq!((found.items.len(), found.next), (1, None));
    let email = Email::parse("user4@example.org").unwrap();
    let found = list_users(&fixture.domain, &root, &page(50, None), Some(&email)).await.unwrap();
    assert!(found.items.is_empty());
}

/// Attacks, row E5.
#[tokio::test]
async fn e5_a_page_token_that_was_made_up_is_refused() {
    let (fixture, root) = world().await;
    for number in 0..3 {
        fixture.user(&format!("user{number}@example.org"), GlobalRole::CompanyEmployee).await;
    }
    let first = list_users(&fixture.domain, &root, &page(1, None), None).await.unwrap();
    let good = first.next.unwrap();
    for bad in [String::new(), "x".to_owned(), format!("{good}A"), good.to_uppercase()] {
        let refused = list_users(&fixture.domain, &root, &page(1, Some(bad)), None).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    }
    list_users(&fixture.domain, &root, &page(1, Some(good)), None).await.unwrap();
}

#[tokio::test]
async fn an_administrator_changes_reads_and_deletes_a_user() {
    let (fixture, root) = world().await;
    let domain = &fixture.domain;
    let acme = fixture.tenant(ROOT, "acme").await.id;
    fixture.tenant(ROOT, "beta").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme, &ann, &["TENANT_USER"]).await;
    let ask = UpdateUser {
        role: Some(GlobalRole::CompanyAdmin),
        status: None,
        display_name: Some(" Ann ".to_owned()),
        email_verified: Some(true),
        default_tenant: Some(TenantRef::parse("acme").unwrap()),
    };
    let changed = update_user(domain, &root, (&ann.id, &ask)).await.unwrap();
    assert_eq!(changed.role, GlobalRole::CompanyAdmin);
    assert_eq!(changed.display_name.as_deref(), Some("Ann"));
    assert_eq!((changed.email_verified, &changed.default_tenant), (true, &Some(acme)));
    // Nothing of it ends a session.
    assert_eq!(changed.ver, ann.ver);
    assert_eq!(get_user(domain, &root, &ann.id).await.unwrap(), changed);

    let tenant = Some(TenantRef::parse("beta").unwrap());
    for (ask, code) in [
        (UpdateUser::default(), Code::InvalidArgument),
        (UpdateUser { default_tenant: tenant, ..UpdateUser::default() }, Code::MembershipRequired),
    ] {
        let refused = update_user(domain, &root, (&ann.id, &ask)).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    remove_user(domain, &root, &ann.id).await.unwrap();
    let name = UpdateUser { display_name: Some("Ann".to_owned()), ..UpdateUser::default() };
    for outcome in [
        remove_user(domain, &root, &ann.id).await.err(),
        get_user(domain, &root, &ann.id).await.err(),
        update_user(domain, &root, (&ann.id, &name)).await.err(),
    ] {
        assert_eq!(outcome.unwrap().code(), Code::UserNotFound);
    }
}

#[tokio::test]
async fn becoming_and_ceasing_to_be_an_administrator_begins_anew() {
    let (fixture, root) = world().await;
    let domain = &fixture.domain;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let role = |role| UpdateUser { role: Some(role), ..UpdateUser::default() };
    let status = |status| UpdateUser { status: Some(status), ..UpdateUser::default() };
    let mut ver = ann.ver;
    for (ask, is_active_admin) in [
        (role(GlobalRole::Admin), true),
        (status(UserStatus::Suspended), false),
        (status(UserStatus::Inactive), false),
        (status(UserStatus::Active), true),
        (role(GlobalRole::CompanyEmployee), false),
    ] {
        fixture.clock.advance(1);
        let changed = update_user(domain, &root, (&ann.id, &ask)).await.unwrap();
        assert!(changed.ver > ver, "{ask:?}");
        assert_eq!(changed.is_active_admin(), is_active_admin, "{ask:?}");
        ver = changed.ver;
        // Once more it changes nothing.
        let same = update_user(domain, &root, (&ann.id, &ask)).await.unwrap();
        assert_eq!(same, changed, "{ask:?}");
        let report =
            tikti_domain::integrity::verify(fixture.store(), fixture.now(), &mut |_| ()).await;
        let report = report.unwrap();
        assert_eq!((report.findings, report.pending), (Vec::new(), 0), "{ask:?}");
    }
}

#[tokio::test]
async fn the_last_administrator_is_neither_demoted_nor_suspended_nor_deleted() {
    let (fixture, root) = world().await;
    let domain = &fixture.domain;
    let email = Email::parse(ROOT).unwrap();
    let me = list_users(domain, &root, &page(1, None), Some(&email)).await.unwrap().items.remove(0);
    // One who is suspended is nobody to rely on.
    let other = fixture.admin("other@corp.sys").await;
    let suspended = UpdateUser { status: Some(UserStatus::Suspended), ..UpdateUser::default() };
    update_user(domain, &root, (&other.id, &suspended)).await.unwrap();
    let demoted = UpdateUser { role: Some(GlobalRole::CompanyAdmin), ..UpdateUser::default() };
    let inactive = UpdateUser { status: Some(UserStatus::Inactive), ..UpdateUser::default() };
    for ask in [&suspended, &inactive, &demoted] {
        let refused = update_user(domain, &root, (&me.id, ask)).await.unwrap_err();
        assert_eq!(refused.code(), Code::LastAdmin, "{ask:?}");
    }
    let refused = remove_user(domain, &root, &me.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::LastAdmin);
    assert_eq!(get_user(domain, &root, &me.id).await.unwrap(), me);
    remove_user(domain, &root, &other.id).await.unwrap();
}

async fn sent(fixture: &Fixture, caller: &Caller, id: &UserId) -> Result<bool, Code> {
    let sent = reset_user_password(&fixture.domain, caller, (id, None)).await;
    sent.map(|sent| sent.code.is_some()).map_err(|error| error.code())
}

/// Attacks, rows E3 and E8.
#[tokio::test]
async fn e3_e8_a_mailed_code_is_shown_only_where_the_key_may_have_it() {
    let (fixture, root) = world().await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyAdmin).await;
    let key = fixture.api_key("quiet", &[KeyScope::Admin], |_| ()).await;
    let quiet = Caller { api_key: Some(key), ..root.clone() };
    assert_eq!(sent(&fixture, &quiet, &ann.id).await, Ok(false));
    assert_eq!(sent(&fixture, &root, &ann.id).await, Ok(true));
    let ask = async |caller: Caller| sent(&fixture, &caller, &ann.id).await.unwrap_err();
    let own = keyed_bearing(&fixture.sign_in("ann@example.org").await.id_token);
    assert_eq!(ask(own).await, Code::AdminRequired);
    assert_eq!(ask(keyed()).await, Code::Unauthenticated);
    let returning = [KeyScope::OobSend, KeyScope::OobReturn];
    let key = fixture.api_key("returning", &returning, |_| ()).await;
    assert_eq!(ask(Caller { api_key: Some(key), ..root }).await, Code::ApiKeyForbidden);
}

#[tokio::test]
async fn a_code_sent_by_an_administrator_sets_a_password() {
    let (fixture, root) = world().await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let sent = reset_user_password(&fixture.domain, &root, (&ann.id, None)).await.unwrap();
    assert_eq!(sent.email.as_str(), "ann@example.org");
    let password = "a new long password";
    let ask =
        ResetPassword { code: sent.code.unwrap(), new_password: Some(password.to_owned().into()) };
    reset_password(&fixture.domain, &keyed(), &ask).await.unwrap();
    fixture.try_sign_in("ann@example.org", password).await.unwrap();
}

#[tokio::test]
async fn who_is_gone_disabled_or_has_no_address_is_sent_no_code() {
    let (fixture, root) = world().await;
    let nobody = UserId::parse("nobody").unwrap();
    assert_eq!(sent(&fixture, &root, &nobody).await, Err(Code::UserNotFound));
    let mut ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    ann.status = UserStatus::Suspended;
    fixture.put_user(&ann).await;
    assert_eq!(sent(&fixture, &root, &ann.id).await, Err(Code::UserDisabled));
    (ann.status, ann.email) = (UserStatus::Active, None);
    fixture.put_user(&ann).await;
    assert_eq!(sent(&fixture, &root, &ann.id).await, Err(Code::InvalidArgument));
}

/// Attacks, row E2.
#[tokio::test]
async fn e2_an_administrator_fills_nobodys_mailbox() {
    let fixture = Fixture::with(|settings| settings.limits.enabled = true).await;
    fixture.admin(ROOT).await;
    let root = keyed_bearing(&fixture.sign_in(ROOT).await.id_token);
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let bob = fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    for _ in 0..3 {
        assert_eq!(sent(&fixture, &root, &ann.id).await, Ok(true));
    }
    assert_eq!(sent(&fixture, &root, &ann.id).await, Err(Code::RateLimited));
    assert_eq!(sent(&fixture, &root, &bob.id).await, Ok(true));
}
