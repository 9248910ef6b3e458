//! The promises of the profile file: nothing lost, nothing half, nothing readable by others.

use std::thread;

use super::*;

fn file() -> (tempfile::TempDir, ProfileFile) {
    let home = tempfile::tempdir().unwrap();
    let file = ProfileFile::new(home.path().join(".tikti"));
    (home, file)
}

fn add(file: &ProfileFile, name: &str, profile: Profile) -> Result<(), Failure> {
    file.update(|profiles| {
        profiles.profiles.insert(name.to_owned(), profile);
        Ok(())
    })
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_was_written_is_read_whatever_it_looks_like() {
    let (_home, file) = file();
    for odd in ["true", "0123", "1e5", "~", "null", "a: b", "#x", "- a", "'", "\"", " a ", "é\n\t"]
    {
        let profile = Profile {
            base_url: "https://a.io".into(),
            api_key: Some(odd.into()),
            tenant_id: Some("t-1".into()),
            ..Profile::default()
        };
        add(&file, odd, profile.clone()).unwrap();
        let read = file.load().unwrap();
        assert!(read.profiles[odd] == profile, "{odd:?}");
    }
}

#[test]
fn the_file_is_the_owners_alone_also_where_it_was_not() {
    let (_home, file) = file();
    fs::create_dir(&file.directory).unwrap();
    fs::set_permissions(&file.directory, Permissions::from_mode(0o755)).unwrap();
    fs::write(file.path(), "").unwrap();
    fs::set_permissions(file.path(), Permissions::from_mode(0o644)).unwrap();

    add(&file, "a", Profile::default()).unwrap();

    assert_eq!(mode(&file.directory), 0o700);
    assert_eq!(mode(&file.path()), 0o600);
}

#[test]
fn two_writers_lose_nothing_and_a_reader_sees_whole_files() {
    let (_home, file) = file();
    let writers = ["a", "b"].map(|writer| {
        let file = file.clone();
        thread::spawn(move || {
            for n in 0..25 {
                add(&file, &format!("{writer}{n}"), Profile::default()).unwrap();
            }
        })
    });
    while !writers.iter().all(thread::JoinHandle::is_finished) {
        file.load().unwrap();
    }
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(file.load().unwrap().profiles.len(), 50);
}

#[test]
fn a_broken_file_is_named_with_its_line_and_not_touched() {
    let (_home, file) = file();
    fs::create_dir(&file.directory).unwrap();
    for broken in [
        "currentProfile: a\nprofiles: [\n",
        "currentProfile: a\nprofiles:\n  a:\n    baseUrl: https://a.io\n    apikey: tk_secret\n",
        "currentProfile: a\ncurrentProfile: b\n",
        "currentProfile: a\nprofiles:\n  a: tk_secret\n",
    ] {
        fs::write(file.path(), broken).unwrap();
        let failure = add(&file, "b", Profile::default()).unwrap_err();
        assert!(failure.message.contains("config.yaml, line "), "{}", failure.message);
        assert!(!failure.message.contains("secret"), "{}", failure.message);
        assert_eq!(fs::read_to_string(file.path()).unwrap(), broken);
    }
}

#[test]
fn a_refused_change_changes_nothing() {
    let (_home, file) = file();
    add(&file, "a", Profile::default()).unwrap();
    let before = fs::read_to_string(file.path()).unwrap();
    let refused: Result<(), _> = file.update(|profiles| {
        profiles.profiles.clear();
        Err(Failure::usage("no"))
    });
    assert!(refused.is_err());
    assert_eq!(fs::read_to_string(file.path()).unwrap(), before);
}

#[test]
fn a_temporary_file_left_by_a_crash_is_no_obstacle() {
    let (_home, file) = file();
    fs::create_dir(&file.directory).unwrap();
    fs::write(file.directory.join("config.yaml.new"), "half").unwrap();
    add(&file, "a", Profile::default()).unwrap();
    assert!(!file.directory.join("config.yaml.new").exists());
    assert!(file.load().unwrap().profiles.contains_key("a"));
}

#[test]
fn a_linked_file_stays_linked() {
    let (home, file) = file();
    fs::create_dir(&file.directory).unwrap();
    let target = home.path().join("dotfiles.yaml");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, file.directory.join("config.yaml")).unwrap();
    add(&file, "a", Profile::default()).unwrap();
    assert!(fs::symlink_metadata(file.directory.join("config.yaml")).unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains("profiles"));
}

#[test]
fn credentials_are_for_exactly_their_server() {
    let profile = Profile::new(&BaseUrl::parse("https://api.tikti.io/").unwrap());
    assert!(profile.is_of(&BaseUrl::parse("https://API.tikti.io:443").unwrap()));
    assert!(!profile.is_of(&BaseUrl::parse("https://api.tikti.io.evil.example").unwrap()));
    assert!(!profile.is_of(&BaseUrl::parse("http://api.tikti.io").unwrap()));
}
