//! `tikti user`: every command in each form of output, and how a person is refused.

use crate::exact::{exact, fails, prints};
use crate::support::{Dev, Home, finish};

const PASSWORD: &str = "a long and quiet river\n";

/// A server with an administrator who is signed in, a tenant, and ann, who belongs to it.
fn with_ann(home: &Home) -> Dev {
    let dev = Dev::with_tenant(home);
    let line =
        "user create ann@example.org --password-stdin --tenant codecompany --roles TENANT_USER";
    let outcome = home.run_with_input(line, PASSWORD);
    assert_eq!(exact(&outcome.stderr), "✔ User ann@example.org created (ID)\n");
    assert_eq!(outcome.done(), "");
    dev
}

fn id_of(home: &Home, email: &str) -> String {
    home.run(&format!("user get {email} --quiet")).done().trim_end().to_owned()
}

/// A home of ann's, where she is signed in at the same server.
fn of_ann(dev: &Dev) -> Home {
    let home = Home::new();
    home.run(&format!("init --host {} --api-key {}", dev.text("url"), dev.text("apiKey"))).done();
    home.run_with_input("auth login --user ann@example.org --password-stdin", PASSWORD).done();
    home
}

#[test]
fn users_are_made_and_deleted() {
    let home = Home::new();
    let _dev = with_ann(&home);
    prints(
        &home,
        "user create bob@example.org --no-password",
        "",
        "✔ User bob@example.org created (ID)\n  A link to set a password is on its way to this address.\n",
    );
    prints(
        &home,
        "user create carl@example.org --no-password --role COMPANY_ADMIN --output json",
        "{\"localId\":\"ID\",\"email\":\"carl@example.org\",\"createdAt\":\"TIME\"}\n",
        "",
    );
    prints(&home, "user create dora@example.org --no-password --quiet", "ID\n", "");
    for name in ["bob", "carl", "dora"] {
        assert!(was_mailed(&home, &format!("{name}@example.org")), "{name}");
    }

    prints(&home, "user delete carl@example.org --yes", "", "✔ User carl@example.org deleted\n");
    let id = id_of(&home, "bob@example.org");
    prints(&home, &format!("user delete {id} --yes --output json"), "{}\n", "");
    prints(&home, "user list --email bob@example.org", "No user has this address.\n", "");
}

#[test]
fn by_address_and_by_id_it_is_the_same_user() {
    let home = Home::new();
    let _dev = with_ann(&home);
    let whole = "\
id  ID
email  ann@example.org
verified  -
name  -
role  COMPANY_EMPLOYEE
status  ACTIVE
tenant  ID
created  TIME
last sign-in  -
";
    let ann = id_of(&home, "ann@example.org");
    for name in ["ann@example.org", &ann] {
        prints(&home, &format!("user get {name}"), whole, "");
        prints(
            &home,
            &format!("user get {name} --output json"),
            "{\"localId\":\"ID\",\"email\":\"ann@example.org\",\"emailVerified\":false,\
             \"role\":\"COMPANY_EMPLOYEE\",\"status\":\"ACTIVE\",\"defaultTenantId\":\"ID\",\
             \"createdAt\":\"TIME\"}\n",
            "",
        );
    }

    prints(
        &home,
        "user update ann@example.org --name Ann --role COMPANY_ADMIN --email-verified true",
        "",
        "✔ User ann@example.org changed (ID)\n",
    );
    prints(
        &home,
        &format!("user update {ann} --name Anna --output json"),
        "{\"localId\":\"ID\",\"email\":\"ann@example.org\",\"emailVerified\":true,\
         \"role\":\"COMPANY_ADMIN\",\"status\":\"ACTIVE\",\"displayName\":\"Anna\",\
         \"defaultTenantId\":\"ID\",\"createdAt\":\"TIME\"}\n",
        "",
    );
}

