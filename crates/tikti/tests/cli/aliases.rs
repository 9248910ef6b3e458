//! Names that older clients knew options and groups by: a line with them does what it does with those of today.

use serde_json::Value;

use crate::support::{Dev, Home};

/// Runs both lines, and compares how they ended and all that they printed.
#[track_caller]
fn are_the_same(home: &Home, line: &str, older: &str) {
    let [today, then] = [line, older].map(|line| home.run(line));
    assert_eq!(today.code, Some(0), "{line}: {today:?}");
    let [today, then] = [today, then].map(|it| (it.code, it.stdout, it.stderr));
    assert_eq!(then, today, "{older}");
}

#[test]
fn older_names_of_groups_and_options_print_the_same() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    let url = dev.text("url");
    home.run("apikey create --scopes introspect --name backend --tenant codecompany").done();
    home.run("token exchange --aud backend-worker --scope jobs:read --tenant codecompany").done();
    for (line, older) in [
        (format!("init --host {url}"), format!("init --base-url {url}")),
        (format!("tenant list --host {url}"), format!("--base-url {url} tenant list")),
        (
            "token verify --aud backend-worker --scope jobs:read --output json".to_owned(),
            "token verify --audience backend-worker --scopes jobs:read --output json".to_owned(),
        ),
    ] {
        are_the_same(&home, &line, &older);
    }
    for (group, older) in [("member", "membership"), ("apikey", "api-key")] {
        for output in ["", " --output json", " --quiet"] {
            let list = format!("list --tenant codecompany{output}");
            are_the_same(&home, &format!("{group} {list}"), &format!("{older} {list}"));
        }
        let nonsense = format!("{older} nonsense");
        let said = home.run(&nonsense).fails(3);
        assert_eq!(home.run(&format!("{group} nonsense")).fails(3), said);
    }
}

#[test]
fn older_names_of_what_a_token_is_asked_for_ask_for_the_same() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    // Without what differs from one token to the next.
    let claims = |line: &str| {
        let token = home.run(&format!("token exchange --tenant codecompany --quiet {line}")).done();
        let mut claims: Value = home.run_with_input("token inspect - --quiet", &token).json();
        for name in ["jti", "iat", "exp"] {
            claims.as_object_mut().unwrap().remove(name).unwrap();
        }
        claims
    };
    let today = claims("--aud backend-worker --scope jobs:read --sub worker-01");
    let asked = [&today["aud"], &today["scope"], &today["sub"]];
    assert_eq!(asked, ["backend-worker", "jobs:read", "worker-01"]);
    for older in [
        "--audience backend-worker --scope jobs:read --sub worker-01",
        "--aud backend-worker --scopes jobs:read --sub worker-01",
        "--aud backend-worker --scope jobs:read --subject worker-01",
        "--audience backend-worker --scopes jobs:read --subject worker-01",
    ] {
        assert_eq!(claims(older), today, "{older}");
    }
}
