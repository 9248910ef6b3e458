//! Every way to end what was given out, and everything that it must not be good for after that.

use tikti_domain::Caller;
use tikti_domain::account::{
    Lookup, Refresh, Revoke, RevokeScope, SetStatus, SignOut, SignOutBy, SignedIn, UpdateAccount,
    Validate, delete_account, lookup, refresh, remove_user, revoke, revoke_jti, set_status,
    sign_out, update_account, validate,
};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::secret::SecretString;
use tikti_domain::testing::{Fixture, bearing, keyed, keyed_bearing};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::{GlobalRole, UserStatus};

const ANN: &str = "ann@example.org";
const ROOT: &str = "root@corp.sys";

/// A deployment with an administrator and Ann, who is a member of `acme`.
async fn world() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.admin(ROOT).await;
    let acme = fixture.tenant(ROOT, "acme").await;
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["JOBS_OPERATOR"]).await;
    fixture
}

async fn admin(fixture: &Fixture) -> Caller {
    keyed_bearing(&fixture.sign_in(ROOT).await.id_token)
}

fn ann() -> Email {
    Email::parse(ANN).unwrap()
}

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn code<T>(outcome: Result<T, Error>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

async fn looked_up(fixture: &Fixture, id_token: &SecretString) -> Option<Code> {
    let ask = Lookup { id_token: id_token.clone(), memberships: false };
    code(lookup(&fixture.domain, &keyed(), &ask).await)
}

async fn exchanged(fixture: &Fixture, id_token: &SecretString) -> Option<Code> {
    let ask = Exchange {
        id_token: id_token.clone(),
        audience: ClientId::parse("backend-worker").unwrap(),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: Some(acme()),
        tenant_header: None,
    };
    code(exchange(&fixture.domain, &keyed(), &ask).await)
}

async fn refreshed(fixture: &Fixture, session: &SignedIn) -> Result<SecretString, Code> {
    let ask = Refresh { token: session.refresh_token.clone().unwrap(), tenant: None };
    let done = refresh(&fixture.domain, &ask).await;
    done.map(|done| done.id_token).map_err(|error| error.code())
}

async fn revoked(fixture: &Fixture, scope: RevokeScope) {
    let ask = Revoke { email: ann(), scope };
    let done = revoke(&fixture.domain, &admin(fixture).await, &ask).await.unwrap();
    assert_eq!((done.email, done.revoked_at), (ann(), fixture.now()));
    assert!(done.token_version >= fixture.now().as_millis());
}

/// The ways by which what a user holds can be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    SignOut,
    SignOutEverywhere,
    Global,
    Tenant,
    Jti,
    Suspension,
    Deletion,
    DeletionByAdmin,
    NewPasswordElsewhere,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::SignOut,
        Self::SignOutEverywhere,
        Self::Global,
        Self::Tenant,
        Self::Jti,
        Self::Suspension,
        Self::Deletion,
        Self::DeletionByAdmin,
        Self::NewPasswordElsewhere,
    ];

    async fn end(self, fixture: &Fixture, session: &SignedIn) {
        let (domain, id_token) = (&fixture.domain, session.id_token.clone());
        match self {
            Self::SignOut | Self::SignOutEverywhere => {
                let everywhere = self == Self::SignOutEverywhere;
                let ask = SignOut { by: SignOutBy::IdToken(id_token), everywhere };
                sign_out(domain, &ask).await.unwrap();
            }
            Self::Global => revoked(fixture, RevokeScope::Global).await,
            Self::Tenant => revoked(fixture, RevokeScope::Tenant(acme())).await,
            Self::Jti => {
                revoke_jti(domain, &admin(fixture).await, &id_token).await.unwrap();
            }
            Self::Suspension => {
                let ask = SetStatus { email: ann(), status: UserStatus::Suspended };
                set_status(domain, &admin(fixture).await, &ask).await.unwrap();
            }
            Self::Deletion => {
                delete_account(domain, &keyed(), &id_token).await.unwrap();
            }
            Self::DeletionByAdmin => {
                remove_user(domain, &admin(fixture).await, &session.user_id).await.unwrap();
            }
            Self::NewPasswordElsewhere => {
                let ask = UpdateAccount {
                    id_token: fixture.sign_in(ANN).await.id_token,
                    email: None,
                    password: Some("a staple that is correct".to_owned().into()),
                    display_name: None,
                    default_tenant: None,
                };
                update_account(domain, &keyed(), &ask).await.unwrap();
            }
        }
    }
}

