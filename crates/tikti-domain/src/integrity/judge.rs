//! Does a record fit the others that it speaks of?
//!
//! [`needs`] says which others, [`judge`] compares. Invariant: both look at one record and the few
//! that it names, never at a list, so the cost of a verification is in proportion to the records. A
//! record that cannot be read breaks no rule but its own: what hangs on it is not judged.
//!
//! Spec: Domain, "Rules that always hold".

use std::collections::{BTreeSet, HashMap};

use tikti_store::{Key, Partition};

use super::fact::{Broken, Fact};
use super::is_overdue;
use super::rule::Rule;
use crate::api_key::ApiKey;
use crate::audit::Chain;
use crate::audit::chain::NO_HASH;
use crate::client::TIKTI;
use crate::clock::Timestamp;
use crate::id::{ApiKeyId, ClientId, OperationId, TenantId, UserId};
use crate::keyspace;
use crate::record::Cause;

/// What was found at a key that somebody needs.
#[derive(Debug)]
pub(super) enum Sight {
    /// Nothing.
    Absent,
    /// Something that cannot be read: nothing follows from it.
    Unreadable,
    /// A record.
    Present(Fact),
}

/// What was found, by key.
#[derive(Debug, Default)]
pub(super) struct Sights(pub(super) HashMap<Key, Sight>);

/// The record that a judgement hangs on cannot be read.
pub(super) struct Unknown;

impl Sights {
    fn at(&self, key: &Key) -> Result<Option<&Fact>, Unknown> {
        match self.0.get(key) {
            Some(Sight::Present(fact)) => Ok(Some(fact)),
            Some(Sight::Absent) => Ok(None),
            Some(Sight::Unreadable) | None => Err(Unknown),
        }
    }

    fn has(&self, key: &Key) -> Result<bool, Unknown> {
        Ok(self.at(key)?.is_some())
    }

    fn user_lives(&self, user: &UserId) -> Result<bool, Unknown> {
        Ok(matches!(self.at(&keyspace::user(user))?, Some(Fact::User { .. })))
    }

    fn user_is_active(&self, user: &UserId) -> Result<bool, Unknown> {
        let found = self.at(&keyspace::user(user))?;
        Ok(matches!(found, Some(Fact::User { is_active: true, .. })))
    }

    /// Whether the tenant lives and is not being deleted.
    fn tenant_stays(&self, tenant: &TenantId) -> Result<bool, Unknown> {
        let found = self.at(&keyspace::tenant(tenant))?;
        Ok(matches!(found, Some(Fact::Tenant { is_deleting: false, .. })))
    }

    fn tenant_lives(&self, tenant: &TenantId) -> Result<bool, Unknown> {
        Ok(matches!(self.at(&keyspace::tenant(tenant))?, Some(Fact::Tenant { .. })))
    }
}

/// Whom a fact speaks of, by partition: an operation on nobody else may explain what is broken.
pub(super) fn subjects(fact: &Fact) -> Vec<Partition> {
    match fact {
        Fact::Plain
        | Fact::Intent { .. }
        | Fact::Admins(_)
        | Fact::UserTombstone
        | Fact::TenantTombstone(_)
        | Fact::Link { .. }
        | Fact::Head { .. }
        | Fact::Checkpoint { .. } => Vec::new(),
        Fact::EmailClaim { user: id, .. }
        | Fact::User { id, .. }
        | Fact::UserEntry(id)
        | Fact::OfUser(id)
        | Fact::Denied(id) => vec![keyspace::of_user(id)],
        Fact::TenantEntry(tenant)
        | Fact::NameClaim { tenant, .. }
        | Fact::Tenant { id: tenant, .. }
        | Fact::OfTenant(tenant)
        | Fact::Roles { tenant, .. }
        | Fact::TenantAdmins { tenant, .. } => vec![keyspace::of_tenant(tenant)],
        Fact::ApiKeyEntry { owner, id, .. } => of_key(id, owner.as_ref()),
        Fact::ApiKey(key) => of_key(&key.id, key.tenant_id.as_ref()),
        Fact::ApiKeyUse(id) => of_key(id, None),
        Fact::Entry { user, tenant, .. } | Fact::Member { tenant, user, .. } => {
            vec![keyspace::of_user(user), keyspace::of_tenant(tenant)]
        }
    }
}

