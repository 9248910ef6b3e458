//! Settings in, a configuration or every problem out.

use tikti_domain::api_key::ConfiguredApiKey;
use tikti_domain::client::SubjectPolicy;
use tikti_domain::id::RoleName;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::settings::{GrantedBy, IdTokenAlgorithm, TenantTemplate, Tenantless};
use tikti_domain::{AccessTokenType, RsaSize};

use super::*;
use crate::config::LogFormat;

mod keys;
mod legacy;
mod limits;
mod mail;
mod store;

const API_KEY: &str = "tk_abcdefghij_0123456789abcdefghijklmnopqrstuv";
const SECRETS: &str = "
secrets:
  masterKey: [{kid: m1, secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}]
  pepper: [{kid: p1, secret: pepper-pepper-pepper-pepper-pepper}]
  hs256: [{kid: h1, secret: hmac-hmac-hmac-hmac-hmac-hmac-hmac}]
";

fn smallest() -> String {
    format!("issuer: https://id.example.org\nstore: {{url: embedded:/var/lib/tikti}}\n{SECRETS}")
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn load_text(yaml: &str, pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    assemble(parse_yaml(yaml).unwrap(), environment(pairs))
}

fn refused(yaml: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    load_text(yaml, pairs).err().unwrap()
}

#[test]
fn the_smallest_configuration_has_the_shipped_values() {
    let config = load_text(&smallest(), &[]).unwrap();
    let settings = &config.domain.settings;
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.issuer, "https://id.example.org");
    assert_eq!(settings.default_audience, "tikti-identity");
    assert_eq!(settings.id_token_ttl.as_secs(), 3600);
    assert_eq!(settings.password_cost, 12);
    assert!(!settings.issuer_may_change);
    assert_eq!(settings.tenant_template.clients.len(), 3);
    assert_eq!(config.domain.secrets.master_key[0].secret.expose().len(), 32);
    assert!(config.domain.api_key.is_none());
}

