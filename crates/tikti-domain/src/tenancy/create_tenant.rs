//! Makes a tenant with what the template gives it.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. claim the slug, then the id where that is another name | names are claimed by a tenant that does not exist |
//! | 3. list it: among all tenants, and among the creator's memberships | the lists name a tenant that does not exist |
//! | 4. in one transaction of its partition, if nothing stands there: tenant, roles, clients, membership | done, but for the next line |
//! | 5. a creator without a default tenant gets this one, and counts if he may | done |
//!
//! Nothing before step 4 can be seen: readers of lists pass over what has no record. A creation may
//! be repeated; who meets the names of a creator that died takes them over as `names` says.
//!
//! Spec: Domain, "Tenant template"; Storage, "what crosses partitions". Why: docs/decisions/0015.

use tikti_store::{Entry, Txn};

use super::names::{claim_name, names_of, release_name};
use super::seats::{self, Entered, MOST_TRIES, Seat};
use super::tenant_admins::{self, Becomes};
use crate::audit::{self, Action, Chain, Draft};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::{OperationId, Slug, TenantId, UserId};
use crate::intent::{self, CreatingTenant, Work};
use crate::keyspace;
use crate::membership::Membership;
use crate::permission;
use crate::record::{Cause, Lasting, Record, Tombstone};
use crate::role::Roles;
use crate::tenant::{ListEntry, NameClaim, Tenant, TenantStatus};
use crate::user::parse_display_name;

/// Asks for a tenant.
#[derive(Debug)]
pub struct CreateTenant {
    /// Its slug.
    pub slug: Slug,
    /// Its name for people; the slug where none is given.
    pub name: Option<String>,
    /// Its id; made up where none is given.
    pub id: Option<TenantId>,
}

/// Makes a tenant; the caller becomes its first administrator.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`; `TENANT_EXISTS`; `INVALID_ARGUMENT`;
/// the store's.
pub async fn create_tenant(
    domain: &Domain,
    caller: &Caller,
    ask: &CreateTenant,
) -> Result<Tenant, Error> {
    let now = domain.clock.now();
    let principal = permission::by_id_token(domain, caller, now).await?;
    principal.require_admin_write(domain, now)?;
    refuse_reserved(ask)?;
    let name = match &ask.name {
        Some(name) => parse_display_name("name", name)?,
        None => ask.slug.as_str().to_owned(),
    };
    let id = match &ask.id {
        Some(id) => {
            refuse_taken_id(domain, id, now).await?;
            id.clone()
        }
        None => TenantId::generate(now, &domain.random)?,
    };
    let tenant = Tenant {
        id,
        slug: ask.slug.clone(),
        name,
        status: TenantStatus::Active,
        self_sign_up: false,
        created_at: now,
    };
    let draft = principal.draft(caller, Action::TenantCreate, (&tenant.id, Some(&tenant.id)));
    let creator = principal.user.id;
    let template = &domain.settings.tenant_template;
    let (roles, clients) = (template.roles(), template.clients(now)?);
    let birth = Birth { tenant: &tenant, creator: Some(&creator), roles, clients, draft: &draft };
    create(domain, &birth, now).await?;
    tracing::info!(
        tenant.id = %tenant.id,
        user.id = %creator,
        request.id = caller.request_id,
        "tenant created"
    );
    Ok(tenant)
}

/// Names that are words of the paths: `/v1/tenants/id/{t}`.
const RESERVED_NAMES: [&str; 1] = ["id"];

/// Whether a name is a word of the paths, and no tenant's.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED_NAMES.contains(&name)
}

fn refuse_reserved(ask: &CreateTenant) -> Result<(), Refusal> {
    let reserved = is_reserved;
    if reserved(ask.slug.as_str()) {
        return Err(Refusal::invalid("slug", "is a reserved word"));
    }
    if ask.id.as_ref().is_some_and(|id| reserved(id.as_str())) {
        return Err(Refusal::invalid("id", "is a reserved word"));
    }
    Ok(())
}

/// A given id that stands already is refused before anything is claimed.
async fn refuse_taken_id(domain: &Domain, id: &TenantId, now: Timestamp) -> Result<(), Error> {
    match domain.store.get(&keyspace::tenant(id), now).await? {
        Some(_) => Err(Code::TenantExists.into()),
        None => Ok(()),
    }
}

/// What a tenant is born with.
pub(crate) struct Birth<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Its first administrator, where it has one.
    pub(crate) creator: Option<&'a UserId>,
    /// The built-in ones among them.
    pub(crate) roles: Roles,
    /// The built-in one among them.
    pub(crate) clients: Vec<Client>,
    pub(crate) draft: &'a Draft,
}

