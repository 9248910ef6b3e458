//! `tikti member`: every command in each form of output, and how a person is refused.

use crate::exact::{exact, fails, prints};
use crate::support::{Dev, Home};

const PASSWORD: &str = "a long and quiet river\n";

/// A server with a tenant that has a role, and ann, who is no member yet.
fn with_ann(home: &Home) -> Dev {
    let dev = Dev::with_tenant(home);
    home.run("role create BILLING --permissions bills:read --tenant codecompany").done();
    home.run_with_input("user create ann@example.org --password-stdin", PASSWORD).done();
    dev
}

fn ann(roles: &str) -> String {
    format!(
        "{{\"id\":\"ID\",\"tenantId\":\"ID\",\"userId\":\"ID\",\"email\":\"ann@example.org\",\
         \"roles\":[{roles}],\"status\":\"ACTIVE\",\"createdAt\":\"TIME\"}}\n"
    )
}

#[test]
fn members_are_added_shown_changed_and_removed() {
    let home = Home::new();
    let _dev = with_ann(&home);
    let tenant = "--tenant codecompany";
    let add = format!("member add ann@example.org --roles BILLING {tenant}");
    let remove = format!("member remove ann@example.org --yes {tenant}");
    prints(&home, &add, "", "✔ ann@example.org is a member of codecompany (ID)\n");
    prints(&home, &remove, "", "✔ ann@example.org is no member of codecompany any more\n");
    prints(&home, &format!("{add} --output json"), &ann("\"BILLING\""), "");
    prints(
        &home,
        &format!("{remove} --output json"),
        "{\"tenantId\":\"ID\",\"userId\":\"ID\",\"email\":\"ann@example.org\",\"removedAt\":\"TIME\"}\n",
        "",
    );
    prints(&home, &format!("{add} --quiet"), "ID\n", "");
    let id = home.run("user get ann@example.org --quiet").done();
    let id = id.trim_end();

    for name in ["ann@example.org", id] {
        prints(
            &home,
            &format!("member get {name} {tenant}"),
            "id  ID\nemail  ann@example.org\nroles  BILLING\nstatus  ACTIVE\nadded  TIME\n",
            "",
        );
        prints(
            &home,
            &format!("member get {name} {tenant} --output json"),
            &ann("\"BILLING\""),
            "",
        );
        prints(
            &home,
            &format!("member set-roles {name} --roles TENANT_USER,BILLING {tenant}"),
            "",
            &format!("✔ {} has these roles in codecompany: BILLING TENANT_USER\n", exact(name)),
        );
        prints(
            &home,
            &format!("member set-roles {name} --role BILLING {tenant} --output json"),
            &ann("\"BILLING\""),
            "",
        );
    }

    are_listed(&home, tenant);
    prints(&home, &format!("member remove {id} --yes {tenant} --quiet"), "ID\n", "");
    prints(
        &home,
        &format!("member add new@example.org --roles BILLING --create {tenant}"),
        "",
        "✔ new@example.org is a member of codecompany (ID)\n",
    );
}

fn are_listed(home: &Home, tenant: &str) {
    let table = exact(&home.run(&format!("membership list {tenant}")).done());
    let lines = Vec::from_iter(table.lines());
    assert_eq!(lines.len(), 3, "{table}");
    assert_eq!(lines[0], "ID  EMAIL  ROLES  STATUS  ADDED");
    assert!(lines.contains(&"ID  ann@example.org  BILLING  ACTIVE  TIME"), "{table}");
    assert!(
        lines.iter().any(|line| line.starts_with("ID  root@corp.sys  CODEQ_ADMIN ")),
        "{table}"
    );
    let listed = home.run(&format!("member list {tenant} --output json")).done();
    assert!(exact(&listed).contains(ann("\"BILLING\"").trim_end()), "{listed}");
    let first = home.run(&format!("member list {tenant} --limit 1"));
    assert_eq!(first.stderr, "  There may be more: a larger --limit shows them, or none.\n");
    assert_eq!(first.done().lines().count(), 2);
    prints(home, &format!("member list {tenant} --quiet"), "ID\nID\n", "");
}