/// Attacks, row A2: a revoked subject token was still exchanged.
#[tokio::test]
async fn a2_what_was_ended_by_whichever_way_is_neither_exchanged_nor_refreshed_nor_looked_up() {
    for way in Way::ALL {
        let fixture = world().await;
        let session = fixture.sign_in(ANN).await;
        assert_eq!(exchanged(&fixture, &session.id_token).await, None);
        assert_eq!(looked_up(&fixture, &session.id_token).await, None);
        fixture.clock.advance(1);
        way.end(&fixture, &session).await;

        // Whoever was suspended is told so.
        let told = if way == Way::Suspension { Code::UserDisabled } else { Code::TokenRevoked };
        assert_eq!(looked_up(&fixture, &session.id_token).await, Some(told), "{way:?}");
        let refused = exchanged(&fixture, &session.id_token).await;
        // The table of the exchange judges the membership behind the session.
        let expected = if way == Way::Tenant { Code::MembershipRequired } else { told };
        assert_eq!(refused, Some(expected), "{way:?}");
        match (way, refreshed(&fixture, &session).await) {
            // The session goes on, and is of no use in this tenant.
            (Way::Tenant, Ok(fresh)) => {
                assert_eq!(exchanged(&fixture, &fresh).await, Some(Code::MembershipRequired));
            }
            // One token was denied, and no more.
            (Way::Jti, Ok(fresh)) => assert_eq!(exchanged(&fixture, &fresh).await, None),
            (_, outcome) => {
                assert_eq!(outcome.err(), Some(Code::InvalidRefreshToken), "{way:?}");
            }
        }
        let caller = bearing(&session.id_token);
        let page = tikti_domain::page::PageRequest::new(None, None).unwrap();
        let own = tikti_domain::account::list_sessions(&fixture.domain, &caller, &page).await;
        assert_eq!(code(own), Some(told), "{way:?}");
        let ask =
            Validate { token: session.id_token.clone(), audience: "tikti-identity".to_owned() };
        let judged = validate(&fixture.domain, &admin(&fixture).await, &ask).await;
        assert_eq!(code(judged), Some(Code::TokenRevoked), "{way:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Global,
    Tenant,
    Session,
}

/// What a session must be good for, by everything that was revoked since it began.
struct Model {
    session: SignedIn,
    globally: bool,
    in_tenant: bool,
    itself: bool,
}

/// Attacks, row L3: one cut-off hid another.
#[tokio::test]
async fn l3_revocations_of_every_level_hold_in_every_order() {
    use Level::{Global, Session, Tenant};
    for order in [
        [Global, Tenant, Session],
        [Global, Session, Tenant],
        [Tenant, Global, Session],
        [Tenant, Session, Global],
        [Session, Global, Tenant],
        [Session, Tenant, Global],
    ] {
        let fixture = world().await;
        let mut models = Vec::new();
        for (step, level) in order.into_iter().enumerate() {
            // Two sessions of before each: one that may be ended itself, and one that is not.
            for _ in 0..2 {
                fixture.clock.advance(1);
                let session = fixture.sign_in(ANN).await;
                let (globally, in_tenant, itself) = (false, false, false);
                models.push(Model { session, globally, in_tenant, itself });
            }
            fixture.clock.advance(1);
            match level {
                Global => revoked(&fixture, RevokeScope::Global).await,
                Tenant => revoked(&fixture, RevokeScope::Tenant(acme())).await,
                Session => {
                    let last = models.last_mut().unwrap();
                    last.itself = true;
                    let id_token = last.session.id_token.clone();
                    let ask = SignOut { by: SignOutBy::IdToken(id_token), everywhere: false };
                    sign_out(&fixture.domain, &ask).await.unwrap();
                }
            }
            for model in &mut models {
                model.globally |= level == Global;
                model.in_tenant |= level == Tenant;
            }
            for (number, model) in models.iter().enumerate() {
                let when = format!("{order:?} after {step}, session {number}");
                let id_token = &model.session.id_token;
                let is_good = !(model.globally || model.in_tenant || model.itself);
                assert_eq!(looked_up(&fixture, id_token).await.is_none(), is_good, "{when}");
                assert_eq!(exchanged(&fixture, id_token).await.is_none(), is_good, "{when}");
            }
        }
        for model in models {
            let goes_on = !(model.globally || model.itself);
            let outcome = refreshed(&fixture, &model.session).await;
            assert_eq!(outcome.is_ok(), goes_on, "{order:?}");
            if let Ok(fresh) = outcome {
                let is_good = exchanged(&fixture, &fresh).await.is_none();
                assert_eq!(is_good, !model.in_tenant, "{order:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_denied_token_stays_denied_for_as_long_as_a_verification_would_take_it() {
    let fixture = world().await;
    let session = fixture.sign_in(ANN).await;
    let done =
        revoke_jti(&fixture.domain, &admin(&fixture).await, &session.id_token).await.unwrap();
    assert_eq!(done.expires_at.as_millis(), fixture.now().as_millis() / 1000 * 1000 + 3_600_000);
    // With the difference of clocks that is allowed.
    fixture.clock.advance((3600 + 59) * 1000);
    assert_eq!(looked_up(&fixture, &session.id_token).await, Some(Code::TokenRevoked));
    fixture.clock.advance(2 * 1000);
    assert_eq!(looked_up(&fixture, &session.id_token).await, Some(Code::TokenExpired));
}

#[tokio::test]
async fn access_tokens_are_denied_by_their_id_and_shown_for_their_audience() {
    let fixture = world().await;
    let session = fixture.sign_in(ANN).await;
    let ask = Exchange {
        id_token: session.id_token.clone(),
        audience: ClientId::parse("backend-worker").unwrap(),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: None,
        tenant_header: None,
    };
    let token = exchange(&fixture.domain, &keyed(), &ask).await.unwrap().token;
    let root = admin(&fixture).await;
    let show = async |audience: &str| {
        let ask = Validate { token: token.clone(), audience: audience.to_owned() };
        validate(&fixture.domain, &root, &ask).await
    };
    let claims = show("backend-worker").await.unwrap();
    assert_eq!(claims["token_use"], "access");
    assert_eq!(claims["sub"], session.user_id.as_str());
    let Err(Error::Refused(refusal)) = show("codeq-worker").await else { panic!("it was shown") };
    assert_eq!(
        (refusal.code, refusal.details["step"].as_str()),
        (Code::InvalidIdToken, "audience")
    );
    let done = revoke_jti(&fixture.domain, &root, &token).await.unwrap();
    assert_eq!(claims["jti"], done.jti.as_str());
    let Err(Error::Refused(refusal)) = show("backend-worker").await else { panic!("it was shown") };
    assert_eq!(
        (refusal.code, refusal.details["step"].as_str()),
        (Code::TokenRevoked, "revocation")
    );
}

#[tokio::test]
async fn whoever_is_no_member_or_nobody_cannot_be_revoked() {
    let fixture = world().await;
    let root = admin(&fixture).await;
    fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    let tenant = |name: &str| RevokeScope::Tenant(TenantRef::parse(name).unwrap());
    for (email, scope, expected) in [
        ("nobody@example.org", RevokeScope::Global, Code::UserNotFound),
        ("bob@example.org", tenant("acme"), Code::UserNotFound),
        ("bob@example.org", tenant("nowhere"), Code::TenantNotFound),
    ] {
        let ask = Revoke { email: Email::parse(email).unwrap(), scope };
        assert_eq!(code(revoke(&fixture.domain, &root, &ask).await), Some(expected), "{email}");
    }
}
