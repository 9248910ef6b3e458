//! `tikti role`: every command in each form of output, and how a person is refused.

use crate::exact::{fails, prints};
use crate::support::{Dev, Home};

fn role(name: &str, permissions: &str) -> String {
    format!(
        "{{\"name\":\"{name}\",\"permissions\":[{permissions}],\"builtIn\":false,\"managed\":false}}\n"
    )
}

#[test]
fn roles_are_made_shown_changed_and_deleted() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let tenant = "--tenant codecompany";
    prints(
        &home,
        &format!("role create BILLING --permissions bills:read,bills:write {tenant}"),
        "",
        "✔ Role BILLING of codecompany created\n",
    );
    prints(
        &home,
        &format!("role create AUDITOR --permission bills:read --output json {tenant}"),
        &role("AUDITOR", "\"bills:read\""),
        "",
    );
    prints(&home, &format!("role create CLERK --permissions a:b --quiet {tenant}"), "CLERK\n", "");

    are_shown(&home);
    are_changed(&home);
    are_listed(&home);

    prints(&home, "role delete BILLING --yes", "", "✔ Role BILLING of ID deleted\n");
    prints(&home, "role delete CLERK --yes --output json", "{}\n", "");
    prints(&home, "role delete AUDITOR --yes --quiet", "", "");
}

fn are_shown(home: &Home) {
    let tenant = "--tenant codecompany";
    prints(
        home,
        &format!("role get BILLING {tenant}"),
        "name  BILLING\nbuilt-in  -\nmanaged  -\npermissions  bills:read bills:write\n",
        "",
    );
    prints(
        home,
        &format!("role get BILLING --output json {tenant}"),
        &role("BILLING", "\"bills:read\",\"bills:write\""),
        "",
    );
    prints(home, &format!("role get BILLING --quiet {tenant}"), "BILLING\n", "");
}

/// Those that are named and no more; in the tenant of the profile where none is.
fn are_changed(home: &Home) {
    home.run("tenant use codecompany").done();
    prints(
        home,
        "role update BILLING --permissions bills:write --permissions bills:send",
        "",
        "✔ Role BILLING of ID changed\n",
    );
    prints(
        home,
        "role update BILLING --permissions bills:send --output json",
        &role("BILLING", "\"bills:send\""),
        "",
    );
}

fn are_listed(home: &Home) {
    let table = home.run("role list").done();
    let lines = Vec::from_iter(table.lines().map(crate::exact::exact));
    assert_eq!(lines[0], "NAME  BUILT-IN  MANAGED  PERMISSIONS");
    for line in ["AUDITOR  -  -  bills:read", "BILLING  -  -  bills:send", "CLERK  -  -  a:b"] {
        assert!(lines.iter().any(|shown| shown == line), "{line}: {table}");
    }
    assert!(lines.iter().any(|line| line.starts_with("TENANT_ADMIN  yes  ")), "{table}");
    let names = home.run("role list --quiet").done();
    let listed = home.run("role list --output json").json();
    let listed = listed["roles"].as_array().unwrap().iter();
    let listed = Vec::from_iter(listed.map(|role| role["name"].as_str().unwrap()));
    assert_eq!(Vec::from_iter(names.lines()), listed);
    assert!(listed.is_sorted(), "{listed:?}");
}

/// A line, its exit code, and what is said.
const REFUSALS: &[(&str, i32, &str)] = &[
    (
        "role create BILLING --permissions a:b --tenant nowhere",
        1,
        "error: There is no such tenant, or the caller does not belong to it. (TENANT_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which tenants there are: `tikti tenant list`\n",
    ),
    (
        "role create BILLING --permissions a:b",
        1,
        "error: A role of this name exists. (ROLE_EXISTS)\n  \
         request id: ID\n  \
         next: choose another name, or change that role: `tikti role update NAME`\n",
    ),
    (
        "role get NOBODY",
        1,
        "error: There is no such role in this tenant. (ROLE_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which roles there are: `tikti role list`\n",
    ),
    (
        "role update NOBODY --permissions a:b",
        1,
        "error: there is no role NOBODY in this tenant (PRECONDITION_FAILED)\n  \
         request id: ID\n  \
         next: see which roles there are: `tikti role list`\n",
    ),
    (
        "role update TENANT_ADMIN --permissions a:b",
        1,
        "error: a built-in role can be neither changed nor deleted (CONFLICT)\n  \
         request id: ID\n",
    ),
    (
        "role delete NOBODY --yes",
        1,
        "error: There is no such role in this tenant. (ROLE_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which roles there are: `tikti role list`\n",
    ),
    (
        "role delete BILLING",
        3,
        "warning: role BILLING of tenant ID of http://HOST will be deleted; that cannot be undone\n\
         error: nobody is there to be asked whether this is meant\n  \
         next: say so with --yes\n",
    ),
    (
        "role create OTHER --permissions ,",
        3,
        "error: --permissions is empty\n  \
         next: name at least one scope\n",
    ),
];

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    home.run("tenant use codecompany").done();
    home.run("role create BILLING --permissions a:b").done();
    for (line, code, said) in REFUSALS {
        fails(&home, line, *code, said);
    }
    for line in ["role create OTHER", "role update BILLING", "role get", "role get .."] {
        home.run(line).fails(3);
    }
}
