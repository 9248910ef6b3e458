//! Which settings mails have, which contradict each other, and that no secret is shown.
//!
//! Spec: Operations, "Configuration"; HTTP API, "OOB codes".

use tikti_domain::mail::Language;

use super::*;
use crate::config::{MailTransport, Security};

const WEBHOOK: &str =
    "{url: 'https://hooks.example.org/m', secret: 0123456789abcdef0123456789abcdef}";

/// The smallest configuration with this group `mail`.
fn with_mail(group: &str) -> String {
    format!("{}mail: {group}\n", smallest())
}

fn problems(group: &str) -> String {
    refused(&with_mail(group), &[]).join("\n")
}

#[test]
fn without_the_group_nothing_is_sent() {
    let config = load_text(&smallest(), &[]).unwrap();
    assert!(config.mail.transport.is_none());
    assert_eq!(config.mail.language, Language::English);
    assert_eq!(config.domain.settings.mail_action_url, None);
    assert!(config.domain.settings.allowed_origins.is_empty());
}

#[test]
fn every_setting_of_a_mail_server_is_read() {
    let config = load_text(
        &with_mail(
            "
  from: 'Example <no-reply@example.org>'
  smtp: {host: smtp.example.org, port: 2525, security: tls, user: u, password: hunter22, caFile: /ca}
  language: pt
  timeout: 5s
  actionUrl: https://app.example.org/auth/action
  allowedOrigins: [https://app.example.org, 'https://x.example.org:8443', 'http://localhost:3000']
",
        ),
        &[],
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter22"));
    let Some(MailTransport::Smtp(smtp)) = config.mail.transport else { panic!() };
    assert_eq!((smtp.host.as_str(), smtp.port), ("smtp.example.org", 2525));
    assert_eq!(smtp.security, Security::Tls);
    let (user, password) = smtp.credentials.unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("u", "hunter22"));
    assert_eq!(smtp.ca_file.as_deref(), Some(Path::new("/ca")));
    assert_eq!(config.mail.from.as_deref(), Some("Example <no-reply@example.org>"));
    assert_eq!(config.mail.language, Language::Portuguese);
    assert_eq!(config.mail.timeout.as_secs(), 5);
    let settings = &config.domain.settings;
    assert_eq!(settings.mail_action_url.as_deref(), Some("https://app.example.org/auth/action"));
    assert_eq!(
        settings.allowed_origins,
        ["https://app.example.org", "https://x.example.org:8443", "http://localhost:3000"]
    );
}

#[test]
fn a_port_follows_from_how_the_connection_is_encrypted() {
    for (security, port) in [
        ("", 587),
        (", security: starttls", 587),
        (", security: tls", 465),
        (", security: none", 25),
    ] {
        let group = format!("{{from: a@example.org, smtp: {{host: localhost{security}}}}}");
        let config = load_text(&with_mail(&group), &[]).unwrap();
        let Some(MailTransport::Smtp(smtp)) = config.mail.transport else { panic!() };
        assert_eq!(smtp.port, port, "{security}");
        assert!(smtp.credentials.is_none());
    }
}

#[test]
fn plain_text_is_for_this_machine_only() {
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "'::1'"] {
        let group = format!("{{from: a@example.org, smtp: {{host: {host}, security: none}}}}");
        assert!(load_text(&with_mail(&group), &[]).is_ok(), "{host}");
    }
    for host in ["smtp.example.org", "10.0.0.1", "localhost.example.org", "0.0.0.0"] {
        let group = format!("{{from: a@example.org, smtp: {{host: {host}, security: none}}}}");
        assert_eq!(
            problems(&group),
            "mail.smtp.security: none is for a mail server on this machine only"
        );
    }
}

#[test]
fn a_webhook_is_read_and_its_secret_is_not_shown() {
    let config = load_text(&with_mail(&format!("{{webhook: {WEBHOOK}}}")), &[]).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("WebhookConfig(hooks.example.org)"), "{shown}");
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("example.org/m"), "{shown}");
    let Some(MailTransport::Webhook(webhook)) = config.mail.transport else { panic!() };
    assert_eq!(webhook.url.as_str(), "https://hooks.example.org/m");
    assert_eq!(webhook.secret.expose_secret(), "0123456789abcdef0123456789abcdef");
}

#[test]
fn secrets_may_lie_in_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter22-hunter22-hunter22-hunter22\n").unwrap();
    let path = file.path().to_str().unwrap();
    let by_file =
        format!("{{from: a@example.org, smtp: {{host: h, user: u, passwordFile: {path}}}}}");
    let by_environment = "{from: a@example.org, smtp: {host: h, user: u}}";
    for (group, pairs) in [
        (by_file.as_str(), vec![]),
        (by_environment, vec![("TIKTI__MAIL__SMTP__PASSWORD_FILE", path)]),
    ] {
        let config = load_text(&with_mail(group), &pairs).unwrap();
        let Some(MailTransport::Smtp(smtp)) = config.mail.transport else { panic!() };
        let (_, password) = smtp.credentials.unwrap();
        assert_eq!(password.expose_secret(), "hunter22-hunter22-hunter22-hunter22");
    }
    let url = "{webhook: {url: 'https://hooks.example.org'}}";
    let config =
        load_text(&with_mail(url), &[("TIKTI__MAIL__WEBHOOK__SECRET_FILE", path)]).unwrap();
    assert!(matches!(config.mail.transport, Some(MailTransport::Webhook(_))));
}

