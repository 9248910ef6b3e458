//! Every key of the store. Nothing else builds one.
//!
//! | partition | kind | id | record |
//! |---|---|---|---|
//! | `g` | `deployment` | - | issuer and secret fingerprints of the first start |
//! | `g` | `signing_keys` | - | all signing keys |
//! | `g` | `admins` | - | the set of global administrators |
//! | `g` | `tenant` | tenant id | entry of the list of tenants |
//! | `g` | `api_key` | key id | entry of the list of the deployment's own API keys |
//! | `g` | `fence` | operation id | that operation was given up |
//! | `e:<sha256 of the address>` | `claim` | - | which user owns an address |
//! | `s:<id or slug>` | `claim` | - | which tenant owns a name |
//! | `u:<user id>` | `user` | - | the user |
//! | `u:<user id>` | `session` | session id | one sign-in |
//! | `u:<user id>` | `denied` | `jti` | a token that was revoked alone |
//! | `u:<user id>` | `membership` | tenant id | entry of the user's list of memberships |
//! | `u:<user id>` | `networks` | - | from where the user has signed in lately |
//! | `u:<user id>` | `fence` | operation id | that operation was given up |
//! | `t:<tenant id>` | `tenant` | - | the tenant |
//! | `t:<tenant id>` | `roles` | - | all roles with their permissions |
//! | `t:<tenant id>` | `admins` | - | the members who hold `TENANT_ADMIN`, and which of them count |
//! | `t:<tenant id>` | `client` | client id | one audience |
//! | `t:<tenant id>` | `former_client` | client id | that an audience was deleted, for a day |
//! | `t:<tenant id>` | `former_role` | role name | that a role was deleted |
//! | `t:<tenant id>` | `worker` | worker id | one worker |
//! | `t:<tenant id>` | `assertion` | hash of client id and `jti` | that a worker's assertion was shown, until it ends |
//! | `t:<tenant id>` | `member` | user id | one membership |
//! | `t:<tenant id>` | `departed` | user id | when a member was removed |
//! | `t:<tenant id>` | `api_key` | key id | entry of the list of the tenant's API keys |
//! | `t:<tenant id>` | `denied` | `jti` | a token of a worker's own that was revoked alone |
//! | `t:<tenant id>` | `fence` | operation id | that operation was given up |
//! | `k:<key id>` | `key` | - | one API key |
//! | `k:<key id>` | `used` | - | when it was last used, to the hour |
//! | `k:<key id>` | `fence` | operation id | that the key of that operation has gone |
//! | `l:<keyed hash>` | `count` | - | a counter of a rate limit, no record |
//! | `l:<keyed hash>` | `block` | - | until when somebody is kept out |
//! | `n:<00 to ff>` | `user` | user id | entry of the directory of users |
//! | `n:<00 to ff>` | `fence` | operation id | that operation was given up |
//! | `k: m:` | `fence` | operation id | that operation was given up |
//! | `u: t: k: m: g` | `note` | operation id | an audit event on its way to its chain |
//! | `t: g` | `answer` | keyed hash | what was answered to a request that may come again |
//! | `a:<tenant id or ->` | `link` | number, 16 hexadecimal digits | one audit event in its chain |
//! | `a:<tenant id or ->` | `head` | - | where the chain ends |
//! | `a:<tenant id or ->` | `signed` | - | where the chain ended, by our word |
//! | `a:<tenant id or ->` | `signed` | number, 16 hexadecimal digits | every such word that was given |
//! | `a:<tenant id or ->` | `checkpoint` | - | up to where the chain was pruned, by our word |
//! | `a:<tenant id or ->` | `chained` | operation id | that an operation's note is in the chain, for a day |
//! | `o:<type>.<hmac>` | `code` | - | a code that left by mail |
//! | `i:<0 to f>` | `intent` | operation id | an operation of several partitions that is under way |
//! | `m:<0 to f>` | `mail` | mail id | a mail that waits to be delivered |
//!
//! Lists (`g/tenant`, `u/membership`, `g/api_key`, `t/api_key`, `n/user`) are written before what they list and
//! removed after it: an entry without its record means nothing and is passed over. Intents and mails are
//! spread over sixteen partitions each by the last four bits of their ids, and the directory of users over
//! 256 by the first byte of the SHA-256 of the user's id, so that no node is hot.
//!
//! Spec: Storage, "keys are byte strings".

