//! Deletes one's own account.
//!
//! Whoever was revoked before the deletion is decided deletes nothing any more.
//!
//! Spec: HTTP API, Identity, `delete`; Domain, rule 4.

use secrecy::SecretString;

use super::delete_user::delete_user_seen;
use super::own::Own;
use crate::api_key::KeyScope;
use crate::audit::Action;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::id::UserId;

/// Deletes the account of an idToken's holder; says whose it was.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; those of a token that is not good; `CREDENTIAL_TOO_OLD`;
/// `LAST_ADMIN`; the store's.
pub async fn delete_account(
    domain: &Domain,
    caller: &Caller,
    id_token: &SecretString,
) -> Result<UserId, Error> {
    let now = domain.clock.now();
    let own = Own::load(domain, caller, (id_token, KeyScope::Delete), now).await?;
    own.require_recent(&domain.settings, now)?;
    let draft = own.draft(caller, Action::UserDelete);
    delete_user_seen(domain, &own.user.id, (own.user.ver, draft), now).await?;
    Ok(own.user.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::find_by_email;
    use crate::account::sign_out::revoke_everything;
    use crate::audit::tests::draft_of;
    use crate::email::Email;
    use crate::error::Code;
    use crate::sweep::{SweepCursor, sweep};
    use crate::testing::{FaultPlan, Fixture};
    use crate::user::GlobalRole;

    #[tokio::test]
    async fn a_user_who_is_of_another_version_by_then_is_not_deleted() {
        for role in [GlobalRole::CompanyEmployee, GlobalRole::Admin] {
            let fixture = Fixture::new().await;
            fixture.admin("root@corp.sys").await;
            let ann = fixture.user("ann@example.org", role).await;
            let (domain, now) = (&fixture.domain, fixture.now());
            let seen = |ver| (ver, draft_of(Action::UserDelete, ann.id.as_str()));
            revoke_everything(domain, &ann.id, now).await.unwrap();
            let refused = delete_user_seen(domain, &ann.id, seen(ann.ver), now).await.unwrap_err();
            assert_eq!(refused.code(), Code::TokenRevoked, "{role:?}");
            fixture.clock.advance(5 * 60_000);
            sweep(domain, &mut SweepCursor::default(), fixture.now()).await.unwrap();
            let ver = fixture.reload(&ann).await.ver;
            delete_user_seen(domain, &ann.id, seen(ver), now).await.unwrap();
        }
    }

    /// A thief's deletion dies halfway, and its owner cuts the thief off before the sweep carries it on.
    #[tokio::test]
    async fn a_deletion_that_died_is_not_carried_on_for_a_token_that_was_revoked_since() {
        let email = Email::parse("ann@example.org").unwrap();
        let (mut saved, mut calls) = (0, 0);
        loop {
            let fixture = Fixture::new().await;
            let ann = fixture.user(email.as_str(), GlobalRole::CompanyEmployee).await;
            let (plan, now) = (FaultPlan::crash_after(calls), fixture.now());
            let replica = fixture.replica(2, &plan).await;
            let seen = (ann.ver, draft_of(Action::UserDelete, ann.id.as_str()));
            let _ = delete_user_seen(&replica, &ann.id, seen, now).await;
            if plan.calls() <= calls {
                break;
            }
            let revoked = revoke_everything(&fixture.domain, &ann.id, now).await.is_ok();
            fixture.clock.advance(5 * 60_000);
            sweep(&fixture.domain, &mut SweepCursor::default(), fixture.now()).await.unwrap();
            let found = find_by_email(&fixture.domain, &email, fixture.now()).await.unwrap();
            assert_eq!(found.is_some(), revoked, "after {calls} calls");
            saved += u32::from(revoked);
            calls += 1;
        }
        assert!(saved > 2 && u64::from(saved) < calls, "{saved} of {calls}");
    }

    /// Whatever the moment, one of the two is refused, or the user was revoked after he was deleted.
    #[tokio::test]
    async fn a_revocation_during_a_deletion_counts_until_the_user_dies() {
        for steps in 0..8 {
            let fixture = Fixture::new().await;
            let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
            let now = fixture.now();
            let replica = fixture.replica(2, &FaultPlan::crash_after(u64::MAX - 1)).await;
            let seen = (ann.ver, draft_of(Action::UserDelete, ann.id.as_str()));
            let deletion = delete_user_seen(&replica, &ann.id, seen, now);
            let revocation = async {
                for _ in 0..steps {
                    tokio::task::yield_now().await;
                }
                revoke_everything(&fixture.domain, &ann.id, now).await
            };
            let (deleted, revoked) = tokio::join!(deletion, revocation);
            match deleted {
                Ok(()) => {}
                Err(refused) => {
                    assert_eq!(refused.code(), Code::TokenRevoked, "{steps}");
                    assert_eq!(fixture.reload(&ann).await.ver, revoked.unwrap().ver, "{steps}");
                }
            }
        }
    }
}
