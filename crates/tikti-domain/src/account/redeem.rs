//! Redeems a code that left by mail: what it names is read and checked, then one of many takes it,
//! then what it is good for is written.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. read the code, then user, tenant and membership; check them | nothing has changed |
//! | 2. take the code | it is used up and nothing came of it: ask for another one |
//! | 3. write, if the user is still as the code says | done; what follows from another address is carried on by the sweep |
//!
//! Whatever is wrong with a code is one answer, `INVALID_OOB_CODE`. What can be refused for another
//! reason (an address that is taken, a weak password) is refused before step 2, so that the code stays
//! usable.
//!
//! Spec: HTTP API, "Identity", order of redemption; attacks, rows L4, L6, T6.

use secrecy::SecretString;
use tikti_store::{Entry, Key};

use super::change_email::{NewAddress, change_email_to};
use super::sign_in::find_by_email;
use super::sign_out::remove_old_sessions;
use crate::api_key::KeyScope;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::UserId;
use crate::keyspace;
use crate::limits;
use crate::membership::Membership;
use crate::oob_code::{self, Facts, OobCode, OobType};
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::tenancy::Held;
use crate::tenant::Tenant;
use crate::user::User;

/// What `update` takes a code for.
const OF_UPDATE: [OobType; 3] =
    [OobType::VerifyEmail, OobType::VerifyAndChangeEmail, OobType::RecoverEmail];

/// What became of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// What it was good for.
    pub kind: OobType,
    /// Whose it was.
    pub user_id: UserId,
    /// The user's address now.
    pub email: Option<Email>,
}

/// What a code is good for, to be shown to whoever has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCode {
    /// The user's address; of `RECOVER_EMAIL` the one that it was.
    pub email: Option<Email>,
    /// The address that the user is to get.
    pub new_email: Option<Email>,
}

/// Redeems a code for `update`: confirms an address, changes it, or brings an old one back.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; `INVALID_OOB_CODE`; `RATE_LIMITED`; `EMAIL_EXISTS` where the
/// address is somebody else's by now; the store's.
///
/// Spec: HTTP API, Identity, `update`.
pub async fn redeem_code(
    domain: &Domain,
    caller: &Caller,
    code: &SecretString,
) -> Result<Redeemed, Error> {
    let now = domain.clock.now();
    let key = domain.require_key(caller, KeyScope::Update, now).await?;
    limits::code_redemption(domain, caller.ip, now).await?;
    let found = find(domain, &OF_UPDATE, code, now).await?;
    if !key.covers(found.code.tenant_id.as_ref()) {
        return Err(Code::InvalidOobCode.into());
    }
    redeem(domain, found, now).await
}

/// Redeems the code of a link, as [`redeem_code`] does, for the page that the link opens: there the
/// code alone is enough.
///
/// # Errors
/// As [`redeem_code`], but for those of the key.
pub async fn redeem_link(
    domain: &Domain,
    caller: &Caller,
    (kind, code): (OobType, &SecretString),
) -> Result<Redeemed, Error> {
    if !OF_UPDATE.contains(&kind) {
        return Err(Code::InvalidOobCode.into());
    }
    let now = domain.clock.now();
    limits::code_redemption(domain, caller.ip, now).await?;
    let found = find(domain, &[kind], code, now).await?;
    redeem(domain, found, now).await
}

/// Shows what the code of a link is good for, and leaves it usable.
///
/// # Errors
/// `INVALID_OOB_CODE`; `RATE_LIMITED`; the store's.
pub async fn show_code(
    domain: &Domain,
    caller: &Caller,
    (kind, code): (OobType, &SecretString),
) -> Result<ShownCode, Error> {
    let now = domain.clock.now();
    limits::code_redemption(domain, caller.ip, now).await?;
    let found = find(domain, &[kind], code, now).await?;
    Ok(ShownCode { email: found.code.email, new_email: found.code.new_email })
}

/// A code that is good, and whom it is about.
#[derive(Debug)]
pub(super) struct Found {
    key: Key,
    pub(super) code: OobCode,
    pub(super) user: User,
    /// The tenant that it names, with the user's membership.
    pub(super) held: Option<Held>,
}

/// Step 1: finds a code of one of these types.
///
/// # Errors
/// `INVALID_OOB_CODE` for every code that is not good, or `RATE_LIMITED` after too many of its address;
/// the store's.
pub(super) async fn find(
    domain: &Domain,
    kinds: &[OobType],
    text: &SecretString,
    now: Timestamp,
) -> Result<Found, Error> {
    let places: Vec<_> = kinds
        .iter()
        .flat_map(|kind| oob_code::keys(&domain.peppers, *kind, text).into_iter())
        .collect();
    // What cannot be a code stands nowhere.
    if places.is_empty() {
        return Err(Code::InvalidOobCode.into());
    }
    let stored = domain.store.get_many(&places, now).await?;
    let found = places.into_iter().zip(stored).find_map(|(key, stored)| Some((key, stored?)));
    let Some((key, stored)) = found else {
        return Err(Code::InvalidOobCode.into());
    };
    let code = OobCode::decode(&key, &stored)?;
    // A sign-in counts by the address that it names, whether or not a code was found.
    let counted = code.email.clone().filter(|_| kinds != [OobType::EmailSignIn]);
    let mut reads = Reads::load(&domain.store, vec![keyspace::user(&code.user_id)], now).await?;
    if let Some(tenant) = &code.tenant_id {
        let keys = vec![keyspace::tenant(tenant), keyspace::member(tenant, &code.user_id)];
        reads.extend(&domain.store, keys, now).await?;
    }
    let judged = judge(domain, kinds, &reads, (key, code), now);
    if let (Err(_), Some(email)) = (&judged, counted) {
        limits::failed_redemption(domain, &email, now).await?;
    }
    judged
}

