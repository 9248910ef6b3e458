//! Is every answer of an identity call, member by member, what clients were promised? One test for each
//! row of the specification's table: success and each refusal, by both forms of the path, with nothing
//! masked but what differs from run to run.
//!
//! Spec: HTTP API, "Identity", "Errors" and "Codes".

use std::time::Duration;

use serde_json::{Value, json};
use tikti_domain::Caller;
use tikti_domain::account::{SignIn, SignInCall, sign_in};
use tikti_domain::api_key::KeyScope;
use tikti_domain::clock::Clock;
use tikti_domain::email::Email;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::testing::{put_api_key, put_user};
use tikti_domain::user::UserStatus;

use crate::doors::forge;
use crate::support::{PASSWORD, Reply, Request, Server};

mod accounts;
mod admins;
mod codes;
mod exchange;
mod id_tokens;
mod sessions;
mod sign_in;
mod users;

const ANN: &str = "ann@corp.sys";
/// A key without any scope that a call here needs.
const NARROW_KEY: &str = "tk_narrow_abcdefghijklmnopqrstuvwxyz012345";

/// What a request shows.
#[derive(Clone, Copy)]
enum By<'a> {
    Nothing,
    /// The deployment's key.
    Key,
    /// The key without scopes.
    NarrowKey,
    Bearer(&'a str),
    KeyAndBearer(&'a str),
    NarrowKeyAndBearer(&'a str),
}

/// A server with an administrator in the tenant `codecompany`, and two users in none, of whom one is
/// suspended.
struct World {
    server: Server,
    /// The administrator's idToken.
    admin: String,
    /// Ann's idToken.
    ann: String,
    /// idTokens of the two, of sessions that began twenty minutes ago.
    old_admin: String,
    old_ann: String,
}

impl World {
    async fn new() -> Self {
        Box::pin(Self::build()).await
    }

    /// Whoever administers has signed in a minute ago at most.
    async fn build() -> Self {
        let server = Server::start().await;
        let (email, password) =
            (server.setup.admin_email.clone(), server.setup.admin_password.clone());
        server.user(ANN).await;
        let place = server.stop().await;
        place
            .prepare(async |domain| {
                put_user(domain, "gone@corp.sys", UserStatus::Suspended).await;
                put_api_key(domain, NARROW_KEY, &[KeyScope::Introspect], |_| ()).await;
            })
            .await;
        let (mut old_admin, mut old_ann) = (String::new(), String::new());
        let back = Duration::from_secs(20 * 60).as_millis();
        let then = Clock::system().now().as_millis() - u64::try_from(back).unwrap();
        let clock = Clock::manual(tikti_domain::clock::Timestamp::from_millis(then));
        place
            .prepare_at(clock, async |domain| {
                old_admin = old_session(domain, &email, &password).await;
                old_ann = old_session(domain, ANN, PASSWORD).await;
            })
            .await;
        let server = Server::start_with(place, |config| {
            config.domain.settings.admin_reauth = Duration::from_secs(60);
        })
        .await;
        let (old_admin, old_ann) = (of_this(&server, &old_admin), of_this(&server, &old_ann));
        server.tenant(&server.admin().await, "codecompany").await;
        let admin = server.admin().await;
        let ann = token(&server.sign_in(ANN, PASSWORD).await);
        Self { server, admin, ann, old_admin, old_ann }
    }

    fn by<'a>(&self, request: Request<'a>, by: By<'_>) -> Request<'a> {
        match by {
            By::Nothing => request,
            By::Key => request.keyed(),
            By::NarrowKey => request.header("X-API-Key", NARROW_KEY),
            By::Bearer(token) => request.bearer(token),
            By::KeyAndBearer(token) => request.keyed().bearer(token),
            By::NarrowKeyAndBearer(token) => request.header("X-API-Key", NARROW_KEY).bearer(token),
        }
    }

    /// Sends a request to one path.
    async fn send(&self, (method, path): (&str, &str), by: By<'_>, ask: &Value) -> Reply {
        let request = self.by(self.server.request(method, path), by);
        let request = if ask.is_null() { request } else { request.json(ask.clone()) };
        request.send().await
    }

    /// Sends one request by each form of the path; the answers must be the same.
    async fn twice(&self, verb: &str, by: By<'_>, asks: [Value; 2]) -> String {
        let mut lines = Vec::new();
        for (form, ask) in ["/", ":"].into_iter().zip(asks) {
            let path = format!("/v1/accounts{form}{verb}");
            let line = self.send(("POST", &path), by, &ask).await.line();
            lines.push(line.replace("\"one@", "\"x@").replace("\"two@", "\"x@"));
        }
        assert_eq!(lines[0], lines[1], "{verb}");
        lines.swap_remove(0)
    }

    /// One line for each case: what it is about, and the answer by either form.
    async fn lines(&self, verb: &str, cases: &[(&str, By<'_>, Value)]) -> String {
        let mut lines = Vec::new();
        for (name, by, ask) in cases {
            let line = self.twice(verb, *by, [ask.clone(), ask.clone()]).await;
            lines.push(format!("{name}: {line}"));
        }
        lines.join("\n")
    }

    /// The cases of a call that needs an API key, with a body that is good.
    fn key_cases(ask: &Value) -> [(&'static str, By<'static>, Value); 2] {
        [
            ("no key", By::Nothing, ask.clone()),
            ("a key without the scope", By::NarrowKey, ask.clone()),
        ]
    }

    /// The cases of a call for administrators that changes something.
    fn admin_cases(&self, ask: &Value) -> Vec<(&'static str, By<'_>, Value)> {
        vec![
            ("no key", By::Bearer(&self.admin), ask.clone()),
            ("a key without the scope", By::NarrowKeyAndBearer(&self.admin), ask.clone()),
            ("no token", By::Key, ask.clone()),
            ("no good token", By::KeyAndBearer("a.b.c"), ask.clone()),
            ("no administrator", By::KeyAndBearer(&self.ann), ask.clone()),
            ("an old sign-in", By::KeyAndBearer(&self.old_admin), ask.clone()),
        ]
    }

    /// Ann's token as it would be if it had ended.
    fn expired(&self) -> String {
        let mut claims = forge::claims(&self.ann);
        for (name, ago) in [("exp", 7200), ("iat", 10_800), ("auth_time", 10_800)] {
            claims[name] = json!(claims[name].as_u64().unwrap() - ago);
        }
        // Made by the secret, whatever signs now.
        forge::sign(&forge::header(&self.old_ann), &claims, &forge::secret(&self.server))
    }

    /// A token of Ann's of a session that was signed out.
    async fn revoked(&self) -> String {
        let token = token(&self.server.sign_in(ANN, PASSWORD).await);
        let ask = json!({ "idToken": token });
        assert_eq!(self.server.post("/v1/accounts/signOut").json(ask).send().await.status, 200);
        token
    }

    /// A fresh idToken of a user who is made for it.
    async fn somebody(&self, email: &str) -> String {
        self.server.user(email).await["idToken"].as_str().unwrap().to_owned()
    }

    /// What a call answers to an idToken in its body that is not good.
    async fn token_cases(&self, ask: Value) -> Vec<(&'static str, By<'static>, Value)> {
        let with = |token: &str| forge::with(ask.clone(), "idToken", json!(token));
        vec![
            ("no token of ours", By::Key, with("a.b.c")),
            ("a token that has ended", By::Key, with(&self.expired())),
            ("a token that was revoked", By::Key, with(&self.revoked().await)),
            ("a token of another type", By::Key, forge::with(ask.clone(), "idToken", json!(7))),
        ]
    }
}

fn token(reply: &Reply) -> String {
    reply.json()["idToken"].as_str().unwrap().to_owned()
}

async fn old_session(domain: &tikti_domain::Domain, email: &str, password: &str) -> String {
    let ask = SignIn {
        call: SignInCall::Open,
        email: Email::parse(email).unwrap(),
        password: password.to_owned().into(),
        tenant: None,
        client: None,
        return_secure_token: false,
    };
    let session = sign_in(domain, &Caller::default(), &ask).await.unwrap();
    session.id_token.expose_secret().to_owned()
}

/// The token as a server with another issuer would have made it.
fn of_this(server: &Server, token: &str) -> String {
    let claims = forge::with(forge::claims(token), "iss", json!(server.url()));
    forge::sign(&forge::header(token), &claims, &forge::secret(server))
}