/// Makes a tenant whose caller may.
///
/// # Errors
/// `TENANT_EXISTS`; `USER_NOT_FOUND` where the creator was deleted; `CONFLICT` where it took longer
/// than a minute; the store's.
pub(crate) async fn create(
    domain: &Domain,
    birth: &Birth<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let work = CreatingTenant {
        tenant_id: birth.tenant.id.clone(),
        slug: birth.tenant.slug.clone(),
        creator: birth.creator.cloned(),
    };
    let operation = intent::begin(domain, Work::CreateTenant(work.clone()), now).await?;
    let outcome = make(domain, &operation, birth, now).await;
    if matches!(outcome, Ok(()) | Err(Error::Refused(_))) {
        intent::rest(&operation, settle(domain, &operation, &work, now).await);
    }
    outcome
}

/// Steps 2 to 4.
async fn make(
    domain: &Domain,
    operation: &OperationId,
    birth: &Birth<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let tenant = birth.tenant;
    let ours = NameClaim { tenant_id: tenant.id.clone(), token: operation.clone() };
    for name in names_of(&tenant.slug, &tenant.id) {
        claim_name(domain, &name, &ours, now).await?;
    }
    enlist(domain, operation, &tenant.id, now).await?;
    let mut fenced = None;
    for _ in 0..MOST_TRIES {
        let seat = match birth.creator {
            Some(creator) => {
                let place = (&tenant.id, creator);
                Some((creator, seats::enter(domain, operation, place, fenced.as_ref(), now).await?))
            }
            None => None,
        };
        let seated = seat.as_ref().map(|(creator, entered)| (*creator, entered));
        match bring_to_life(domain, operation, (birth, seated), now).await? {
            Seat::Taken(()) => return Ok(()),
            Seat::Fenced => fenced = seat.map(|(_, entered)| entered.token),
        }
    }
    Err(fence::given_up())
}

/// Lists the tenant among all, over the entry of a creation that lost the id.
async fn enlist(
    domain: &Domain,
    operation: &OperationId,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::tenant_entry(tenant);
    let partition = key.partition();
    let our_fence = keyspace::fence(&keyspace::of_tenant(tenant), operation);
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    let entry = ListEntry { token: operation.clone() }.encode()?;
    for _ in 0..MOST_TRIES {
        let found = domain.store.get(&key, now).await?;
        // Whoever took the id from this operation has fenced it before listing its own tenant: an
        // entry that was read before the fence was not there is of a creation that lost the id.
        if found.is_some() && domain.store.get(&our_fence, now).await?.is_some() {
            break;
        }
        let listed = domain
            .store
            .transact(partition, &reads, now, |txn| {
                fence::check(txn, partition, operation)?;
                let same = txn.get(&key)? == found.as_ref();
                if same {
                    txn.put(&key, Entry::new(&entry))?;
                }
                Ok::<_, Error>(same)
            })
            .await?;
        if listed {
            return Ok(());
        }
    }
    Err(fence::given_up())
}

/// The step that makes the tenant: before it nothing can be seen, after it everything is there.
async fn bring_to_life(
    domain: &Domain,
    operation: &OperationId,
    (birth, seated): (&Birth<'_>, Option<(&UserId, &Entered)>),
    now: Timestamp,
) -> Result<Seat<()>, Error> {
    let Birth { tenant, roles, clients, draft, .. } = birth;
    let roles = roles.encode()?;
    let key = keyspace::tenant(&tenant.id);
    let partition = key.partition();
    let mut reads = vec![key.clone(), keyspace::fence(partition, operation)];
    reads.push(keyspace::tenant_admins(&tenant.id));
    reads.extend(seated.map(|(_, entered)| keyspace::fence(partition, &entered.token)));
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            if txn.get(&key)?.is_some() {
                return Err(Code::TenantExists.into());
            }
            // Somebody took this creation for dead and its names with it.
            if fence::stands(txn, partition, operation)? {
                return Err(Code::TenantExists.into());
            }
            if let Some((_, entered)) = seated
                && fence::stands(txn, partition, &entered.token)?
            {
                return Ok(Seat::Fenced);
            }
            for client in clients {
                let key = keyspace::client(&tenant.id, &client.id);
                txn.put(&key, Entry::new(&client.encode()?))?;
            }
            txn.put(&keyspace::roles(&tenant.id), Entry::new(&roles))?;
            if let Some((creator, entered)) = seated {
                seat_creator(domain, txn, (tenant, creator), (operation, entered), now)?;
            }
            txn.put(&key, Entry::new(&Lasting::Live((*tenant).clone()).encode()?))?;
            audit::note(txn, partition, operation, (&Chain::Deployment, draft), now)?;
            Ok::<_, Error>(Seat::Taken(()))
        })
        .await
}

