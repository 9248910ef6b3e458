//! `tikti session`: every command in each form of output, and how a person is refused.

use crate::exact::{exact, fails, prints};
use crate::support::{Dev, Home};

const PASSWORD: &str = "a long and quiet river\n";
const PROGRAM: &str = concat!("tikti/", env!("CARGO_PKG_VERSION"));

/// A server with an administrator who is signed in, and a tenant that ann belongs to.
fn with_ann(home: &Home) -> Dev {
    let dev = Dev::with_tenant(home);
    let line = "user create ann@example.org --password-stdin --tenant codecompany";
    home.run_with_input(line, PASSWORD).done();
    dev
}

fn of_ann(dev: &Dev) -> Home {
    let home = Home::new();
    home.run(&format!("init --host {}", dev.text("url"))).done();
    sign_in(&home);
    home
}

fn sign_in(home: &Home) {
    home.run_with_input("auth login --user ann@example.org --password-stdin", PASSWORD).done();
}

#[test]
fn sessions_are_shown_and_ended() {
    let home = Home::new();
    let dev = with_ann(&home);
    let hers = of_ann(&dev);
    let row = |current: &str| format!("ID  {current}  TIME  TIME  pwd  ID  127.0.0.1  {PROGRAM}\n");
    let heads = "SID  CURRENT  BEGAN  REFRESHED  BY  TENANT  FROM  PROGRAM\n";
    let shown = format!(
        "{{\"sid\":\"ID\",\"createdAt\":\"TIME\",\"lastRefreshedAt\":\"TIME\",\"userAgent\":\"{PROGRAM}\",\
         \"ip\":\"127.0.0.1\",\"amr\":[\"pwd\"],\"tenantId\":\"ID\"}}"
    );
    prints(&hers, "session list", &format!("{heads}{}", row("yes")), "");
    prints(&hers, "session list --output json", &format!("{{\"sessions\":[{shown}]}}\n"), "");

    // A second one elsewhere: the first ends from there, and the second by itself.
    let other = of_ann(&dev);
    prints(&other, "session list", &format!("{heads}{}{}", row("-"), row("yes")), "");
    let sids = other.run("session list --quiet").done();
    let (first, second) = sids.trim_end().split_once('\n').unwrap();
    prints(&other, &format!("session revoke {first}"), "", "✔ Session ID ended\n");
    hers.run("session list").fails(2);
    prints(
        &other,
        &format!("session revoke {second}"),
        "",
        "✔ Session ID ended\n  \
         It was the one of this command: `tikti auth login --user EMAIL` begins another.\n",
    );
    other.run("session list").fails(2);

    those_of_a_member(&home, (&hers, &other), heads, &row("-"), &shown);
}

/// By whoever administers the tenant.
fn those_of_a_member(
    home: &Home,
    (hers, other): (&Home, &Home),
    heads: &str,
    row: &str,
    shown: &str,
) {
    sign_in(hers);
    sign_in(other);
    let of_member = "--user ann@example.org --tenant codecompany";
    prints(home, &format!("session list {of_member}"), &format!("{heads}{row}{row}"), "");
    prints(
        home,
        &format!("session list {of_member} --output json"),
        &format!("{{\"sessions\":[{shown},{shown}]}}\n"),
        "",
    );
    fails(
        home,
        &format!("session revoke {of_member}"),
        3,
        "warning: every session of ann@example.org in codecompany at http://HOST will be revoked; \
         that cannot be undone\nerror: nobody is there to be asked whether this is meant\n  \
         next: say so with --yes\n",
    );
    hers.run("session list").done();
    prints(
        home,
        &format!("session revoke {of_member} --yes"),
        "",
        "✔ All sessions of ann@example.org in codecompany ended\n",
    );
    hers.run("session list").fails(2);
    other.run("session list").fails(2);
    prints(home, &format!("session list {of_member}"), "No session.\n", "");
    sign_in(hers);
    let sid = hers.run("session list --quiet").done();
    prints(hers, &format!("session revoke {} --output json", sid.trim_end()), "{}\n", "");
    let id = home.run("user get ann@example.org --quiet").done();
    let line =
        format!("session revoke --user {} --tenant codecompany --yes --output json", id.trim_end());
    prints(home, &line, "{}\n", "");

    let gone = exact(&home.run(&format!("session revoke {}", sid.trim_end())).fails(1));
    let said = "error: There is no such session. (SESSION_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see which sessions there are: `tikti session list`\n";
    assert_eq!(gone, said);
    fails(
        home,
        "session list --user nobody --tenant codecompany",
        1,
        "error: There is no such user. (USER_NOT_FOUND)\n  \
         request id: ID\n  \
         next: see who is there: `tikti user list`, or `tikti member list` for a tenant\n",
    );
    for line in ["session revoke", "session revoke s --user u", "session list --tenant codecompany"]
    {
        home.run(line).fails(3);
    }
}
