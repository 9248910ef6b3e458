//! What is configured, with every value that was left out, and no secret: what an operator compares.
//!
//! Each secret is shown as `***`, a password in a URL likewise, and whatever stands behind the host of a webhook.
//! What is shown has the names and the form of the file, so that it can be put into one.
//!
//! Spec: Operations, "Configuration" (`tikti config check`).

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tikti_domain::AccessTokenType;
use tikti_domain::RsaSize;
use tikti_domain::api_key::ConfiguredApiKey;
use tikti_domain::secret::{ExposeSecret, NamedSecret, Secrets};
use tikti_domain::settings::{
    GrantedBy, IdTokenAlgorithm, Limits, ResourceServer, Settings, TenantTemplate, Tenantless,
};
use url::Url;

use super::{
    Config, ForwardedHeader, LogConfig, LogFormat, MailConfig, MailTransport, Security, SmtpConfig,
    StoreConfig, WebhookConfig,
};

const MASK: &str = "***";

/// Shows a configuration as the file would give it. What is not set and has no value by itself is left out.
#[must_use]
pub fn effective(config: &Config) -> Value {
    let settings = &config.domain.settings;
    without_nothing(json!({
        "listen": config.listen.to_string(),
        "issuer": settings.issuer,
        "issuerChangeFrom": settings.issuer_change_from,
        "defaultAudience": settings.default_audience,
        "trustedProxies": config.trusted_proxies.names(),
        "forwardedHeader": match config.forwarded_header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        },
        "store": store(&config.store),
        "secrets": secrets(&config.domain.secrets),
        "apiKey": plain_key(config.domain.api_key.as_ref()),
        "apiKeyHash": key_hash(config.domain.api_key.as_ref()),
        "tokens": tokens(settings),
        "keys": keys(settings),
        "passwords": {
            "cost": settings.password_cost,
            "threads": settings.password_pool.threads,
            "queue": settings.password_pool.queue,
        },
        "limits": limits(&settings.limits),
        "audit": { "retention": span(settings.audit_retention) },
        "mail": mail(&config.mail, settings),
        "resourceServers": Vec::from_iter(settings.resource_servers.iter().map(resource_server)),
        "tenantTemplate": tenant_template(&settings.tenant_template),
        "log": log(&config.log),
    }))
}

fn store(store: &StoreConfig) -> Value {
    let redis = &store.redis;
    let url = masked_url(store.url.expose_secret());
    if store.is_embedded() {
        return json!({ "url": url });
    }
    let file = |path: &PathBuf| path.display().to_string();
    json!({
        "url": url,
        "waitReplicas": redis.wait_replicas,
        "allowVolatile": redis.allow_volatile,
        "requireSync": redis.require_sync,
        "tls": {
            "caFile": redis.tls.ca.as_ref().map(file),
            "certFile": redis.tls.client.as_ref().map(|(certificate, _)| file(certificate)),
            "keyFile": redis.tls.client.as_ref().map(|(_, key)| file(key)),
        },
    })
}

/// What stands before an `@` may be a password.
fn masked_url(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{MASK}@{place}"),
        _ => url.to_owned(),
    }
}

fn secrets(secrets: &Secrets) -> Value {
    let named = |list: &[NamedSecret]| {
        let masked = |named: &NamedSecret| json!({ "kid": named.kid, "secret": MASK });
        Vec::from_iter(list.iter().map(masked))
    };
    let legacy = secrets.hs256_legacy.as_ref().map(|legacy| {
        json!({
            "secrets": vec![MASK; legacy.secrets.len()],
            "acceptUntil": tikti_domain::clock::rfc3339(legacy.accept_until),
            "issuers": legacy.issuers,
        })
    });
    json!({
        "masterKey": named(&secrets.master_key),
        "pepper": named(&secrets.pepper),
        "hs256": named(&secrets.hs256),
        "hs256Legacy": legacy,
    })
}

fn plain_key(key: Option<&ConfiguredApiKey>) -> Option<&'static str> {
    matches!(key, Some(ConfiguredApiKey::Plain(_))).then_some(MASK)
}

/// A hash proves nothing to whoever reads it, and lets them try keys.
fn key_hash(key: Option<&ConfiguredApiKey>) -> Option<Value> {
    match key {
        Some(ConfiguredApiKey::Hash(hash)) => Some(json!({ "pepper": hash.pepper, "hmac": MASK })),
        Some(ConfiguredApiKey::Plain(_)) | None => None,
    }
}

fn tokens(settings: &Settings) -> Value {
    json!({
        "idTtl": span(settings.id_token_ttl),
        "sessionTtl": span(settings.session_ttl),
        "sessionMax": span(settings.session_max),
        "adminReauth": span(settings.admin_reauth),
        "recentSignIn": span(settings.recent_sign_in),
        "skew": span(settings.skew),
        "tenantless": match settings.tenantless {
            Tenantless::Allow => "allow",
            Tenantless::Admin => "admin",
        },
        "idTokenAlgorithm": match settings.id_token_algorithm {
            IdTokenAlgorithm::Hs256 => "HS256",
            IdTokenAlgorithm::Rs256 => "RS256",
        },
        "accessTokenType": match settings.access_token_type {
            AccessTokenType::Jwt => "JWT",
            AccessTokenType::AtJwt => "at+jwt",
        },
    })
}