/// The creator becomes a member who administers the tenant.
fn seat_creator(
    domain: &Domain,
    txn: &mut Txn,
    (tenant, creator): (&Tenant, &UserId),
    (operation, entered): (&OperationId, &Entered),
    now: Timestamp,
) -> Result<(), Error> {
    let Entered { token, counts } = entered;
    let away = (!counts).then_some(operation);
    let creator_roles = domain.settings.tenant_template.creator_roles()?;
    let mut membership = Membership::new(tenant.id.clone(), creator.clone(), creator_roles, now);
    membership.token = token.clone();
    let member = keyspace::member(&tenant.id, creator);
    txn.put(&member, Entry::new(&membership.encode()?))?;
    let place = (&tenant.id, creator);
    tenant_admins::follow(txn, place, &Becomes::Written(&membership.roles, away))
}

/// What became of a creation.
enum Made {
    /// The tenant lives and bears the names.
    Lives,
    /// The tenant lived and was deleted: its names rest.
    Deleted,
    /// Nothing bears the names, and by this operation nothing ever will.
    Never,
}

/// Finishes a creation whose tenant lives, and tidies up after it where not, for ever. May be
/// repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &CreatingTenant,
    now: Timestamp,
) -> Result<(), Error> {
    let CreatingTenant { tenant_id, slug, creator } = work;
    let (made, seated) = judge(domain, operation, work, now).await?;
    match made {
        Made::Lives => {
            if let Some(creator) = creator {
                seats::prefer_first(domain, tenant_id, creator, now).await?;
                tenant_admins::count(domain, (tenant_id, creator), now).await?;
            }
        }
        Made::Deleted => delist(domain, operation, tenant_id, now).await?,
        Made::Never => {
            let ours = NameClaim { tenant_id: tenant_id.clone(), token: operation.clone() };
            for name in names_of(slug, tenant_id) {
                release_name(domain, &name, &ours, now).await?;
            }
            delist(domain, operation, tenant_id, now).await?;
        }
    }
    if let (Some(creator), false) = (creator, seated) {
        seats::give_up(domain, creator, (tenant_id, operation), now).await?;
    }
    audit::deliver(domain, operation, &keyspace::of_tenant(tenant_id), now).await?;
    intent::end(domain, operation).await
}

/// What became of the tenant, and whether the creator's membership stands on this operation's
/// entry; without a creator, whether the tenant lives. Where not, no further step of the operation will
/// do anything.
async fn judge(
    domain: &Domain,
    operation: &OperationId,
    work: &CreatingTenant,
    now: Timestamp,
) -> Result<(Made, bool), Error> {
    let key = keyspace::tenant(&work.tenant_id);
    let partition = key.partition();
    let member = work.creator.as_ref().map(|user| keyspace::member(&work.tenant_id, user));
    let reads: Vec<_> = std::iter::once(key.clone()).chain(member).collect();
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            let made = match Lasting::<Tenant>::decode_optional(&key, txn.get(&key)?)? {
                Some(Lasting::Live(tenant)) if tenant.slug == work.slug => Made::Lives,
                Some(Lasting::Tombstone(Tombstone { cause: Cause::Deleted, .. })) => Made::Deleted,
                Some(Lasting::Live(_) | Lasting::Tombstone(_)) | None => Made::Never,
            };
            let seated = match &work.creator {
                Some(creator) => seats::sits(txn, &work.tenant_id, (creator, operation))?,
                None => matches!(made, Made::Lives),
            };
            if !seated {
                fence::put(txn, partition, operation, now)?;
            }
            Ok::<_, Error>((made, seated))
        })
        .await
}

/// Removes the entry of this operation from the list of tenants, and sees to it that it adds none.
async fn delist(
    domain: &Domain,
    operation: &OperationId,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::tenant_entry(tenant);
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::put(txn, partition, operation, now)?;
            let entry = ListEntry::decode_optional(&key, txn.get(&key)?)?;
            if entry.is_some_and(|entry| entry.token == *operation) {
                txn.delete(&key)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

#[cfg(test)]
mod tests;
