//! `tikti worker provision`: from nothing to a process that gets tokens, and what a broken run leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::lossy_road::LossyRoad;
use crate::support::{Home, Outcome, finish};
use crate::tenant_world::TenantWorld;

const PROVISION: &str = "worker provision worker-03 --aud jobs-api --scopes jobs:read,jobs:write";

/// A world, the place of a file of settings, and the line that provisions a worker and writes that file.
fn start() -> (TenantWorld, PathBuf, String) {
    let world = TenantWorld::start();
    let file = world.home.path().join("worker.env");
    let line = format!("{PROVISION} --write-env {}", file.display());
    (world, file, line)
}

/// A token by what the file says and nothing else.
fn token(file: &Path) -> Outcome {
    Home::new().run(&format!("worker token --quiet --env-file {}", file.display()))
}

fn secret(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("TIKTI_WORKER_SECRET="));
    line.unwrap_or_default().to_owned()
}

fn secrets(world: &TenantWorld) -> Value {
    let worker = world.run("worker get worker-03 --output json").json();
    let secrets = worker["secrets"].as_array().unwrap().iter();
    secrets.map(|secret| secret["n"].clone()).collect()
}

#[test]
fn from_nothing_to_a_file_that_gets_tokens_and_again_the_same() {
    let (world, path, line) = start();
    fs::write(&path, "# mine\nPORT=8080\n").unwrap();
    let shown = path.display().to_string();
    assert_eq!(
        world.said(&line).replace(&shown, "FILE"),
        "✔ Client jobs-api created\n✔ Worker worker-03 created\n\
         ✔ Settings of worker worker-03 are in FILE\n✔ Worker worker-03 gets tokens for jobs-api\n  \
         The secret of the client is for its resource server, not for the worker\n\
         # Secret of client jobs-api, shown this once: SECRET\n"
    );
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        world.masked(&text),
        "# mine\nPORT=8080\nTIKTI_HOST=HOST\nTIKTI_TENANT=ID\nTIKTI_WORKER_ID=worker-03\n\
         TIKTI_AUDIENCE=jobs-api\nTIKTI_SCOPES=jobs:read,jobs:write\nTIKTI_WORKER_SECRET=SECRET\n\
         # The secret is number 1 of this worker's\n"
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let verified = token(&path).done();
    let verified =
        world.home.run_with_input("token verify --aud jobs-api - --output json", &verified);
    assert_eq!(verified.json()["claims"]["scope"], "jobs:read jobs:write");

    // Again: nothing is changed, and the secret stays.
    assert_eq!(
        world.said(&line).replace(&shown, "FILE"),
        "✔ Settings of worker worker-03 are in FILE\n✔ Worker worker-03 gets tokens for jobs-api\n"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(world.run(&format!("{line} --quiet")).done(), "worker-03\n");
    assert_eq!(
        world.json(&line),
        json!({
            "workerId": "worker-03", "tenantId": "ID", "audience": "jobs-api", "eventTypes": [],
            "scopes": ["jobs:read", "jobs:write"], "made": [], "changed": [], "envFile": shown,
            "environment": {"TIKTI_HOST": "HOST", "TIKTI_TENANT": "ID", "TIKTI_WORKER_ID": "worker-03",
                "TIKTI_AUDIENCE": "jobs-api", "TIKTI_SCOPES": "jobs:read,jobs:write"},
        })
    );
    // More is added where it is missing; what was there stays.
    let told = world.json(&line.replace("jobs:read,jobs:write", "jobs:delete"));
    assert_eq!((&told["made"], &told["changed"]), (&json!([]), &json!(["client", "worker"])));
    let worker = world.json("worker get worker-03");
    assert_eq!(worker["scopes"], json!(["jobs:delete", "jobs:read", "jobs:write"]));

    // A new secret is a new one, and the last one stays good.
    let old = secret(&path);
    for secrets_now in [json!([1, 2]), json!([2, 3])] {
        let before = secret(&path);
        world.run(&format!("{line} --rotate")).done();
        assert_ne!(secret(&path), before);
        assert_eq!(secrets(&world), secrets_now);
        token(&path).done();
    }
    let stale = fs::read_to_string(&path).unwrap().replace(&secret(&path), &old);
    fs::write(&path, stale).unwrap();
    let said = world.run(&line).fails(2);
    assert!(
        said.contains("(INVALID_CLIENT_CREDENTIALS)") && said.contains("--rotate makes"),
        "{said}"
    );
}

#[test]
fn what_is_printed_is_a_file_of_settings_too() {
    let (world, path, _) = start();
    let line = "worker provision worker-03 --aud codeq-worker --event-types render_video,*";
    let refused = world.refused("worker provision worker-03 --aud codeq-worker", 3);
    assert!(refused.contains("name those of the worker with --event-types"), "{refused}");
    let outcome = world.run(line);
    assert_eq!(
        outcome.stderr,
        "✔ Worker worker-03 created\n✔ Worker worker-03 gets tokens for codeq-worker\n  \
         The secret is shown this once: keep it now\n"
    );
    let text = outcome.done();
    let option = format!("--write-env {}", path.display());
    fs::write(&path, &text).unwrap();
    token(&path).done();
    // As a shell reads it.
    let script = format!("set -a; . {}; printf %s \"$TIKTI_EVENT_TYPES\"", path.display());
    let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(read.stdout).unwrap(), "render_video,*");

    let again = world.run(line);
    assert!(again.stderr.contains("Its secret was shown when it was made"), "{again:?}");
    let again = again.done();
    assert!(!again.contains("SECRET") && again.contains("TIKTI_WORKER_ID=worker-03\n"), "{again}");
    let made = world.run(&format!("{line} --rotate --quiet")).done();
    assert!(made.starts_with("ws_") && made.lines().count() == 1);
    let told = world.json(&format!("{line} --rotate"));
    assert_eq!(told["environment"]["TIKTI_WORKER_SECRET"], "SECRET");

    // A file that does not hold the secret of a worker that is there, and the file of another one.
    fs::remove_file(&path).unwrap();
    let said = world.refused(&format!("{line} {option}"), 1);
    assert!(said.contains("does not hold its secret") && said.contains("--rotate"), "{said}");
    assert!(!path.exists());
    world.run(&format!("{line} {option} --rotate")).done();
    let other = format!("{} {option}", line.replace("worker-03", "worker-04"));
    let said = world.refused(&other, 3);
    assert!(said.contains("is for another worker: worker-03 of tenant ID at HOST"), "{said}");
    world.run("worker get worker-04").fails(1);

    // What others would notice is not done in passing.
    let said = world.refused("worker provision worker-04 --aud backend-worker --event-types e", 1);
    assert!(said.contains("takes access tokens"), "{said}");
    world.run("client update codeq-worker --status DISABLED").done();
    let said = world.refused(line, 1);
    assert!(said.contains("client codeq-worker is disabled"), "{said}");
}