fn keys(settings: &Settings) -> Value {
    json!({
        "rsaBits": match settings.rsa_size {
            RsaSize::Bits2048 => 2048,
            RsaSize::Bits3072 => 3072,
            RsaSize::Bits4096 => 4096,
        },
        "jwksMaxAge": span(settings.jwks_max_age),
        "refreshInterval": span(settings.key_refresh_interval),
        "viewMaxAge": span(settings.key_view_max_age),
        "rotateEvery": settings.keys_rotate_every.map_or_else(|| "never".to_owned(), span),
    })
}

fn limits(limits: &Limits) -> Value {
    json!({
        "enabled": limits.enabled,
        "failedSignInsPerNetworkMinute": limits.failed_sign_ins_per_network.most,
        "failedSignInsPerIpMinute": limits.failed_sign_ins_per_ip.most,
        "failedSignInsPerEmailHour": limits.failed_sign_ins_per_email.most,
        "codesPerEmailHour": limits.codes_per_email.most,
        "codesPerIpHour": limits.codes_per_ip.most,
        "redemptionsPerIpMinute": limits.redemptions_per_ip.most,
        "redemptionsPerEmailMinute": limits.redemptions_per_email.most,
        "emailChangesPerUserHour": limits.email_changes_per_user.most,
        "exchangesPerUserMinute": limits.exchanges_per_user.most,
        "refreshesPerSessionMinute": limits.refreshes_per_session.most,
        "unknownMembersPerCallerHour": limits.unknown_members_per_caller.most,
        "lookupsPerKeyMinute": limits.lookups_per_key.most,
        "longestBackoff": span(limits.longest_backoff),
        "knownNetworkTtl": span(limits.known_network_ttl),
    })
}

fn mail(mail: &MailConfig, settings: &Settings) -> Value {
    let (smtp, webhook) = match &mail.transport {
        Some(MailTransport::Smtp(smtp)) => (Some(self::smtp(smtp)), None),
        Some(MailTransport::Webhook(WebhookConfig { url, .. })) => {
            (None, Some(json!({ "url": origin_of(url), "secret": MASK })))
        }
        Some(MailTransport::Capture(_)) | None => (None, None),
    };
    json!({
        "from": mail.from,
        "smtp": smtp,
        "webhook": webhook,
        "language": mail.language.tag(),
        "timeout": span(mail.timeout),
        "actionUrl": settings.mail_action_url,
        "allowedOrigins": settings.allowed_origins,
    })
}

/// Scheme, host and port of an address whose path or query may be a secret.
fn origin_of(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    let is_all = url.path() == "/" && url.query().is_none();
    if is_all { origin } else { format!("{origin}/{MASK}") }
}

fn smtp(smtp: &SmtpConfig) -> Value {
    json!({
        "host": smtp.host,
        "port": smtp.port,
        "security": match smtp.security {
            Security::Tls => "tls",
            Security::StartTls => "starttls",
            Security::None => "none",
        },
        "user": smtp.credentials.as_ref().map(|(user, _)| user),
        "password": smtp.credentials.as_ref().map(|_| MASK),
        "caFile": smtp.ca_file.as_ref().map(|file| file.display().to_string()),
    })
}

fn resource_server(server: &ResourceServer) -> Value {
    let scopes = server.scopes.iter().map(|(scope, granted_by)| {
        let granted_by = match granted_by {
            GrantedBy::Tenant => "tenant",
            GrantedBy::Platform => "platform",
        };
        json!({ "scope": scope, "grantedBy": granted_by })
    });
    json!({ "audience": server.audience.as_str(), "scopes": Vec::from_iter(scopes) })
}

fn tenant_template(template: &TenantTemplate) -> Value {
    let words = |text: String| Vec::from_iter(text.split_whitespace().map(str::to_owned));
    let roles = template.roles.iter().map(|(name, permissions)| {
        json!({ "name": name.as_str(), "permissions": words(permissions.to_string()) })
    });
    let clients = template.clients.iter().map(|client| {
        json!({
            "clientId": client.id.as_str(),
            "allowedScopes": words(client.allowed_scopes.to_string()),
            "defaultScopes": words(client.default_scopes.to_string()),
            "eventTypes": Vec::from_iter(client.event_types.iter().map(ToString::to_string)),
            "subjectPolicy": client.subject_policy.as_str(),
            "tokenTtlSeconds": client.token_ttl_seconds,
        })
    });
    let creator_roles = template.creator_roles.iter().map(ToString::to_string);
    json!({
        "roles": Vec::from_iter(roles),
        "clients": Vec::from_iter(clients),
        "creatorRoles": Vec::from_iter(creator_roles),
    })
}

fn log(log: &LogConfig) -> Value {
    let format = match log.format {
        LogFormat::Auto => "auto",
        LogFormat::Json => "json",
        LogFormat::Text => "text",
    };
    json!({ "level": log.level, "format": format })
}

/// In the largest unit that fits, as the file takes it.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let fits = units.iter().find(|(_, each)| seconds > 0 && seconds.is_multiple_of(*each));
    match fits {
        Some((unit, each)) => format!("{}{unit}", seconds / each),
        None => format!("{seconds}s"),
    }
}

/// Leaves out what is not there.
fn without_nothing(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    let given = given.map(|(name, value)| (name, without_nothing(value)));
    Value::Object(given.filter(|(_, value)| *value != json!({})).collect::<Map<_, _>>())
}