fn of_key(id: &ApiKeyId, owner: Option<&TenantId>) -> Vec<Partition> {
    std::iter::once(keyspace::of_api_key(id)).chain(owner.map(keyspace::of_tenant)).collect()
}

/// The keys that must be looked at to judge a fact.
pub(super) fn needs(fact: &Fact) -> Vec<Key> {
    match fact {
        Fact::Plain | Fact::Intent { .. } | Fact::UserTombstone | Fact::TenantTombstone(_) => {
            Vec::new()
        }
        Fact::Admins(users) => users.iter().map(keyspace::user).collect(),
        Fact::TenantEntry(tenant)
        | Fact::NameClaim { tenant, .. }
        | Fact::OfTenant(tenant)
        | Fact::Roles { tenant, .. } => vec![keyspace::tenant(tenant)],
        Fact::EmailClaim { user, .. }
        | Fact::OfUser(user)
        | Fact::Denied(user)
        | Fact::UserEntry(user) => {
            vec![keyspace::user(user)]
        }
        Fact::User { id, email_claim, is_admin, .. } => {
            let admins = is_admin.then(keyspace::admins);
            let rest = admins.into_iter().chain([keyspace::user_entry(id)]);
            email_claim.iter().map(|(claim, _)| claim.clone()).chain(rest).collect()
        }
        Fact::Entry { user, tenant, .. } => {
            vec![keyspace::user(user), keyspace::member(tenant, user)]
        }
        Fact::Tenant { id, slug, .. } => {
            let names = [id.as_str(), slug].map(keyspace::name_claim);
            let rest = [keyspace::tenant_entry(id), keyspace::roles(id)];
            names.into_iter().chain(rest).chain(built_in_client(id)).collect()
        }
        Fact::Member { tenant, user, administers, .. } => {
            let (tenant_key, user_key) = (keyspace::tenant(tenant), keyspace::user(user));
            let admins = administers.then(|| keyspace::tenant_admins(tenant));
            let own = [tenant_key, user_key, keyspace::membership_entry(user, tenant)];
            own.into_iter().chain(admins).collect()
        }
        Fact::TenantAdmins { tenant, counted, away } => {
            let of = |user| [keyspace::user(user), keyspace::member(tenant, user)];
            let all = counted.iter().chain(away).flat_map(of);
            std::iter::once(keyspace::tenant(tenant)).chain(all).collect()
        }
        Fact::ApiKeyEntry { owner, id, .. } => {
            let tenant = owner.as_ref().map(keyspace::tenant);
            tenant.into_iter().chain([keyspace::api_key(id)]).collect()
        }
        Fact::ApiKey(key) => {
            let owner = key.tenant_id.as_ref();
            let entry = keyspace::api_key_entry(owner, &key.id);
            owner.map(keyspace::tenant).into_iter().chain([entry]).collect()
        }
        Fact::ApiKeyUse(id) => vec![keyspace::api_key(id)],
        Fact::Link { chain, seq, .. } => {
            vec![keyspace::link(chain, seq.saturating_sub(1)), keyspace::checkpoint(chain)]
        }
        Fact::Head { chain, seq, .. } => {
            vec![keyspace::link(chain, *seq), keyspace::checkpoint(chain)]
        }
        Fact::Checkpoint { chain, seq, .. } => {
            vec![keyspace::head(chain), keyspace::link(chain, seq.saturating_add(1))]
        }
    }
}

