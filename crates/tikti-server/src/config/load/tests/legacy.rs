//! `secrets.hs256Legacy`

use super::*;

const OLD: &str = "hush-hush-hush-hush-hush-hush-hush";

fn with(group: &str) -> Result<Config, Vec<String>> {
    load_text(&smallest(), &[("TIKTI__SECRETS__HS256_LEGACY", group)])
}

#[test]
fn secrets_of_an_older_tikti_are_read_and_never_shown() {
    let yaml = format!(
        "{}  hs256Legacy: {{secrets: [{OLD}], acceptUntil: \"2026-11-26T12:00:00Z\", issuers: [old]}}",
        smallest()
    );
    let group = format!(
        r#"{{"secrets":["{OLD}"],"acceptUntil":"2026-11-26T12:00:00Z","issuers":["old"]}}"#
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("legacy.json");
    std::fs::write(&file, format!("{group}\n")).unwrap();
    let variables = [("TIKTI__SECRETS__HS256_LEGACY_FILE", file.to_str().unwrap())];
    for config in [load_text(&yaml, &[]), with(&group), load_text(&smallest(), &variables)] {
        let config = config.unwrap();
        assert!(!format!("{config:?}").contains("hush"));
        let legacy = config.domain.secrets.hs256_legacy.unwrap();
        assert_eq!(legacy.secrets[0].expose(), OLD.as_bytes());
        assert_eq!(legacy.accept_until.as_millis(), 1_795_694_400_000);
        assert_eq!(legacy.issuers, ["old"]);
    }
    assert!(load_text(&smallest(), &[]).unwrap().domain.secrets.hs256_legacy.is_none());
}

#[test]
fn a_group_that_is_incomplete_or_has_a_short_secret_is_refused() {
    for (group, setting) in [
        ("{}", "secrets.hs256Legacy.secrets"),
        (
            r#"{"secrets":["hush"],"acceptUntil":"2026-11-26T12:00:00Z"}"#,
            "secrets.hs256Legacy.secrets[0]",
        ),
        (r#"{"secrets":[],"acceptUntil":"2026-11-26T12:00:00Z"}"#, "secrets.hs256Legacy.secrets"),
        (
            r#"{"secrets":["hush-hush-hush-hush-hush-hush-hush"]}"#,
            "secrets.hs256Legacy.acceptUntil",
        ),
        (
            r#"{"secrets":["hush-hush-hush-hush-hush-hush-hush"],"acceptUntil":"tomorrow"}"#,
            "secrets.hs256Legacy.acceptUntil",
        ),
        (
            r#"{"secrets":["hush-hush-hush-hush-hush-hush-hush"],"acceptUntil":"2026-11-26T12:00:00Z","kid":"x"}"#,
            "secrets.hs256Legacy.kid",
        ),
    ] {
        let lines = with(group).err().unwrap();
        assert!(lines[0].starts_with(&format!("{setting}:")), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("hush")), "{lines:?}");
    }
}
