//! One lineage of refresh tokens, whoever shows which of them when.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::*;
use crate::account::{SignedIn, list_sessions};
use crate::audit::{Action, tests::draft_of};
use crate::id::SessionId;
use crate::page::PageRequest;
use crate::session::SessionDoor;
use crate::tenancy::{remove_member, revoke_membership};
use crate::testing::{FaultPlan, Fixture, all, bearing};
use crate::user::{GlobalRole, UserStatus};

const ANN: &str = "ann@example.org";
const DAY_MILLIS: u64 = 24 * 3_600_000;

async fn fixture() -> (Fixture, User) {
    let fixture = Fixture::new().await;
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    (fixture, ann)
}

fn token(signed_in: &SignedIn) -> SecretString {
    signed_in.refresh_token.clone().unwrap()
}

async fn shown(fixture: &Fixture, token: &SecretString) -> Result<Refreshed, Error> {
    refresh(&fixture.domain, &Refresh { token: token.clone(), tenant: None }).await
}

async fn refused(fixture: &Fixture, token: &SecretString) -> Code {
    shown(fixture, token).await.unwrap_err().code()
}

/// The ids of the sessions that the bearer of an idToken sees.
async fn sessions(fixture: &Fixture, id_token: &SecretString) -> Vec<SessionId> {
    let page = PageRequest::new(None, None).unwrap();
    let page = list_sessions(&fixture.domain, &bearing(id_token), &page).await.unwrap();
    page.items.into_iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn a_token_is_exchanged_once_for_the_next_one_of_the_same_session() {
    let (fixture, ann) = fixture().await;
    let first = fixture.sign_in(ANN).await;
    let mut present = token(&first);
    let mut seen = BTreeSet::from([present.expose_secret().to_owned()]);
    for _ in 0..5 {
        fixture.clock.advance(60_000);
        let next = shown(&fixture, &present).await.unwrap();
        assert_eq!((&next.user_id, next.expires_in_seconds), (&ann.id, 3600));
        assert_eq!(sessions(&fixture, &next.id_token).await.len(), 1);
        present = next.refresh_token;
        assert!(seen.insert(present.expose_secret().to_owned()));
    }
    // The time of the sign-in stays.
    let claims = crate::id_token::verify(&fixture.domain, &first.id_token, fixture.now()).unwrap();
    let key = keyspace::session(&ann.id, &claims.session_id);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap().unwrap();
    let session = Session::decode(&key, &stored).unwrap();
    assert_eq!(session.created_at, crate::testing::START);
    assert_eq!(session.refreshed_at, fixture.now());
    assert_eq!(session.refresh.unwrap().generation, 5);
}

/// Attacks, row L1: of many parallel refreshes of one token one lineage survives.
#[tokio::test]
async fn l1_of_100_parallel_refreshes_of_one_token_one_lineage_survives() {
    let (fixture, _) = fixture().await;
    let present = token(&fixture.sign_in(ANN).await);
    let answers = all((0..100).map(|_| shown(&fixture, &present))).await;
    let next: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().refresh_token.expose_secret().to_owned())
        .collect();
    assert_eq!(next.len(), 1);
    fixture.clock.advance(GRACE_MILLIS + 1);
    let next = SecretString::from(next.into_iter().next().unwrap());
    shown(&fixture, &next).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds() {
    let (fixture, _) = fixture().await;
    let used = token(&fixture.sign_in(ANN).await);
    let next = shown(&fixture, &used).await.unwrap();
    fixture.clock.advance(GRACE_MILLIS);
    let again = shown(&fixture, &used).await.unwrap();
    assert_eq!(again.refresh_token.expose_secret(), next.refresh_token.expose_secret());
    assert_ne!(again.id_token.expose_secret(), next.id_token.expose_secret());
    // A repeat does not prolong its own time.
    fixture.clock.advance(1);
    assert_eq!(refused(&fixture, &used).await, Code::InvalidRefreshToken);
    assert_eq!(refused(&fixture, &next.refresh_token).await, Code::InvalidRefreshToken);
}

#[tokio::test]
async fn a_used_token_ends_its_session_and_no_other() {
    for older in [1, 2, 40] {
        let (fixture, _) = fixture().await;
        let other = fixture.sign_in(ANN).await;
        let used = token(&fixture.sign_in(ANN).await);
        let mut present = used.clone();
        for _ in 0..older {
            fixture.clock.advance(GRACE_MILLIS + 1);
            present = shown(&fixture, &present).await.unwrap().refresh_token;
        }
        fixture.clock.advance(GRACE_MILLIS + 1);
        assert_eq!(sessions(&fixture, &other.id_token).await.len(), 2);
        assert_eq!(refused(&fixture, &used).await, Code::InvalidRefreshToken, "{older}");
        assert_eq!(sessions(&fixture, &other.id_token).await.len(), 1);
        assert_eq!(refused(&fixture, &present).await, Code::InvalidRefreshToken);
        shown(&fixture, &token(&other)).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_never_given_out_is_refused_and_ends_nothing() {
    let (fixture, _) = fixture().await;
    let signed_in = fixture.sign_in(ANN).await;
    let first = token(&signed_in);
    fixture.clock.advance(60_000);
    let present = shown(&fixture, &first).await.unwrap();
    fixture.clock.advance(60_000);
    let parts: Vec<&str> = first.expose_secret().split('.').collect();
    let [head, session, _, secret] = parts[..] else { panic!("{parts:?}") };
    let made_up = "A".repeat(43);
    for text in [
        format!("{head}.{session}.0.{made_up}"),
        format!("{head}.{session}.1.{made_up}"),
        format!("{head}.{session}.1.{secret}"),
        format!("{head}.{session}.2.{secret}"),
        format!("{head}.{session}.00.{secret}"),
        format!("{head}.{session}.-1.{secret}"),
        format!("{head}.{session}.18446744073709551615.{secret}"),
        format!("{head}.01JD0000000000000000000000.0.{secret}"),
        format!("rt_nobody.{session}.0.{secret}"),
        format!("{head}.{session}.0"),
        format!("{head}.{session}.0."),
        first.expose_secret().replace("rt_", "tk_"),
        signed_in.id_token.expose_secret().to_owned(),
        String::new(),
        "rt_".repeat(1000),
    ] {
        let code = refused(&fixture, &text.clone().into()).await;
        assert_eq!(code, Code::InvalidRefreshToken, "{text}");
    }
    shown(&fixture, &present.refresh_token).await.unwrap();
}

/// Attacks, rows L3 and A2: whatever revokes the user or the membership ends the refresh, too.
#[tokio::test]
async fn l3_whatever_is_revoked_is_not_refreshed_in_whatever_order() {
    let (fixture, ann) = fixture().await;
    let present = token(&fixture.sign_in(ANN).await);
    let mut changed = fixture.reload(&ann).await;
    changed.status = UserStatus::Suspended;
    fixture.put_user(&changed).await;
    assert_eq!(refused(&fixture, &present).await, Code::UserDisabled);
    changed.status = UserStatus::Active;
    fixture.put_user(&changed).await;
    let present = shown(&fixture, &present).await.unwrap().refresh_token;

    let revoked =
        crate::account::sign_out::revoke_everything(&fixture.domain, &ann.id, fixture.now());
    let revoked = revoked.await.unwrap();
    assert!(revoked.ver > changed.ver);
    assert_eq!(refused(&fixture, &present).await, Code::InvalidRefreshToken);
    // And the record of a session that was left behind is of no use.
    let present = token(&fixture.sign_in(ANN).await);
    let mut later = fixture.reload(&ann).await;
    later.ver += 1;
    fixture.put_user(&later).await;
    assert_eq!(refused(&fixture, &present).await, Code::InvalidRefreshToken);
}

#[tokio::test]
async fn a_session_slides_for_thirty_days_and_ends_after_ninety() {
    let (fixture, _) = fixture().await;
    let idle = token(&fixture.sign_in(ANN).await);
    let mut present = token(&fixture.sign_in(ANN).await);
    for _ in 0..3 {
        fixture.clock.advance(30 * DAY_MILLIS - 1);
        present = shown(&fixture, &present).await.unwrap().refresh_token;
    }
    assert_eq!(refused(&fixture, &idle).await, Code::InvalidRefreshToken);
    fixture.clock.advance(3);
    assert_eq!(refused(&fixture, &present).await, Code::InvalidRefreshToken);
}

#[tokio::test]
async fn the_read_part_is_one_round_trip_also_in_a_tenant() {
    let (mut fixture, ann) = fixture().await;
    fixture.admin("root@example.org").await;
    let tenant = fixture.tenant("root@example.org", "acme").await;
    fixture.member(&tenant.id, &ann, &[]).await;
    let present = token(&fixture.sign_in(ANN).await);
    let whole = fixture.domain.store.clone();
    // One call that reads and one that writes.
    fixture.domain.store = whole.with_faults(FaultPlan::crash_after(2));
    let next = shown(&fixture, &present).await.unwrap();
    assert_eq!(next.tenant_id, Some(tenant.id));
    fixture.domain.store = whole.with_faults(FaultPlan::crash_after(1));
    assert_eq!(refused(&fixture, &next.refresh_token).await, Code::StoreUnavailable);
}

#[tokio::test]
async fn the_context_is_switched_dropped_or_ends_a_bound_session() {
    let (fixture, ann) = fixture().await;
    fixture.admin("root@example.org").await;
    let acme = fixture.tenant("root@example.org", "acme").await;
    let other = fixture.tenant("root@example.org", "other").await;
    fixture.member(&acme.id, &ann, &[]).await;
    fixture.member(&other.id, &ann, &[]).await;
    let switched = async |token: &SecretString, name: &str| {
        let tenant = Some(TenantRef::parse(name).unwrap());
        refresh(&fixture.domain, &Refresh { token: token.clone(), tenant }).await
    };
    let signed_in = fixture.sign_in(ANN).await;
    assert_eq!(signed_in.tenant_id, Some(acme.id.clone()));
    let in_other = switched(&token(&signed_in), "other").await.unwrap();
    assert_eq!(in_other.tenant_id, Some(other.id.clone()));
    for (name, code) in [("nobody", Code::MembershipRequired), ("t-none", Code::MembershipRequired)]
    {
        let refused = switched(&in_other.refresh_token, name).await.unwrap_err();
        assert_eq!(refused.code(), code, "{name}");
    }
    // It stays where it was switched to, until the membership there ends.
    let stays = shown(&fixture, &in_other.refresh_token).await.unwrap();
    assert_eq!(stays.tenant_id, Some(other.id.clone()));
    remove_member(&fixture.domain, &other.id, &ann.id, fixture.now()).await.unwrap();
    let dropped = shown(&fixture, &stays.refresh_token).await.unwrap();
    assert_eq!(dropped.tenant_id, None);

    // A bound session neither switches nor outlives its membership.
    let bound = fixture.sign_in(ANN).await;
    let claims = crate::id_token::verify(&fixture.domain, &bound.id_token, fixture.now()).unwrap();
    let key = keyspace::session(&ann.id, &claims.session_id);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap().unwrap();
    let mut session = Session::decode(&key, &stored).unwrap();
    session.door = SessionDoor::TenantKey;
    let bytes = session.encode().unwrap();
    fixture.domain.store.put(&key, Entry::new(&bytes), fixture.now()).await.unwrap();
    let refused_to_switch = switched(&token(&bound), "other").await.unwrap_err();
    assert_eq!(refused_to_switch.code(), Code::TenantConflict);
    let same = switched(&token(&bound), "acme").await.unwrap();
    assert_eq!(same.tenant_id, Some(acme.id.clone()));
    remove_member(&fixture.domain, &acme.id, &ann.id, fixture.now()).await.unwrap();
    assert_eq!(refused(&fixture, &same.refresh_token).await, Code::InvalidRefreshToken);
    assert!(fixture.domain.store.get(&key, fixture.now()).await.unwrap().is_none());
}

async fn tenant_of(fixture: &Fixture, user: &User, name: &str) -> Tenant {
    let tenant = fixture.tenant("root@example.org", name).await;
    fixture.member(&tenant.id, user, &["TENANT_USER"]).await;
    tenant
}

async fn shown_for(
    fixture: &Fixture,
    token: &SecretString,
    tenant: &str,
) -> Result<Refreshed, Code> {
    let ask = Refresh { token: token.clone(), tenant: Some(TenantRef::parse(tenant).unwrap()) };
    refresh(&fixture.domain, &ask).await.map_err(|error| error.code())
}

/// Whether a revocation came before or not, and however often: who is removed and added again needs a
/// new sign-in there.
#[tokio::test]
async fn a10_a_membership_made_again_brings_no_session_of_before_back() {
    let (fixture, ann) = fixture().await;
    fixture.admin("root@example.org").await;
    let acme = tenant_of(&fixture, &ann, "acme").await.id;
    fixture.clock.advance(1000);
    let (revoked, removed) = (fixture.sign_in(ANN).await, fixture.sign_in(ANN).await);
    let (domain, tokens) = (&fixture.domain, [token(&revoked), token(&removed)]);
    fixture.clock.advance(1000);
    let draft = draft_of(Action::MemberRevoke, ann.id.as_str());
    revoke_membership(domain, (&acme, &ann.id), &draft, fixture.now()).await.unwrap();
    let mut versions = BTreeSet::new();
    for _ in 0..2 {
        fixture.clock.advance(1000);
        remove_member(domain, &acme, &ann.id, fixture.now()).await.unwrap();
        // At the same moment: the version is another one all the same.
        let again = fixture.member(&acme, &ann, &["TENANT_USER"]).await;
        assert!(versions.insert(again.mver));
        fixture.clock.advance(1000);
        for token in &tokens {
            let refused = shown_for(&fixture, token, "acme").await.unwrap_err();
            assert_eq!(refused, Code::MembershipRequired);
        }
    }
    let fresh = token(&fixture.sign_in(ANN).await);
    let found = shown_for(&fixture, &fresh, "acme").await.unwrap();
    assert_eq!(found.tenant_id, Some(acme));
}

#[tokio::test]
async fn who_signed_in_before_he_was_first_added_may_go_there() {
    let (fixture, ann) = fixture().await;
    fixture.admin("root@example.org").await;
    let session = fixture.sign_in(ANN).await;
    fixture.clock.advance(1000);
    let acme = tenant_of(&fixture, &ann, "acme").await;
    let found = shown_for(&fixture, &token(&session), "acme").await.unwrap();
    assert_eq!(found.tenant_id, Some(acme.id));
}

/// A record that nobody would ask for any more is not kept.
#[tokio::test]
async fn a_departure_is_forgotten_when_the_longest_session_of_before_has_ended() {
    let (fixture, ann) = fixture().await;
    fixture.admin("root@example.org").await;
    let acme = tenant_of(&fixture, &ann, "acme").await.id;
    let left = fixture.now();
    remove_member(&fixture.domain, &acme, &ann.id, left).await.unwrap();
    let key = keyspace::departed(&acme, &ann.id);
    for (millis, is_there) in [(90 * DAY_MILLIS - 1, true), (90 * DAY_MILLIS, false)] {
        let stored = fixture.domain.store.get(&key, left.plus_millis(millis)).await.unwrap();
        assert_eq!(stored.is_some(), is_there, "{millis}");
    }
}

#[tokio::test]
async fn a_suspended_tenant_pauses_its_sessions_and_ends_none() {
    for door in [SessionDoor::Plain, SessionDoor::TenantKey] {
        let (fixture, ann) = fixture().await;
        fixture.admin("root@example.org").await;
        let mut acme = tenant_of(&fixture, &ann, "acme").await;
        let signed_in = fixture.sign_in(ANN).await;
        let claims = crate::id_token::verify(&fixture.domain, &signed_in.id_token, fixture.now());
        let key = keyspace::session(&ann.id, &claims.unwrap().session_id);
        let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap().unwrap();
        let session = Session { door, ..Session::decode(&key, &stored).unwrap() };
        let entry = session.encode().unwrap();
        fixture.domain.store.put(&key, Entry::new(&entry), fixture.now()).await.unwrap();
        let before = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
        acme.status = TenantStatus::Suspended;
        fixture.put_tenant(&acme).await;
        assert_eq!(refused(&fixture, &token(&signed_in)).await, Code::TenantDisabled);
        assert_eq!(fixture.domain.store.get(&key, fixture.now()).await.unwrap(), before);
        acme.status = TenantStatus::Active;
        fixture.put_tenant(&acme).await;
        let found = shown(&fixture, &token(&signed_in)).await.unwrap();
        assert_eq!(found.tenant_id.as_ref(), Some(&acme.id), "{door:?}");
        acme.status = TenantStatus::Deleting;
        fixture.put_tenant(&acme).await;
        let after = shown(&fixture, &found.refresh_token).await;
        match door {
            SessionDoor::Plain => assert_eq!(after.unwrap().tenant_id, None),
            _ => assert_eq!(after.unwrap_err().code(), Code::InvalidRefreshToken),
        }
    }
}

/// A stranger who knows a session's id has few chains of hashes made, and takes no refresh from its owner,
/// nor hides that a token was used twice: its holder is told to come again.
#[tokio::test]
async fn made_up_old_tokens_are_counted_apart_and_hide_no_theft() {
    let mut fixture = Fixture::new().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let stolen = token(&fixture.sign_in(ANN).await);
    let mut present = stolen.clone();
    for _ in 0..3 {
        present = shown(&fixture, &present).await.unwrap().refresh_token;
    }
    fixture.domain.settings.limits.enabled = true;
    let (head, secret) = stolen.expose_secret().rsplit_once('.').unwrap();
    // No 256 bits, or a second spelling of them: no token at all.
    let mut twisted = secret.to_owned();
    twisted.pop();
    // Its last two bits are none of the 256.
    twisted.push('B');
    for text in ["A".repeat(900), "A".repeat(42), "A".repeat(44), twisted, secret.to_owned() + "="]
    {
        assert!(RefreshToken::parse(&format!("{head}.{text}").into()).is_none(), "{text}");
    }
    let made_up = SecretString::from(format!("{head}.{}", "A".repeat(43)));
    for turn in 0..100 {
        let expected = if turn < 60 { Code::InvalidRefreshToken } else { Code::RateLimited };
        assert_eq!(refused(&fixture, &made_up).await, expected, "{turn}");
    }
    present = shown(&fixture, &present).await.unwrap().refresh_token;
    assert_eq!(refused(&fixture, &stolen).await, Code::RateLimited);
    fixture.clock.advance(2 * 60_000);
    assert_eq!(refused(&fixture, &stolen).await, Code::InvalidRefreshToken);
    assert_eq!(refused(&fixture, &present).await, Code::InvalidRefreshToken);
}
