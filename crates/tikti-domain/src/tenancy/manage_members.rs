//! What administrators of a tenant do with its members.
//!
//! A member is a membership and, for people, the address of its user. Invariant: whoever acts is judged
//! once more in the transaction that changes the membership, and the tenant keeps somebody who administers
//! it.
//!
//! Spec: HTTP API, "Tenant administration", members; Authorization, "Nobody grants what they do not hold",
//! `LAST_ADMIN`.

use std::collections::{BTreeMap, BTreeSet};

use tikti_store::Entry;

use super::administer::{Act, Administrator, Admission, Done};
use super::change_member::change_member;
use super::members;
use super::tenant_admins::{self, Becomes};
use crate::account::{self, NewUser};
use crate::audit::Action;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::id::{RoleName, TenantRef, UserId};
use crate::keyspace;
use crate::limits;
use crate::mail::Language;
use crate::membership::{MAX_ROLES, Membership};
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::reads::Reads;
use crate::record::Record;
use crate::user::{GlobalRole, User, UserStatus};

const READ: &str = "memberships:read";
const WRITE: &str = "memberships:write";
/// What making a user needs besides.
const WRITE_USERS: &str = "users:write";

/// A member of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The membership.
    pub membership: Membership,
    /// The user's address.
    pub email: Option<Email>,
    /// Whether the user may act.
    pub status: UserStatus,
}

/// Asks for a user to be added to a tenant.
#[derive(Debug)]
pub struct CreateMember {
    /// The user's address.
    pub email: Email,
    /// The roles; at most 32.
    pub roles: BTreeSet<RoleName>,
    /// Whether a user is to be made where there is none, who gets a mail to set a password.
    pub create: bool,
    /// The language of that mail.
    pub language: Option<Language>,
}

/// A member was removed.
#[derive(Debug)]
pub struct RemovedMember {
    /// Who he was.
    pub member: Member,
    /// When.
    pub removed_at: Timestamp,
}

/// Which member.
#[derive(Debug)]
pub enum MemberName {
    /// By the user's id.
    Id(UserId),
    /// By the user's address.
    Email(Email),
}

/// Adds a user to a tenant, at once.
///
/// # Errors
/// Those of every administrative call (`administer`); `INVALID_ARGUMENT` for more than 32 roles;
/// `ROLE_NOT_FOUND`; `ESCALATION_DENIED`; `USER_NOT_FOUND` for an address that nobody bears, 30 times an
/// hour, then `RATE_LIMITED`; `MEMBER_EXISTS`; the store's.
pub async fn create_member(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &CreateMember),
) -> Result<Member, Error> {
    let now = domain.clock.now();
    check_number(&ask.roles)?;
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (admission, _) = administrator.admit(domain, (tenant, WRITE), vec![], now).await?;
    admission.require_active()?;
    admission.require_roles_given(&ask.roles, &domain.settings)?;
    if ask.create {
        admission.require(WRITE_USERS)?;
    }
    let found = account::find_by_email(domain, &ask.email, now).await?;
    let (user, is_new) = match found {
        Some(user) => (user, false),
        None if ask.create => {
            limits::code_send(domain, &ask.email, caller.ip, now).await?;
            (make_user(domain, (&administrator, &admission), &ask.email, now).await?, true)
        }
        None => {
            limits::unknown_member(domain, &administrator.name(), now).await?;
            return Err(Code::UserNotFound.into());
        }
    };
    let details = BTreeMap::from([("roles".to_owned(), listed(&ask.roles))]);
    let (action, target) = (Action::MemberAdd, user.id.to_string());
    let act = Act { scope: WRITE, action, target, details };
    let place = (&admission.tenant.id, &user.id);
    let warrant = Some((&administrator, &act));
    let membership = members::add_for(domain, place, (ask.roles.clone(), warrant), now).await?;
    if is_new {
        account::send_first_password(domain, &user, ask.language, now).await?;
    }
    Ok(shown(membership, &user))
}

/// A user without a password: he sets one by the link of a mail, or signs in by one. Users are the
/// deployment's: so is the event.
pub(super) async fn make_user(
    domain: &Domain,
    (administrator, admission): (&Administrator, &Admission),
    email: &Email,
    now: Timestamp,
) -> Result<User, Error> {
    let role = GlobalRole::CompanyEmployee;
    let new = NewUser { email: email.clone(), password_hash: None, role };
    let draft = |id: &UserId| {
        let details = BTreeMap::from([("role".to_owned(), role.as_str().to_owned())]);
        let (action, target) = (Action::UserCreate, id.to_string());
        administrator.draft(&Act { scope: WRITE_USERS, action, target, details }, admission)
    };
    account::create_user_for(domain, new, draft, now).await
}

