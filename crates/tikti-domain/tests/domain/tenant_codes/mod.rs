//! Codes that an administrator of a tenant has sent: who sees one, whom they go to, and what they open.

use tikti_domain::Caller;
use tikti_domain::account::{
    ResetPassword, SignInWithOobCode, SignedIn, reset_password, sign_in_with_oob_code,
};
use tikti_domain::api_key::{ApiKey, ApiKeyStatus, KeyScope};
use tikti_domain::audit::{Action, AuditQuery, list_events};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::mail::MailKind;
use tikti_domain::page::PageRequest;
use tikti_domain::scope::ScopeSet;
use tikti_domain::secret::{ExposeSecret, SecretString};
use tikti_domain::tenancy::{
    CodeSent, SendCode, TenantCode, delete_tenant, get_member, list_members, remove_member,
    revoke_member, send_code,
};
use tikti_domain::tenant::{Tenant, TenantStatus};
use tikti_domain::testing::{FaultPlan, Fixture, all, bearing, keyed};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::{GlobalRole, User, UserStatus};

mod opens;
mod seen;

const ROOT: &str = "root@corp.sys";
const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";
const NOBODY: &str = "nobody@example.org";
const RESET: TenantCode = TenantCode::PasswordReset;
const SIGN_IN: TenantCode = TenantCode::EmailSignIn;

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn code<T>(outcome: Result<T, Error>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

fn with(caller: &Caller, key: &SecretString) -> Caller {
    Caller { api_key: Some(key.clone()), ..caller.clone() }
}

/// Two tenants; in `acme` Ann is a member and Bob administers. Eve is in none.
pub(super) struct World {
    fixture: Fixture,
    acme: Tenant,
    other: Tenant,
    ann: User,
    root: Caller,
    bob: Caller,
}

impl World {
    async fn new() -> Self {
        Self::of(Fixture::new().await).await
    }

    async fn of(fixture: Fixture) -> Self {
        fixture.admin(ROOT).await;
        let acme = fixture.tenant(ROOT, "acme").await;
        let other = fixture.tenant(ROOT, "other").await;
        let role = GlobalRole::CompanyEmployee;
        let (ann, bob) = (fixture.user(ANN, role).await, fixture.user(BOB, role).await);
        fixture.user(EVE, role).await;
        fixture.member(&acme.id, &ann, &["JOBS_OPERATOR"]).await;
        fixture.member(&acme.id, &bob, &["TENANT_ADMIN"]).await;
        let root = bearing(&fixture.sign_in(ROOT).await.id_token);
        let bob = bearing(&fixture.sign_in(BOB).await.id_token);
        Self { fixture, acme, other, ann, root, bob }
    }

    /// As a caller by access token for `tikti` with these scopes, or those that it is given.
    async fn by_access_token(&self, caller: &Caller, scopes: Option<&str>) -> Caller {
        let ask = Exchange {
            id_token: caller.bearer.clone().unwrap(),
            audience: ClientId::parse("tikti").unwrap(),
            scopes: scopes.map(|scopes| ScopeSet::parse(scopes).unwrap()),
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: Some(acme()),
            tenant_header: None,
        };
        bearing(&exchange(&self.fixture.domain, &keyed(), &ask).await.unwrap().token)
    }

    async fn send(&self, by: &Caller, kind: TenantCode, to: &str) -> Result<CodeSent, Error> {
        let ask = SendCode { kind, email: email(to), continue_url: None, language: None };
        send_code(&self.fixture.domain, by, (&acme(), &ask)).await
    }

    /// Sends as Bob, and takes the code out of the mail, if there is one.
    async fn mailed(&self, kind: TenantCode, to: &str) -> Option<SecretString> {
        let sent = self.send(&self.bob, kind, to).await.unwrap();
        assert!(sent.code.is_none());
        let mut mails = self.fixture.mails().await;
        assert!(mails.len() <= 1);
        let mail = mails.pop()?;
        let kind = match kind {
            TenantCode::PasswordReset => MailKind::PasswordReset,
            TenantCode::EmailSignIn => MailKind::EmailSignIn,
        };
        assert_eq!((mail.to, mail.kind), (email(to), kind));
        Some(mail.code)
    }

    async fn signs_in(&self, address: &str, code: &SecretString) -> Result<SignedIn, Error> {
        let ask = SignInWithOobCode {
            email: email(address),
            code: code.clone(),
            return_secure_token: true,
        };
        sign_in_with_oob_code(&self.fixture.domain, &Caller::default(), &ask).await
    }

    /// Whether the code would set a password, by this key.
    async fn resets(&self, by: &Caller, code: &SecretString) -> bool {
        let ask = ResetPassword { code: code.clone(), new_password: None };
        reset_password(&self.fixture.domain, by, &ask).await.is_ok()
    }

    /// The addresses and roles of the members of `acme`.
    async fn members(&self) -> Vec<(String, Vec<String>)> {
        let ask = PageRequest::new(None, None).unwrap();
        let page = list_members(&self.fixture.domain, &self.root, (&acme(), &ask)).await.unwrap();
        let shown = page.items.into_iter().map(|member| {
            let roles = member.membership.roles.iter().map(ToString::to_string).collect();
            (member.email.unwrap().as_str().to_owned(), roles)
        });
        let mut members: Vec<_> = shown.collect();
        members.sort();
        members
    }

    /// The events of an action in the chain of `acme`, without what differs from one to the next.
    async fn events(&self, action: Action) -> Vec<serde_json::Value> {
        let page = PageRequest::new(None, None).unwrap();
        let query = AuditQuery { from: None, to: None, action: Some(action), actor: None, page };
        let found = list_events(&self.fixture.domain, &self.root, (&acme(), &query)).await.unwrap();
        let parse = |event: &str| {
            let mut event: serde_json::Value = serde_json::from_str(event).unwrap();
            event.as_object_mut().unwrap().remove("id").unwrap();
            event
        };
        found.items.iter().map(|link| parse(&link.event)).collect()
    }
}

#[tokio::test]
async fn it_needs_the_scope_in_a_tenant_that_is_served() {
    let world = World::new().await;
    let ann = bearing(&world.fixture.sign_in(ANN).await.id_token);
    let eve = bearing(&world.fixture.sign_in(EVE).await.id_token);
    assert_eq!(code(world.send(&ann, RESET, ANN).await), Some(Code::PermissionDenied));
    assert_eq!(code(world.send(&eve, RESET, ANN).await), Some(Code::TenantNotFound));
    let status = TenantStatus::Suspended;
    world.fixture.put_tenant(&Tenant { status, ..world.acme.clone() }).await;
    // Signed in anew: the sessions of before were of this tenant.
    let root = bearing(&world.fixture.sign_in(ROOT).await.id_token);
    let bob = bearing(&world.fixture.sign_in(BOB).await.id_token);
    for (by, refusal) in [(&root, Code::TenantDisabled), (&bob, Code::TenantNotFound)] {
        for kind in [RESET, SIGN_IN] {
            assert_eq!(code(world.send(by, kind, NOBODY).await), Some(refusal));
        }
    }
    assert!(world.fixture.mails().await.is_empty());
}

#[tokio::test]
async fn the_link_goes_on_only_where_it_may_and_nothing_is_told_of_what_is_refused() {
    let world = World::new().await;
    for kind in [RESET, SIGN_IN] {
        let continue_url = Some("https://evil.example/".to_owned());
        let ask = SendCode { kind, email: email(NOBODY), continue_url, language: None };
        let refused = send_code(&world.fixture.domain, &world.bob, (&acme(), &ask)).await;
        assert_eq!(code(refused), Some(Code::InvalidArgument));
    }
    assert!(world.events(Action::OobSend).await.is_empty());
    assert_eq!(world.members().await.len(), 3);
}

#[tokio::test]
async fn what_an_address_is_sent_is_limited_whoever_asks_and_who_may_not_ask_uses_up_nothing() {
    let fixture = Fixture::with(|settings| settings.limits.enabled = true).await;
    let world = World::of(fixture).await;
    let ann = bearing(&world.fixture.sign_in(ANN).await.id_token);
    for _ in 0..10 {
        let refused = world.send(&ann, RESET, NOBODY).await;
        assert_eq!(code(refused), Some(Code::PermissionDenied));
    }
    // Three an hour, strangers too; of what is refused nobody is invited.
    for _ in 0..3 {
        world.send(&world.bob, RESET, NOBODY).await.unwrap();
    }
    for (by, kind) in [(&world.bob, RESET), (&world.root, SIGN_IN), (&world.bob, SIGN_IN)] {
        assert_eq!(code(world.send(by, kind, NOBODY).await), Some(Code::RateLimited));
    }
    assert_eq!(world.members().await.len(), 3);
    assert_eq!(world.events(Action::OobSend).await.len(), 3);
}

#[test]
fn a_tenant_sends_resets_and_sign_ins_and_nothing_else() {
    for (text, found) in [
        ("PASSWORD_RESET", Some(RESET)),
        ("EMAIL_SIGNIN", Some(SIGN_IN)),
        ("VERIFY_EMAIL", None),
        ("VERIFY_AND_CHANGE_EMAIL", None),
        ("RECOVER_EMAIL", None),
        ("password_reset", None),
        ("", None),
    ] {
        let parsed = TenantCode::parse(text);
        assert_eq!(parsed.as_ref().ok(), found.as_ref(), "{text}");
        let code = parsed.err().map(|refusal| refusal.code);
        assert_eq!(code, found.is_none().then_some(Code::InvalidArgument));
    }
}
