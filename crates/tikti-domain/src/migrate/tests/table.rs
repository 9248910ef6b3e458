//! Each rule, by an example of it.

use insta::assert_snapshot;

use super::{Build, HASH, OLD, told};

fn user(members: &str) -> String {
    format!("{{\"password\":\"{HASH}\",{members}}}")
}

#[test]
fn a_user_keeps_what_he_has_and_gets_what_is_missing() {
    let plan = Build::default()
        .user("ann@example.org", &user(r#""localId":"u-1","createdAt":"2024-01-31T12:00:00Z""#))
        .user("bob@example.org", r#"{"id":"u-2","passwordHash":"","role":"COMPANY_ADMIN"}"#)
        .user("cid@example.org", &user(r#""localId":"u-3","role":"ADMIN","status":"SUSPENDED""#))
        .newer_user("u-4", r#"{"email":"Dan@Example.org"}"#)
        .newer_user("u-5", "{}")
        .index("eve@example.org", "u-5")
        .plan();
    assert_snapshot!(told(&plan), @"
    user u-1 ann@example.org COMPANY_EMPLOYEE ACTIVE bcrypt 2024-01-31T12:00:00.000Z
    user u-2 bob@example.org COMPANY_ADMIN ACTIVE - -
    user u-3 cid@example.org ADMIN SUSPENDED bcrypt -
    user u-4 dan@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-5 eve@example.org COMPANY_EMPLOYEE ACTIVE - -
    ");
}

#[test]
fn of_two_records_of_one_user_the_newer_one_counts_and_the_other_fills_it() {
    let plan = Build::default()
        .user("ann@example.org", &user(r#""localId":"u-1","role":"ADMIN","status":"ACTIVE""#))
        .newer_user("u-1", r#"{"email":"ann@example.org","status":"SUSPENDED"}"#)
        .user("Bob@example.org", &user(r#""localId":"u-2","createdAt":"2023-01-01T00:00:00Z""#))
        .user("bob@example.org", r#"{"localId":"u-2","createdAt":"2024-01-01T00:00:00Z"}"#)
        .user("cid@example.org", r#"{"localId":"u-3"}"#)
        .newer_user("u-3", r#"{"email":"new@example.org"}"#)
        .plan();
    assert_snapshot!(told(&plan), @"
    user u-1 ann@example.org COMPANY_EMPLOYEE SUSPENDED bcrypt -
    user u-2 bob@example.org COMPANY_EMPLOYEE ACTIVE bcrypt 2024-01-01T00:00:00.000Z
    user u-3 new@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! two_addresses users cid@example.org
    ! address_case users Bob@example.org
    ! older_admin users ann@example.org
    ");
}

#[test]
fn one_address_has_one_user() {
    let plan = Build::default()
        .user("Ann@example.org", r#"{"localId":"u-1"}"#)
        .user("ann@example.org", r#"{"localId":"u-2"}"#)
        .index("ANN@example.org", "u-2")
        .user("bob@example.org", r#"{"localId":"u-3","createdAt":"2024-01-01T00:00:00Z"}"#)
        .newer_user("u-4", r#"{"email":"bob@example.org"}"#)
        .newer_user("u-6", r#"{"email":"cid@example.org"}"#)
        .newer_user("u-5", r#"{"email":"CID@example.org"}"#)
        .plan();
    assert_snapshot!(told(&plan), @"
    user u-2 ann@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-4 bob@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-5 cid@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! address_of_two users Ann@example.org
    ! address_of_two users bob@example.org
    ! address_of_two users_v2 u-6
    ");
}

#[test]
fn who_has_no_id_is_found_by_his_address_or_gets_one_that_follows_from_it() {
    let plan = Build::default()
        .user("ann@example.org", &user(r#""role":"ADMIN""#))
        .index("ann@example.org", "u-1")
        .user("bob@example.org", &user(r#""role":"ADMIN","emailVerified":true"#))
        .newer_user("u-2", r#"{"email":"bob@example.org"}"#)
        .user("cid@example.org", &user(r#""localId":null"#))
        .user("CID@example.org", r#"{"localId":""}"#)
        .user("dan@example.org", &user(r#""role":"ADMIN""#))
        .index("Dan@example.org", "u-9")
        .user("Eve@example.org", &user(r#""role":"ADMIN""#))
        .newer_user("u-3", r#"{"email":"eve@example.org"}"#)
        .index("gone@example.org", "u-9")
        .plan();
    assert_snapshot!(told(&plan), @"
    user 1cd95577-27c7-8c62-b51c-5cae70e342f9 cid@example.org COMPANY_EMPLOYEE ACTIVE bcrypt -
    user u-1 ann@example.org ADMIN ACTIVE bcrypt -
    user u-2 bob@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-3 eve@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! address_of_two users CID@example.org
    ! address_of_two users Eve@example.org
    ! address_of_two users dan@example.org
    ! without_id users CID@example.org
    ! without_id users Eve@example.org
    ! without_id users ann@example.org
    ! without_id users bob@example.org
    ! without_id users cid@example.org
    ! without_id users dan@example.org
    ~ index_of_nobody userByEmail:Dan@example.org
    ~ index_of_nobody userByEmail:gone@example.org
    ! not_his_own users bob@example.org
    ");
}

#[test]
fn what_is_no_user_is_left_and_said() {
    let plan = Build::default()
        .user("ann@example.org", "[]")
        .user("no address", r#"{"localId":"u-1"}"#)
        .user("bob@example.org", r#"{"localId":"u 2"}"#)
        .user("cid@example.org", r#"{"localId":"u-3","email":"other@example.org"}"#)
        .user("dan@example.org", r#"{"localId":"u-4","role":"root","status":"?","createdAt":"?"}"#)
        .user("eve@example.org", r#"{"localId":"u-5","password":"hunter2","companyId":"acme"}"#)
        .newer_user("u-6", r#"{"id":"u-7"}"#)
        .newer_user("u-8", "{}")
        .newer_user("u-9", r#"{"email":"a@b@c"}"#)
        .newer_user("ü", "{}")
        .index("x y", "u-4")
        .index("dan@example.org", "ü")
        .plan();
    assert_snapshot!(told(&plan), @"
    user u-4 dan@example.org COMPANY_EMPLOYEE INACTIVE - -
    user u-5 eve@example.org COMPANY_EMPLOYEE ACTIVE - -
    ! unreadable users ann@example.org
    ! bad_id userByEmail:dan@example.org
    ! bad_id users bob@example.org
    ! bad_id users_v2 ü
    ! contradicts_key users cid@example.org
    ! contradicts_key users_v2 u-6
    ! no_address users_v2 u-8
    ! bad_address userByEmail:x y
    ! bad_address users no address
    ! bad_address users_v2 u-9
    ! password users eve@example.org
    ! user_role users dan@example.org
    ! user_status users dan@example.org
    ~ date users dan@example.org
    ! company_without_membership users eve@example.org
    ");
}

#[test]
fn a_tenant_keeps_its_id_or_gets_a_prefix_and_stops_where_its_status_is_unknown() {
    let plan = Build::default()
        .tenant("acme", r#"{"id":"acme","slug":"acme","name":"Acme","status":"ACTIVE"}"#)
        .tenant(OLD, r#"{"slug":"Beta","createdAt":1706702400}"#)
        .tenant("t-1", r#"{"slug":"beta","name":"\u0001","status":"SUSPENDED"}"#)
        .tenant("t-2", r#"{"slug":"acme","status":"DELETED"}"#)
        .tenant("42", r#"{"slug":"4 2"}"#)
        .tenant("t-42", r#"{"slug":"id"}"#)
        .tenant("UPPER", "{}")
        .tenant("id", "{}")
        .tenant("broken", "{")
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant t-0193a5c8-1f6e-7000-8000-000000000000 beta "beta" ACTIVE
    tenant acme acme "Acme" ACTIVE
    tenant t-1 t-1 "t-1" SUSPENDED
    tenant t-2 t-2 "t-2" SUSPENDED
    ! unreadable tenants broken
    ! bad_id tenants UPPER
    ! bad_id tenants id
    ! id_twice tenants 42
    ! id_twice tenants t-42
    ! slug tenants 0193a5c8-1f6e-7000-8000-000000000000 lower case
    ! slug tenants t-1
    ! slug tenants t-2
    ~ tenant_name tenants t-1
    ! tenant_status tenants t-2
    "#);
}

#[test]
fn roles_and_clients_are_taken_as_far_as_they_are_understood() {
    let plan = Build::default()
        .tenant(OLD, r#"{"slug":"acme"}"#)
        .role(OLD, "BILLING", r#"{"name":"BILLING","scope":"tenant","permissions":["billing:read"]}"#)
        .role(OLD, "ODD", r#"{"permissions":["a b","jobs:read",7]}"#)
        .role(OLD, "TENANT_USER", r#"{"permissions":[]}"#)
        .role(OLD, "TENANT_ADMIN", r#"{"permissions":["everything"]}"#)
        .role(OLD, "1ST", "{}")
        .role(OLD, "A", r#"{"name":"B"}"#)
        .role("gone", "X", "{}")
        .client(OLD, "billing", r#"{"clientId":"billing","type":"SERVICE","allowedGrantTypes":["urn:ietf:params:oauth:grant-type:token-exchange","password"],"defaultScopes":["billing:read"],"secretHash":"$2a$x"}"#)
        .client(OLD, "codeq-worker", r#"{"defaultScopes":["codeq:claim"],"status":"PAUSED"}"#)
        .client(OLD, "tikti", "{}")
        .client(OLD, "app", r#"{"type":"PUBLIC"}"#)
        .client(OLD, "web", r#"{"type":"APPLICATION","allowedGrantTypes":["client_credentials"]}"#)
        .plan();
    assert_snapshot!(told(&plan), @r#"
    tenant t-0193a5c8-1f6e-7000-8000-000000000000 acme "acme" ACTIVE
      role BILLING [billing:read]
      role ODD [jobs:read]
      client billing SERVICE ACTIVE [token_exchange] [billing:read] of [billing:read] user
      client codeq-worker SERVICE DISABLED [token_exchange] [codeq:claim] of [codeq:abandon codeq:claim codeq:heartbeat codeq:nack codeq:result codeq:subscribe] any
      client web APPLICATION ACTIVE [client_credentials] [] of [] user
    ! bad_id roles:0193a5c8-1f6e-7000-8000-000000000000 1ST
    ! contradicts_key roles:0193a5c8-1f6e-7000-8000-000000000000 A
    ! tenant_missing roles:gone X
    ! built_in_role roles:0193a5c8-1f6e-7000-8000-000000000000 TENANT_ADMIN
    ! permission roles:0193a5c8-1f6e-7000-8000-000000000000 ODD
    ! reserved_client clients:0193a5c8-1f6e-7000-8000-000000000000 tikti
    ! client_type clients:0193a5c8-1f6e-7000-8000-000000000000 app
    ! client_status clients:0193a5c8-1f6e-7000-8000-000000000000 codeq-worker
    ! grant_type clients:0193a5c8-1f6e-7000-8000-000000000000 billing
    ! client_secret clients:0193a5c8-1f6e-7000-8000-000000000000 billing
    "#);
}

#[test]
fn a_membership_needs_its_user_and_its_tenant_and_holds_roles_that_there_are() {
    let twice = r#"{"userId":"u-1","roles":["TENANT_USER"],"createdAt":1}"#;
    let mut build = Build::default()
        .tenant("acme", "{}")
        .tenant(OLD, r#"{"slug":"beta"}"#)
        .role("acme", "BILLING", r#"{"permissions":["billing:read"]}"#)
        .user("ann@example.org", &format!(r#"{{"localId":"u-1","companyId":"{OLD}"}}"#))
        .user("bob@example.org", r#"{"localId":"u-2","companyId":"nowhere"}"#)
        .member("acme", "m-1", r#"{"userId":"u-1","roles":["BILLING","GONE"],"createdAt":5}"#)
        .member("acme", "m-2", twice)
        .member("acme", "u-2", r#"{"roles":["TENANT_ADMIN"]}"#)
        .member("acme", "u-3", "{}")
        .member("acme", "m-4", r#"{"userId":"u-2","tenantId":"beta"}"#)
        .member("acme", "m-5", "7")
        .member(OLD, "u-1", &format!(r#"{{"tenantId":"{OLD}","roles":[],"createdAt":9}}"#))
        .member("gone", "u-1", "{}");
    let tenants = ["acme", OLD, "gone", "never"].map(str::to_owned);
    build.0.memberships_by_user.insert("u-1".to_owned(), tenants.into());
    assert_snapshot!(told(&build.plan()), @r#"
    tenant t-0193a5c8-1f6e-7000-8000-000000000000 beta "beta" ACTIVE
    tenant acme acme "acme" ACTIVE
      role BILLING [billing:read]
    user u-1 ann@example.org COMPANY_EMPLOYEE ACTIVE - -
    user u-2 bob@example.org COMPANY_EMPLOYEE ACTIVE - -
    member u-1 in t-0193a5c8-1f6e-7000-8000-000000000000 [] first
    member u-1 in acme [BILLING]
    member u-2 in acme [TENANT_ADMIN] first
    ! unreadable memberships:acme m-5
    ! contradicts_key memberships:acme m-4
    ! company_without_membership users bob@example.org
    ! tenant_missing memberships:gone u-1
    ! member_missing memberships:acme u-3
    ! member_role memberships:acme m-1
    ~ membership_twice memberships:acme m-2
    ~ index_without_membership membershipsByUser:u-1 never
    "#);
}
