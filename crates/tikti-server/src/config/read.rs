//! Which settings are there, of what type, with which values when they are left out? This file is
//! the list.
//!
//! Only settings that do something exist; an unknown one is refused, so that a misspelt setting is
//! never a setting left at its default.
//!
//! Spec: Operations, "Configuration".

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;

use data_encoding::BASE64;
use serde_json::{Map, Value};
use tikti_domain::AccessTokenType;
use tikti_domain::DomainConfig;
use tikti_domain::api_key::{ConfiguredApiKey, check_key_form};
use tikti_domain::clock::parse_rfc3339;
use tikti_domain::error::Refusal;
use tikti_domain::password::{COSTS, LOWEST_COST};
use tikti_domain::secret::{
    ExposeSecret, LegacySecrets, MIN_SECRET_BYTES, NamedSecret, SecretBytes, Secrets, TokenHash,
};
use tikti_domain::settings::{IdTokenAlgorithm, LEAST_AUDIT_RETENTION, Settings, Tenantless};

use super::section::{Problems, Section};
use super::{
    Cidr, Config, ForwardedHeader, LogConfig, LogFormat, SHUTDOWN_GRACE, TrustedProxies, check,
    keys, limits, mail, policy, store,
};

/// Bytes of a master key: AES-256.
const MASTER_KEY_BYTES: usize = 32;
/// Longest clock difference that may be allowed; beyond it expiry means little.
const MAX_SKEW_SECONDS: u64 = 300;
/// An idToken is believed until it expires, whatever became of its user's password.
const MAX_ID_TTL_SECONDS: u64 = 24 * 3600;
/// A session that lasts longer than a year lasts for ever.
const MAX_SESSION_SECONDS: u64 = 365 * 24 * 3600;
/// Events that are kept for longer are kept for ever.
const MAX_RETENTION_SECONDS: u64 = 36_500 * 24 * 3600;
const MAX_KID_CHARACTERS: usize = 64;
const MAX_THREADS: u64 = 256;
const MAX_QUEUE: u64 = 10_000;

/// Types every setting; absent where an indispensable one is missing or wrong, which is then noted.
pub(super) fn config(members: Map<String, Value>, problems: &Problems) -> Option<Config> {
    let mut root = Section::root(members, problems);
    let listen = root.parsed("listen", |text| {
        text.parse::<SocketAddr>().map_err(|_| "must be an address and port, such as 0.0.0.0:8080")
    });
    let store = store::store(root.section("store"));
    let proxies = root.texts("trustedProxies", Cidr::parse_proxies);
    let forwarded = root.parsed("forwardedHeader", ForwardedHeader::parse);
    let mut settings = settings(&mut root);
    let secrets = secrets(root.section("secrets"));
    let api_key = api_key(&mut root);
    let mail = mail::mail(root.section("mail"), settings.as_mut());
    let log = log(root.section("log"));
    root.finish();
    Some(Config {
        listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
        shutdown_grace: SHUTDOWN_GRACE,
        store: store?,
        trusted_proxies: TrustedProxies::new(proxies.unwrap_or_default()),
        forwarded_header: forwarded.unwrap_or_default(),
        domain: DomainConfig { settings: settings?, secrets, api_key },
        mail: mail?,
        log,
    })
}

fn settings(root: &mut Section<'_>) -> Option<Settings> {
    if !root.has("issuer") {
        root.refuse("issuer", "is missing: the public URL of this service");
    }
    let issuer = root.text("issuer");
    // With an issuer that is missing or refused the other settings are read all the same, so that
    // all problems are known at once.
    let shipped = Settings::shipped(issuer.as_deref().unwrap_or_default());
    let mut settings = shipped.map_err(|refusal| root.refuse("issuer", refusal.message)).ok()?;
    if let Some(Err(reason)) = issuer.as_deref().map(check::issuer) {
        root.refuse("issuer", reason);
    }
    settings.issuer_change_from =
        root.parsed("issuerChangeFrom", |text| check::issuer(text).map(|()| text.to_owned()));
    if let Some(audience) = root.parsed("defaultAudience", policy::client_id) {
        settings.default_audience = audience.into();
    }
    tokens(root.section("tokens"), &mut settings);
    keys::keys(root.section("keys"), &mut settings);
    passwords(root.section("passwords"), &mut settings);
    limits::limits(root.section("limits"), &mut settings.limits);
    audit(root.section("audit"), &mut settings);
    if let Some(servers) = policy::resource_servers(root) {
        settings.resource_servers = servers;
    }
    policy::tenant_template(root.section("tenantTemplate"), &mut settings.tenant_template);
    Some(settings)
}