/// Every rule that the fact at `key` breaks at `now`.
pub(super) fn judge(
    (key, fact): (&Key, &Fact),
    seen: &Sights,
    now: Timestamp,
) -> Result<Vec<Broken>, Unknown> {
    Ok(match fact {
        Fact::Plain | Fact::UserTombstone | Fact::TenantTombstone(_) => Vec::new(),
        Fact::Intent { since, .. } => operation(*since, now),
        Fact::Admins(users) => return ghosts(users, seen),
        Fact::TenantEntry(tenant) => {
            found(!seen.tenant_lives(tenant)?, Rule::TenantEntryWithoutTenant, tenant)
        }
        Fact::EmailClaim { user, .. } => {
            let owner = seen.at(&keyspace::user(user))?;
            let bears = matches!(
                owner,
                Some(Fact::User { email_claim: Some((claim, _)), .. }) if claim == key
            );
            found(!bears, Rule::EmailClaimWithoutUser, user)
        }
        Fact::NameClaim { name, tenant } => {
            found(!may_hold(name, tenant, seen)?, Rule::NameClaimWithoutTenant, tenant)
        }
        Fact::User { id, email_claim, is_admin, .. } => {
            return user((id, email_claim.as_ref(), *is_admin), seen);
        }
        Fact::UserEntry(user) => found(!seen.user_lives(user)?, Rule::UserEntryWithoutUser, user),
        Fact::OfUser(user) => found(!seen.user_lives(user)?, Rule::RecordWithoutUser, user),
        Fact::Denied(user) => {
            found(!seen.has(&keyspace::user(user))?, Rule::RecordWithoutUser, user)
        }
        Fact::Entry { user, tenant, .. } => {
            let no_member = !seen.has(&keyspace::member(tenant, user))?;
            let mut broken = found(!seen.user_lives(user)?, Rule::RecordWithoutUser, user);
            broken.extend(found(no_member, Rule::EntryWithoutMember, tenant));
            broken
        }
        Fact::Tenant { id, slug, is_deleting } => return tenant((id, slug, *is_deleting), seen),
        Fact::OfTenant(tenant) => {
            found(!seen.tenant_lives(tenant)?, Rule::RecordWithoutTenant, tenant)
        }
        Fact::Roles { tenant, has_built_ins } => {
            let mut broken = found(!seen.tenant_lives(tenant)?, Rule::RecordWithoutTenant, tenant);
            broken.extend(found(!has_built_ins, Rule::BuiltInRolesMissing, tenant));
            broken
        }
        Fact::Member { tenant, user, token, administers } => {
            return member((tenant, user), (token, *administers), seen);
        }
        Fact::TenantAdmins { tenant, counted, away } => {
            return tenant_admins(tenant, (counted, away), seen);
        }
        Fact::ApiKeyEntry { owner, id, wanted } => {
            return api_key_entry((owner.as_ref(), id), wanted.as_deref(), seen);
        }
        Fact::Link { chain, seq, prev_hash, hash } => {
            return link((chain, *seq), (prev_hash, hash), seen);
        }
        Fact::Head { chain, seq, hash } => return head((chain, *seq, hash), seen),
        Fact::Checkpoint { chain, seq, .. } => return checkpoint(chain, *seq, seen),
        Fact::ApiKey(key) => return api_key(key, seen),
        Fact::ApiKeyUse(id) => {
            found(!seen.has(&keyspace::api_key(id))?, Rule::RecordWithoutApiKey, id)
        }
    })
}

fn found(broken: bool, rule: Rule, id: &impl std::fmt::Display) -> Vec<Broken> {
    broken.then(|| (rule, id.to_string())).into_iter().collect()
}

/// The detail is how long it has not been finished, in minutes.
fn operation(since: Timestamp, now: Timestamp) -> Vec<Broken> {
    let minutes = now.as_millis().saturating_sub(since.as_millis()) / 60_000;
    let age = format!("for {minutes} minutes");
    found(is_overdue(since, now), Rule::OperationUnfinished, &age)
}

fn user(
    (id, email_claim, is_admin): (&UserId, Option<&(Key, OperationId)>, bool),
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    let mut broken = Vec::new();
    if let Some((claim, borne)) = email_claim {
        match seen.at(claim)? {
            // Records from before operations had ids have that of zeros, on both sides.
            Some(Fact::EmailClaim { user: by, token }) if by == id => {
                broken.extend(found(token != borne, Rule::EmailClaimDiffers, id));
            }
            Some(_) | None => broken.extend(found(true, Rule::UserWithoutEmailClaim, id)),
        }
    }
    broken.extend(found(!seen.has(&keyspace::user_entry(id))?, Rule::UserNotListed, id));
    if is_admin {
        let admins = seen.at(&keyspace::admins())?;
        let listed = matches!(admins, Some(Fact::Admins(users)) if users.contains(id));
        broken.extend(found(!listed, Rule::AdminNotListed, id));
    }
    Ok(broken)
}

