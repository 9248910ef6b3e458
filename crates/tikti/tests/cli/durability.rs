//! What was acknowledged survives `kill -9`.

use serde_json::{Value, json};

use crate::support::{Dev, Home, ask};

#[test]
fn a_tenant_and_its_tokens_outlive_a_killed_server() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    home.run("tenant create --slug early").done();
    let token = home.run("token exchange --aud backend-worker --tenant early --quiet").done();
    let listen = dev.text("url").trim_start_matches("http://").to_owned();
    let first = dev.ready.clone();

    let tenant = home.run("tenant create --slug codecompany --output json").json();
    dev.kill();
    let dev = Dev::start_at(&home, &listen);

    assert_eq!(dev.ready, first);
    assert_eq!(home.run("tenant get codecompany --output json").json(), tenant);
    home.run_with_input("token verify --aud backend-worker -", &token).done();
    // The session was acknowledged, too.
    home.run("auth status").done();
}

const PASSWORD: &str = "correct horse battery";

/// Posts to a server, with its key and as its administrator where `admin` is his token; gives status and
/// body.
fn post(dev: &Dev, path: &str, admin: Option<&str>, body: &Value) -> (u16, Value) {
    let key = dev.text("apiKey");
    let bearer = admin.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n{bearer}"
    );
    ask(&dev.address(), &head, &body.to_string())
}

/// The same, of a call that is done.
fn done(dev: &Dev, path: &str, admin: Option<&str>, ask: &Value) -> Value {
    let (status, body) = post(dev, path, admin, ask);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn sign_in(dev: &Dev, email: &str, password: &str) -> Value {
    let ask = json!({"email": email, "password": password, "returnSecureToken": true});
    done(dev, "/v1/accounts/signIn", None, &ask)
}

/// What ends a session.
#[derive(Clone, Copy, Debug)]
enum End {
    RevokeGlobal,
    RevokeTenant,
    RevokeJti,
    SignOut,
    SignOutEverywhere,
    NewPassword,
    ResetPassword,
    Status,
    Delete,
}

const ENDS: [End; 9] = [
    End::RevokeGlobal,
    End::RevokeTenant,
    End::RevokeJti,
    End::SignOut,
    End::SignOutEverywhere,
    End::NewPassword,
    End::ResetPassword,
    End::Status,
    End::Delete,
];

impl End {
    fn email(self) -> String {
        format!("{self:?}@corp.sys").to_ascii_lowercase()
    }

    /// Ends it.
    fn call(self, dev: &Dev, admin: &str, session: &Value) {
        let (email, token) = (self.email(), &session["idToken"]);
        let (path, ask) = match self {
            Self::RevokeGlobal => ("revoke", json!({"email": email, "scope": "global"})),
            Self::RevokeTenant => {
                ("revoke", json!({"email": email, "scope": "tenant", "tenantId": "codecompany"}))
            }
            Self::RevokeJti => ("revokeJti", json!({ "token": token })),
            Self::SignOut => ("signOut", json!({"refreshToken": session["refreshToken"]})),
            Self::SignOutEverywhere => ("signOut", json!({"idToken": token, "everywhere": true})),
            Self::NewPassword => {
                ("update", json!({"idToken": token, "password": "a staple that is correct"}))
            }
            Self::ResetPassword => {
                let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
                let sent = done(dev, "/v1/accounts/sendOobCode", None, &ask);
                let new = "a staple that is correct";
                ("resetPassword", json!({"oobCode": sent["oobCode"], "newPassword": new}))
            }
            Self::Status => ("status", json!({"email": email, "status": "SUSPENDED"})),
            Self::Delete => ("delete", json!({ "idToken": token })),
        };
        done(dev, &format!("/v1/accounts/{path}"), Some(admin), &ask);
    }

    /// Whether it ends the whole session, not one token or one tenant of it.
    fn ends_all(self) -> bool {
        !matches!(self, Self::RevokeTenant | Self::RevokeJti)
    }
}

/// Each is answered, the server is killed at that moment, and the next one still refuses what ended.
///
/// Attacks, row L2.
#[test]
fn l2_what_was_revoked_stays_so_after_a_kill() {
    let home = Home::new();
    let mut dev = Dev::start(&home);
    let listen = dev.address();
    let root = sign_in(&dev, dev.text("adminEmail"), dev.text("adminPassword"));
    let admin = root["idToken"].as_str().unwrap().to_owned();
    done(&dev, "/v1/tenants", Some(&admin), &json!({"slug": "codecompany"}));
    let mut sessions = Vec::new();
    for end in ENDS {
        let ask = json!({"email": end.email(), "password": PASSWORD, "tenantId": "codecompany"});
        done(&dev, "/v1/accounts/signUp", Some(&admin), &ask);
        sessions.push(sign_in(&dev, &end.email(), PASSWORD));
    }
    for (end, session) in ENDS.iter().zip(&sessions) {
        let lookup = json!({"idToken": session["idToken"]});
        done(&dev, "/v1/accounts/lookup", None, &lookup);
        end.call(&dev, &admin, session);
        dev.kill();
        dev = Dev::start_at(&home, &listen);
        let (status, body) = post(&dev, "/v1/accounts/lookup", None, &lookup);
        let told = if matches!(end, End::Status) {
            (403, json!("USER_DISABLED"))
        } else {
            (401, json!("TOKEN_REVOKED"))
        };
        assert_eq!((status, &body["code"]), (told.0, &told.1), "{end:?}");
        let exchange = json!({"idToken": session["idToken"], "audience": "backend-worker"});
        let (status, _) = post(&dev, "/v1/accounts/token/exchange", None, &exchange);
        // An exchange goes by the membership first, and says of a suspended user that he is one.
        let is_forbidden = matches!(end, End::RevokeTenant | End::Status);
        assert_eq!(status, if is_forbidden { 403 } else { 401 }, "{end:?}");
        let token = &session["refreshToken"];
        let refresh = json!({"grant_type": "refresh_token", "refresh_token": token});
        let (status, _) = post(&dev, "/v1/token", None, &refresh);
        assert_eq!(status, if end.ends_all() { 401 } else { 200 }, "{end:?}");
    }
    // Whoever was not concerned goes on.
    done(&dev, "/v1/accounts/lookup", None, &json!({ "idToken": admin }));
}
