//! What was acknowledged survives `kill -9`.

use crate::support::{Dev, Home};

#[test]
fn a_tenant_and_its_tokens_outlive_a_killed_server() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let login = format!("auth login --user {} --password-stdin", dev.text("adminEmail"));
    home.run_with_input(&login, dev.text("adminPassword")).done();
    home.run("tenant create --slug early").done();
    let token = home.run("token exchange --aud backend-worker --tenant early --quiet").done();
    let listen = dev.text("url").trim_start_matches("http://").to_owned();
    let first = dev.ready.clone();

    let tenant = home.run("tenant create --slug codecompany --output json").json();
    dev.kill();
    let dev = Dev::start_at(&home, &listen);

    assert_eq!(dev.ready, first);
    assert_eq!(home.run("tenant get codecompany --output json").json(), tenant);
    home.run_with_input("token verify --aud backend-worker -", &token).done();
    // The session was acknowledged, too.
    home.run("auth status").done();
}