fn api_key(key: &ApiKey, seen: &Sights) -> Result<Vec<Broken>, Unknown> {
    let owner = key.tenant_id.as_ref();
    let unlisted = !seen.has(&keyspace::api_key_entry(owner, &key.id))?;
    let mut broken = found(unlisted, Rule::ApiKeyNotListed, &key.id);
    if let Some(tenant) = owner {
        broken.extend(found(!seen.tenant_lives(tenant)?, Rule::ApiKeyWithoutTenant, tenant));
    }
    Ok(broken)
}

fn api_key_entry(
    (owner, id): (Option<&TenantId>, &ApiKeyId),
    wanted: Option<&ApiKey>,
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    let mut broken = match seen.at(&keyspace::api_key(id))? {
        Some(Fact::ApiKey(key)) if key.tenant_id.as_ref() == owner => {
            found(wanted != Some(key), Rule::ApiKeyDiffers, id)
        }
        Some(_) | None => found(true, Rule::ApiKeyEntryWithoutKey, id),
    };
    if let Some(tenant) = owner {
        broken.extend(found(!seen.tenant_lives(tenant)?, Rule::RecordWithoutTenant, tenant));
    }
    Ok(broken)
}

/// A link stands behind the one before it, or behind the checkpoint. What the checkpoint names is on its way
/// out, and what came before it may be gone.
fn link(
    (chain, seq): (&Chain, u64),
    (prev_hash, hash): (&str, &str),
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    let before = seq.saturating_sub(1);
    let (to, last) = match seen.at(&keyspace::checkpoint(chain))? {
        Some(Fact::Checkpoint { seq, hash, .. }) => (*seq, hash.as_str()),
        Some(_) | None => (0, NO_HASH),
    };
    let fits = if seq == to {
        hash == last
    } else if before == to {
        prev_hash == last
    } else if seq < to {
        true
    } else {
        let one = seen.at(&keyspace::link(chain, before))?;
        matches!(one, Some(Fact::Link { hash, .. }) if hash == prev_hash)
    };
    Ok(found(!fits, Rule::AuditLinkDiffers, &seq))
}

/// A chain ends with the link that its head names, or that one was removed, as the checkpoint says.
fn head((chain, seq, hash): (&Chain, u64, &str), seen: &Sights) -> Result<Vec<Broken>, Unknown> {
    let end = seen.at(&keyspace::link(chain, seq))?;
    let is_last = matches!(end, Some(Fact::Link { hash: last, .. }) if last == hash);
    let is_gone = matches!(
        seen.at(&keyspace::checkpoint(chain))?,
        Some(Fact::Checkpoint { seq: to, hash: last, .. }) if *to == seq && last == hash
    );
    Ok(found(!is_last && !is_gone, Rule::AuditHeadDiffers, &seq))
}

/// Behind a checkpoint the first link that is left stands, or none was ever added.
fn checkpoint(chain: &Chain, seq: u64, seen: &Sights) -> Result<Vec<Broken>, Unknown> {
    let end = match seen.at(&keyspace::head(chain))? {
        Some(Fact::Head { seq, .. }) => *seq,
        Some(_) | None => 0,
    };
    let first_left = seen.has(&keyspace::link(chain, seq.saturating_add(1)))?;
    let fits = if end == seq { !first_left } else { end > seq && first_left };
    Ok(found(!fits, Rule::AuditCheckpointDiffers, &seq))
}

