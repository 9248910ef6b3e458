//! What is read from either shape, and that no reason shows anything of a row.

use super::*;

const PBKDF2: &str = "$pbkdf2-sha256$i=1,l=32$c2FsdA$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs";

fn lines(text: &str) -> Vec<UserRow> {
    read_user_lines(&mut text.as_bytes()).unwrap()
}

fn millis(time: Option<Timestamp>) -> Option<u64> {
    time.map(Timestamp::as_millis)
}

#[test]
fn a_line_may_hold_all_that_is_taken_over_or_only_id_and_address() {
    let text = format!(
        r#"{{"id":"u-1","email":"Ann@example.org","emailVerified":true,"displayName":"Ann","passwordHash":"{PBKDF2}","disabled":true,"createdAt":"2026-01-27T16:43:34Z","lastLoginAt":1769532215000}}

{{"id":"u_2","email":"bob@example.org"}}"#
    );
    let rows = lines(&text);
    let [first, second] = rows.as_slice() else { panic!("{rows:?}") };
    let ann = first.user.as_ref().unwrap();
    assert_eq!((first.number, ann.id.as_str(), ann.email.as_str()), (1, "u-1", "ann@example.org"));
    assert_eq!((ann.email_verified, ann.status), (true, UserStatus::Inactive));
    assert_eq!(ann.display_name.as_deref(), Some("Ann"));
    assert_eq!(ann.password_hash, Some(PasswordHash::parse(PBKDF2).unwrap()));
    assert_eq!(millis(ann.created_at), Some(1_769_532_214_000));
    assert_eq!(millis(ann.last_login_at), Some(1_769_532_215_000));
    let bob = second.user.as_ref().unwrap();
    assert_eq!((second.number, bob.id.as_str(), bob.status), (3, "u_2", UserStatus::Active));
    assert!(bob.password_hash.is_none() && !bob.email_verified && bob.created_at.is_none());
}