fn check_number(roles: &BTreeSet<RoleName>) -> Result<(), Refusal> {
    if roles.len() <= MAX_ROLES {
        return Ok(());
    }
    Err(Refusal::invalid("roles", format!("at most {MAX_ROLES} roles")))
}

fn listed(roles: &BTreeSet<RoleName>) -> String {
    roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" ")
}

fn shown(membership: Membership, user: &User) -> Member {
    Member { membership, email: user.email.clone(), status: user.status }
}

/// Reads a page of a tenant's members, in the order of their ids; two round trips, whatever the size of
/// the tenant.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` for a page token that this server did not make;
/// the store's.
pub async fn list_members(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &PageRequest),
) -> Result<Page<Member>, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (admission, _) = administrator.admit(domain, (tenant, READ), vec![], now).await?;
    let partition = keyspace::of_tenant(&admission.tenant.id);
    let list = format!("{partition}/member");
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let (after, size) = (after.transpose()?, usize::from(ask.size));
    let page = domain.store.scan(&partition, keyspace::MEMBER, after.as_deref(), size, now).await?;
    let mut found = Vec::with_capacity(page.entries.len());
    for (id, stored) in &page.entries {
        let id = String::from_utf8_lossy(id);
        let Ok(user) = UserId::parse(&id) else { continue };
        let key = keyspace::member(&admission.tenant.id, &user);
        found.push(Membership::decode(&key, stored)?);
    }
    let keys = found.iter().map(|held| keyspace::user(&held.user_id)).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let mut items = Vec::with_capacity(found.len());
    for membership in found {
        let user = reads.find_live::<User>(&keyspace::user(&membership.user_id))?;
        // Whoever was deleted in this moment is about to go from the list.
        items.extend(user.map(|user| shown(membership, &user)));
    }
    let next = page.next.map(|last| page_token::make(domain, &list, &last)).transpose()?;
    Ok(Page { items, next })
}

/// Reads one member.
///
/// # Errors
/// Those of every administrative call; `USER_NOT_FOUND` for whoever is no member; the store's.
pub async fn get_member(
    domain: &Domain,
    caller: &Caller,
    (tenant, user): (&TenantRef, &UserId),
) -> Result<Member, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    Ok(find(domain, (&administrator, tenant, READ), user, now).await?.1)
}

/// Admits the administrator and reads the member.
async fn find(
    domain: &Domain,
    who: (&Administrator, &TenantRef, &str),
    user: &UserId,
    now: Timestamp,
) -> Result<(Admission, Member), Error> {
    let (admission, membership, user) = find_user(domain, who, user, now).await?;
    Ok((admission, shown(membership, &user)))
}

/// Admits the administrator and reads the member with his user: of who exists elsewhere as much is read as of
/// who does not.
///
/// # Errors
/// Those of every administrative call; `USER_NOT_FOUND` for whoever is no member; the store's.
pub(super) async fn find_user(
    domain: &Domain,
    (administrator, tenant, scope): (&Administrator, &TenantRef, &str),
    user: &UserId,
    now: Timestamp,
) -> Result<(Admission, Membership, User), Error> {
    let member_key = keyspace::member(administrator.tenant_id(), user);
    let user_key = keyspace::user(user);
    let more = vec![member_key.clone(), user_key.clone()];
    let (admission, reads) = administrator.admit(domain, (tenant, scope), more, now).await?;
    let membership: Option<Membership> = reads.find(&member_key)?;
    let user = reads.find_live::<User>(&user_key)?;
    let (membership, user) = membership.zip(user).ok_or(Code::UserNotFound)?;
    Ok((admission, membership, user))
}

