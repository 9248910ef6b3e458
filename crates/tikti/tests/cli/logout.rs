//! `tikti auth logout`: the session ends at the server as well, and the tokens are forgotten in any case.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use crate::exact::{exact, prints};
use crate::lossy_road::LossyRoad;
use crate::support::{Dev, Home, Outcome, finish};

/// What a copy of the idToken is still good for.
fn with_copy(home: &Home, token: &str) -> Outcome {
    let mut command = home.command("session list --quiet");
    command.env("TIKTI_TOKEN", token);
    finish(&mut command, "")
}

fn id_token(home: &Home) -> String {
    home.run("token show --type id --quiet").done().trim_end().to_owned()
}

fn holds_tokens(home: &Home) -> bool {
    fs::read_to_string(home.config()).unwrap().contains("Token: ")
}

#[test]
fn signing_out_ends_the_session_at_the_server() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let token = id_token(&home);
    with_copy(&home, &token).done();
    prints(&home, "auth logout", "", "✔ Signed out: profile `dev` holds no tokens any more.\n");
    assert!(!holds_tokens(&home));
    with_copy(&home, &token).fails(2);

    // Who is signed out already, or whose session has ended elsewhere.
    prints(&home, "auth logout", "", "✔ Profile `dev` had no session.\n");
    home.sign_in(&dev).done();
    let sid = home.run("session list --quiet").done();
    home.run(&format!("session revoke {}", sid.trim_end())).done();
    prints(
        &home,
        "auth logout --output json",
        "{\"profile\":\"dev\",\"hadSession\":true,\"endedAtServer\":true}\n",
        "",
    );

    // An access token is verified by others, who are not told.
    home.sign_in(&dev).done();
    home.run("tenant create --slug codecompany").done();
    home.run("token exchange --aud backend-worker --tenant codecompany").done();
    prints(
        &home,
        "auth logout",
        "",
        "✔ Signed out: profile `dev` holds no tokens any more.\n  \
         Services that verify access tokens by themselves take them until they expire.\n",
    );
}

#[test]
fn tokens_are_forgotten_without_the_server() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let token = id_token(&home);
    let forgotten = "✔ Profile `dev` holds no tokens any more.\n  The session itself ends at its expiry \
                     (idToken: TIME): a copy of its tokens stays good until then.\n";
    prints(&home, "auth logout --local", "", forgotten);
    assert!(!holds_tokens(&home));
    with_copy(&home, &token).done();

    home.sign_in(&dev).done();
    let host = dev.text("url").to_owned();
    dev.kill();
    let outcome = home.run("auth logout");
    let (warning, told) = outcome.stderr.split_once('\n').unwrap();
    let expected =
        format!("warning: the session is not ended at the server: cannot reach {host}: ");
    assert!(warning.starts_with(&expected), "{warning}");
    assert_eq!(exact(told), forgotten);
    outcome.done();
    assert!(!holds_tokens(&home));
}

#[test]
fn a_session_that_begins_meanwhile_stays() {
    let home = Arc::new(Home::new());
    let dev = Dev::start(&home);
    let road = LossyRoad::watching("POST /v1/accounts/signOut ", &dev);
    let over_road = || {
        let config = fs::read_to_string(home.config()).unwrap();
        config.replace(dev.text("url"), &road.url)
    };
    home.sign_in(&dev).done();
    let later = over_road();
    home.sign_in(&dev).done();
    fs::write(home.config(), over_road()).unwrap();
    let ended = id_token(&home);
    // While the server is asked, somebody signs in elsewhere.
    let config = home.config();
    road.meanwhile(move || fs::write(&config, &later).unwrap());
    prints(
        &home,
        "auth logout",
        "",
        "✔ Signed out: profile `dev` holds those of a session that began meanwhile.\n",
    );
    home.run("session list").done();
    with_copy(&home, &ended).fails(2);
}

#[test]
fn a_session_ends_though_its_file_cannot_be_changed_or_another_command_holds_the_lock() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let token = id_token(&home);
    let mode = |mode| fs::set_permissions(home.config(), Permissions::from_mode(mode)).unwrap();
    mode(0o400);
    let said = home.run("auth logout").fails(3);
    assert!(said.contains("the session has ended, and its tokens stay here: "), "{said}");
    assert!(said.contains("config.yaml is read-only"), "{said}");
    with_copy(&home, &token).fails(2);
    mode(0o600);

    home.sign_in(&dev).done();
    let token = id_token(&home);
    let lock = File::create(home.config().with_file_name("refresh.lock")).unwrap();
    lock.lock().unwrap();
    prints(
        &home,
        "auth logout",
        "",
        "  Waiting for another command, which refreshes the session.\n  It lasts: going on without it.\n\
         ✔ Signed out: profile `dev` holds no tokens any more.\n",
    );
    with_copy(&home, &token).fails(2);
}

#[test]
fn a_token_that_is_got_for_the_session_meanwhile_goes_with_it() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let road = LossyRoad::watching("POST /v1/accounts/signOut ", &dev);
    let config = fs::read_to_string(home.config()).unwrap().replace(dev.text("url"), &road.url);
    fs::write(home.config(), &config).unwrap();
    let exchanged = config.replace("    idToken: ", "    accessToken: a.b.c\n    idToken: ");
    assert_ne!(exchanged, config);
    let file = home.config();
    road.meanwhile(move || fs::write(&file, &exchanged).unwrap());
    prints(&home, "auth logout", "", "✔ Signed out: profile `dev` holds no tokens any more.\n");
    assert!(!holds_tokens(&home));
}