fn judge(
    domain: &Domain,
    kinds: &[OobType],
    reads: &Reads,
    (key, code): (Key, OobCode),
    now: Timestamp,
) -> Result<Found, Error> {
    let user: Option<User> = reads.find_live(&keyspace::user(&code.user_id))?;
    let (tenant, membership): (Option<Tenant>, Option<Membership>) = match &code.tenant_id {
        None => (None, None),
        Some(tenant) => (
            reads.find_live(&keyspace::tenant(tenant))?,
            reads.find(&keyspace::member(tenant, &code.user_id))?,
        ),
    };
    let facts = Facts {
        user: user.as_ref(),
        tenant: tenant.as_ref(),
        membership: membership.as_ref(),
        not_before: domain.not_before,
    };
    // The type is that of the place where the record was found, whatever the record says.
    let is_good = kinds.iter().any(|kind| {
        let is_here = keyspace::oob_code_type(&key) == Some(*kind);
        is_here && code.is_good(*kind, &facts, now)
    });
    let Some(user) = user.filter(|_| is_good) else {
        return Err(Code::InvalidOobCode.into());
    };
    let held = tenant.zip(membership).map(|(tenant, membership)| Held { tenant, membership });
    Ok(Found { key, code, user, held })
}

impl Found {
    /// Step 2: uses the code up. Of many callers one gets through.
    ///
    /// # Errors
    /// `INVALID_OOB_CODE` where somebody else was quicker, or time has run out; the store's.
    pub(super) async fn take(&self, domain: &Domain) -> Result<(), Error> {
        // A password may have been hashed meanwhile.
        let now = domain.clock.now();
        match domain.store.take(&self.key, now).await? {
            Some(_) => Ok(()),
            None => Err(Code::InvalidOobCode.into()),
        }
    }

    /// Makes a code usable again that was taken and came to nothing.
    async fn put_back(&self, domain: &Domain, now: Timestamp) -> Result<(), Error> {
        let bytes = self.code.encode()?;
        let entry = Entry::new(&bytes).expires_at(self.code.expires_at);
        Ok(domain.store.put(&self.key, entry, now).await?)
    }

    /// Step 3 in the user's record: `change`, if the user is still as the code says.
    pub(super) async fn write(
        &self,
        domain: &Domain,
        change: impl Fn(&mut User) + Send + Sync,
        now: Timestamp,
    ) -> Result<User, Error> {
        let key = keyspace::user(&self.code.user_id);
        let reads = [key.clone()];
        domain
            .store
            .transact(key.partition(), &reads, now, |txn| {
                let user = User::load(&key, txn.get(&key)?)?;
                let user = user.filter(|user| self.code.fits(user));
                let mut user = user.ok_or(Code::InvalidOobCode)?;
                change(&mut user);
                txn.put(&key, Entry::new(&Lasting::Live(user.clone()).encode()?))?;
                Ok::<_, Error>(user)
            })
            .await
    }
}

/// Steps 2 and 3 of the types that `update` takes.
async fn redeem(domain: &Domain, found: Found, now: Timestamp) -> Result<Redeemed, Error> {
    let kind = found.code.kind;
    let user = match kind {
        OobType::VerifyEmail => {
            found.take(domain).await?;
            found.write(domain, |user| user.email_verified = true, now).await?
        }
        OobType::VerifyAndChangeEmail => {
            let new = found.code.new_email.clone().ok_or(Code::InvalidOobCode)?;
            change(domain, &found, &new, now).await?
        }
        OobType::RecoverEmail => {
            let old = found.code.email.clone().ok_or(Code::InvalidOobCode)?;
            let user = change(domain, &found, &old, now).await?;
            remove_old_sessions(domain, &user, now).await;
            user
        }
        // These have calls of their own.
        OobType::PasswordReset | OobType::EmailSignIn => return Err(Code::InvalidOobCode.into()),
    };
    tracing::info!(
        target: "tikti::audit",
        action = "code.redeem",
        outcome = "allow",
        user.id = %user.id,
        reason = kind.as_str(),
        "code redeemed"
    );
    Ok(Redeemed { kind, user_id: user.id, email: user.email })
}

/// Gives the user the address that the code speaks of.
async fn change(domain: &Domain, found: &Found, to: &Email, now: Timestamp) -> Result<User, Error> {
    match find_by_email(domain, to, now).await? {
        None => {}
        // Somebody was quicker with this very code.
        Some(owner) if owner.id == found.user.id => return Err(Code::InvalidOobCode.into()),
        // The code stays usable: whoever bears the address now may give it up.
        Some(_) => return Err(Code::EmailExists.into()),
    }
    found.take(domain).await?;
    let changed =
        change_email_to(domain, &found.user.id, &NewAddress::by(&found.code, to), now).await;
    // Or whoever holds the account could use up the owner's way back, by changing at the same moment.
    if let Err(Error::Refused(refusal)) = &changed
        && refusal.code == Code::Conflict
    {
        found.put_back(domain, now).await?;
    }
    changed
}

#[cfg(test)]
mod tests;