/// A line, its exit code, and what is said.
const REFUSALS: &[(&str, i32, &str)] = &[
    (
        "member list --tenant nowhere",
        1,
        "error: There is no such tenant, or the caller does not belong to it. (TENANT_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which tenants there are: `tikti tenant list`\n",
    ),
    (
        "member add nobody@example.org --roles BILLING",
        1,
        "error: There is no such user. (USER_NOT_FOUND)\n  \
         request id: ID\n  \
         next: give --create as well, and the user is made and gets a mail\n",
    ),
    (
        "member add ann@example.org --roles NOBODY",
        1,
        "error: There is no such role in this tenant. (ROLE_NOT_FOUND)\n  \
         roles: NOBODY\n  \
         request id: ID\n  \
         next: see which roles there are: `tikti role list`\n",
    ),
    (
        "member add ann@example.org --roles BILLING",
        1,
        "error: The user is a member already. (MEMBER_EXISTS)\n  \
         request id: ID\n  \
         next: give a member other roles: `tikti member set-roles USER --roles ROLES`\n",
    ),
    (
        "member get nobody@example.org",
        1,
        "error: no user has the address nobody@example.org\n  \
         next: see who is there: `tikti user list`\n",
    ),
    (
        "member set-roles nobody --roles BILLING",
        1,
        "error: There is no such user. (USER_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see who is there: `tikti user list`, or `tikti member list` for a tenant\n",
    ),
    (
        "member remove nobody@example.org --yes",
        1,
        "error: There is no such user. (USER_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see who is there: `tikti user list`, or `tikti member list` for a tenant\n",
    ),
    (
        "member remove ann@example.org",
        3,
        "warning: the membership of ann@example.org in tenant ID of http://HOST will be deleted; that cannot be undone\n\
         error: nobody is there to be asked whether this is meant\n  \
         next: say so with --yes\n",
    ),
    (
        "member set-roles ann@example.org --roles ,",
        3,
        "error: --roles is empty\n  \
         next: name at least one role\n",
    ),
];

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    let home = Home::new();
    let dev = with_ann(&home);
    fails(
        &home,
        "member list",
        3,
        "error: no tenant is named\n  \
         next: name it with --tenant REF, or choose one: `tikti tenant use REF`\n",
    );
    home.run("tenant use codecompany").done();
    home.run("member add ann@example.org --roles TENANT_ADMIN").done();
    for (line, code, said) in REFUSALS {
        fails(&home, line, *code, said);
    }
    for line in ["member add", "member add ann@example.org", "member set-roles ann@example.org"] {
        home.run(line).fails(3);
    }

    a_tenants_administrator_names_members_by_id(&home, &dev);
}

fn a_tenants_administrator_names_members_by_id(home: &Home, dev: &Dev) {
    let hers = Home::new();
    let init = format!("init --host {} --tenant codecompany", dev.text("url"));
    hers.run(&init).done();
    hers.run_with_input("auth login --user ann@example.org --password-stdin", PASSWORD).done();
    let id = home.run("user get ann@example.org --quiet").done();
    hers.run(&format!("member get {id}")).done();
    fails(
        &hers,
        "member get ann@example.org",
        2,
        "error: The API key is missing, unknown or disabled. (INVALID_API_KEY)\n  \
         request id: ID\n  \
         next: name the member by id, see `tikti member list`: only a global ADMIN with an API key of the deployment may look an address up\n",
    );
    hers.run(&format!("{init} --api-key {}", dev.text("apiKey"))).done();
    hers.run_with_input("auth login --user ann@example.org --password-stdin", PASSWORD).done();
    fails(
        &hers,
        "member get ann@example.org",
        1,
        "error: The call needs a platform administrator. (ADMIN_REQUIRED)\n  \
         request id: ID\n  \
         next: name the member by id, see `tikti member list`: only a global ADMIN with an API key of the deployment may look an address up\n",
    );
}