#[test]
fn settings_that_contradict_each_other_or_are_unsafe_are_all_named() {
    insta::assert_snapshot!(problems(&format!("{{smtp: {{host: h}}, webhook: {WEBHOOK}}}")), @r"
    mail.webhook: contradicts mail.smtp: give one of them
    mail.from: is missing: mail.smtp needs an address that mails come from
    ");
    insta::assert_snapshot!(problems("
  from: nobody
  smtp:
    host: 'smtp.example.org:25'
    port: 0
    security: ssl
    user: u
    passwordFile: /nowhere/at/all
    pass: hunter22
  language: de
  timeout: 2m
  actionUrl: http://app.example.org/
  allowedOrigins: ['https://app.example.org/', 'https://App.example.org', 'http://x.example.org', '*']
  sender: x
"), @r"
    mail.from: must be an address, such as Example <no-reply@example.org>
    mail.smtp.host: must be the name or the address of a mail server, without a port
    mail.smtp.security: must be one of: tls, starttls, none
    mail.smtp.port: must be a number from 1 to 65535
    mail.smtp.passwordFile: the file that it names cannot be read: No such file or directory (os error 2)
    mail.smtp.user: and password (or passwordFile) belong together
    mail.smtp.pass: unknown setting; known here: caFile, host, password, passwordFile, port, security, user
    mail.language: must be one of: en, pt
    mail.timeout: must be 1 to 60 seconds
    mail.actionUrl: must begin with https:// (http:// is for loopback only)
    mail.allowedOrigins[0]: must be written as https://app.example.org
    mail.allowedOrigins[1]: must be written as https://app.example.org
    mail.allowedOrigins[2]: must begin with https:// (http:// is for loopback only)
    mail.allowedOrigins[3]: must be a URL, such as https://app.example.org
    mail.sender: unknown setting; known here: actionUrl, allowedOrigins, from, language, smtp, templates, timeout, webhook
    ");
    insta::assert_snapshot!(problems("{webhook: {url: 'http://hooks.example.org', secret: short}}"), @r"
    mail.webhook.url: must begin with https:// (http:// is for loopback only)
    mail.webhook.secret: must be at least 32 bytes
    ");
    insta::assert_snapshot!(problems("{smtp: {}, from: a@example.org}"), @"mail.smtp.host: is missing: the name of the mail server");
}

#[test]
fn whom_mails_are_from_is_one_address_and_nothing_behind_it() {
    for bad in ["a", "a@b.org c", "a@b.org, c@d.org", "A <a@b.org> c", "a@b.org\\r\\nBcc: c@d.org"]
    {
        let group = format!("{{from: \"{bad}\"}}");
        let expected = "mail.from: must be an address, such as Example <no-reply@example.org>";
        assert_eq!(problems(&group), expected, "{bad}");
    }
    for good in ["a@b.org", "A B <a@b.org>", "Ä & Söhne <a@b.org>"] {
        load_text(&with_mail(&format!("{{from: \"{good}\"}}")), &[]).unwrap();
    }
}

#[test]
fn an_action_url_has_room_for_the_code() {
    for (url, reason) in [
        ("https://a.example.org/x?y=z", "must have neither query nor fragment"),
        ("https://a.example.org/#/x", "must have neither query nor fragment"),
        ("https://u:p@a.example.org/x", "must not hold a user name or password"),
    ] {
        assert_eq!(
            problems(&format!("{{actionUrl: '{url}'}}")),
            format!("mail.actionUrl: {reason}")
        );
    }
    load_text(&with_mail("{actionUrl: 'http://127.0.0.1:3000/action'}"), &[]).unwrap();
}

#[test]
fn templates_are_checked_with_everything_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("verify_email.en.txt");
    std::fs::write(&file, "Hello\n{{link}}\n{{name}}").unwrap();
    let group = format!("{{templates: {}, language: de}}", directory.path().display());
    insta::assert_snapshot!(problems(&group), @r"
    mail.templates: verify_email.en.txt, line 3: unknown placeholder {{name}}; known here: link, code, email, expiresMinutes
    mail.language: must be one of: en, pt
    ");
    std::fs::write(&file, "Hello\n{{link}}").unwrap();
    let group = format!("{{templates: {}}}", directory.path().display());
    load_text(&with_mail(&group), &[]).unwrap();
}
