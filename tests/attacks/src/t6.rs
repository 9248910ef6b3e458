//! Row T6: a mailed code is good for the tenant, the address and the purpose that it was sent for, and once.

use std::time::Duration;

use serde_json::{Value, json};
use tikti_domain::mail::MailKind;
use tikti_domain::secret::ExposeSecret;
use tikti_server::config::MailConfig;
use tikti_server::mail::Capture;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::contents::Contents;
use crate::support::{Reply, claims};
use crate::world::World;

/// A world, and the mails that leave it.
struct Post {
    world: World,
    kept: Capture,
    arrived: UnboundedReceiver<String>,
    /// What the store held before there was any mail.
    without: Contents,
}

const NEW_PASSWORD: &str = "a staple that is correct";

impl Post {
    async fn new() -> Self {
        let (sent, arrived) = tokio::sync::mpsc::unbounded_channel();
        // Whoever has stopped listening is told nothing more.
        let capture = Capture::default().shown_to(move |line| drop(sent.send(line.to_owned())));
        let kept = capture.clone();
        let world = Box::pin(World::with(|config| {
            config.mail = MailConfig::captured(capture).unwrap();
        }))
        .await;
        let without = world.contents().await;
        Self { world, kept, arrived, without }
    }

    /// Has the company's key send a code of its kind to an address, and gives what was mailed.
    async fn code(&mut self, kind: (&str, MailKind), to: &str) -> String {
        let before = self.kept.mails().len();
        let ask = json!({"requestType": kind.0, "email": to});
        let call = self.world.server.post("/v1/accounts/sendOobCode");
        let sent = call.header("X-API-Key", &self.world.company.key).json(ask).send().await;
        assert_eq!((sent.status, sent.json().get("oobCode")), (200, None), "{}", sent.text());
        self.mailed((kind.1, to), before).await
    }

    /// Has the company's administrator send a code of its kind to an address.
    async fn send(&self, kind: &str, to: &str) {
        let company = &self.world.company;
        let ask = json!({"requestType": kind, "email": to});
        let call = self.world.server.post(&format!("/v1/tenants/{}/oob/send", company.slug));
        let sent = call.bearer(&company.admin.id_token).json(ask).send().await;
        assert_eq!((sent.status, sent.json().get("oobCode")), (200, None), "{}", sent.text());
    }

    /// The same, and gives what was mailed.
    async fn sent(&mut self, kind: (&str, MailKind), to: &str) -> String {
        let before = self.kept.mails().len();
        self.send(kind.0, to).await;
        self.mailed((kind.1, to), before).await
    }

    /// The code of the mail of this kind to this address that is none of the first `before`.
    async fn mailed(&mut self, (kind, to): (MailKind, &str), before: usize) -> String {
        let code = loop {
            let mut mails = self.kept.mails().into_iter().skip(before);
            if let Some(mail) = mails.find(|mail| mail.kind == kind && mail.to == to) {
                break mail.code.expose_secret().to_owned();
            }
            tokio::time::timeout(Duration::from_secs(60), self.arrived.recv())
                .await
                .unwrap()
                .unwrap();
        };
        self.delivered().await;
        code
    }