/// Runs a command whose calls go over the road.
fn over(road: &LossyRoad, world: &TenantWorld, line: &str) -> Outcome {
    let session = world.run("token show --type id").done();
    let mut command = world.home.command(line);
    command.envs([("TIKTI_TOKEN", session.trim_end()), ("TIKTI_HOST", &road.url)]);
    command.env("TIKTI_TENANT", &world.tenant_id);
    finish(&mut command, "")
}

#[test]
fn a_rotation_that_was_broken_off_is_told_and_mended_by_the_next_run() {
    let (world, path, line) = start();
    let secrets_of = format!("POST /v1/tenants/{}/workers/worker-03/secrets ", world.tenant_id);
    let road = LossyRoad::losing(&world.dev, &secrets_of, 0);
    let rotate = format!("{line} --rotate");
    // One line has no place for the secret of a client.
    let said = over(&road, &world, &format!("{line} --quiet")).fails(3);
    assert!(said.contains("--quiet has no place") && !path.exists(), "{said}");
    world.run("worker get worker-03").fails(1);
    world.run("client get jobs-api").fails(1);
    over(&road, &world, &line).done();
    let first = secret(&path);

    road.lose(1);
    let broken = over(&road, &world, &rotate).fails(1);
    assert!(broken.contains("next: a secret may have been made that nobody has got"), "{broken}");
    // The process goes on with the one that it has, and the file says what has happened.
    assert_eq!((secrets(&world), secret(&path)), (json!([1, 2]), first.clone()));
    assert!(fs::read_to_string(&path).unwrap().contains("after number 1 is being made"));
    token(&path).done();
    let mended = over(&road, &world, &line);
    assert!(mended.stderr.contains("An earlier run was broken off"), "{mended:?}");
    assert!(mended.stderr.contains("Secret 2, which nobody has got, revoked"), "{mended:?}");
    mended.done();
    assert_eq!(secrets(&world), json!([1, 3]));
    assert!(secret(&path) != first && !fs::read_to_string(&path).unwrap().contains("being made"));
    token(&path).done();

    // Twice broken off: of each the secret that was lost goes, and none that somebody has.
    road.lose(2);
    over(&road, &world, &rotate).fails(1);
    over(&road, &world, &line).fails(1);
    over(&road, &world, &line).done();
    assert_eq!(secrets(&world), json!([3, 6]));
    token(&path).done();
    // Without a file there is no mark: it is told.
    road.lose(1);
    let said = over(&road, &world, &format!("{PROVISION} --rotate")).fails(1);
    assert!(said.contains("`tikti worker get WORKER` shows the numbers"), "{said}");
}

