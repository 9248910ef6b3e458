//! Where it is not certain what is meant, nothing more is given, and it is said.

use insta::assert_snapshot;

use super::{Build, HASH, told};

#[test]
fn of_two_tenants_that_would_get_one_id_nothing_is_taken() {
    let plan = Build::default()
        .tenant("42", r#"{"slug":"old"}"#)
        .tenant("t-42", r#"{"slug":"new"}"#)
        .tenant("acme", "{}")
        .user("ann@example.org", r#"{"localId":"u-1"}"#)
        .role("42", "R", r#"{"permissions":["a"]}"#)
        .client("t-42", "c", "{}")
        .member("42", "u-1", r#"{"roles":["TENANT_ADMIN"]}"#)
        .member("t-42", "u-1", r#"{"roles":["TENANT_ADMIN"]}"#)
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant acme acme "acme" ACTIVE
    user u-1 ann@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! id_twice tenants 42
    ! id_twice tenants t-42
    ! tenant_missing clients:t-42 c
    ! tenant_missing memberships:42 u-1
    ! tenant_missing memberships:t-42 u-1
    ! tenant_missing roles:42 R
    "#);
}

#[test]
fn what_belongs_to_a_tenant_stands_under_the_very_id_that_it_had() {
    let plan = Build::default()
        .tenant("42", "{}")
        .user("ann@example.org", r#"{"localId":"u-1","companyId":"t-42"}"#)
        .member("t-42", "u-1", r#"{"roles":["TENANT_ADMIN"]}"#)
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant t-42 t-42 "t-42" ACTIVE
    user u-1 ann@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! company_without_membership users ann@example.org
    ! tenant_missing memberships:t-42 u-1
    "#);
}

#[test]
fn an_id_whose_newer_record_cannot_be_read_is_nobodys() {
    let plan = Build::default()
        .user("ann@example.org", &format!(r#"{{"localId":"u-1","password":"{HASH}"}}"#))
        .newer_user("u-1", "{")
        .user("bob@example.org", &format!(r#"{{"password":"{HASH}"}}"#))
        .index("bob@example.org", "u-2")
        .newer_user("u-2", r#"{"email":"bob@example.org","status":false}"#)
        .plan();
    assert_snapshot!(told(&plan), @"
    ! unreadable users_v2 u-1
    ! wrong_member users_v2 u-2
    ! without_id users bob@example.org
    ! id_in_doubt users ann@example.org
    ! id_in_doubt users bob@example.org
    ~ index_of_nobody userByEmail:bob@example.org
    ");
}

#[test]
fn an_older_record_gives_no_password_in_the_place_of_a_newer_one() {
    let old = |id: &str| format!(r#"{{"localId":"{id}","password":"{HASH}"}}"#);
    let plan = Build::default()
        .user("ann@example.org", &old("u-1"))
        .newer_user("u-1", r#"{"email":"ann@example.org","password":"$argon2id$v=19$x"}"#)
        .user("bob@example.org", &old("u-2"))
        .newer_user("u-2", r#"{"email":"bob@example.org","password":{"hash":1}}"#)
        .user("cid@example.org", &old("u-3"))
        .newer_user("u-3", r#"{"email":"cid@example.org"}"#)
        .plan();
    assert_snapshot!(told(&plan), @"
    user u-1 ann@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-2 bob@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-3 cid@example.org COMPANY_EMPLOYEE ACTIVE bcrypt -
    ! password users_v2 u-1
    ! password users_v2 u-2
    ");
}

#[test]
fn where_the_index_names_two_the_key_in_lower_case_decides_then_who_is_oldest_then_nobody() {
    let dated = |id: &str, year: u16| {
        format!(r#"{{"localId":"{id}","createdAt":"{year}-01-01T00:00:00Z"}}"#)
    };
    let plan = Build::default()
        .user("Ann@example.org", &dated("u-1", 2020))
        .user("ann@example.org", &dated("u-2", 2024))
        .index("Ann@example.org", "u-1")
        .index("ann@example.org", "u-2")
        .user("Bob@example.org", &dated("u-3", 2024))
        .user("BOB@example.org", &dated("u-4", 2020))
        .index("Bob@example.org", "u-3")
        .index("BOB@example.org", "u-4")
        .user("Cid@example.org", r#"{"localId":"u-5"}"#)
        .user("CID@example.org", &dated("u-6", 2020))
        .index("Cid@example.org", "u-5")
        .index("CID@example.org", "u-6")
        .plan();
    assert_snapshot!(told(&plan), @"
    user u-2 ann@example.org COMPANY_EMPLOYEE ACTIVE - 2024-01-01T00:00:00.000Z
    user u-4 bob@example.org COMPANY_EMPLOYEE ACTIVE - 2020-01-01T00:00:00.000Z
    ! address_of_two users Ann@example.org
    ! address_of_two users Bob@example.org
    ! address_of_two users CID@example.org
    ! address_of_two users Cid@example.org
    ~ index_of_nobody userByEmail:Ann@example.org
    ~ index_of_nobody userByEmail:Bob@example.org
    ~ index_of_nobody userByEmail:CID@example.org
    ~ index_of_nobody userByEmail:Cid@example.org
    ");
}

#[test]
fn what_only_the_deployment_grants_is_taken_from_nobody() {
    let plan = Build::default()
        .tenant("acme", "{}")
        .role("acme", "MINE", r#"{"permissions":["codeq:admin","jobs:read"]}"#)
        .role("acme", "JOBS_OPERATOR", r#"{"permissions":["jobs:read","billing:read"]}"#)
        .client("acme", "mine", r#"{"defaultScopes":["codeq:admin","jobs:read"]}"#)
        .client(
            "acme",
            "codeq-producer",
            r#"{"defaultScopes":["codeq:publish","jobs:read","codeq:admin"]}"#,
        )
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant acme acme "acme" ACTIVE
      role JOBS_OPERATOR [jobs:read]
      role MINE [jobs:read]
      client codeq-producer SERVICE ACTIVE [token_exchange] [codeq:publish] of [codeq:admin codeq:publish] user
      client mine SERVICE ACTIVE [token_exchange] [jobs:read] of [jobs:read] user
    ! platform_scope clients:acme codeq-producer codeq:admin
    ! platform_scope clients:acme mine codeq:admin
    ! platform_scope roles:acme MINE codeq:admin
    ! template_scope clients:acme codeq-producer jobs:read
    ! template_scope roles:acme JOBS_OPERATOR billing:read
    "#);
    let managed: Vec<_> = plan.tenants[0].roles.iter().map(|role| role.is_managed).collect();
    assert_eq!(managed, [true, false]);
    let managed: Vec<_> = plan.tenants[0].clients.iter().map(|one| one.client.managed).collect();
    assert_eq!(managed, [true, false]);
}

#[test]
fn a_membership_without_a_date_is_the_oldest_and_of_two_as_new_only_what_both_say_is_held() {
    let one = |user: &str, roles: &str, rest: &str| {
        format!(r#"{{"userId":"{user}","roles":{roles}{rest}}}"#)
    };
    let plan = Build::default()
        .tenant("acme", "{}")
        .user("ann@example.org", r#"{"localId":"u-1"}"#)
        .user("bob@example.org", r#"{"localId":"u-2"}"#)
        .member("acme", "m-1", &one("u-1", r#"["TENANT_USER"]"#, r#","createdAt":7"#))
        .member("acme", "m-2", &one("u-1", r#"["TENANT_ADMIN"]"#, ""))
        .member("acme", "m-3", &one("u-2", r#"["TENANT_ADMIN","TENANT_USER"]"#, ""))
        .member("acme", "m-4", &one("u-2", r#"["TENANT_USER"]"#, ""))
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant acme acme "acme" ACTIVE
    user u-1 ann@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-2 bob@example.org COMPANY_EMPLOYEE ACTIVE - -
    member u-1 in acme [TENANT_USER] first
    member u-2 in acme [TENANT_USER] first
    ! member_role memberships:acme m-3
    ~ membership_twice memberships:acme m-2
    ~ membership_twice memberships:acme m-3
    "#);
}

#[test]
fn a_member_of_a_wrong_type_is_not_taken_for_absent() {
    let plan = Build::default()
        .tenant("acme", "{}")
        .tenant("beta", r#"{"status":0.5,"slug":"b2"}"#)
        .tenant("gone", r#"{"status":false}"#)
        .user("ann@example.org", r#"{"localId":"u-1","status":"suspended"}"#)
        .user("bob@example.org", r#"{"localId":"u-2","status":false}"#)
        .user("cid@example.org", r#"{"localId":"u-3","companyId":["acme"]}"#)
        .role("acme", "R", r#"{"permissions":{"a":true}}"#)
        .role("acme", "S", r#"{"permissions":{}}"#)
        .client("acme", "all", r#"{"allowedGrantTypes":["password"]}"#)
        .client("acme", "none", r#"{"allowedGrantTypes":{}}"#)
        .client("acme", "one", r#"{"status":"disabled"}"#)
        .client("acme", "wrong", r#"{"allowedGrantTypes":true}"#)
        .member("acme", "u-1", r#"{"roles":{"TENANT_ADMIN":1}}"#)
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant acme acme "acme" ACTIVE
      role S []
      client one SERVICE DISABLED [token_exchange] [] of [] user
    tenant beta b2 "b2" SUSPENDED
    user u-1 ann@example.org COMPANY_EMPLOYEE SUSPENDED - -
    user u-3 cid@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! wrong_member clients:acme wrong
    ! wrong_member memberships:acme u-1
    ! wrong_member roles:acme R
    ! wrong_member tenants gone
    ! wrong_member users bob@example.org
    ! wrong_member users cid@example.org
    ! tenant_status tenants beta
    ! grant_type clients:acme all
    ! grant_type clients:acme none
    "#);
}