fn tokens(mut tokens: Section<'_>, settings: &mut Settings) {
    for (key, most, setting) in [
        ("idTtl", MAX_ID_TTL_SECONDS, &mut settings.id_token_ttl),
        ("sessionTtl", MAX_SESSION_SECONDS, &mut settings.session_ttl),
        ("sessionMax", MAX_SESSION_SECONDS, &mut settings.session_max),
        ("adminReauth", MAX_SESSION_SECONDS, &mut settings.admin_reauth),
        ("recentSignIn", MAX_SESSION_SECONDS, &mut settings.recent_sign_in),
    ] {
        if let Some(duration) = tokens.duration(key) {
            if duration.is_zero() {
                tokens.refuse(key, "must be longer than nothing");
            }
            if duration.as_secs() > most {
                tokens.refuse(key, format_args!("must be at most {} days", most / 86_400));
            }
            *setting = duration;
        }
    }
    if let Some(skew) = tokens.duration("skew") {
        if skew.as_secs() > MAX_SKEW_SECONDS {
            tokens.refuse("skew", "must be at most 300 seconds");
        }
        settings.skew = skew;
    }
    let tenantless = [("allow", Tenantless::Allow), ("admin", Tenantless::Admin)];
    settings.tenantless = tokens.choice("tenantless", &tenantless).unwrap_or(settings.tenantless);
    let algorithms = [("HS256", IdTokenAlgorithm::Hs256), ("RS256", IdTokenAlgorithm::Rs256)];
    settings.id_token_algorithm =
        tokens.choice("idTokenAlgorithm", &algorithms).unwrap_or(settings.id_token_algorithm);
    let types = [("JWT", AccessTokenType::Jwt), ("at+jwt", AccessTokenType::AtJwt)];
    settings.access_token_type =
        tokens.choice("accessTokenType", &types).unwrap_or(settings.access_token_type);
    tokens.finish();
}

fn audit(mut audit: Section<'_>, settings: &mut Settings) {
    if let Some(retention) = audit.duration("retention") {
        if retention < LEAST_AUDIT_RETENTION {
            audit.refuse(
                "retention",
                "must be at least 30 days: audit events are not removed sooner",
            );
        }
        if retention.as_secs() > MAX_RETENTION_SECONDS {
            audit.refuse("retention", "must be at most 36500 days");
        }
        settings.audit_retention = retention;
    }
    audit.finish();
}

fn passwords(mut passwords: Section<'_>, settings: &mut Settings) {
    if let Some(cost) = passwords.number("cost", LOWEST_COST.into(), (*COSTS.end()).into()) {
        settings.password_cost = u32::try_from(cost).unwrap_or(settings.password_cost);
    }
    let pool = &mut settings.password_pool;
    for (key, most, setting) in
        [("threads", MAX_THREADS, &mut pool.threads), ("queue", MAX_QUEUE, &mut pool.queue)]
    {
        if let Some(number) = passwords.number(key, 1, most) {
            *setting = usize::try_from(number).unwrap_or(*setting);
        }
    }
    passwords.finish();
}

fn secrets(mut secrets: Section<'_>) -> Secrets {
    let read = Secrets {
        master_key: named_secrets(&mut secrets, "masterKey", master_key),
        pepper: named_secrets(&mut secrets, "pepper", long_enough),
        hs256: named_secrets(&mut secrets, "hs256", long_enough),
        hs256_legacy: match secrets.has("hs256Legacy") {
            true => legacy_secrets(secrets.section("hs256Legacy")),
            false => None,
        },
    };
    secrets.finish();
    read
}