fn ghosts<'a>(
    users: impl IntoIterator<Item = &'a UserId>,
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    let mut broken = Vec::new();
    for user in users {
        let stands = seen.at(&keyspace::user(user))?;
        let is_admin = matches!(stands, Some(Fact::User { is_admin: true, .. }));
        broken.extend(found(!is_admin, Rule::GhostAdmin, user));
    }
    Ok(broken)
}

/// Whether a tenant may hold the claim on a name: it lives and bears it, or lived; what a deleted
/// tenant was called rests.
fn may_hold(name: &str, tenant: &TenantId, seen: &Sights) -> Result<bool, Unknown> {
    Ok(match seen.at(&keyspace::tenant(tenant))? {
        Some(Fact::Tenant { id, slug, .. }) => [id.as_str(), slug].contains(&name),
        Some(Fact::TenantTombstone(cause)) => *cause == Cause::Deleted,
        Some(_) | None => false,
    })
}

fn tenant(
    (id, slug, is_deleting): (&TenantId, &str, bool),
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    if is_deleting {
        // What it still has depends on how far the deletion came; that somebody is at it does not.
        return Ok(found(true, Rule::DeletionAbandoned, id));
    }
    let mut broken = found(!seen.has(&keyspace::tenant_entry(id))?, Rule::TenantNotListed, id);
    let is_other = id.as_str() != slug;
    for name in std::iter::once(slug).chain(is_other.then_some(id.as_str())) {
        let claim = seen.at(&keyspace::name_claim(name))?;
        let claimed = matches!(claim, Some(Fact::NameClaim { tenant, .. }) if tenant == id);
        broken.extend(found(!claimed, Rule::TenantWithoutNameClaim, &name));
    }
    let no_roles = !seen.has(&keyspace::roles(id))?;
    broken.extend(found(no_roles, Rule::BuiltInRolesMissing, id));
    if let Some(client) = built_in_client(id) {
        broken.extend(found(!seen.has(&client)?, Rule::BuiltInClientMissing, id));
    }
    Ok(broken)
}

fn member(
    (tenant, user): (&TenantId, &UserId),
    (token, administers): (&Option<String>, bool),
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    let mut broken = found(!seen.tenant_lives(tenant)?, Rule::RecordWithoutTenant, tenant);
    broken.extend(found(!seen.user_lives(user)?, Rule::MemberWithoutUser, user));
    match seen.at(&keyspace::membership_entry(user, tenant))? {
        Some(Fact::Entry { token: made, .. }) => {
            broken.extend(found(made != token, Rule::MemberTokenDiffers, user));
        }
        Some(_) | None => broken.extend(found(true, Rule::MemberNotListed, user)),
    }
    if administers && seen.tenant_stays(tenant)? && seen.user_lives(user)? {
        let is_named = match seen.at(&keyspace::tenant_admins(tenant))? {
            Some(Fact::TenantAdmins { counted, away, .. }) => {
                counted.contains(user) || (away.contains(user) && !seen.user_is_active(user)?)
            }
            Some(_) | None => false,
        };
        broken.extend(found(!is_named, Rule::TenantAdminNotListed, user));
    }
    Ok(broken)
}

/// Whoever is named holds the role; whoever counts is active besides.
fn tenant_admins(
    tenant: &TenantId,
    (counted, away): (&BTreeSet<UserId>, &BTreeSet<UserId>),
    seen: &Sights,
) -> Result<Vec<Broken>, Unknown> {
    if !seen.tenant_stays(tenant)? {
        // One that is being deleted may have lost its members.
        return Ok(found(!seen.tenant_lives(tenant)?, Rule::RecordWithoutTenant, tenant));
    }
    let mut broken = Vec::new();
    for user in counted.iter().chain(away) {
        let member = seen.at(&keyspace::member(tenant, user))?;
        let holds = matches!(member, Some(Fact::Member { administers: true, .. }));
        let is_ghost = !holds || (counted.contains(user) && !seen.user_is_active(user)?);
        broken.extend(found(is_ghost, Rule::GhostTenantAdmin, user));
    }
    Ok(broken)
}

fn built_in_client(tenant: &TenantId) -> Option<Key> {
    ClientId::parse(TIKTI).ok().map(|client| keyspace::client(tenant, &client))
}