    /// Waits until no mail is on its way: each stays in the store until it is delivered.
    async fn delivered(&self) {
        let all = async {
            while self.world.changed_since(&self.without).await.iter().any(|key| is_mail(key)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    }

    async fn post(&self, path: &str, key: &str, ask: Value) -> Reply {
        let call = self.world.server.post(&format!("/v1/accounts/{path}"));
        call.header("X-API-Key", key).json(ask).send().await
    }

    /// The roles that somebody holds in a tenant, if he is a member.
    async fn roles(&self, tenant: &str, email: &str) -> Option<Value> {
        let list = self.world.server.get(&format!("/v1/tenants/{tenant}/users"));
        let list = list.bearer(&self.world.root).send().await.json();
        let users = list["users"].as_array().unwrap();
        let found = users.iter().find(|user| user["email"] == email);
        found.map(|user| user["roles"].clone())
    }
}

fn is_mail(key: &str) -> bool {
    key.starts_with("m:") && key.contains("/mail/")
}

const RESET: (&str, MailKind) = ("PASSWORD_RESET", MailKind::PasswordReset);
const SIGN_IN: (&str, MailKind) = ("EMAIL_SIGNIN", MailKind::EmailSignIn);

#[tokio::test]
async fn t6_a_code_for_a_password_is_good_for_its_tenant_once() {
    let mut post = Post::new().await;
    let to = post.world.company.member.email.clone();
    let code = post.code(RESET, &to).await;
    let (company, other) = (&post.world.company, &post.world.other);
    let before = post.world.contents().await;
    for password in [None, Some(NEW_PASSWORD)] {
        let ask = json!({"oobCode": code, "newPassword": password});
        let refused = post.post("resetPassword", &other.key, ask).await;
        refused.assert_refusal(401, "INVALID_OOB_CODE");
    }
    // Another purpose, the same code.
    for email in [&to, &other.member.email] {
        let ask = json!({"email": email, "oobCode": code});
        let refused = post.post("signInWithOobCode", &company.key, ask).await;
        refused.assert_refusal(401, "INVALID_OOB_CODE");
    }
    let deployment = post.world.server.setup.api_key.clone();
    let refused = post.post("update", &deployment, json!({"oobCode": code})).await;
    refused.assert_refusal(401, "INVALID_OOB_CODE");
    assert_eq!(post.world.changed_since(&before).await, [""; 0]);
    let ask = json!({"oobCode": code, "newPassword": NEW_PASSWORD});
    assert_eq!(post.post("resetPassword", &company.key, ask.clone()).await.status, 200);
    for key in [&company.key, &deployment] {
        let again = post.post("resetPassword", key, ask.clone()).await;
        again.assert_refusal(401, "INVALID_OOB_CODE");
    }
}

#[tokio::test]
async fn t6_a_code_that_invites_opens_its_own_tenant_for_its_own_address_once() {
    let mut post = Post::new().await;
    let dora = post.world.of_both("dora@both.sys").await;
    let code = post.code(SIGN_IN, &dora.email).await;
    let (company, other) = (&post.world.company, &post.world.other);
    let key = post.world.server.setup.api_key.clone();
    for email in [&company.member.email, &other.member.email] {
        let ask = json!({"email": email, "oobCode": code});
        let refused = post.post("signInWithOobCode", &key, ask).await;
        refused.assert_refusal(401, "INVALID_OOB_CODE");
    }
    let ask = json!({"oobCode": code, "newPassword": NEW_PASSWORD});
    post.post("resetPassword", &company.key, ask).await.assert_refusal(401, "INVALID_OOB_CODE");
    // Whoever else names a tenant joins none by it.
    let ask = json!({
        "email": dora.email, "oobCode": code, "tenantId": other.id, "returnSecureToken": true,
    });
    let opened = post.post("signInWithOobCode", &key, ask.clone()).await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    let id_token = opened.json()["idToken"].as_str().unwrap().to_owned();
    assert_eq!(claims(&id_token)["tid"], company.id.as_str());
    for tenant in [&other.id, &other.slug] {
        let refused = post.world.exchange(&id_token, json!({"tenantId": tenant})).await;
        refused.assert_refusal(400, "TENANT_CONFLICT");
    }
    let again = post.post("signInWithOobCode", &key, ask).await;
    again.assert_refusal(401, "INVALID_OOB_CODE");
}

/// Who is invited is a member there from the invitation on, and his code is his own, for this.
#[tokio::test]
async fn t6_an_invitation_opens_the_tenant_that_sent_it_to_its_own_address_alone() {
    let mut post = Post::new().await;
    let stranger = "new@invited.sys".to_owned();
    for to in [stranger, post.world.other.member.email.clone()] {
        let code = post.sent(SIGN_IN, &to).await;
        let (company, other) = (&post.world.company, &post.world.other);
        let key = post.world.server.setup.api_key.clone();
        let before = post.world.contents().await;
        for email in [&company.member.email, &other.admin.email, "nobody@invited.sys"] {
            let ask = json!({"email": email, "oobCode": code});
            let refused = post.post("signInWithOobCode", &company.key, ask).await;
            refused.assert_refusal(401, "INVALID_OOB_CODE");
        }
        for key in [&company.key, &other.key, &key] {
            let ask = json!({"oobCode": code, "newPassword": NEW_PASSWORD});
            post.post("resetPassword", key, ask).await.assert_refusal(401, "INVALID_OOB_CODE");
        }
        let refused = post.post("update", &key, json!({"oobCode": code})).await;
        refused.assert_refusal(401, "INVALID_OOB_CODE");
        assert_eq!(post.world.changed_since(&before).await, [""; 0], "{to}");
        let ask = json!({"email": to, "oobCode": code, "tenantId": other.id});
        let opened = post.post("signInWithOobCode", &key, ask.clone()).await;
        assert_eq!(opened.status, 200, "{to}: {}", opened.text());
        let id_token = opened.json()["idToken"].as_str().unwrap().to_owned();
        assert_eq!(claims(&id_token)["tid"], company.id.as_str());
        for tenant in [&other.id, &other.slug] {
            let refused = post.world.exchange(&id_token, json!({"tenantId": tenant})).await;
            refused.assert_refusal(400, "TENANT_CONFLICT");
        }
        assert_eq!(post.roles(&company.slug, &to).await, Some(json!(["TENANT_USER"])), "{to}");
        let again = post.post("signInWithOobCode", &key, ask).await;
        again.assert_refusal(401, "INVALID_OOB_CODE");
    }
    // Where the one was a stranger he is one, and the other is what he was.
    let other = &post.world.other;
    assert_eq!(post.roles(&other.slug, "new@invited.sys").await, None);
    let held = post.roles(&other.slug, &other.member.email).await.unwrap();
    assert_eq!(held.as_array().unwrap().len(), 5, "{held}");
}

/// An invitation ends with the membership that it made, and is none to another one.
#[tokio::test]
async fn t6_an_invitation_is_void_once_its_membership_is_gone() {
    let mut post = Post::new().await;
    for to in ["gone@invited.sys".to_owned(), post.world.other.member.email.clone()] {
        let code = post.sent(SIGN_IN, &to).await;
        let (world, company) = (&post.world, &post.world.company);
        let users = format!("/v1/tenants/{}/users", company.slug);
        let ask = json!({"email": to, "roles": ["TENANT_USER"]});
        for path in [format!("{users}/remove"), users] {
            let done = world.server.post(&path).bearer(&company.admin.id_token).json(ask.clone());
            let done = done.send().await;
            assert_eq!(done.status, 200, "{path}: {}", done.text());
            let before = world.contents().await;
            let ask = json!({"email": to, "oobCode": code});
            let refused = post.post("signInWithOobCode", &company.key, ask).await;
            refused.assert_refusal(401, "INVALID_OOB_CODE");
            assert_eq!(world.changed_since(&before).await, [""; 0], "{path}");
        }
        // A new one is good.
        let code = post.sent(SIGN_IN, &to).await;
        let ask = json!({"email": to, "oobCode": code});
        let opened = post.post("signInWithOobCode", &post.world.company.key, ask).await;
        assert_eq!(opened.status, 200, "{to}: {}", opened.text());
    }
}

/// The tenant's word is worth as much as its user is in it.
#[tokio::test]
async fn t6_a_code_of_a_tenant_opens_nothing_to_whoever_has_left_it_or_never_was_there() {
    let mut post = Post::new().await;
    let to = post.world.company.member.email.clone();
    let code = post.code(SIGN_IN, &to).await;
    let mails = post.kept.mails().len();
    let (company, other) = (&post.world.company, &post.world.other);
    // Of the other tenant's member the company's key knows nothing, nor do its administrators where they do
    // not invite him, and the deployment's administrator is invited by nobody: there is no mail.
    for kind in ["EMAIL_SIGNIN", "PASSWORD_RESET"] {
        let ask = json!({"requestType": kind, "email": other.member.email});
        assert_eq!(post.post("sendOobCode", &company.key, ask).await.status, 200);
    }
    post.send("PASSWORD_RESET", &other.member.email).await;
    let root = post.world.server.setup.admin_email.clone();
    post.send("EMAIL_SIGNIN", &root).await;
    let path = format!("/v1/tenants/{}/users/remove", company.slug);
    let removed = post.world.server.post(&path).bearer(&post.world.root).json(json!({"email": to}));
    assert_eq!(removed.send().await.status, 200);
    let ask = json!({"email": to, "oobCode": code});
    let refused = post.post("signInWithOobCode", &company.key, ask).await;
    refused.assert_refusal(401, "INVALID_OOB_CODE");
    // One that does leave, after all that were asked for: it is the only one.
    let known = company.admin.email.clone();
    post.code(SIGN_IN, &known).await;
    let sent: Vec<_> = post.kept.mails().into_iter().skip(mails).map(|mail| mail.to).collect();
    assert_eq!(sent, [known]);
}