/// Reads what verifies idTokens of an older Tikti. How long it may do so, the store knows.
fn legacy_secrets(mut legacy: Section<'_>) -> Option<LegacySecrets> {
    for key in ["secrets", "acceptUntil"] {
        if !legacy.has(key) {
            legacy.refuse(key, "is missing");
        }
    }
    let bytes = |text: &str| long_enough(text).map(SecretBytes::new);
    let secrets = legacy.texts("secrets", bytes);
    if secrets.as_ref().is_some_and(Vec::is_empty) {
        legacy.refuse("secrets", "must hold at least one secret");
    }
    let accept_until = legacy.parsed("acceptUntil", |text| {
        parse_rfc3339(text).ok_or("must be a time as RFC 3339, such as 2026-11-26T12:00:00Z")
    });
    let issuers = legacy.texts("issuers", |text| Ok::<_, Infallible>(text.to_owned()));
    legacy.finish();
    let issuers = issuers.unwrap_or_default();
    Some(LegacySecrets { secrets: secrets?, accept_until: accept_until?, issuers })
}

/// Reads a list of `{kid, secret}`: at least one, each kid once.
fn named_secrets(
    secrets: &mut Section<'_>,
    key: &'static str,
    decode: fn(&str) -> Result<Vec<u8>, &'static str>,
) -> Vec<NamedSecret> {
    if !secrets.has(key) {
        secrets.refuse(key, "is missing: a list of {kid, secret}, the first used for new work");
    }
    let items = secrets.sections(key);
    if items.as_ref().is_some_and(Vec::is_empty) {
        secrets.refuse(key, "must hold at least one {kid, secret}");
    }
    let items = items.unwrap_or_default();
    let mut kids = BTreeSet::new();
    let mut named = Vec::new();
    for mut item in items {
        for key in ["kid", "secret"] {
            if !item.has(key) {
                item.refuse(key, "is missing");
            }
        }
        let kid = item.parsed("kid", |kid| match kids.insert(kid.to_owned()) {
            _ if !is_kid(kid) => Err("must be 1 to 64 characters of A-Z, a-z, 0-9, ., _ and -"),
            false => Err("stands twice in the list"),
            true => Ok(kid.to_owned()),
        });
        let secret = item.parsed("secret", decode);
        if let (Some(kid), Some(bytes)) = (kid, secret) {
            named.push(NamedSecret { kid, secret: SecretBytes::new(bytes) });
        }
        item.finish();
    }
    named
}

/// A kid stands in token headers, records and logs: nothing that means something there.
fn is_kid(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_KID_CHARACTERS).contains(&text.len()) && text.bytes().all(fits)
}

fn master_key(text: &str) -> Result<Vec<u8>, &'static str> {
    let decoded = BASE64.decode(text.as_bytes()).ok().filter(|key| key.len() == MASTER_KEY_BYTES);
    decoded.ok_or("must be 32 bytes as base64, such as `openssl rand -base64 32` prints")
}

fn long_enough(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.len() < MIN_SECRET_BYTES {
        return Err("must be at least 32 bytes");
    }
    Ok(text.as_bytes().to_vec())
}

fn api_key(root: &mut Section<'_>) -> Option<ConfiguredApiKey> {
    let plain = root.secret("apiKey");
    if let Some(Err(refusal)) = plain.as_ref().map(|key| check_key_form(key.expose_secret())) {
        root.refuse("apiKey", reason(refusal));
    }
    let mut hash = root.section("apiKeyHash");
    let (pepper, hmac) = (hash.text("pepper"), hash.text("hmac"));
    if pepper.is_some() != hmac.is_some() {
        hash.refuse("pepper", "and hmac belong together");
    }
    hash.finish();
    plain
        .map(ConfiguredApiKey::Plain)
        .or_else(|| Some(ConfiguredApiKey::Hash(TokenHash { pepper: pepper?, hmac: hmac? })))
}

fn log(mut log: Section<'_>) -> LogConfig {
    let mut read = LogConfig::default();
    let level = log.parsed("level", |text| check::log_level(text).map(|()| text.to_owned()));
    read.level = level.unwrap_or(read.level);
    let formats = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)];
    read.format = log.choice("format", &formats).unwrap_or(read.format);
    log.finish();
    read
}

/// The reason of a refusal, without the member's name: the setting's path stands before it already.
pub(super) fn reason(refusal: Refusal) -> String {
    let reason = refusal.details.into_values().next();
    reason.unwrap_or_else(|| refusal.message.into_owned())
}