#[test]
fn what_was_lost_is_found_behind_a_secret_that_was_revoked_and_nothing_unclear_is_revoked() {
    let (world, path, line) = start();
    let secrets_of = format!("POST /v1/tenants/{}/workers/worker-03/secrets ", world.tenant_id);
    let road = LossyRoad::losing(&world.dev, &secrets_of, 0);
    let rotate = format!("{line} --rotate");
    over(&road, &world, &line).done();
    world.run("worker rotate-secret worker-03").done();
    let revoke = |n: u32| {
        world.run(&format!("worker rotate-secret worker-03 --revoke {n} --yes")).done();
    };
    revoke(2);
    road.lose(1);
    over(&road, &world, &rotate).fails(1);
    assert_eq!(secrets(&world), json!([1, 3]));
    let mended = over(&road, &world, &line);
    assert!(mended.stderr.contains("Secret 3, which nobody has got, revoked"), "{mended:?}");
    assert_eq!(secrets(&world), json!([1, 4]));

    // Which was made at another time, or is not the only one since, may be somebody's.
    revoke(1);
    road.lose(1);
    over(&road, &world, &rotate).fails(1);
    assert_eq!(secrets(&world), json!([4, 5]));
    let marked = fs::read_to_string(&path).unwrap();
    let (before, rest) = marked.split_once("made since ").unwrap();
    let (_, behind) = rest.split_once(": say").unwrap();
    let long_ago = format!("{before}made since 2020-01-01T00:00:00Z: say{behind}");
    let of_earlier_versions = format!("{before}made: say{behind}");
    for text in [&long_ago, &of_earlier_versions] {
        fs::write(&path, text).unwrap();
        let said = over(&road, &world, &line).fails(1);
        assert!(said.contains("among those that were made since: 5\n"), "{said}");
        assert!(said.contains(" --revoke NUMBER --yes`"), "{said}");
        assert_eq!((secrets(&world), &fs::read_to_string(&path).unwrap()), (json!([4, 5]), text));
    }
    fs::write(&path, &marked).unwrap();
    revoke(5);
    world.run("worker rotate-secret worker-03").done();
    let said = over(&road, &world, &line).fails(1);
    assert!(said.contains("made since: 6\n"), "{said}");

    // Without the mark: what the file holds is in use, and does not go for a secret of somebody else.
    let unmarked = Vec::from_iter(marked.lines().filter(|line| !line.contains("being made")));
    fs::write(&path, unmarked.join("\n")).unwrap();
    let said = over(&road, &world, &rotate).fails(1);
    assert!(said.contains("secret 4, which the file holds, would have to go"), "{said}");
    assert!(said.contains(" --revoke 6 --yes`"), "{said}");
    assert_eq!(secrets(&world), json!([4, 6]));
    token(&path).done();
    revoke(6);
    over(&road, &world, &rotate).done();
    assert_eq!(secrets(&world), json!([4, 7]));
}

