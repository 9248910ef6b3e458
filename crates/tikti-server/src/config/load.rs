//! Where do settings come from? One YAML file, over it the environment, over that nothing.
//!
//! `TIKTI__TOKENS__ID_TTL` is `tokens.idTtl`; `TIKTI__API_KEY_FILE` names a file that holds
//! `apiKey`. This is the only place of the server that reads the environment.
//!
//! Spec: Operations, "Configuration".

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Map, Value};

use super::section::Problems;
use super::{Config, ConfigError, check, read};

const PREFIX: &str = "TIKTI__";
const FILE_SUFFIX: &str = "_FILE";
/// Settings that may also be given as the name of a file.
const SECRETS: [&str; 9] = [
    "apiKey",
    "secrets.masterKey",
    "secrets.pepper",
    "secrets.hs256",
    "secrets.hs256Legacy",
    "secrets.hs256Legacy.secrets",
    "store.url",
    "mail.smtp.password",
    "mail.webhook.secret",
];

/// Reads the configuration from the YAML file at `path` and the environment of this process.
///
/// # Errors
/// [`ConfigError`] with every problem that was found, one line each.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let yaml = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let members = parse_yaml(&yaml)
        .map_err(|reason| ConfigError::NotYaml { path: path.to_owned(), reason })?;
    // `vars_os`, as `vars` ends the process at the first name that is not UTF-8, whoever set it.
    assemble(members, std::env::vars_os())
        .map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })
}

fn parse_yaml(yaml: &str) -> Result<Map<String, Value>, String> {
    // An empty file, or one of comments only, is null: a configuration from the environment alone.
    let members: Option<Map<String, Value>> = serde_saphyr::from_str(yaml).map_err(|error| {
        format!("{}: no YAML mapping, or a setting stands in it twice", place_of(&error))
    })?;
    Ok(members.unwrap_or_default())
}

/// Where in a file the YAML reader stopped. Its own message quotes what stands there, and that may
/// be a secret.
pub(crate) fn place_of(error: &serde_saphyr::Error) -> String {
    match error.location() {
        Some(location) => format!("line {}, column {}", location.line(), location.column()),
        None => "somewhere".to_owned(),
    }
}

/// Types and checks the settings; `Err` has one line a problem.
fn assemble(
    mut members: Map<String, Value>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, Vec<String>> {
    let mut problems = Problems::default();
    overlay_environment(&mut members, environment, &mut problems);
    check::sources(&members, &problems);
    let config = read::config(members, &problems);
    if let Some(config) = &config {
        check::contradictions(config, &problems);
    }
    match (config, problems.into_lines()) {
        (Some(config), lines) if lines.is_empty() => Ok(config),
        (_, lines) => Err(lines),
    }
}

fn overlay_environment(
    members: &mut Map<String, Value>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &mut Problems,
) {
    let mut ours: Vec<_> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    // In the order of their names, so that the same environment gives the same lines.
    ours.sort();
    for (name, value) in ours {
        match variable(&name, value) {
            Ok((path, value)) => {
                if !problems.note_variable(&path, &name) {
                    problems.add(&path, "is given twice in the environment");
                }
                if !insert(members, &path, value) {
                    problems.add(&path, "is below a setting that is no group");
                }
            }
            Err(reason) => problems.add(&name, reason),
        }
    }
}

/// The setting that the environment variable `name` gives: its path and its text.
fn variable(name: &str, value: OsString) -> Result<(String, String), String> {
    let value = value.into_string().map_err(|_| "is not UTF-8".to_owned())?;
    let path = path_of(name);
    let secret_path = name.strip_suffix(FILE_SUFFIX).map(path_of);
    match secret_path.filter(|path| SECRETS.contains(&path.as_str())) {
        None => Ok((path, value)),
        Some(path) => match std::fs::read_to_string(&value) {
            Ok(text) => Ok((path, without_line_end(&text).to_owned())),
            // The value is not shown: whoever forgot what the suffix means wrote the secret itself.
            Err(error) => Err(format!("the file that it names cannot be read: {error}")),
        },
    }
}

/// `TIKTI__TOKENS__ID_TTL` is `tokens.idTtl`.
fn path_of(name: &str) -> String {
    let levels = name.strip_prefix(PREFIX).unwrap_or(name).split("__");
    levels.map(camel_case).collect::<Vec<_>>().join(".")
}

fn camel_case(level: &str) -> String {
    let mut camel = String::with_capacity(level.len());
    for (index, word) in level.split('_').enumerate() {
        let word = word.to_ascii_lowercase();
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => {
                camel.push(first.to_ascii_uppercase());
                camel.push_str(letters.as_str());
            }
            _ => camel.push_str(&word),
        }
    }
    camel
}

/// Editors end a file with a line end that is no part of the secret.
fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Puts `value` at `path`, making groups on the way; false where something else stands in it.
fn insert(members: &mut Map<String, Value>, path: &str, value: String) -> bool {
    let Some((group, rest)) = path.split_once('.') else {
        members.insert(path.to_owned(), Value::String(value));
        return true;
    };
    let below = members.entry(group).or_insert_with(|| Value::Object(Map::new()));
    if below.is_null() {
        *below = Value::Object(Map::new());
    }
    below.as_object_mut().is_some_and(|below| insert(below, rest, value))
}

#[cfg(test)]
mod tests;