#[test]
fn users_are_listed_whole_or_some() {
    let home = Home::new();
    let _dev = with_ann(&home);
    prints(
        &home,
        "user list --email ann@example.org",
        "ID  EMAIL  ROLE  STATUS  LAST SIGN-IN\nID  ann@example.org  COMPANY_EMPLOYEE  ACTIVE  -\n",
        "",
    );
    prints(
        &home,
        "user list --email ann@example.org --output json",
        "{\"users\":[{\"localId\":\"ID\",\"email\":\"ann@example.org\",\"emailVerified\":false,\
         \"role\":\"COMPANY_EMPLOYEE\",\"status\":\"ACTIVE\",\"defaultTenantId\":\"ID\",\
         \"createdAt\":\"TIME\"}]}\n",
        "",
    );
    prints(&home, "user list --email nobody@example.org --output json", "{\"users\":[]}\n", "");
    prints(&home, "user list --email nobody@example.org --quiet", "", "");

    for name in ["bob", "carl"] {
        home.run(&format!("user create {name}@example.org --no-password")).done();
    }
    let all = home.run("user list --output json").json();
    assert_eq!(all["users"].as_array().unwrap().len(), 4);
    assert!(all.get("nextPageToken").is_none(), "{all}");
    prints(&home, "user list --quiet", "ID\nID\nID\nID\n", "");
    let some = home.run("user list --limit 3 --output json").json();
    assert_eq!(some["users"].as_array().unwrap().len(), 3);
    assert!(some["nextPageToken"].is_string(), "{some}");
    let outcome = home.run("user list --limit 3");
    assert_eq!(outcome.stderr, "  There may be more: a larger --limit shows them, or none.\n");
    assert_eq!(outcome.done().lines().count(), 4);
}

#[test]
fn a_suspended_user_is_out_and_comes_back() {
    let home = Home::new();
    let dev = with_ann(&home);
    let hers = of_ann(&dev);
    hers.run("auth status").done();
    let ann = id_of(&home, "ann@example.org");
    prints(&home, "user suspend ann@example.org", "", "✔ User ann@example.org is SUSPENDED (ID)\n");
    hers.run("auth status").fails(1);
    prints(&home, &format!("user activate {ann}"), "", "✔ User ann@example.org is ACTIVE (ID)\n");
    prints(
        &home,
        "user suspend ann@example.org --output json",
        "{\"localId\":\"ID\",\"email\":\"ann@example.org\",\"status\":\"SUSPENDED\"}\n",
        "",
    );
    let whole = home.run(&format!("user activate {ann} --output json")).json();
    assert_eq!((&whole["status"], &whole["role"]), (&"ACTIVE".into(), &"COMPANY_EMPLOYEE".into()));
    prints(&home, &format!("user suspend {ann} --quiet"), "ID\n", "");
    prints(&home, "user activate ann@example.org --quiet", "ID\n", "");
}

#[test]
fn a_password_is_reset_by_mail() {
    let home = Home::new();
    let _dev = with_ann(&home);
    prints(
        &home,
        "user reset-password ann@example.org",
        "",
        "✔ A link to set a new password is on its way to ann@example.org\n  \
         --quiet prints its code instead: this API key may have it.\n",
    );
    assert!(was_mailed(&home, "ann@example.org"));
    let ann = id_of(&home, "ann@example.org");
    let reply = home.run(&format!("user reset-password {ann} --output json")).json();
    assert_eq!(reply["email"], "ann@example.org");
    let code = home.run("user reset-password ann@example.org --quiet").done();
    assert_eq!(code.trim_end().len(), reply["oobCode"].as_str().unwrap().len());
}

