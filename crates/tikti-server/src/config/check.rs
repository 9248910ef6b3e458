//! Which settings are refused although each is well-formed? What is unsafe, and what contradicts
//! something else.
//!
//! Spec: Operations, "Configuration", "The server refuses to start".

use serde_json::{Map, Value};
use tikti_domain::client::TIKTI;
use tikti_domain::settings::Settings;
use url::{Host, Url};

use super::Config;
use super::section::Problems;

/// Refuses the plain API key in the file itself, where backups and repositories would keep it.
pub(super) fn sources(members: &Map<String, Value>, problems: &Problems) {
    if members.contains_key("apiKey") && !problems.is_from_environment("apiKey") {
        problems.add(
            "apiKey",
            "does not belong into the file: use apiKeyHash, TIKTI__API_KEY or TIKTI__API_KEY_FILE",
        );
    }
    if members.contains_key("apiKey") && members.contains_key("apiKeyHash") {
        problems.add("apiKeyHash", "contradicts apiKey: give one of them");
    }
}

/// Says what is wrong with an issuer; every token carries it and every verifier compares it as it
/// stands.
pub(super) fn issuer(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL, such as https://id.example.org")?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        _ => return Err("must begin with https:// (http:// is for loopback only)"),
    }
    if text.contains(['?', '#']) {
        return Err("must have neither query nor fragment");
    }
    if text.ends_with('/') {
        return Err("must not end in a slash");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    Ok(text.to_owned())
}

/// Refuses settings that contradict each other.
pub(super) fn contradictions(config: &Config, problems: &Problems) {
    let settings = &config.domain.settings;
    if settings.default_audience == TIKTI || settings.default_audience == settings.issuer {
        problems.add(
            "defaultAudience",
            "is reserved: tikti and the issuer are audiences of access tokens",
        );
    }
    if settings.issuer_change_from.as_deref() == Some(settings.issuer.as_str()) {
        problems.add("issuerChangeFrom", "names the issuer itself, so nothing changes");
    }
    durations(settings, problems);
}

fn durations(settings: &Settings, problems: &Problems) {
    let pairs = [
        ("tokens.idTtl", settings.id_token_ttl, "tokens.sessionTtl", settings.session_ttl),
        ("tokens.sessionTtl", settings.session_ttl, "tokens.sessionMax", settings.session_max),
        ("tokens.adminReauth", settings.admin_reauth, "tokens.sessionMax", settings.session_max),
    ];
    for (shorter, value, longer, bound) in pairs {
        if value > bound {
            problems.add(shorter, format_args!("must not be longer than {longer}"));
        }
    }
}
