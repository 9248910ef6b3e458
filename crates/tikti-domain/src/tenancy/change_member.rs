//! Changes one member, who may come to administer the tenant by that.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. the change with its note | done, but for the next line |
//! | 3. whoever has come to administer the tenant counts, if he is active | done |
//!
//! Spec: Authorization, `LAST_ADMIN`. Why: docs/decisions/0032.

use tikti_store::{Key, Txn};

use super::administer::{self, Act, Administrator, Admission, Done};
use super::tenant_admins;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::intent::{self, UpdatingMember, Work};
use crate::keyspace;

/// Makes a change of one member, as [`Administrator::change`] does; `work` is told the operation too.
///
/// # Errors
/// As [`Administrator::change`].
pub(super) async fn change_member<T: Send>(
    domain: &Domain,
    (administrator, user): (&Administrator, &UserId),
    (act, keys): (Act, &[Key]),
    now: Timestamp,
    work: impl Fn(&mut Txn, (&Admission, &OperationId)) -> Result<Done<T>, Error> + Send + Sync,
) -> Result<T, Error> {
    let tenant_id = administrator.tenant_id().clone();
    let member = UpdatingMember { tenant_id, user_id: user.clone() };
    let intended = Work::UpdateMember(member.clone());
    let work = |txn: &mut Txn, (admission, operation): (&Admission, &OperationId)| {
        admission.require_active()?;
        work(txn, (admission, operation))
    };
    let (operation, outcome) =
        administrator.begin(domain, (intended, act, keys), now, work).await?;
    if matches!(outcome, Ok(_) | Err(Error::Refused(_))) {
        intent::rest(&operation, finish(domain, &operation, &member, now).await);
    }
    outcome
}

/// Gives up a change that has not happened, and finishes one that has. May be repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &UpdatingMember,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_tenant(&work.tenant_id);
    domain
        .store
        .transact(&partition, &[], now, |txn| fence::put(txn, &partition, operation, now))
        .await?;
    finish(domain, operation, work, now).await
}

/// Step 3.
async fn finish(
    domain: &Domain,
    operation: &OperationId,
    UpdatingMember { tenant_id, user_id }: &UpdatingMember,
    now: Timestamp,
) -> Result<(), Error> {
    tenant_admins::count(domain, (tenant_id, user_id), now).await?;
    administer::finish(domain, operation, tenant_id, now).await
}
