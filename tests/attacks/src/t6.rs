//! Row T6: a mailed code is good for the tenant, the address and the purpose that it was sent for, and once.

use std::time::Duration;

use serde_json::{Value, json};
use tikti_domain::mail::MailKind;
use tikti_domain::secret::ExposeSecret;
use tikti_server::config::MailConfig;
use tikti_server::mail::Capture;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::support::{Reply, claims};
use crate::world::World;

/// A world, and the mails that leave it.
struct Post {
    world: World,
    kept: Capture,
    arrived: UnboundedReceiver<String>,
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
        Self { world, kept, arrived }
    }

    /// Has the company's key send the first code of its kind to an address, and gives what was mailed.
    async fn code(&mut self, kind: (&str, MailKind), to: &str) -> String {
        let ask = json!({"requestType": kind.0, "email": to});
        let call = self.world.server.post("/v1/accounts/sendOobCode");
        let sent = call.header("X-API-Key", &self.world.company.key).json(ask).send().await;
        assert_eq!((sent.status, sent.json().get("oobCode")), (200, None), "{}", sent.text());
        loop {
            let mut mails = self.kept.mails().into_iter();
            if let Some(mail) = mails.find(|mail| mail.kind == kind.1 && mail.to == to) {
                return mail.code.expose_secret().to_owned();
            }
            tokio::time::timeout(Duration::from_secs(60), self.arrived.recv())
                .await
                .unwrap()
                .unwrap();
        }
    }

    async fn post(&self, path: &str, key: &str, ask: Value) -> Reply {
        let call = self.world.server.post(&format!("/v1/accounts/{path}"));
        call.header("X-API-Key", key).json(ask).send().await
    }
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

/// The tenant's word is worth as much as its user is in it.
#[tokio::test]
async fn t6_a_code_of_a_tenant_opens_nothing_to_whoever_has_left_it_or_never_was_there() {
    let mut post = Post::new().await;
    let to = post.world.company.member.email.clone();
    let code = post.code(SIGN_IN, &to).await;
    let (company, other) = (&post.world.company, &post.world.other);
    // Of the other tenant's member the company's key knows nothing: there is no mail.
    let mails = post.kept.mails().len();
    let ask = json!({"requestType": "EMAIL_SIGNIN", "email": other.member.email});
    assert_eq!(post.post("sendOobCode", &company.key, ask).await.status, 200);
    let path = format!("/v1/tenants/{}/users/remove", company.slug);
    let removed = post.world.server.post(&path).bearer(&post.world.root).json(json!({"email": to}));
    assert_eq!(removed.send().await.status, 200);
    let ask = json!({"email": to, "oobCode": code});
    let refused = post.post("signInWithOobCode", &company.key, ask).await;
    refused.assert_refusal(401, "INVALID_OOB_CODE");
    assert_eq!(post.kept.mails().len(), mails);
}
