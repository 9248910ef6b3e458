//! A keyring's program is asked in its own words. The real ones want a desktop session, or another system: each
//! is played by a script that takes the same arguments.

use std::os::unix::fs::symlink;

use super::*;

fn played(kind: Kind, script: &str, name: &str) -> (tempfile::TempDir, Keyring) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join(name);
    // A file that was just written may still be open for writing in another test's child.
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keyring").join(script), &program)
        .unwrap();
    (directory, Keyring { program: program.into(), kind })
}

#[test]
fn an_item_of_the_keychain_is_stored_in_parts_found_replaced_and_cleared() {
    let (_directory, keyring) = played(Kind::Security, "security", "security");
    let file = Path::new("/home/ann/.tikti/config.yaml");
    let item = Item { file, profile: "it's \"one\" $HOME" };
    let other = Item { file, profile: "other" };
    let found = |item| keyring.find(item).unwrap().map(|secret| secret.expose_secret().to_owned());

    assert_eq!(found(&item), None);
    keyring.clear(&item).unwrap();
    for secret in [format!(r#"{{"apiKey":"{}'"}}"#, "é$`".repeat(3_000)), "{}".to_owned()] {
        keyring.store(&item, &SecretString::from(secret.clone())).unwrap();
        assert_eq!(found(&item), Some(secret));
    }
    assert_eq!(found(&other), None);
    keyring.clear(&item).unwrap();
    assert_eq!(found(&item), None);
}

#[test]
fn an_item_of_the_keychain_stays_until_another_has_taken_its_place() {
    let (directory, keyring) = played(Kind::Security, "security", "security");
    let item = Item { file: Path::new("/home/ann/.tikti/config.yaml"), profile: "p" };
    let found = || keyring.find(&item).unwrap().map(|secret| secret.expose_secret().to_owned());
    let stored = |secret: &str| keyring.store(&item, &SecretString::from(secret));
    // The link and the items; a count of what may still be stored is beside them.
    let items = || std::fs::read_dir(directory.path()).unwrap().count() - 1;
    let budget = directory.path().join("budget");
    let long = |letter: &str| letter.repeat(7_000);
    stored(&long("a")).unwrap();
    let of_long = items();
    // However many parts of the new one are stored, the old one is found; with the last it is the new one.
    for budgeted in 0..5 {
        std::fs::write(&budget, "x".repeat(budgeted)).unwrap();
        let failure = stored(&long("b")).unwrap_err();
        assert!(failure.message.contains("storing: "), "{}", failure.message);
        assert_eq!(found(), Some(long("a")), "{budgeted}");
    }
    std::fs::write(&budget, "xxxxx").unwrap();
    stored(&long("b")).unwrap();
    std::fs::remove_file(&budget).unwrap();
    assert_eq!((found(), items()), (Some(long("b")), of_long));
    stored("c").unwrap();
    assert_eq!((found(), items()), (Some("c".to_owned()), 2));
    keyring.clear(&item).unwrap();
    assert_eq!(items(), 0);
}

#[test]
fn what_is_too_long_for_a_keychain_is_refused_before_anything_is_stored() {
    let (directory, keyring) = played(Kind::Security, "security", "security");
    let item = Item { file: Path::new("/f"), profile: "p" };
    let failure = keyring.store(&item, &SecretString::from("x".repeat(72_001))).unwrap_err();
    assert!(failure.message.ends_with("are too long for it"), "{}", failure.message);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(keyring.find(&item).unwrap().is_none());
}

#[test]
fn what_is_stored_takes_the_place_of_a_head_that_is_none_and_of_items_of_an_earlier_version() {
    let (directory, keyring) = played(Kind::Security, "security", "security");
    let item = Item { file: Path::new("/f"), profile: "p" };
    let items = || std::fs::read_dir(directory.path()).unwrap().count() - 1;
    let former = || {
        keyring.put(&item.former_part(0), "YQ==").unwrap();
        keyring.put(&item.former_part(1), "YQ==").unwrap();
    };
    former();
    keyring.put(&item.head(), "else").unwrap();
    keyring.put(&item.part(Turn::B, 0), "YQ==").unwrap();
    assert!(keyring.find(&item).is_err());
    keyring.store(&item, &SecretString::from("new")).unwrap();
    let found = keyring.find(&item).unwrap().map(|secret| secret.expose_secret().to_owned());
    assert_eq!((found, items()), (Some("new".to_owned()), 2));
    former();
    keyring.clear(&item).unwrap();
    assert_eq!(items(), 0);
}

#[test]
fn a_keyring_that_fails_or_forgets_is_told() {
    let item = Item { file: Path::new("/f"), profile: "p" };
    let secret = SecretString::from("tk_secret");
    for (name, told) in [
        ("away", "away: Cannot autolaunch D-Bus without X11 $DISPLAY"),
        ("silent", "silent: it failed without a word (exit status: 3)"),
        ("mute", "mute: it failed without a word (exit status: 1)"),
        ("forgets", "it does not give back what was stored"),
        ("changes", "it does not give back what was stored"),
    ] {
        let (_directory, keyring) = played(Kind::SecretTool, "broken", name);
        let failure = keyring.store(&item, &secret).unwrap_err();
        assert!(failure.message.ends_with(told), "{}", failure.message);
    }
    // That there is no such item is what a lookup says in this way, and nothing else.
    let (_directory, mute) = played(Kind::SecretTool, "broken", "mute");
    let failure = mute.clear(&item).unwrap_err();
    let told = "mute: it failed without a word (exit status: 1)";
    assert!(
        failure.message.contains("clearing: ") && failure.message.ends_with(told),
        "{}",
        failure.message
    );
    let gone = Keyring { program: "/nowhere/secret-tool".into(), kind: Kind::SecretTool };
    let failure = gone.find(&item).map(|_| ()).unwrap_err();
    assert!(failure.message.contains("/nowhere/secret-tool: No such file"), "{}", failure.message);
    assert!(failure.next.unwrap().contains("libsecret-tools"));
}