#[test]
fn a_line_that_cannot_be_used_has_a_reason_that_shows_nothing_of_it() {
    for (line, reason) in [
        (r#"{"id":"hidden","email":"hidden@example.org","emailVerified":"hidden"}"#, "shape"),
        (r#"{"id":"u","email":"hidden@example.org","password_hash":"hidden"}"#, "shape"),
        (r#"{"id":"u"}"#, "shape"),
        (r#"["hidden"]"#, "shape"),
        ("hidden", "shape"),
        (r#"{"id":"hidden@","email":"ann@example.org"}"#, "must be 1 to 128 characters"),
        (r#"{"id":"u","email":"hidden"}"#, "has no @"),
        (
            r#"{"id":"u","email":"a@b.c","passwordHash":"$1$hidden$hidden"}"#,
            "passwordHash: is of no kind",
        ),
        (r#"{"id":"u","email":"a@b.c","passwordHash":"$2b$31$hidden"}"#, "bcrypt"),
        (r#"{"id":"u","email":"a@b.c","createdAt":"hidden"}"#, "a time is neither"),
        (r#"{"id":"u","email":"a@b.c","createdAt":-5}"#, "shape"),
    ] {
        // What is wrong with one keeps no other from being used.
        let rows = lines(&format!("{line}\n{{\"id\":\"next\",\"email\":\"next@example.org\"}}\n"));
        let refused = rows[0].user.as_ref().unwrap_err();
        assert!(refused.contains(reason) && !refused.contains("hidden"), "{line}: {refused}");
        assert!(rows[1].user.is_ok());
    }
}

#[test]
fn of_two_rows_with_one_id_or_one_address_the_later_one_is_refused() {
    let rows = lines(
        r#"{"id":"a","email":"ann@example.org"}
{"id":"a","email":"bob@example.org"}
{"id":"c","email":"Ann@Example.org"}
{"id":"d","email":"dan@example.org"}"#,
    );
    let reasons: Vec<_> = rows.iter().map(|row| row.user.as_ref().err().cloned()).collect();
    let expected =
        [None, Some("has the id of number 1"), Some("has the address of number 1"), None];
    assert_eq!(reasons, expected.map(|reason| reason.map(str::to_owned)));
}

#[test]
fn a_file_without_line_ends_is_not_read_into_memory() {
    let refused = read_user_lines(&mut "x".repeat(65 * 1024).as_bytes()).unwrap_err();
    assert!(matches!(refused, UserFileError::LongLine { line: 1 }));
}

/// As the console of Firebase shows them; the key is of https://github.com/firebase/scrypt.
const CONSOLE: &str = "\
hash_config {
  algorithm: SCRYPT,
  base64_signer_key: jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,
  base64_salt_separator: Bw==,
  rounds: 8,
  mem_cost: 14,
}
";

fn config(text: &str) -> Result<FirebaseHashConfig, UserFileError> {
    read_firebase_hash_config(&mut text.as_bytes())
}

#[test]
fn hash_parameters_are_read_as_the_console_shows_them_and_as_json() {
    let json = r#"{"algorithm": "SCRYPT", "base64_signer_key": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==", "base64_salt_separator": "Bw==", "rounds": 8, "mem_cost": 14}"#;
    let made = [CONSOLE, json].map(|text| {
        let config = config(text).unwrap();
        config.hash(b"salt", &[7; 64]).unwrap()
    });
    assert_eq!(made[0], made[1]);
    for (from, to, reason) in [
        ("SCRYPT", "BCRYPT", "algorithm is not SCRYPT"),
        ("  rounds: 8,\n", "", "no rounds"),
        ("rounds: 8", "rounds: many", "no number"),
        ("mem_cost: 14", "mem_cost: 30", "more time or memory"),
        ("Bw==", "B!==", "not base64"),
        ("WmXA==", "WmXA==,\n rounds: 9", "twice"),
    ] {
        let refused = config(&CONSOLE.replace(from, to)).unwrap_err().to_string();
        assert!(refused.contains(reason) && !refused.contains("jxspr8"), "{to}: {refused}");
    }
}

#[test]
fn an_export_of_firebase_is_read_with_hashes_in_either_alphabet() {
    let hash =
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
    let web_safe = hash.replace('+', "-").replace('/', "_");
    let text = format!(
        r#"{{"users": [
  {{"localId":"uid1","email":"ann@example.org","emailVerified":true,"passwordHash":"{hash}","salt":"42xEC+ixf3L2lw==","displayName":"Ann","lastSignedInAt":"1600000000000","createdAt":"1500000000000","disabled":true,"providerUserInfo":[]}},
  {{"localId":"uid2","email":"bob@example.org","emailVerified":false,"passwordHash":"{web_safe}","salt":"42xEC-ixf3L2lw==","displayName":""}},
  {{"localId":"uid3","email":"cid@example.org","providerUserInfo":[{{"providerId":"google.com"}}]}},
  {{"localId":"uid4","phoneNumber":"+4930123456"}},
  {{"localId":"uid5","email":"dan@example.org","passwordHash":"UkVEQUNURUQ=","salt":"42xEC-ixf3L2lw=="}},
  {{"localId":7}}
]}}"#
    );
    let rows = read_firebase_users(&mut text.as_bytes(), &config(CONSOLE).unwrap()).unwrap();
    let users: Vec<_> = rows.iter().map(|row| row.user.as_ref()).collect();
    let [Ok(ann), Ok(bob), Ok(cid), Err(no_email), Err(redacted), Err(other)] = users.as_slice()
    else {
        panic!("{users:?}")
    };
    assert_eq!((ann.id.as_str(), ann.status), ("uid1", UserStatus::Inactive));
    assert_eq!(millis(ann.created_at), Some(1_500_000_000_000));
    assert_eq!(millis(ann.last_login_at), Some(1_600_000_000_000));
    assert!(ann.password_hash.is_some() && ann.password_hash == bob.password_hash);
    assert_eq!((bob.display_name.as_ref(), bob.email_verified), (None, false));
    assert!(cid.password_hash.is_none());
    assert_eq!(no_email.as_str(), "has no e-mail address");
    assert!(redacted.contains("16 to 64 bytes"), "{redacted}");
    assert_eq!(other.as_str(), NOT_THE_SHAPE);
}

#[test]
fn another_file_than_an_export_is_refused_as_a_whole() {
    for text in ["", "{}", "[]", r#"{"users":{}}"#, r#"{"users":[{"localId":"a"}"#] {
        let refused = read_firebase_users(&mut text.as_bytes(), &config(CONSOLE).unwrap());
        assert!(matches!(refused, Err(UserFileError::NotAnExport { .. })), "{text}");
    }
}