/// Gives a member other roles.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` for more than 32 roles; `USER_NOT_FOUND`;
/// `ROLE_NOT_FOUND` and `ESCALATION_DENIED` for roles that he does not have yet; `LAST_ADMIN`; the store's.
pub async fn update_member(
    domain: &Domain,
    caller: &Caller,
    (tenant, user, roles): (&TenantRef, &UserId, &BTreeSet<RoleName>),
) -> Result<Member, Error> {
    let now = domain.clock.now();
    check_number(roles)?;
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (admission, member) = find(domain, (&administrator, tenant, WRITE), user, now).await?;
    check_change(domain, &admission, (&member.membership.roles, roles))?;
    let details = BTreeMap::from([("roles".to_owned(), listed(roles))]);
    let (action, target) = (Action::MemberUpdate, user.to_string());
    let act = Act { scope: WRITE, action, target, details };
    let key = keyspace::member(administrator.tenant_id(), user);
    let keys = [key.clone(), keyspace::tenant_admins(administrator.tenant_id())];
    let whom = (&administrator, user);
    let changed = change_member(domain, whom, (act, &keys), now, |txn, (admission, operation)| {
        let held = Membership::decode_optional(&key, txn.get(&key)?)?;
        let held = held.ok_or(Code::UserNotFound)?;
        check_change(domain, admission, (&held.roles, roles))?;
        let place = (&held.tenant_id, &held.user_id);
        if !tenant_admins::administers(roles) && tenant_admins::is_last(txn, place)? {
            return Err(Code::LastAdmin.into());
        }
        if held.roles == *roles {
            return Ok(Done::Same(held));
        }
        // Whether he is active is not known here: he counts once that was looked at.
        tenant_admins::follow(txn, place, &Becomes::Written(roles, Some(operation)))?;
        let changed = Membership { roles: roles.clone(), ..held };
        txn.put(&key, Entry::new(&changed.encode()?))?;
        Ok(Done::Changed(changed))
    });
    Ok(Member { membership: changed.await?, ..member })
}

/// Whether the administrator may give what is new and take what is gone.
fn check_change(
    domain: &Domain,
    admission: &Admission,
    (before, after): (&BTreeSet<RoleName>, &BTreeSet<RoleName>),
) -> Result<(), Refusal> {
    admission.require_roles_given(after.difference(before), &domain.settings)?;
    admission.require_roles_taken(before.difference(after))
}

/// Removes a member: his tokens of this tenant are dead from then on.
///
/// # Errors
/// Those of every administrative call; `USER_NOT_FOUND`; `ESCALATION_DENIED` where a member who does not
/// administer the tenant would remove one who does; `LAST_ADMIN`; the store's.
pub async fn delete_member(
    domain: &Domain,
    caller: &Caller,
    (tenant, name): (&TenantRef, &MemberName),
) -> Result<RemovedMember, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let user = match name {
        MemberName::Id(id) => id.clone(),
        MemberName::Email(email) => {
            // Admitted first: whoever may not ask learns of no address.
            administrator.admit(domain, (tenant, WRITE), vec![], now).await?;
            let found = account::find_by_email(domain, email, now).await?;
            found.ok_or(Code::UserNotFound)?.id
        }
    };
    let (admission, member) = find(domain, (&administrator, tenant, WRITE), &user, now).await?;
    admission.require_roles_taken(&member.membership.roles)?;
    let (action, target) = (Action::MemberRemove, user.to_string());
    let act = Act { scope: WRITE, action, target, details: BTreeMap::new() };
    let draft = administrator.draft(&act, &admission);
    let warrant = Some(((&administrator, &act), draft));
    members::remove_for(domain, member.membership.clone(), warrant, now).await?;
    Ok(RemovedMember { member, removed_at: now })
}

/// Ends what a member was given out in the tenant; he stays a member.
///
/// # Errors
/// Those of every administrative call; `USER_NOT_FOUND`; the store's.
pub async fn revoke_member(
    domain: &Domain,
    caller: &Caller,
    (tenant, user): (&TenantRef, &UserId),
) -> Result<Member, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (_, member) = find(domain, (&administrator, tenant, WRITE), user, now).await?;
    let (action, target) = (Action::MemberRevoke, user.to_string());
    let act = Act { scope: WRITE, action, target, details: BTreeMap::new() };
    let key = keyspace::member(administrator.tenant_id(), user);
    let keys = [key.clone()];
    let revoked = administrator.change(domain, (act, &keys), now, |txn, _| {
        let held = Membership::decode_optional(&key, txn.get(&key)?)?;
        let revoked = held.ok_or(Code::UserNotFound)?.revoked(now);
        txn.put(&key, Entry::new(&revoked.encode()?))?;
        Ok(Done::Changed(revoked))
    });
    Ok(Member { membership: revoked.await?, ..member })
}
