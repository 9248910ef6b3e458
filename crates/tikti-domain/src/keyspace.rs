//! Every key of the store. Nothing else builds one.
//!
//! | partition | kind | id | record |
//! |---|---|---|---|
//! | `g` | `deployment` | - | issuer and secret fingerprints of the first start |
//! | `g` | `signing_keys` | - | all signing keys |
//! | `g` | `admins` | - | the set of global administrators |
//! | `g` | `tenant` | tenant id | entry of the list of tenants |
//! | `e:<sha256 of the address>` | `claim` | - | which user owns an address |
//! | `s:<id or slug>` | `claim` | - | which tenant owns a name |
//! | `u:<user id>` | `user` | - | the user |
//! | `u:<user id>` | `session` | session id | one sign-in |
//! | `u:<user id>` | `denied` | `jti` | a token that was revoked alone |
//! | `u:<user id>` | `membership` | tenant id | entry of the user's list of memberships |
//! | `t:<tenant id>` | `tenant` | - | the tenant |
//! | `t:<tenant id>` | `roles` | - | all roles with their permissions |
//! | `t:<tenant id>` | `client` | client id | one audience |
//! | `t:<tenant id>` | `worker` | worker id | one worker |
//! | `t:<tenant id>` | `member` | user id | one membership |
//! | `k:<key id>` | `key` | - | one API key |
//!
//! Lists (`g/tenant`, `u/membership`) are written before what they list: an entry without its
//! record means nothing and is passed over.
//!
//! Spec: Storage, "keys are byte strings".

use tikti_store::{Key, Kind, Partition};

use crate::email::Email;
use crate::id::{ApiKeyId, ClientId, SessionId, TenantId, UserId, WorkerId};
use crate::secret::sha256_hex;

pub(crate) const TENANT: Kind = Kind::new("tenant");
pub(crate) const MEMBERSHIP: Kind = Kind::new("membership");
const DEPLOYMENT: Kind = Kind::new("deployment");
const SIGNING_KEYS: Kind = Kind::new("signing_keys");
const ADMINS: Kind = Kind::new("admins");
const CLAIM: Kind = Kind::new("claim");
const USER: Kind = Kind::new("user");
const SESSION: Kind = Kind::new("session");
const DENIED: Kind = Kind::new("denied");
const ROLES: Kind = Kind::new("roles");
const CLIENT: Kind = Kind::new("client");
const WORKER: Kind = Kind::new("worker");
const MEMBER: Kind = Kind::new("member");
const KEY: Kind = Kind::new("key");

pub(crate) fn of_user(user: &UserId) -> Partition {
    Partition::new("u", user.as_str())
}

pub(crate) fn of_tenant(tenant: &TenantId) -> Partition {
    Partition::new("t", tenant.as_str())
}

pub(crate) fn deployment() -> Key {
    Key::new(&Partition::global(), DEPLOYMENT, "")
}

pub(crate) fn signing_keys() -> Key {
    Key::new(&Partition::global(), SIGNING_KEYS, "")
}

pub(crate) fn admins() -> Key {
    Key::new(&Partition::global(), ADMINS, "")
}

pub(crate) fn tenant_entry(tenant: &TenantId) -> Key {
    Key::new(&Partition::global(), TENANT, tenant.as_str())
}

pub(crate) fn email_claim(email: &Email) -> Key {
    Key::new(&Partition::new("e", &sha256_hex(email.as_str().as_bytes())), CLAIM, "")
}

/// The claim on a tenant id or slug: they share one namespace.
pub(crate) fn name_claim(name: &str) -> Key {
    Key::new(&Partition::new("s", name), CLAIM, "")
}

pub(crate) fn user(user: &UserId) -> Key {
    Key::new(&of_user(user), USER, "")
}

pub(crate) fn session(user: &UserId, session: &SessionId) -> Key {
    Key::new(&of_user(user), SESSION, session.as_str())
}

pub(crate) fn denied_token(user: &UserId, jti: &str) -> Key {
    Key::new(&of_user(user), DENIED, jti)
}

pub(crate) fn membership_entry(user: &UserId, tenant: &TenantId) -> Key {
    Key::new(&of_user(user), MEMBERSHIP, tenant.as_str())
}

pub(crate) fn tenant(tenant: &TenantId) -> Key {
    Key::new(&of_tenant(tenant), TENANT, "")
}

pub(crate) fn roles(tenant: &TenantId) -> Key {
    Key::new(&of_tenant(tenant), ROLES, "")
}

pub(crate) fn client(tenant: &TenantId, client: &ClientId) -> Key {
    Key::new(&of_tenant(tenant), CLIENT, client.as_str())
}

pub(crate) fn worker(tenant: &TenantId, worker: &WorkerId) -> Key {
    Key::new(&of_tenant(tenant), WORKER, worker.as_str())
}

pub(crate) fn member(tenant: &TenantId, user: &UserId) -> Key {
    Key::new(&of_tenant(tenant), MEMBER, user.as_str())
}

pub(crate) fn api_key(id: &ApiKeyId) -> Key {
    Key::new(&Partition::new("k", id.as_str()), KEY, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored keys are for ever: a change here is a migration.
    #[test]
    fn keys_are_as_they_were_stored() {
        let user_id = UserId::parse("u1").unwrap();
        let tenant_id = TenantId::parse("t-1").unwrap();
        let all = [
            deployment(),
            signing_keys(),
            admins(),
            tenant_entry(&tenant_id),
            email_claim(&Email::parse("a@b").unwrap()),
            name_claim("acme"),
            user(&user_id),
            session(&user_id, &SessionId::parse("01JD0000000000000000000000").unwrap()),
            denied_token(&user_id, "j1"),
            membership_entry(&user_id, &tenant_id),
            tenant(&tenant_id),
            roles(&tenant_id),
            client(&tenant_id, &ClientId::parse("https://api/x").unwrap()),
            worker(&tenant_id, &WorkerId::parse("worker-01").unwrap()),
            member(&tenant_id, &user_id),
            api_key(&ApiKeyId::parse("abcd").unwrap()),
        ];
        let text: Vec<_> =
            all.iter().map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned()).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        g/deployment/
        g/signing_keys/
        g/admins/
        g/tenant/t-1
        e:7508d8b5018ea640b85269861a101203f0c26900555268e930025dac844b0f35/claim/
        s:acme/claim/
        u:u1/user/
        u:u1/session/01JD0000000000000000000000
        u:u1/denied/j1
        u:u1/membership/t-1
        t:t-1/tenant/
        t:t-1/roles/
        t:t-1/client/https://api/x
        t:t-1/worker/worker-01
        t:t-1/member/u1
        k:abcd/key/
        ");
    }
}
