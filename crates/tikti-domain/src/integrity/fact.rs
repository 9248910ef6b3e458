//! What does one record say, as far as the rules care?
//!
//! [`read`] is the way back of `keyspace`: from a key and its bytes to a [`Fact`]. Invariant: a fact
//! is small, whatever the size of its record, so that those of a whole page fit into memory; and its
//! ids are those of its key, since a record that says otherwise gives no fact.
//!
//! Spec: Storage, "keys are byte strings".

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tikti_store::{Key, Partition, Stored};

use super::rule::Rule;
use crate::account::KnownNetworks;
use crate::api_key::ApiKey;
use crate::api_keys::{LastUse, ListedKey};
use crate::audit::chain::{Head, Link};
use crate::audit::{Chain, Checkpoint, Note, SignedHead};
use crate::client::{Client, FormerClient};
use crate::client_credentials::UsedAssertion;
use crate::clock::Timestamp;
use crate::deployment::Deployment;
use crate::id::{
    ApiKeyId, ClientId, MailId, OperationId, RoleName, SessionId, TenantId, UserId, WorkerId,
};
use crate::idempotency::GivenAnswer;
use crate::keyspace;
use crate::limits::Block;
use crate::mail::QueuedMail;
use crate::membership::{Departure, Membership};
use crate::oob_code::OobCode;
use crate::record::{Cause, Lasting, Record};
use crate::role::{FormerRole, Roles, TENANT_ADMIN, TENANT_USER};
use crate::session::{DeniedToken, Session};
use crate::signing_key::SigningKeys;
use crate::tenancy::tenant_admins::{TenantAdmins, administers};
use crate::tenant::{ListEntry, NameClaim, Tenant, TenantStatus};
use crate::user::{Admins, EmailClaim, User};
use crate::worker::Worker;

/// A record that breaks a rule by itself: which, and what is wrong, without anything secret.
pub(super) type Broken = (Rule, String);

/// What a record says.
#[derive(Debug)]
pub(super) enum Fact {
    /// Keeps every rule by itself: the deployment, signing keys, a code, a fence, a block, a mail.
    Plain,
    /// An operation is under way, on these partitions.
    Intent { since: Timestamp, on: Vec<Partition> },
    /// The set of administrators.
    Admins(BTreeSet<UserId>),
    /// An entry of the list of tenants.
    TenantEntry(TenantId),
    /// An address is claimed, by this operation.
    EmailClaim { user: UserId, token: OperationId },
    /// A name is claimed.
    NameClaim { name: String, tenant: TenantId },
    /// A user who lives, with the key of the claim on the address and the operation that made it,
    /// whether he is active, and whether he has to stand in the set of administrators.
    User { id: UserId, email_claim: Option<(Key, OperationId)>, is_active: bool, is_admin: bool },
    /// An entry of the directory of users.
    UserEntry(UserId),
    /// A user who does not, and never will again.
    UserTombstone,
    /// Something of a user that goes with him.
    OfUser(UserId),
    /// A token that was revoked alone: may outlive its user.
    Denied(UserId),
    /// An entry of a user's list of memberships.
    Entry { user: UserId, tenant: TenantId, token: Option<String> },
    /// A tenant that lives.
    Tenant { id: TenantId, slug: String, is_deleting: bool },
    /// A tenant that does not, and never will again.
    TenantTombstone(Cause),
    /// Something of a tenant that goes with it.
    OfTenant(TenantId),
    /// All roles of a tenant.
    Roles { tenant: TenantId, has_built_ins: bool },
    /// Who administers a tenant: those who count, and those who do not.
    TenantAdmins { tenant: TenantId, counted: BTreeSet<UserId>, away: BTreeSet<UserId> },
    /// A membership.
    Member { tenant: TenantId, user: UserId, token: Option<String>, administers: bool },
    /// A link of a chain of audit events.
    Link { chain: Chain, seq: u64, prev_hash: String, hash: String },
    /// Where a chain ends.
    Head { chain: Chain, seq: u64, hash: String },
    /// Behind which event a chain begins.
    Checkpoint { chain: Chain, seq: u64, hash: String },
    /// An entry of a list of API keys, a tenant's or the deployment's: how the key is to be, unless it is
    /// to go.
    ApiKeyEntry { owner: Option<TenantId>, id: ApiKeyId, wanted: Option<Box<ApiKey>> },
    /// An API key.
    ApiKey(Box<ApiKey>),
    /// When an API key was last used.
    ApiKeyUse(ApiKeyId),
}