#[test]
fn every_setting_is_read() {
    let yaml = format!(
        "{}
listen: 0.0.0.0:8443
defaultAudience: our-apps
issuerChangeFrom: https://old.example.org
apiKeyHash: {{pepper: p1, hmac: aGFzaA}}
tokens:
  idTtl: 10m
  sessionTtl: 7d
  sessionMax: 2592000
  adminReauth: 1h
  recentSignIn: 5m
  skew: 30s
  tenantless: admin
  accessTokenType: at+jwt
  idTokenAlgorithm: RS256
keys: {{rsaBits: 3072}}
audit: {{retention: 90d}}
passwords: {{cost: 10, threads: 3, queue: 7}}
trustedProxies: [10.0.0.0/8, '::1']
log: {{level: 'warn,tikti_domain=debug', format: json}}
",
        smallest()
    );
    let config = load_text(&yaml, &[]).unwrap();
    let settings = &config.domain.settings;
    assert_eq!(config.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(config.store.url.expose_secret(), "embedded:/var/lib/tikti");
    assert_eq!(settings.default_audience, "our-apps");
    assert_eq!(settings.issuer_change_from.as_deref(), Some("https://old.example.org"));
    assert!(matches!(config.domain.api_key, Some(ConfiguredApiKey::Hash(_))));
    let seconds = [
        settings.id_token_ttl,
        settings.session_ttl,
        settings.session_max,
        settings.admin_reauth,
        settings.recent_sign_in,
        settings.skew,
    ]
    .map(|duration| duration.as_secs());
    assert_eq!(seconds, [600, 604_800, 2_592_000, 3600, 300, 30]);
    assert_eq!(settings.tenantless, Tenantless::Admin);
    assert_eq!(settings.access_token_type, AccessTokenType::AtJwt);
    assert_eq!(settings.id_token_algorithm, IdTokenAlgorithm::Rs256);
    assert_eq!(settings.rsa_size, RsaSize::Bits3072);
    assert_eq!(settings.audit_retention.as_secs(), 90 * 86_400);
    assert_eq!(settings.password_cost, 10);
    assert_eq!((settings.password_pool.threads, settings.password_pool.queue), (3, 7));
    assert!(config.trusted_proxies.trust([10, 1, 2, 3].into()));
    assert!(!config.trusted_proxies.trust([11, 1, 2, 3].into()));
    assert_eq!(config.log.level, "warn,tikti_domain=debug");
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn nothing_at_all_names_everything_that_is_missing() {
    insta::assert_snapshot!(refused("# nothing", &[]).join("\n"), @r"
        store.url: is missing, such as embedded:/var/lib/tikti or redis://host
        issuer: is missing: the public URL of this service
        secrets.masterKey: is missing: a list of {kid, secret}, the first used for new work
        secrets.pepper: is missing: a list of {kid, secret}, the first used for new work
        secrets.hs256: is missing: a list of {kid, secret}, the first used for new work
    ");
}

#[test]
fn every_problem_is_said_at_once_without_a_secret() {
    let yaml = "
issuer: http://id.example.org/
listen: everywhere
store: {url: embedded:/x, path: y}
secrets:
  masterKey: [{kid: m, secret: c2hvcnQ=}]
  pepper: [{kid: p, secret: hunter22}, {kid: p, secret: 12345678901234567890123456789012}]
  hs256: []
apiKey: tk_abcdefghij_hunter22
apiKeyHash: {pepper: p}
tokens: {idTtl: soon, sessionTtl: 100d, skew: 10m, tenantless: maybe, idTokenAlgorithm: none, accessTtl: 900}
keys: {rsaBits: 1024}
passwords: {cost: 15, threads: 0}
log: {level: 'a=b=c', format: xml}
tenantTemplate:
  roles: [{name: 7, permissions: ['a b']}]
  clients: [{clientId: 'a b', defaultScopes: [x], allowedScopes: [y]}]
colour: green
";
    let lines = refused(yaml, &[]).join("\n");
    assert!(!lines.contains("hunter22"));
    insta::assert_snapshot!(lines, @r"
        apiKey: does not belong into the file: use apiKeyHash, TIKTI__API_KEY or TIKTI__API_KEY_FILE
        apiKeyHash: contradicts apiKey: give one of them
        listen: must be an address and port, such as 0.0.0.0:8080
        store.path: unknown setting; known here: allowVolatile, requireSync, tls, url, waitReplicas
        issuer: must begin with https:// (http:// is for loopback only)
        tokens.idTtl: must be seconds, or a number with s, m, h or d, such as 15m
        tokens.skew: must be at most 300 seconds
        tokens.tenantless: must be one of: allow, admin
        tokens.idTokenAlgorithm: must be one of: HS256, RS256
        tokens.accessTtl: unknown setting; known here: accessTokenType, adminReauth, idTokenAlgorithm, idTtl, recentSignIn, sessionMax, sessionTtl, skew, tenantless
        keys.rsaBits: must be a number from 2048 to 4096
        passwords.cost: must be a number from 4 to 14
        passwords.threads: must be a number from 1 to 256
        tenantTemplate.roles[0].name: must be a text; a number or a yes/no word needs quotes
        tenantTemplate.roles[0].permissions[0]: a scope is 1 to 128 printable ASCII characters without spaces, quotes and backslashes
        tenantTemplate.clients[0].clientId: must be 1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -
        tenantTemplate.clients[0].allowedScopes[0]: must be a text
        tenantTemplate.clients[0].defaultScopes: must be among allowedScopes
        secrets.masterKey[0].secret: must be 32 bytes as base64, such as `openssl rand -base64 32` prints
        secrets.pepper[0].secret: must be at least 32 bytes
        secrets.pepper[1].kid: stands twice in the list
        secrets.pepper[1].secret: must be a text; a number or a yes/no word needs quotes
        secrets.hs256: must hold at least one {kid, secret}
        apiKey: must be at least 32 characters of A-Z, a-z, 0-9, _ and -
        apiKeyHash.pepper: and hmac belong together
        log.level: must be off, error, warn, info, debug or trace, or a list such as info,tikti_domain=debug
        log.format: must be one of: auto, json, text
        colour: unknown setting; known here: apiKey, apiKeyHash, audit, defaultAudience, forwardedHeader, issuer, issuerChangeFrom, keys, limits, listen, log, mail, passwords, resourceServers, secrets, store, tenantTemplate, tokens, trustedProxies
        tokens.sessionTtl: must not be longer than tokens.sessionMax
    ");
}

#[test]
fn issuers_are_https_or_loopback_and_nothing_but_a_base() {
    for good in [
        "https://a.example",
        "https://a.example/id",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:8080",
    ] {
        check::issuer(good).unwrap();
    }
    for bad in [
        "",
        "a.example",
        "http://a.example",
        "ftp://a.example",
        "https://a.example/",
        "https://a.example?x",
        "https://a.example#x",
        "https://u:p@a.example",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        // What a lenient parser would repair.
        "https://A.example",
        "HTTPS://a.example",
        "https://a.example:443",
        "https://a.example/./id",
        " https://a.example",
        "https:a.example",
        "https://a.example/ü",
        "https://a.exa\nmple",
    ] {
        assert!(check::issuer(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_environment_stands_over_the_file() {
    let config = load_text(
        &format!("{}\ntokens: {{idTtl: 10m}}", smallest()),
        &[
            ("TIKTI__TOKENS__ID_TTL", "1200"),
            ("TIKTI__PASSWORDS__COST", "11"),
            ("TIKTI__LISTEN", "[::]:9000"),
            ("TIKTI__API_KEY", API_KEY),
            (
                "TIKTI__SECRETS__HS256",
                r#"[{"kid":"e","secret":"from-the-environment-from-the-env"}]"#,
            ),
            // What Kubernetes injects beside a Service named tikti, and the variables of the
            // command line.
            ("TIKTI_PORT", "tcp://10.0.0.1:80"),
            ("TIKTI_HOST", "x"),
        ],
    )
    .unwrap();
    assert_eq!(config.domain.settings.id_token_ttl.as_secs(), 1200);
    assert_eq!(config.domain.settings.password_cost, 11);
    assert_eq!(config.listen.port(), 9000);
    assert_eq!(config.domain.secrets.hs256[0].kid, "e");
    assert!(config.domain.api_key.is_some());
}

#[test]
fn a_misspelt_variable_is_named() {
    let lines =
        refused(&smallest(), &[("TIKTI__TOKENS__ID_TLL", "1200"), ("TIKTI__ISSUER__X", "1")]);
    insta::assert_snapshot!(lines.join("\n"), @r"
        issuer.x (TIKTI__ISSUER__X): is below a setting that is no group
        tokens.idTll (TIKTI__TOKENS__ID_TLL): unknown setting; known here: accessTokenType, adminReauth, idTokenAlgorithm, idTtl, recentSignIn, sessionMax, sessionTtl, skew, tenantless
    ");
}

#[test]
fn secrets_may_lie_in_files_other_settings_may_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, format!("{API_KEY}\n")).unwrap();
    let file = file.to_str().unwrap();
    let config = load_text(&smallest(), &[("TIKTI__API_KEY_FILE", file)]).unwrap();
    let Some(ConfiguredApiKey::Plain(key)) = config.domain.api_key else {
        panic!("no plain key");
    };
    assert_eq!(key.expose_secret(), API_KEY);

    let lines = refused(
        &smallest(),
        &[
            ("TIKTI__API_KEY", API_KEY),
            ("TIKTI__API_KEY_FILE", file),
            ("TIKTI__LISTEN_FILE", file),
            ("TIKTI__SECRETS__PEPPER_FILE", "/nowhere/at/all"),
        ],
    );
    insta::assert_snapshot!(lines.join("\n"), @r"
        apiKey (TIKTI__API_KEY_FILE): is given twice in the environment
        TIKTI__SECRETS__PEPPER_FILE: the file that it names cannot be read: No such file or directory (os error 2)
        listenFile (TIKTI__LISTEN_FILE): unknown setting; known here: apiKey, apiKeyHash, audit, defaultAudience, forwardedHeader, issuer, issuerChangeFrom, keys, limits, listen, log, mail, passwords, resourceServers, secrets, store, tenantTemplate, tokens, trustedProxies
    ");
}

#[test]
fn the_api_key_itself_does_not_stand_in_the_file() {
    let lines = refused(&format!("{}\napiKey: {API_KEY}", smallest()), &[]);
    insta::assert_snapshot!(lines.join("\n"), @"apiKey: does not belong into the file: use apiKeyHash, TIKTI__API_KEY or TIKTI__API_KEY_FILE");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let yaml = format!(
        "{}\ndefaultAudience: tikti\nissuerChangeFrom: https://id.example.org\n\
         tokens: {{sessionTtl: 2d, sessionMax: 1d, adminReauth: 36h, recentSignIn: 25h}}",
        smallest()
    );
    insta::assert_snapshot!(refused(&yaml, &[]).join("\n"), @r"
        defaultAudience: is reserved: tikti and the issuer are audiences of access tokens
        issuerChangeFrom: names the issuer itself, so nothing changes
        tokens.sessionTtl: must not be longer than tokens.sessionMax
        tokens.adminReauth: must not be longer than tokens.sessionMax
        tokens.recentSignIn: must not be longer than tokens.sessionMax
    ");
}

#[test]
fn resource_servers_and_template_may_be_replaced() {
    let yaml = format!(
        "{}
resourceServers:
  - audience: printer
    scopes: [{{scope: 'print:use', grantedBy: tenant}}, {{scope: 'print:admin'}}]
tenantTemplate:
  roles: [{{name: PRINTER, permissions: ['print:use']}}]
  clients:
    - clientId: printer
      allowedScopes: ['print:use']
      subjectPolicy: registered
      tokenTtlSeconds: 1800
  creatorRoles: [PRINTER]
",
        smallest()
    );
    let settings = load_text(&yaml, &[]).unwrap().domain.settings;
    let [server] = settings.resource_servers.as_slice() else { panic!("not one server") };
    assert_eq!(server.audience.as_str(), "printer");
    assert_eq!(server.scopes["print:use"], GrantedBy::Tenant);
    // Who may grant it was left out: the stricter answer.
    assert_eq!(server.scopes["print:admin"], GrantedBy::Platform);
    let template = settings.tenant_template;
    assert_eq!(template.roles.keys().map(RoleName::as_str).collect::<Vec<_>>(), ["PRINTER"]);
    assert_eq!(template.creator_roles, template.roles.into_keys().collect());
    let [client] = template.clients.as_slice() else { panic!("not one client") };
    assert_eq!(client.allowed_scopes.to_string(), "print:use");
    assert!(client.default_scopes.is_empty() && client.event_types.is_empty());
    assert_eq!(client.subject_policy, SubjectPolicy::Registered);
    assert_eq!(client.token_ttl_seconds, 1800);
}

#[test]
fn resource_servers_and_template_may_be_emptied() {
    let empty = "resourceServers: []\ntenantTemplate: {roles: [], clients: []}";
    let settings = load_text(&format!("{}\n{empty}", smallest()), &[]).unwrap().domain.settings;
    assert!(settings.resource_servers.is_empty());
    assert_eq!(settings.tenant_template, TenantTemplate::default());
}

/// Of RS256 such a resource server could take an idToken for an access token.
#[test]
fn no_resource_server_has_the_audience_of_id_tokens() {
    let servers = "resourceServers: [{audience: our-apps, scopes: [{scope: s}]}]";
    let yaml = format!("{}\ndefaultAudience: our-apps\n{servers}", smallest());
    insta::assert_snapshot!(refused(&yaml, &[]).join("\n"), @"defaultAudience: is reserved: a resource server has it as its audience");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(Path::new("/nowhere/tikti.yaml")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/tikti.yaml: "), "{error}");
}

#[test]
fn yaml_that_is_none_is_refused_with_its_place() {
    for yaml in ["issuer: [hunter22", "hunter22", "- hunter22", "apiKey: hunter22\napiKey: x"] {
        let error = parse_yaml(yaml).unwrap_err();
        assert!(error.starts_with("line ") && !error.contains("hunter22"), "{error}");
    }
    assert!(parse_yaml("").unwrap().is_empty());
}

#[test]
fn the_old_issuer_is_as_exact_as_the_new_one() {
    let yaml = format!("{}\nissuerChangeFrom: https://OLD.example.org", smallest());
    insta::assert_snapshot!(refused(&yaml, &[]).join("\n"), @"issuerChangeFrom: must be written as https://old.example.org");
}

#[test]
fn a_log_level_that_would_silence_the_log_is_refused() {
    let level = |text: &str| {
        load_text(&format!("{}\nlog: {{level: '{text}'}}", smallest()), &[]).map(|_| ())
    };
    for good in ["off", "trace", "info,tikti_domain=debug", "warn,hyper=off", "[request]=debug"] {
        level(good).unwrap();
    }
    for bad in ["", "warning", "verbose", "tikti_server", "info,,warn", "tikti=loud", "=info", "7"]
    {
        assert!(level(bad).unwrap_err()[0].starts_with("log.level: must be off, error"), "{bad}");
    }
}

#[test]
fn an_api_key_that_could_be_guessed_or_mangled_is_refused_unseen() {
    for bad in
        ["", "tk_abcdefghij_0123456789abcdefg", &format!("{API_KEY} "), &format!("{API_KEY}ü")]
    {
        let lines = refused(&smallest(), &[("TIKTI__API_KEY", bad)]);
        let reason = "must be at least 32 characters of A-Z, a-z, 0-9, _ and -";
        assert_eq!(lines, [format!("apiKey (TIKTI__API_KEY): {reason}")]);
    }
}

#[test]
fn kids_are_plain_words() {
    let long = "k".repeat(65);
    for kid in ["''", "'a b'", "'a/b'", "ä", &long] {
        let lines = refused(&smallest().replace("kid: m1", &format!("kid: {kid}")), &[]);
        let reason = "must be 1 to 64 characters of A-Z, a-z, 0-9, ., _ and -";
        assert_eq!(lines, [format!("secrets.masterKey[0].kid: {reason}")]);
    }
}

#[test]
fn lives_beyond_every_bound_are_refused() {
    let yaml =
        format!("{}\ntokens: {{idTtl: 25h, sessionTtl: 366d, sessionMax: 400d}}", smallest());
    insta::assert_snapshot!(refused(&yaml, &[]).join("\n"), @r"
        tokens.idTtl: must be at most 1 days
        tokens.sessionTtl: must be at most 365 days
        tokens.sessionMax: must be at most 365 days
    ");
}

#[test]
fn audit_events_are_kept_for_thirty_days_at_least() {
    let retention =
        |text: &str| load_text(&format!("{}\naudit: {{retention: {text}}}", smallest()), &[]);
    assert_eq!(
        load_text(&smallest(), &[]).unwrap().domain.settings.audit_retention.as_secs(),
        400 * 86_400
    );
    retention("30d").unwrap();
    for short in ["2591999", "29d", "0"] {
        let lines = retention(short).err().unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(lines.join("\n"), @"audit.retention: must be at least 30 days: audit events are not removed sooner");
        }
    }
    assert!(retention("40000d").is_err());
}

#[test]
fn a_name_that_means_two_things_is_refused() {
    let yaml = format!(
        "{}
defaultAudience: our-apps
apiKeyHash: {{pepper: p9, hmac: aGFzaA}}
resourceServers: [{{audience: a, scopes: [{{scope: s}}, {{scope: s}}]}}, {{audience: a}}]
tenantTemplate:
  roles: [{{name: R}}, {{name: R}}]
  clients: [{{clientId: c}}, {{clientId: c}}, {{clientId: tikti}}, {{clientId: our-apps}}]
",
        smallest()
    );
    insta::assert_snapshot!(refused(&yaml, &[]).join("\n"), @r"
        resourceServers[0].scopes: s stands twice in the list
        resourceServers: a stands twice in the list
        tenantTemplate.roles: R stands twice in the list
        tenantTemplate.clients: c stands twice in the list
        apiKeyHash.pepper: is no kid of secrets.pepper
        tenantTemplate.clients[2].clientId: is reserved: tikti, the issuer and defaultAudience name no client
        tenantTemplate.clients[3].clientId: is reserved: tikti, the issuer and defaultAudience name no client
    ");
}

#[test]
fn the_shipped_example_is_a_configuration_but_for_its_secrets() {
    let example = include_str!("../../../../../examples/tikti.yaml");
    let lists = [
        ("TIKTI__SECRETS__MASTER_KEY_FILE", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("TIKTI__SECRETS__PEPPER_FILE", "pepper-pepper-pepper-pepper-pepper"),
        ("TIKTI__SECRETS__HS256_FILE", "hmac-hmac-hmac-hmac-hmac-hmac-hmac"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (variable, secret) in lists {
        assert!(example.contains(variable), "{variable}");
        let file = directory.path().join(variable);
        std::fs::write(&file, format!("[{{\"kid\":\"1\",\"secret\":\"{secret}\"}}]\n")).unwrap();
        files.push((variable, file.to_str().unwrap().to_owned()));
    }
    let pairs: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    let config = load_text(example, &pairs).unwrap();
    assert_eq!(config.domain.settings.issuer, "http://127.0.0.1:8080");
}