use data_encoding::HEXLOWER;
use tikti_store::{Key, Kind, Partition};

use crate::audit::Chain;
use crate::email::Email;
use crate::id::{
    ApiKeyId, ClientId, MailId, OperationId, RoleName, SessionId, TenantId, UserId, WorkerId,
};
use crate::oob_code::OobType;
use crate::rate_limit::Tag;
use crate::secret::{sha256_first_byte, sha256_hex};

pub(crate) const TENANT: Kind = Kind::new("tenant");
pub(crate) const MEMBERSHIP: Kind = Kind::new("membership");
const DEPLOYMENT: Kind = Kind::new("deployment");
const SIGNING_KEYS: Kind = Kind::new("signing_keys");
const ADMINS: Kind = Kind::new("admins");
const CLAIM: Kind = Kind::new("claim");
pub(crate) const USER: Kind = Kind::new("user");
pub(crate) const SESSION: Kind = Kind::new("session");
pub(crate) const DENIED: Kind = Kind::new("denied");
const ROLES: Kind = Kind::new("roles");
pub(crate) const CLIENT: Kind = Kind::new("client");
pub(crate) const FORMER_CLIENT: Kind = Kind::new("former_client");
pub(crate) const FORMER_ROLE: Kind = Kind::new("former_role");
pub(crate) const WORKER: Kind = Kind::new("worker");
const ASSERTION: Kind = Kind::new("assertion");
pub(crate) const MEMBER: Kind = Kind::new("member");
pub(crate) const DEPARTED: Kind = Kind::new("departed");
pub(crate) const API_KEY: Kind = Kind::new("api_key");
pub(crate) const INTENT: Kind = Kind::new("intent");
pub(crate) const MAIL: Kind = Kind::new("mail");
const KEY: Kind = Kind::new("key");
const USED: Kind = Kind::new("used");
const CODE: Kind = Kind::new("code");
const FENCE: Kind = Kind::new("fence");
pub(crate) const NOTE: Kind = Kind::new("note");
pub(crate) const LINK: Kind = Kind::new("link");
const HEAD: Kind = Kind::new("head");
pub(crate) const SIGNED: Kind = Kind::new("signed");
const CHECKPOINT: Kind = Kind::new("checkpoint");
const CHAINED: Kind = Kind::new("chained");
const ANSWER: Kind = Kind::new("answer");
const NETWORKS: Kind = Kind::new("networks");
const COUNT: Kind = Kind::new("count");
const BLOCK: Kind = Kind::new("block");

/// Number of partitions that intents are spread over.
pub(crate) const INTENT_SHARDS: u8 = 16;
/// Number of partitions that mails are spread over.
pub(crate) const MAIL_SHARDS: u8 = 16;

pub(crate) fn of_user(user: &UserId) -> Partition {
    Partition::new("u", user.as_str())
}

pub(crate) fn of_tenant(tenant: &TenantId) -> Partition {
    Partition::new("t", tenant.as_str())
}

pub(crate) fn of_api_key(id: &ApiKeyId) -> Partition {
    Partition::new("k", id.as_str())
}

/// The partition of the list of a tenant's API keys, or of the deployment's own.
pub(crate) fn of_api_keys(owner: Option<&TenantId>) -> Partition {
    owner.map_or_else(Partition::global, of_tenant)
}