/// The part of an intent that every kind of work has in common.
#[derive(Deserialize)]
struct UnderWay {
    since: Timestamp,
    /// By the name of the work.
    work: BTreeMap<String, WorkIds>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkIds {
    #[serde(default)]
    user_id: Option<UserId>,
    #[serde(default)]
    tenant_id: Option<TenantId>,
    #[serde(default)]
    key_id: Option<ApiKeyId>,
}

/// A record whose key was taken apart.
struct Place<'a> {
    key: &'a Key,
    /// What stands behind the colon of its partition.
    owner: &'a str,
    /// Its id, empty where it stands alone.
    id: &'a str,
    stored: &'a Stored,
}

/// Reads a record.
pub(super) fn read(key: &Key, stored: &Stored) -> Result<Fact, Broken> {
    let partition = key.partition().as_str();
    let (prefix, owner) = partition.split_once(':').unwrap_or((partition, ""));
    let id = std::str::from_utf8(key.id()).map_err(|_| unknown())?;
    let place = Place { key, owner, id, stored };
    match prefix {
        "g" => place.of_deployment(),
        "u" => place.of_user(),
        "t" => place.of_tenant(),
        "a" => place.of_chain(),
        "e" | "s" | "k" | "i" | "l" | "m" | "n" | "o" => place.of_others(prefix),
        _ => Err(unknown()),
    }
}

