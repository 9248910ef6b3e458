//! Changes role, status and what else an administrator may change of a user.
//!
//! Where it stays the same whether the user is active, and whether he is an active administrator, one
//! transaction does it. Where not, those change who are relied on in his tenants and in the deployment:
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed; a departure goes on, an arrival is given up |
//! | 2. whoever will not be active leaves his tenants, while each keeps somebody; else he is refused, behind a fence | he is not relied on any more; as before |
//! | 3. enter the set of administrators, or leave it while another one is left; else be refused, behind a fence | he is not relied on yet, or not any more; as before |
//! | 4. the user's record with the audit note, once (a fence comes together) | what counts has happened |
//! | 5. the note to its chain, nothing is moving in the set any more; whoever is active counts in his tenants | done |
//!
//! Step 4 happens at most once, whoever carries the operation on: a late one must not undo what was
//! changed after it. What was refused never happens: step 4 is fenced for ever, then steps 2 and 3 are
//! taken back.
//!
//! Spec: HTTP API, "Identity" (`status`, `/v1/users`); Authorization, `LAST_ADMIN`. Why:
//! docs/decisions/0015, 0021, 0032; why somebody is always left: `admins`, `leave_tenants`.

use tikti_store::Entry;

use super::admins::{self, Begun};
use super::change_email::load_user;
use super::leave_tenants;
use super::sign_out::remove_old_sessions;
use crate::audit::{self, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::intent::{self, ChangingStanding, Intent, Way, Work};
use crate::keyspace;
use crate::record::{Lasting, Record};
use crate::tenancy::administer::Done;
use crate::user::{User, UserChange};

/// How often a change begins anew because the user changed at the same moment.
const MOST_TRIES: u32 = 8;

/// Changes a user, of which the audit says `draft`; nothing, where all is as it was. Where it ends his
/// sessions they are over at once.
///
/// The caller decides whether it may happen.
///
/// # Errors
/// `USER_NOT_FOUND`; `LAST_ADMIN`: then the change never happens; `CONFLICT` where another change is
/// under way; the store's: then what takes a right away may still happen within minutes.
pub(crate) async fn change_user_for(
    domain: &Domain,
    id: &UserId,
    (change, draft): (&UserChange, &Draft),
    now: Timestamp,
) -> Result<User, Error> {
    for _ in 0..MOST_TRIES {
        let user = load_user(domain, id, now).await?;
        let changed = match turn(&user, &change.applied(&user, now)) {
            None => match write_plainly(domain, id, (change, draft), now).await? {
                Some(changed) => changed,
                None => continue,
            },
            Some(Turn { way, of_deployment, of_tenants }) => {
                let (user_id, change, draft) = (id.clone(), change.clone(), Some(draft.clone()));
                let work =
                    ChangingStanding { user_id, way, change, draft, of_deployment, of_tenants };
                change_standing(domain, work, now).await?
            }
        };
        if changed.ver != user.ver {
            remove_old_sessions(domain, &changed, now).await;
        }
        return Ok(changed);
    }
    Err(Code::Conflict.into())
}

/// As [`change_user_for`], for tests that are about what becomes of the user.
#[cfg(test)]
pub(crate) async fn change_user(
    domain: &Domain,
    id: &UserId,
    change: &UserChange,
    now: Timestamp,
) -> Result<User, Error> {
    let draft = audit::tests::draft_of(audit::Action::UserUpdate, id.as_str());
    change_user_for(domain, id, (change, &draft), now).await
}

/// A change of who is relied on.
struct Turn {
    way: Way,
    /// In the set of administrators.
    of_deployment: bool,
    /// In the user's tenants.
    of_tenants: bool,
}

/// What a change means to those who rely on the user, if anything. Nobody leaves the set of
/// administrators by becoming active, or enters it by ceasing to be: there is one way.
fn turn(before: &User, after: &User) -> Option<Turn> {
    let way = |before: bool, after: bool| match (before, after) {
        (false, true) => Some(Way::In),
        (true, false) => Some(Way::Out),
        (true, true) | (false, false) => None,
    };
    let of_deployment = way(before.is_active_admin(), after.is_active_admin());
    let of_tenants = way(before.is_active(), after.is_active());
    let way = of_deployment.or(of_tenants)?;
    let (of_deployment, of_tenants) = (of_deployment.is_some(), of_tenants.is_some());
    Some(Turn { way, of_deployment, of_tenants })
}

/// The change of a user whose standing stays; `None` where it turns out not to.
async fn write_plainly(
    domain: &Domain,
    id: &UserId,
    (change, draft): (&UserChange, &Draft),
    now: Timestamp,
) -> Result<Option<User>, Error> {
    let key = keyspace::user(id);
    let keys = [key.clone()];
    let place = (NotePlace::User(id.clone()), &keys[..]);
    audit::change(domain, place, (&Chain::Deployment, draft), now, |txn| {
        let user = User::load(&key, txn.get(&key)?)?.ok_or(Code::UserNotFound)?;
        let next = change.applied(&user, now);
        if turn(&user, &next).is_some() {
            return Ok(Done::Same(None));
        }
        if next == user {
            return Ok(Done::Same(Some(next)));
        }
        txn.put(&key, Entry::new(&Lasting::Live(next.clone()).encode()?))?;
        Ok(Done::Changed(Some(next)))
    })
    .await
}

async fn change_standing(
    domain: &Domain,
    work: ChangingStanding,
    now: Timestamp,
) -> Result<User, Error> {
    // Before anything is written: most refusals are seen to be.
    if work.way == Way::Out {
        if work.of_deployment {
            admins::look_first(domain, &work.user_id, now).await?;
        }
        if work.of_tenants {
            leave_tenants::look_first(domain, &work.user_id, now).await?;
        }
    }
    let operation = intent::begin(domain, Work::ChangeStanding(work.clone()), now).await?;
    let outcome = advance(domain, &operation, &work, now).await;
    match &outcome {
        Ok(_) => intent::rest(&operation, finish(domain, &operation, &work, now).await),
        Err(Error::Refused(_)) => {
            intent::rest(&operation, abandon(domain, &operation, &work, now).await);
        }
        // Nobody knows what was written: the sweep finds out.
        Err(_) => {}
    }
    outcome
}

/// Steps 2 to 4.
async fn advance(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<User, Error> {
    if work.way == Way::Out && work.of_tenants {
        leave_tenants::leave(domain, &work.user_id, operation, now).await?;
    }
    if !work.of_deployment {
        return write(domain, operation, work, now).await;
    }
    match begin(domain, operation, work, now).await? {
        Begun::Moving => write(domain, operation, work, now).await,
        Begun::LastAdmin => Err(Code::LastAdmin.into()),
        Begun::Busy(_) => {
            let message = "other changes of this user are under way: read again";
            Err(Refusal::new(Code::Conflict, message).into())
        }
        Begun::Over => Err(fence::given_up()),
    }
}

/// Step 3. Whoever is in the way is settled first: he may be dead.
async fn begin(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<Begun, Error> {
    let mut begun = Begun::Over;
    for _ in 0..MOST_TRIES {
        begun = admins::begin(domain, &work.user_id, (operation, work.way), now).await?;
        let Begun::Busy(other) = &begun else { return Ok(begun) };
        let key = keyspace::intent(other);
        let stored = domain.store.get(&key, now).await?;
        // Where it is not there any more, it has been settled in this moment.
        if let Some(Intent { work: Work::ChangeStanding(first), .. }) =
            Intent::decode_optional(&key, stored.as_ref())?
        {
            settle(domain, other, &first, now).await?;
        }
    }
    admins::refuse(domain, operation, now).await?;
    Ok(begun)
}

/// Step 4.
async fn write(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<User, Error> {
    let key = keyspace::user(&work.user_id);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            let user = User::load(&key, txn.get(&key)?)?.ok_or(Code::UserNotFound)?;
            let mut next = work.change.applied(&user, now);
            // Of two who ask for the same, the later one changes nothing.
            let is_change = next != user;
            // He was changed between the look at him and the steps before.
            let comes = work.way == Way::In;
            if work.of_deployment && next.is_active_admin() != comes {
                return Err(Code::Conflict.into());
            }
            if work.of_tenants && next.is_active() != comes {
                return Err(Code::Conflict.into());
            }
            next.leaving.remove(operation);
            fence::put(txn, partition, operation, now)?;
            txn.put(&key, Entry::new(&Lasting::Live(next.clone()).encode()?))?;
            if is_change && let Some(draft) = &work.draft {
                audit::note(txn, partition, operation, (&Chain::Deployment, draft), now)?;
            }
            Ok::<_, Error>(next)
        })
        .await
}

/// Step 5.
async fn finish(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<(), Error> {
    // Before the move is over: after it nobody carries the operation on.
    audit::deliver(domain, operation, &keyspace::of_user(&work.user_id), now).await?;
    if work.of_deployment {
        admins::conclude(domain, &work.user_id, operation, now).await?;
    }
    if work.of_tenants && work.way == Way::In {
        leave_tenants::come_back(domain, &work.user_id, None, now).await?;
    }
    intent::end(domain, operation).await
}

/// Carries a departure on wherever it stopped, unless it was refused; gives up an arrival that has not
/// happened. May be repeated, at any time.
pub(crate) async fn resume(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<(), Error> {
    match work.way {
        Way::In => abandon(domain, operation, work, now).await,
        Way::Out => {
            let outcome = advance(domain, operation, work, now).await;
            rest_of_departure(domain, operation, work, (outcome, now)).await
        }
    }
}

/// What is left after step 3 of a departure; an arrival is given up.
async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<(), Error> {
    match work.way {
        Way::In => abandon(domain, operation, work, now).await,
        Way::Out => {
            let outcome = write(domain, operation, work, now).await;
            rest_of_departure(domain, operation, work, (outcome, now)).await
        }
    }
}

async fn rest_of_departure(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    (outcome, now): (Result<User, Error>, Timestamp),
) -> Result<(), Error> {
    match outcome {
        Ok(changed) => {
            remove_old_sessions(domain, &changed, now).await;
            finish(domain, operation, work, now).await
        }
        // It was refused, has happened before, or the user is dead.
        Err(Error::Refused(_)) => abandon(domain, operation, work, now).await,
        Err(error) => Err(error),
    }
}

/// Sees to it that step 4 does not happen any more, where it has not, and that everybody stands where he
/// then belongs.
async fn abandon(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingStanding,
    now: Timestamp,
) -> Result<(), Error> {
    leave_tenants::give_up(domain, &work.user_id, operation, now).await?;
    if work.of_tenants && work.way == Way::Out {
        leave_tenants::come_back(domain, &work.user_id, Some(operation), now).await?;
    }
    finish(domain, operation, work, now).await
}