/// A line, its exit code, and what is said.
const REFUSALS: &[(&str, i32, &str)] = &[
    (
        "user create ann@example.org --no-password",
        1,
        "error: The e-mail address belongs to a user already. (EMAIL_EXISTS)\n  \
         request id: ID\n  \
         next: see whose address it is: `tikti user get EMAIL`\n",
    ),
    (
        "user create nonsense --no-password",
        1,
        "error: the e-mail address has no @ (INVALID_EMAIL)\n  \
         request id: ID\n  \
         next: give an address such as ann@example.org\n",
    ),
    (
        "user create bob@example.org --no-password --tenant nowhere",
        1,
        "error: There is no such tenant, or the caller does not belong to it. (TENANT_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which tenants there are: `tikti tenant list`\n",
    ),
    (
        "user create bob@example.org",
        3,
        "error: there is no terminal to ask for the password\n  \
         next: pipe it with --password-stdin, or say --no-password: then the user sets one by mail\n",
    ),
    (
        "user get nobody@example.org",
        1,
        "error: no user has the address nobody@example.org\n  \
         next: see who is there: `tikti user list`\n",
    ),
    (
        "user get nobody",
        1,
        "error: There is no such user. (USER_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see who is there: `tikti user list`, or `tikti member list` for a tenant\n",
    ),
    (
        "user suspend nobody@example.org",
        1,
        "error: There is no such user. (USER_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see who is there: `tikti user list`, or `tikti member list` for a tenant\n",
    ),
    (
        "user suspend root@corp.sys",
        1,
        "error: The last administrator cannot be removed, demoted, suspended or deleted. (LAST_ADMIN)\n  \
         request id: ID\n  \
         next: make somebody else an administrator first\n",
    ),
    (
        "user update ann@example.org --role KING",
        1,
        "error: role: must be ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE (INVALID_ARGUMENT)\n  \
         request id: ID\n",
    ),
];

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    let home = Home::new();
    let dev = with_ann(&home);
    let ann = id_of(&home, "ann@example.org");
    let weak = home.run_with_input("user create bob@example.org --password-stdin", "password1\n");
    let said = "error: the password is one that everybody tries first (WEAK_PASSWORD)\n  \
         password: is too common\n  \
         request id: ID\n  \
         next: choose a longer password that is neither common nor the address\n";
    assert_eq!(exact(&weak.fails(1)), said);
    fails(
        &home,
        &format!("user delete {ann}"),
        3,
        "warning: user ID of http://HOST with all memberships and sessions will be deleted; that cannot be undone\n\
         error: nobody is there to be asked whether this is meant\n  \
         next: say so with --yes\n",
    );
    for (line, code, said) in REFUSALS {
        fails(&home, line, *code, said);
    }
    for line in ["user update ann@example.org", "user list --limit 0", "user get ..", "user create"]
    {
        home.run(line).fails(3);
    }

    without_rights_nothing_is_done(&home, &dev);
}

/// Whoever is no administrator, or has no API key.
fn without_rights_nothing_is_done(home: &Home, dev: &Dev) {
    let hers = of_ann(dev);
    fails(
        &hers,
        "user list",
        1,
        "error: The call needs a platform administrator. (ADMIN_REQUIRED)\n  \
         request id: ID\n  \
         next: sign in as a global ADMIN: `tikti auth login --user EMAIL`\n",
    );
    fails(
        home,
        "user list --api-key tk_0000000000_nobody",
        2,
        "error: The API key is missing, unknown or disabled. (INVALID_API_KEY)\n  \
         request id: ID\n  \
         next: store the server's API key with `tikti init --host URL --api-key KEY`, or give --api-key\n",
    );
    let url = dev.text("url");
    let token = home.run("token show --type id --quiet").done();
    let elsewhere = Home::new();
    elsewhere.run(&format!("init --host {url}")).done();
    let mut command = elsewhere.command("user create bob@example.org --no-password");
    command.env("TIKTI_TOKEN", token.trim_end());
    let outcome = finish(&mut command, "");
    let said = "error: without an API key of the server no mail can be sent\n  \
         next: store it: `tikti init --host URL --api-key KEY`, or give a password\n";
    assert_eq!(outcome.fails(3), said);
}

/// Whether the log of the deployment says that a user was sent a code.
fn was_mailed(home: &Home, email: &str) -> bool {
    let id = id_of(home, email);
    let log = home.run("audit list --deployment --action oob.send --output json").json();
    let events = log["events"].as_array().unwrap();
    events.iter().any(|link| link["event"]["target"].to_string().contains(&id))
}