impl Place<'_> {
    fn of_deployment(&self) -> Result<Fact, Broken> {
        match (self.key.kind(), self.id) {
            ("note", id) if !id.is_empty() => self.decode::<Note>().map(|_| Fact::Plain),
            ("answer", id) if !id.is_empty() => self.decode::<GivenAnswer>().map(|_| Fact::Plain),
            ("deployment", "") => self.decode::<Deployment>().map(|_| Fact::Plain),
            ("signing_keys", "") => self.decode::<SigningKeys>().map(|_| Fact::Plain),
            ("admins", "") => Ok(Fact::Admins(self.decode::<Admins>()?.user_ids)),
            ("tenant", id) => {
                let tenant = TenantId::parse(id).map_err(|_| unknown())?;
                self.decode::<ListEntry>()?;
                Ok(Fact::TenantEntry(tenant))
            }
            ("api_key", _) => self.api_key_entry(None),
            ("fence", id) if !id.is_empty() => Ok(Fact::Plain),
            // The mark of `tikti_store::copy`: what it was to hold is not all there.
            ("copying", "") => Err((Rule::UnfinishedCopy, String::new())),
            _ => Err(unknown()),
        }
    }

    /// Of a chain of audit events, which outlives its tenant.
    fn of_chain(&self) -> Result<Fact, Broken> {
        let chain = keyspace::chain_in(self.key.partition()).ok_or_else(unknown)?;
        match (self.key.kind(), self.id) {
            ("link", id) => {
                let Link { seq, prev_hash, hash, .. } = self.decode()?;
                self.must_be(&format!("{seq:016x}"), id)?;
                Ok(Fact::Link { chain, seq, prev_hash, hash })
            }
            ("head", "") => {
                let Head { seq, hash, .. } = self.decode()?;
                Ok(Fact::Head { chain, seq, hash })
            }
            ("checkpoint", "") => {
                let Checkpoint { seq, hash, .. } = self.decode()?;
                Ok(Fact::Checkpoint { chain, seq, hash })
            }
            ("signed", _) => self.decode::<SignedHead>().map(|_| Fact::Plain),
            ("chained", id) if !id.is_empty() => Ok(Fact::Plain),
            _ => Err(unknown()),
        }
    }

    fn of_others(&self, prefix: &str) -> Result<Fact, Broken> {
        match (prefix, self.key.kind(), self.id) {
            ("e", "claim", "") => {
                let EmailClaim { user_id, token, given_id: _, kept_until, keep: _ } =
                    self.decode()?;
                // What is kept is of nobody: it ends by itself.
                match kept_until {
                    Some(_) => Ok(Fact::Plain),
                    None => Ok(Fact::EmailClaim { user: user_id, token }),
                }
            }
            ("s", "claim", "") => {
                let tenant = self.decode::<NameClaim>()?.tenant_id;
                Ok(Fact::NameClaim { name: self.owner.to_owned(), tenant })
            }
            ("k", "key", "") => {
                let key = self.decode::<ApiKey>()?;
                self.must_be(key.id.as_str(), self.owner)?;
                Ok(Fact::ApiKey(Box::new(key)))
            }
            ("k", "used", "") => {
                self.decode::<LastUse>()?;
                Ok(Fact::ApiKeyUse(ApiKeyId::parse(self.owner).map_err(|_| unknown())?))
            }
            ("k" | "m", "note", id) if !id.is_empty() => self.decode::<Note>().map(|_| Fact::Plain),
            ("l", "block", "") => self.decode::<Block>().map(|_| Fact::Plain),
            ("n", "user", id) => {
                let user = UserId::parse(id).map_err(|_| unknown())?;
                self.decode::<ListEntry>()?;
                // In the partition of another user nobody would find it.
                if *self.key != keyspace::user_entry(&user) {
                    return Err(unknown());
                }
                Ok(Fact::UserEntry(user))
            }
            ("k" | "m" | "n", "fence", id) if !id.is_empty() => Ok(Fact::Plain),
            // Its user may be gone, or never have been: then it opens nothing.
            ("o", "code", "") => {
                let code = self.decode::<OobCode>()?;
                let kind = keyspace::oob_code_type(self.key).ok_or_else(unknown)?;
                self.must_be(code.kind.as_str(), kind.as_str())?;
                Ok(Fact::Plain)
            }
            ("i", "intent", id) if !id.is_empty() => {
                let UnderWay { since, work } = self.json()?;
                let ids = work.into_values().flat_map(|ids| {
                    let user = ids.user_id.as_ref().map(keyspace::of_user);
                    let tenant = ids.tenant_id.as_ref().map(keyspace::of_tenant);
                    let key = ids.key_id.as_ref().map(keyspace::of_api_key);
                    user.into_iter().chain(tenant).chain(key)
                });
                Ok(Fact::Intent { since, on: ids.collect() })
            }
            ("m", "mail", id) => {
                MailId::parse(id).map_err(|_| unknown())?;
                self.decode::<QueuedMail>().map(|_| Fact::Plain)
            }
            _ => Err(unknown()),
        }
    }

    fn of_user(&self) -> Result<Fact, Broken> {
        let user = UserId::parse(self.owner).map_err(|_| unknown())?;
        match (self.key.kind(), self.id) {
            // It may outlive what it tells of: until it is in its chain.
            ("note", id) if !id.is_empty() => self.decode::<Note>().map(|_| Fact::Plain),
            ("user", "") => match self.decode::<Lasting<User>>()? {
                Lasting::Tombstone(_) => Ok(Fact::UserTombstone),
                Lasting::Live(living) => {
                    self.must_be(living.id.as_str(), self.owner)?;
                    let (is_active, is_admin) = (living.is_active(), living.is_active_admin());
                    let claim = living.email.as_ref().map(keyspace::email_claim);
                    let email_claim = claim.map(|claim| (claim, living.email_claim));
                    Ok(Fact::User { id: user, email_claim, is_active, is_admin })
                }
            },
            ("session", id) => {
                SessionId::parse(id).map_err(|_| unknown())?;
                let session = self.decode::<Session>()?;
                self.must_be(session.user_id.as_str(), self.owner)?;
                self.must_be(session.id.as_str(), id)?;
                Ok(Fact::OfUser(user))
            }
            ("networks", "") => {
                self.decode::<KnownNetworks>()?;
                Ok(Fact::OfUser(user))
            }
            ("denied", id) if !id.is_empty() => {
                self.decode::<DeniedToken>()?;
                Ok(Fact::Denied(user))
            }
            ("membership", id) => {
                let tenant = TenantId::parse(id).map_err(|_| unknown())?;
                self.decode::<ListEntry>()?;
                Ok(Fact::Entry { user, tenant, token: self.token()? })
            }
            ("fence", id) if !id.is_empty() => Ok(Fact::Plain),
            _ => Err(unknown()),
        }
    }

    fn of_tenant(&self) -> Result<Fact, Broken> {
        let tenant = TenantId::parse(self.owner).map_err(|_| unknown())?;
        match (self.key.kind(), self.id) {
            ("tenant", "") => match self.decode::<Lasting<Tenant>>()? {
                Lasting::Tombstone(tombstone) => Ok(Fact::TenantTombstone(tombstone.cause)),
                Lasting::Live(living) => {
                    self.must_be(living.id.as_str(), self.owner)?;
                    let is_deleting = living.status == TenantStatus::Deleting;
                    Ok(Fact::Tenant { id: tenant, slug: living.slug.to_string(), is_deleting })
                }
            },
            ("roles", "") => {
                let roles = self.decode::<Roles>()?;
                Ok(Fact::Roles { tenant, has_built_ins: has_built_ins(&roles) })
            }
            ("admins", "") => {
                let TenantAdmins { user_ids: counted, away } = self.decode()?;
                Ok(Fact::TenantAdmins { tenant, counted, away: away.into_keys().collect() })
            }
            ("client", id) => {
                ClientId::parse(id).map_err(|_| unknown())?;
                self.must_be(self.decode::<Client>()?.id.as_str(), id)?;
                Ok(Fact::OfTenant(tenant))
            }
            ("former_client", id) => {
                ClientId::parse(id).map_err(|_| unknown())?;
                self.decode::<FormerClient>()?;
                Ok(Fact::OfTenant(tenant))
            }
            ("former_role", name) => {
                RoleName::parse(name).map_err(|_| unknown())?;
                self.decode::<FormerRole>()?;
                Ok(Fact::OfTenant(tenant))
            }
            ("worker", id) => {
                WorkerId::parse(id).map_err(|_| unknown())?;
                if let Lasting::Live(worker) = self.decode::<Lasting<Worker>>()? {
                    self.must_be(worker.id.as_str(), id)?;
                }
                Ok(Fact::OfTenant(tenant))
            }
            ("member", id) => {
                let user = UserId::parse(id).map_err(|_| unknown())?;
                let member = self.decode::<Membership>()?;
                self.must_be(member.user_id.as_str(), id)?;
                self.must_be(member.tenant_id.as_str(), self.owner)?;
                let administers = administers(&member.roles);
                Ok(Fact::Member { tenant, user, token: self.token()?, administers })
            }
            ("departed", id) => {
                UserId::parse(id).map_err(|_| unknown())?;
                self.decode::<Departure>()?;
                Ok(Fact::OfTenant(tenant))
            }
            ("api_key", _) => self.api_key_entry(Some(tenant)),
            _ => self.of_tenant_for_a_while(),
        }
    }

    /// What ends by itself, also after its tenant, or when it was carried elsewhere.
    fn of_tenant_for_a_while(&self) -> Result<Fact, Broken> {
        match (self.key.kind(), self.id) {
            (_, "") => Err(unknown()),
            ("note", _) => self.decode::<Note>().map(|_| Fact::Plain),
            ("answer", _) => self.decode::<GivenAnswer>().map(|_| Fact::Plain),
            ("assertion", _) => self.decode::<UsedAssertion>().map(|_| Fact::Plain),
            ("denied", _) => self.decode::<DeniedToken>().map(|_| Fact::Plain),
            ("fence", _) => Ok(Fact::Plain),
            _ => Err(unknown()),
        }
    }

    fn api_key_entry(&self, owner: Option<TenantId>) -> Result<Fact, Broken> {
        let listed = self.decode::<ListedKey>()?;
        self.must_be(listed.key.id.as_str(), self.id)?;
        let id = listed.key.id.clone();
        let wanted = (!listed.is_going).then(|| Box::new(listed.key));
        Ok(Fact::ApiKeyEntry { owner, id, wanted })
    }

    /// Decodes the record. What the decoder says may quote what is stored, so it is not passed on.
    fn decode<T: Record>(&self) -> Result<T, Broken> {
        T::decode(self.key, self.stored).map_err(|_| {
            let what = match self.stored.value().first() {
                None => "it is empty".to_owned(),
                Some(schema) if (1..=T::SCHEMA).contains(schema) => {
                    "a member is missing or of the wrong type".to_owned()
                }
                Some(schema) => {
                    format!("schema {schema} is not one of the 1 to {} known here", T::SCHEMA)
                }
            };
            (Rule::Unreadable, what)
        })
    }

    fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Broken> {
        let json = self.stored.value().get(1..).unwrap_or_default();
        serde_json::from_slice(json)
            .map_err(|_| (Rule::Unreadable, "a member is missing or of the wrong type".to_owned()))
    }

    /// The operation that made an entry or a membership. Records from before operations had ids have
    /// none, or the id of zeros that stands for it.
    fn token(&self) -> Result<Option<String>, Broken> {
        #[derive(Deserialize)]
        struct Made {
            #[serde(default)]
            token: Option<String>,
        }
        let token = self.json::<Made>()?.token;
        Ok(token.filter(|token| token.bytes().any(|byte| byte != b'0')))
    }

    fn must_be(&self, inside: &str, key: &str) -> Result<(), Broken> {
        if inside == key {
            return Ok(());
        }
        Err((Rule::OtherId, format!("it is the record of {}", inside.escape_default())))
    }
}

fn unknown() -> Broken {
    (Rule::UnknownKey, "a newer version or another program may have written it".to_owned())
}

fn has_built_ins(roles: &Roles) -> bool {
    [TENANT_ADMIN, TENANT_USER]
        .iter()
        .all(|name| RoleName::parse(name).is_ok_and(|name| roles.find(&name).is_some()))
}
