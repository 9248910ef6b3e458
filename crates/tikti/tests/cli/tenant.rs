//! `tikti tenant`: every command in each form of output, and how a person is refused.

use crate::exact::{fails, prints};
use crate::support::{Dev, Home};

fn tenant(name: &str, status: &str, self_sign_up: bool) -> String {
    format!(
        "{{\"id\":\"ID\",\"slug\":\"codecompany\",\"name\":\"{name}\",\"status\":\"{status}\",\
         \"selfSignUp\":{self_sign_up},\"createdAt\":\"TIME\"}}"
    )
}

#[test]
fn tenants_are_made_shown_changed_and_deleted() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    prints(&home, "tenant create --slug codecompany", "", "✔ Tenant codecompany created (ID)\n");
    let made = tenant("codecompany", "ACTIVE", false);
    let id = home.run("tenant get codecompany --quiet").done();
    for name in ["codecompany", id.trim_end()] {
        prints(
            &home,
            &format!("tenant get {name}"),
            "id  ID\nslug  codecompany\nname  codecompany\nstatus  ACTIVE\ncreated  TIME\n",
            "",
        );
        prints(&home, &format!("tenant get {name} --output json"), &format!("{made}\n"), "");
    }

    are_changed(&home);
    are_listed_and_chosen(&home);

    prints(&home, "tenant delete codecompany --yes", "", "✔ Tenant codecompany deleted\n");
    home.run("tenant create --slug second").done();
    prints(&home, "tenant delete second --yes --output json", "{}\n", "");
}

fn are_changed(home: &Home) {
    prints(
        home,
        "tenant update codecompany --name Company",
        "",
        "✔ Tenant codecompany changed (ID)\n",
    );
    prints(
        home,
        "tenant update codecompany --self-sign-up true --output json",
        &format!("{}\n", tenant("Company", "ACTIVE", true)),
        "",
    );
    prints(home, "tenant update codecompany --self-sign-up false --quiet", "ID\n", "");

    prints(home, "tenant suspend codecompany", "", "✔ Tenant codecompany is SUSPENDED (ID)\n");
    prints(
        home,
        "tenant activate codecompany --output json",
        &format!("{}\n", tenant("Company", "ACTIVE", false)),
        "",
    );
    prints(
        home,
        "tenant suspend codecompany --output json",
        &format!("{}\n", tenant("Company", "SUSPENDED", false)),
        "",
    );
    prints(home, "tenant activate codecompany", "", "✔ Tenant codecompany is ACTIVE (ID)\n");
}

fn are_listed_and_chosen(home: &Home) {
    prints(
        home,
        "tenant list",
        "ID  SLUG  NAME  STATUS  CREATED\nID  codecompany  Company  ACTIVE  TIME\n",
        "",
    );
    prints(
        home,
        "tenant list --output json",
        &format!("{{\"tenants\":[{}]}}\n", tenant("Company", "ACTIVE", false)),
        "",
    );
    prints(home, "tenant list --quiet", "ID\n", "");

    prints(
        home,
        "tenant use codecompany",
        "",
        "✔ Tenant codecompany is the one of profile `dev` now (ID)\n",
    );
    prints(
        home,
        "tenant use codecompany --output json",
        &format!("{}\n", tenant("Company", "ACTIVE", false)),
        "",
    );
}

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    prints(
        &home,
        "tenant create --slug codecompany --output json",
        &format!("{}\n", tenant("codecompany", "ACTIVE", false)),
        "",
    );
    for verb in ["get", "update --name N", "suspend", "activate", "use", "delete --yes"] {
        fails(
            &home,
            &format!("tenant {verb} nowhere"),
            1,
            "error: There is no such tenant, or the caller does not belong to it. (TENANT_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which tenants there are: `tikti tenant list`\n",
        );
    }
    fails(
        &home,
        "tenant create --slug codecompany",
        1,
        "error: The tenant id or slug is taken. (TENANT_EXISTS)\n  \
         request id: ID\n  \
         next: choose another --slug, or use that tenant: `tikti tenant use SLUG`\n",
    );
    fails(
        &home,
        "tenant create --slug UPPER",
        1,
        "error: slug: must be 2 to 63 characters of a-z, 0-9 and -, beginning with a letter (INVALID_ARGUMENT)\n  \
         request id: ID\n",
    );
    fails(
        &home,
        "tenant delete codecompany",
        3,
        "warning: tenant codecompany of http://HOST with its roles, clients, workers, API keys and memberships will be deleted; that cannot be undone\n\
         error: nobody is there to be asked whether this is meant\n  \
         next: say so with --yes\n",
    );
    for line in ["tenant update codecompany", "tenant update codecompany --self-sign-up perhaps"] {
        home.run(line).fails(3);
    }
}
