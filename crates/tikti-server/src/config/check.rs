//! Which settings are refused although each is well-formed? What is unsafe, and what contradicts
//! something else.
//!
//! Spec: Operations, "Configuration", "The server refuses to start".

use serde_json::{Map, Value};
use tikti_domain::api_key::ConfiguredApiKey;
use tikti_domain::client::TIKTI;
use tikti_domain::settings::Settings;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::section::Problems;
use super::{Config, keys};

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
pub(super) fn issuer(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|_| "must be a URL, such as https://id.example.org")?;
    issuer_parts(text, &url)?;
    // The parser repairs upper case, a default port, white space and more; verifiers compare bytes.
    let normal = url.as_str().trim_end_matches('/');
    if normal == text { Ok(()) } else { Err(format!("must be written as {normal}")) }
}

/// Whether a URL leads to this machine, whatever its network is.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn issuer_parts(text: &str, url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
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
    Ok(())
}

const REDIS_SCHEMES: [&str; 6] =
    ["redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"];

/// Says what is wrong with the address of a store, as far as it can be seen without connecting. Shows
/// none of it: it may hold a password.
pub(super) fn store_url(text: &str) -> Result<(), &'static str> {
    match text.split_once(':') {
        Some(("embedded", "")) => Err("names no directory: write embedded:/var/lib/tikti"),
        Some(("embedded", _)) => Ok(()),
        Some((scheme, rest)) if REDIS_SCHEMES.contains(&scheme) => {
            let named = rest.strip_prefix("//").filter(|rest| !rest.is_empty());
            named.map(|_| ()).ok_or("names no host: write redis://host:6379")
        }
        Some(_) => Err("is of an engine that there is not: write embedded:<directory>, redis:, \
             rediss:, redis+cluster: or redis+sentinel:"),
        None => Err("does not name its engine: write embedded:/var/lib/tikti or redis://host"),
    }
}

/// Says what is wrong with a log filter. The filter itself takes an unknown word for a target, and
/// then nothing else is logged any more.
pub(super) fn log_level(text: &str) -> Result<(), &'static str> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_sound = |part: &str| match part.trim().rsplit_once('=') {
        Some((target, level)) => !target.is_empty() && LEVELS.contains(&level),
        None => LEVELS.contains(&part.trim()),
    };
    if text.split(',').all(is_sound) && EnvFilter::try_new(text).is_ok() {
        Ok(())
    } else {
        Err(
            "must be off, error, warn, info, debug or trace, or a list such as info,tikti_domain=debug",
        )
    }
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
    let is_theirs = |audience: &str| {
        settings.resource_servers.iter().any(|server| server.audience.as_str() == audience)
    };
    if is_theirs(&settings.default_audience) && settings.default_audience != TIKTI {
        problems.add("defaultAudience", "is reserved: a resource server has it as its audience");
    }
    if settings.issuer_change_from.as_deref() == Some(settings.issuer.as_str()) {
        problems.add("issuerChangeFrom", "names the issuer itself, so nothing changes");
    }
    if let Some(ConfiguredApiKey::Hash(hash)) = &config.domain.api_key
        && config.domain.secrets.pepper.iter().all(|pepper| pepper.kid != hash.pepper)
    {
        problems.add("apiKeyHash.pepper", "is no kid of secrets.pepper");
    }
    template_clients(settings, problems);
    durations(settings, problems);
    keys::contradictions(settings, problems);
}

/// Refuses a client of the template under an audience that idTokens or Tikti's own tokens have: its
/// tokens could be taken for those.
fn template_clients(settings: &Settings, problems: &Problems) {
    for (index, client) in settings.tenant_template.clients.iter().enumerate() {
        if settings.reserves(&client.id) {
            problems.add(
                &format!("tenantTemplate.clients[{index}].clientId"),
                "is reserved: tikti, the issuer and defaultAudience name no client",
            );
        }
    }
}

fn durations(settings: &Settings, problems: &Problems) {
    let pairs = [
        ("tokens.idTtl", settings.id_token_ttl, "tokens.sessionTtl", settings.session_ttl),
        ("tokens.sessionTtl", settings.session_ttl, "tokens.sessionMax", settings.session_max),
        ("tokens.adminReauth", settings.admin_reauth, "tokens.sessionMax", settings.session_max),
        ("tokens.recentSignIn", settings.recent_sign_in, "tokens.sessionMax", settings.session_max),
    ];
    for (shorter, value, longer, bound) in pairs {
        if value > bound {
            problems.add(shorter, format_args!("must not be longer than {longer}"));
        }
    }
}