#[test]
fn a_secret_that_was_made_is_shown_though_a_later_step_fails() {
    let (world, path, line) = start();
    let secret_in = |outcome: &Outcome| {
        assert_eq!(outcome.code, Some(3), "{outcome:?}");
        let (_, rest) = outcome.stdout.split_once("TIKTI_WORKER_SECRET=").unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    // The file cannot be written any more when the secret is there.
    let road =
        LossyRoad::watching(&format!("POST /v1/tenants/{}/workers", world.tenant_id), &world.dev);
    let place = path.clone();
    road.meanwhile(move || {
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
    });
    for options in ["", " --rotate"] {
        let shown = over(&road, &world, &format!("{line}{options}"));
        assert!(shown.stderr.contains("no file that can be replaced"), "{shown:?}");
        assert!(shown.stderr.contains("before the next run: put the settings there"), "{shown:?}");
        let secret = secret_in(&shown);
        let line =
            "worker token worker-03 --aud jobs-api --tenant codecompany --secret-stdin --quiet";
        world.home.run_with_input(line, &secret).done();
        fs::remove_dir(&path).unwrap();
    }
    // The token that is to show that it works is not to be had.
    let asked = LossyRoad::losing(&world.dev, "POST /oauth2/token ", 1);
    let failed = over(&asked, &world, &format!("{PROVISION} --rotate"));
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stdout.contains("TIKTI_WORKER_SECRET=ws_"), "{failed:?}");
    asked.lose(1);
    let failed = over(&asked, &world, &format!("{PROVISION} --rotate --quiet"));
    assert!(failed.code == Some(1) && failed.stdout.starts_with("ws_"), "{failed:?}");
}

#[test]
fn a_secret_that_never_arrived_is_made_anew_by_the_next_run() {
    let (world, path, line) = start();
    let workers = format!("POST /v1/tenants/{}/workers ", world.tenant_id);
    let road = LossyRoad::losing(&world.dev, &workers, 1);
    let away = |line: &str| over(&road, &world, line);
    let broken = away(&line);
    assert_eq!(broken.code, Some(1));
    // The client was made: its secret is shown all the same.
    assert!(broken.stdout.starts_with("# Secret of client jobs-api"), "{broken:?}");
    // The worker is there, and nobody has its secret.
    assert_eq!((secrets(&world), secret(&path).as_str()), (json!([1]), ""));
    let mended = away(&line);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    assert!(mended.stderr.contains("Secret 1, which nobody has got, revoked"), "{mended:?}");
    assert_eq!(secrets(&world), json!([2]));
    assert!(!fs::read_to_string(&path).unwrap().contains("is being made"));
    token(&path).done();
    let before = fs::read_to_string(&path).unwrap();
    away(&line).done();
    assert_eq!(fs::read_to_string(&path).unwrap(), before);

    // A refusal leaves the file as it was, and a place that cannot be written leaves no worker.
    let other = world.home.path().join("other.env");
    let line = "worker provision 0193a5c8-1f6e-7000-8000-000000000000 --aud jobs-api";
    let said = world.refused(&format!("{line} --write-env {}", other.display()), 1);
    assert!(said.contains("(INVALID_ARGUMENT)") && !other.exists(), "{said}");
    // Too long for the name of the file that is to take its place.
    let long = world.home.path().join("e".repeat(250));
    let line = format!("worker provision worker-05 --aud jobs-api --write-env {}", long.display());
    let said = world.refused(&line, 3);
    assert!(said.contains("writing ") && !long.exists(), "{said}");
    world.run("worker get worker-05").fails(1);
}