/// The partition of a chain of audit events; no tenant is called `-`.
pub(crate) fn of_chain(chain: &Chain) -> Partition {
    match chain {
        Chain::Deployment => Partition::new("a", "-"),
        Chain::Tenant(tenant) => Partition::new("a", tenant.as_str()),
    }
}

/// One of the partitions of the directory of users, by the two hexadecimal digits that name it.
pub(crate) fn of_directory(shard: u8) -> Partition {
    Partition::new("n", &format!("{shard:02x}"))
}

/// One of the partitions of intents, `shard` below [`INTENT_SHARDS`].
pub(crate) fn of_intents(shard: u8) -> Partition {
    Partition::new("i", &format!("{shard:x}"))
}

/// One of the partitions of mails, `shard` below [`MAIL_SHARDS`].
pub(crate) fn of_mails(shard: u8) -> Partition {
    Partition::new("m", &format!("{shard:x}"))
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

/// That a token was revoked alone which no user is behind: a worker's own.
pub(crate) fn denied_in_tenant(tenant: &TenantId, jti: &str) -> Key {
    Key::new(&of_tenant(tenant), DENIED, jti)
}

pub(crate) fn membership_entry(user: &UserId, tenant: &TenantId) -> Key {
    Key::new(&of_user(user), MEMBERSHIP, tenant.as_str())
}

pub(crate) fn known_networks(user: &UserId) -> Key {
    Key::new(&of_user(user), NETWORKS, "")
}

/// The entry of the directory of users.
pub(crate) fn user_entry(user: &UserId) -> Key {
    Key::new(&of_directory(sha256_first_byte(user.as_str().as_bytes())), USER, user.as_str())
}

pub(crate) fn tenant(tenant: &TenantId) -> Key {
    Key::new(&of_tenant(tenant), TENANT, "")
}

pub(crate) fn roles(tenant: &TenantId) -> Key {
    Key::new(&of_tenant(tenant), ROLES, "")
}

/// The members of a tenant who administer it.
pub(crate) fn tenant_admins(tenant: &TenantId) -> Key {
    Key::new(&of_tenant(tenant), ADMINS, "")
}

pub(crate) fn client(tenant: &TenantId, client: &ClientId) -> Key {
    Key::new(&of_tenant(tenant), CLIENT, client.as_str())
}

/// What is kept of a client that was deleted.
pub(crate) fn former_client(tenant: &TenantId, client: &ClientId) -> Key {
    Key::new(&of_tenant(tenant), FORMER_CLIENT, client.as_str())
}

/// That a role of this name was deleted.
pub(crate) fn former_role(tenant: &TenantId, role: &RoleName) -> Key {
    Key::new(&of_tenant(tenant), FORMER_ROLE, role.as_str())
}

pub(crate) fn worker(tenant: &TenantId, worker: &WorkerId) -> Key {
    Key::new(&of_tenant(tenant), WORKER, worker.as_str())
}

/// That an assertion was shown: `jti` is what its maker calls it, a text of any form and length.
pub(crate) fn used_assertion(tenant: &TenantId, client_id: &str, jti: &str) -> Key {
    let name = sha256_hex(format!("{client_id}\0{jti}").as_bytes());
    Key::new(&of_tenant(tenant), ASSERTION, name)
}

pub(crate) fn member(tenant: &TenantId, user: &UserId) -> Key {
    Key::new(&of_tenant(tenant), MEMBER, user.as_str())
}

/// What is kept of a membership that was removed.
pub(crate) fn departed(tenant: &TenantId, user: &UserId) -> Key {
    Key::new(&of_tenant(tenant), DEPARTED, user.as_str())
}

pub(crate) fn api_key(id: &ApiKeyId) -> Key {
    Key::new(&of_api_key(id), KEY, "")
}

/// When a key was last used.
pub(crate) fn api_key_use(id: &ApiKeyId) -> Key {
    Key::new(&of_api_key(id), USED, "")
}

/// The entry of a key in the list of its tenant, or of the deployment.
pub(crate) fn api_key_entry(owner: Option<&TenantId>, id: &ApiKeyId) -> Key {
    Key::new(&of_api_keys(owner), API_KEY, id.as_str())
}

/// The counter of a rate limit. Each has a partition of its own, so that they spread.
pub(crate) fn counter(tag: &Tag) -> Key {
    Key::new(&of_limit(tag), COUNT, "")
}

/// The block that follows from a counter.
pub(crate) fn block(tag: &Tag) -> Key {
    Key::new(&of_limit(tag), BLOCK, "")
}

fn of_limit(tag: &Tag) -> Partition {
    Partition::new("l", &HEXLOWER.encode(tag))
}

/// A code by its HMAC, each type apart.
pub(crate) fn oob_code(kind: OobType, hmac: &str) -> Key {
    Key::new(&Partition::new("o", &format!("{}.{hmac}", kind.as_str())), CODE, "")
}

/// The type of the codes among which `key` stands.
pub(crate) fn oob_code_type(key: &Key) -> Option<OobType> {
    let (prefix, name) = key.partition().as_str().split_once(':')?;
    let (kind, _) = name.split_once('.').filter(|_| prefix == "o")?;
    OobType::ALL.into_iter().find(|known| known.as_str() == kind)
}

pub(crate) fn intent(operation: &OperationId) -> Key {
    Key::new(&of_intents(operation.shard()), INTENT, operation.as_str())
}

pub(crate) fn mail(id: &MailId) -> Key {
    Key::new(&of_mails(id.shard()), MAIL, id.as_str())
}

/// The fence of an operation in one of the partitions that it writes to.
pub(crate) fn fence(partition: &Partition, operation: &OperationId) -> Key {
    Key::new(partition, FENCE, operation.as_str())
}

/// The audit event that an operation leaves where it changes something.
pub(crate) fn note(partition: &Partition, operation: &OperationId) -> Key {
    Key::new(partition, NOTE, operation.as_str())
}

/// A link of a chain, in the order of the numbers.
pub(crate) fn link(chain: &Chain, seq: u64) -> Key {
    Key::new(&of_chain(chain), LINK, format!("{seq:016x}"))
}

pub(crate) fn head(chain: &Chain) -> Key {
    Key::new(&of_chain(chain), HEAD, "")
}

/// The signed head of a chain.
pub(crate) fn signed_head(chain: &Chain) -> Key {
    Key::new(&of_chain(chain), SIGNED, "")
}

/// One of all signed heads of a chain, in the order of the numbers.
pub(crate) fn earlier_head(chain: &Chain, seq: u64) -> Key {
    Key::new(&of_chain(chain), SIGNED, format!("{seq:016x}"))
}

/// Up to where a chain was pruned.
pub(crate) fn checkpoint(chain: &Chain) -> Key {
    Key::new(&of_chain(chain), CHECKPOINT, "")
}

/// The chain that lies in a partition, if one does.
pub(crate) fn chain_in(partition: &Partition) -> Option<Chain> {
    let (prefix, owner) = partition.as_str().split_once(':')?;
    match (prefix, owner) {
        ("a", "-") => Some(Chain::Deployment),
        ("a", tenant) => TenantId::parse(tenant).ok().map(Chain::Tenant),
        _ => None,
    }
}

pub(crate) fn chained(chain: &Chain, operation: &OperationId) -> Key {
    Key::new(&of_chain(chain), CHAINED, operation.as_str())
}

/// What was answered to a request, by the HMAC of who asked for what under which name.
pub(crate) fn given_answer(partition: &Partition, hmac: &str) -> Key {
    Key::new(partition, ANSWER, hmac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of each kind.
    fn all() -> Vec<Key> {
        let user_id = UserId::parse("u1").unwrap();
        let tenant_id = TenantId::parse("t-1").unwrap();
        let key_id = ApiKeyId::parse("abcd").unwrap();
        let operation = OperationId::parse("01JD000000000000000000000Z").unwrap();
        vec![
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
            known_networks(&user_id),
            tenant(&tenant_id),
            roles(&tenant_id),
            client(&tenant_id, &ClientId::parse("https://api/x").unwrap()),
            worker(&tenant_id, &WorkerId::parse("worker-01").unwrap()),
            member(&tenant_id, &user_id),
            api_key(&key_id),
            api_key_entry(Some(&tenant_id), &key_id),
            counter(&[10; 16]),
            block(&[10; 16]),
            oob_code(OobType::EmailSignIn, "Aa0_-"),
            intent(&operation),
            intent(&OperationId::default()),
            user_entry(&user_id),
            fence(&of_directory(0), &operation),
            fence(&of_user(&user_id), &operation),
            fence(&of_tenant(&tenant_id), &operation),
            fence(&Partition::global(), &operation),
            fence(&of_mails(10), &operation),
            mail(&MailId::parse("01JD000000000000000000000A").unwrap()),
            departed(&tenant_id, &user_id),
            note(&of_tenant(&tenant_id), &operation),
            note(&of_api_key(&key_id), &operation),
            note(&of_mails(10), &operation),
            link(&Chain::Tenant(tenant_id.clone()), 10),
            head(&Chain::Deployment),
            signed_head(&Chain::Deployment),
            earlier_head(&Chain::Deployment, 10),
            chained(&Chain::Deployment, &operation),
            checkpoint(&Chain::Deployment),
            tenant_admins(&tenant_id),
            given_answer(&of_tenant(&tenant_id), "Aa0_-"),
            given_answer(&Partition::global(), "Aa0_-"),
            api_key_entry(None, &key_id),
            api_key_use(&key_id),
            fence(&of_api_key(&key_id), &operation),
            former_client(&tenant_id, &ClientId::parse("https://api/x").unwrap()),
            former_role(&tenant_id, &RoleName::parse("Ops.1").unwrap()),
            denied_in_tenant(&tenant_id, "j1"),
            used_assertion(&tenant_id, "t-1.worker-01", "j1"),
        ]
    }

    /// Stored keys are for ever: a change here is a migration.
    #[test]
    fn keys_are_as_they_were_stored() {
        let all = all();
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
        u:u1/networks/
        t:t-1/tenant/
        t:t-1/roles/
        t:t-1/client/https://api/x
        t:t-1/worker/worker-01
        t:t-1/member/u1
        k:abcd/key/
        t:t-1/api_key/abcd
        l:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a/count/
        l:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a/block/
        o:EMAIL_SIGNIN.Aa0_-/code/
        i:f/intent/01JD000000000000000000000Z
        i:0/intent/00000000000000000000000000
        n:bb/user/u1
        n:00/fence/01JD000000000000000000000Z
        u:u1/fence/01JD000000000000000000000Z
        t:t-1/fence/01JD000000000000000000000Z
        g/fence/01JD000000000000000000000Z
        m:a/fence/01JD000000000000000000000Z
        m:a/mail/01JD000000000000000000000A
        t:t-1/departed/u1
        t:t-1/note/01JD000000000000000000000Z
        k:abcd/note/01JD000000000000000000000Z
        m:a/note/01JD000000000000000000000Z
        a:t-1/link/000000000000000a
        a:-/head/
        a:-/signed/
        a:-/signed/000000000000000a
        a:-/chained/01JD000000000000000000000Z
        a:-/checkpoint/
        t:t-1/admins/
        t:t-1/answer/Aa0_-
        g/answer/Aa0_-
        g/api_key/abcd
        k:abcd/used/
        k:abcd/fence/01JD000000000000000000000Z
        t:t-1/former_client/https://api/x
        t:t-1/former_role/Ops.1
        t:t-1/denied/j1
        t:t-1/assertion/20976771045e5ac76c41490f9d74f933c484d03d08809b9bb3a6f61affd720eb
        ");
    }
}
