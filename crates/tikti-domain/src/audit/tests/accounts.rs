//! What administrators do to users: each call that changes something leaves one event, whoever dies
//! wherever, and no other call leaves any.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::task::Poll;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::*;
use crate::account::{
    Revoke, RevokeScope, SetStatus, SignUp, UpdateUser, delete_account, find_by_email, remove_user,
    reset_user_password, revoke, revoke_jti, set_status, sign_up, update_user,
};
use crate::email::Email;
use crate::error::Error;
use crate::id_token;
use crate::membership::Membership;
use crate::testing::{PASSWORD, START, keyed, keyed_bearing};
use crate::user::{GlobalRole, User, UserStatus};

const ANN: &str = "ann@example.org";
const NEW: &str = "new@example.org";
const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// A call, on the user Ann or on one who is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Suspend,
    SuspendAdmin,
    Promote,
    Update,
    Delete,
    DeleteAdmin,
    SignUp,
    SignUpAdmin,
    Join,
    Revoke,
    RevokeInTenant,
    RevokeToken,
    ResetPassword,
    DeleteOneself,
}

impl Call {
    const ALL: [Self; 14] = [
        Self::Suspend,
        Self::SuspendAdmin,
        Self::Promote,
        Self::Update,
        Self::Delete,
        Self::DeleteAdmin,
        Self::SignUp,
        Self::SignUpAdmin,
        Self::Join,
        Self::Revoke,
        Self::RevokeInTenant,
        Self::RevokeToken,
        Self::ResetPassword,
        Self::DeleteOneself,
    ];

    /// What Ann is before.
    fn role(self) -> GlobalRole {
        match self {
            Self::SuspendAdmin | Self::DeleteAdmin => GlobalRole::Admin,
            _ => GlobalRole::CompanyEmployee,
        }
    }

    /// What the audit says of it: action and details.
    fn told(self, world: &World) -> (&'static str, Value) {
        match self {
            Self::Suspend | Self::SuspendAdmin => ("user.update", json!({"status": "SUSPENDED"})),
            Self::Promote => ("user.update", json!({"role": "ADMIN"})),
            Self::Update => (
                "user.update",
                json!({
                    "defaultTenantId": world.acme.as_str(),
                    "displayName": "given",
                    "emailVerified": "true",
                }),
            ),
            Self::Delete | Self::DeleteAdmin | Self::DeleteOneself => ("user.delete", Value::Null),
            Self::SignUp | Self::Join => ("user.create", json!({"role": "COMPANY_EMPLOYEE"})),
            Self::SignUpAdmin => ("user.create", json!({"role": "ADMIN"})),
            Self::Revoke => ("user.revoke", Value::Null),
            Self::RevokeInTenant => ("member.revoke", Value::Null),
            Self::RevokeToken => {
                ("token.revoke", json!({"tokenUse": "id", "userId": world.ann.id.as_str()}))
            }
            Self::ResetPassword => ("oob.send", json!({"requestType": "PASSWORD_RESET"})),
        }
    }
}

struct World {
    fixture: Fixture,
    acme: TenantId,
    /// As she was in the beginning.
    ann: User,
    mver: u64,
    anns_token: SecretString,
    roots_token: SecretString,
    before: [usize; 2],
}

impl World {
    async fn new(call: Call) -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await.id;
        let ann = fixture.user(ANN, call.role()).await;
        let mver = fixture.member(&acme, &ann, &["TENANT_USER"]).await.mver;
        let ann = fixture.reload(&ann).await;
        let anns_token = fixture.sign_in(ANN).await.id_token;
        let roots_token = fixture.sign_in("root@corp.sys").await.id_token;
        let mut world = Self { fixture, acme, ann, mver, anns_token, roots_token, before: [0, 0] };
        world.before = [world.links(0).await.len(), world.links(1).await.len()];
        world
    }

    fn root(&self) -> Caller {
        from_here(keyed_bearing(&self.roots_token))
    }

    /// The links of the deployment's chain, or of the tenant's, that were not there in the beginning.
    async fn links(&self, chain: usize) -> Vec<Link> {
        let chains = [Chain::Deployment, Chain::Tenant(self.acme.clone())];
        let links = links_of(&self.fixture.domain, &chains[chain], self.fixture.now()).await;
        links.into_iter().skip(self.before[chain]).collect()
    }

    /// The text of every new event.
    async fn events(&self) -> Vec<String> {
        let (deployment, tenant) = (self.links(0).await, self.links(1).await);
        deployment.into_iter().chain(tenant).map(|link| link.event).collect()
    }

    fn jti(&self) -> String {
        id_token::verify(&self.fixture.domain, &self.anns_token, START).unwrap().jti
    }

    async fn run(&self, call: Call, domain: &Domain, caller: &Caller) -> Result<(), Error> {
        let id = &self.ann.id;
        let email = Email::parse(ANN).unwrap();
        match call {
            Call::Suspend | Call::SuspendAdmin => {
                let ask = SetStatus { email, status: UserStatus::Suspended };
                set_status(domain, caller, &ask).await.map(drop)
            }
            Call::Promote => {
                let ask = UpdateUser { role: Some(GlobalRole::Admin), ..UpdateUser::default() };
                update_user(domain, caller, (id, &ask)).await.map(drop)
            }
            Call::Update => {
                let ask = UpdateUser {
                    display_name: Some(ANN.to_owned()),
                    email_verified: Some(true),
                    default_tenant: Some(TenantRef::from(&self.acme)),
                    ..UpdateUser::default()
                };
                update_user(domain, caller, (id, &ask)).await.map(drop)
            }
            Call::Delete | Call::DeleteAdmin => remove_user(domain, caller, id).await,
            Call::SignUp | Call::SignUpAdmin | Call::Join => {
                self.sign_up(call, domain, caller).await
            }
            Call::Revoke | Call::RevokeInTenant => {
                let tenant = || RevokeScope::Tenant(TenantRef::from(&self.acme));
                let everything = call == Call::Revoke;
                let scope = if everything { RevokeScope::Global } else { tenant() };
                revoke(domain, caller, &Revoke { email, scope }).await.map(drop)
            }
            Call::RevokeToken => revoke_jti(domain, caller, &self.anns_token).await.map(drop),
            Call::ResetPassword => reset_user_password(domain, caller, (id, None)).await.map(drop),
            Call::DeleteOneself => {
                let caller = Caller { bearer: None, ..caller.clone() };
                delete_account(domain, &caller, &self.anns_token).await.map(drop)
            }
        }
    }

    async fn sign_up(&self, call: Call, domain: &Domain, caller: &Caller) -> Result<(), Error> {
        let tenant = TenantRef::from(&self.acme);
        let joins = crate::account::Joins { tenant, roles: BTreeSet::new() };
        let ask = SignUp {
            email: Email::parse(NEW).unwrap(),
            password: PASSWORD.to_owned().into(),
            role: match call {
                Call::SignUpAdmin => GlobalRole::Admin,
                _ => GlobalRole::CompanyEmployee,
            },
            joins: (call == Call::Join).then_some(joins),
        };
        sign_up(domain, caller, &ask).await.map(drop)
    }

    async fn ann(&self) -> Option<User> {
        let key = keyspace::user(&self.ann.id);
        let stored = self.fixture.store().get(&key, self.fixture.now()).await.unwrap();
        User::load(&key, stored.as_ref()).unwrap()
    }

    /// Whether what the call is about has happened.
    async fn is_done(&self, call: Call) -> bool {
        let (domain, now) = (&self.fixture.domain, self.fixture.now());
        let ann = self.ann().await;
        match call {
            Call::Suspend | Call::SuspendAdmin => !ann.unwrap().is_active(),
            Call::Promote => ann.unwrap().is_admin(),
            Call::Update => ann.unwrap().display_name.is_some(),
            Call::Delete | Call::DeleteAdmin | Call::DeleteOneself => ann.is_none(),
            Call::SignUp | Call::SignUpAdmin | Call::Join => {
                let email = Email::parse(NEW).unwrap();
                find_by_email(domain, &email, now).await.unwrap().is_some()
            }
            Call::Revoke => ann.unwrap().ver != self.ann.ver,
            Call::RevokeInTenant => {
                let key = keyspace::member(&self.acme, &self.ann.id);
                let stored = domain.store.get(&key, now).await.unwrap().unwrap();
                Membership::decode(&key, &stored).unwrap().mver != self.mver
            }
            Call::RevokeToken => {
                let key = keyspace::denied_token(&self.ann.id, &self.jti());
                domain.store.get(&key, now).await.unwrap().is_some()
            }
            Call::ResetPassword => !self.fixture.mails().await.is_empty(),
        }
    }
}

fn from_here(caller: Caller) -> Caller {
    Caller { ip: Some(IP), request_id: "req-7".to_owned(), ..caller }
}

#[tokio::test]
async fn every_call_leaves_one_event_that_says_who_did_what_and_nothing_private() {
    for call in Call::ALL {
        let world = World::new(call).await;
        world.run(call, &world.fixture.domain, &world.root()).await.unwrap();
        assert!(world.is_done(call).await, "{call:?}");
        assert_clean(&world.fixture).await;
        let of_tenant = call == Call::RevokeInTenant;
        assert_eq!(world.links(usize::from(!of_tenant)).await, [], "{call:?}");
        let [event] = &world.events().await[..] else { panic!("{call:?}") };
        for private in ["@", PASSWORD, world.anns_token.expose_secret()] {
            assert!(!event.contains(private), "{call:?}: {event}");
        }
        let event: Value = serde_json::from_str(event).unwrap();
        let (action, details) = call.told(&world);
        assert_eq!(event["action"], action, "{call:?}");
        assert_eq!(event.get("details").unwrap_or(&Value::Null), &details, "{call:?}");
        let found = find_by_email(&world.fixture.domain, &Email::parse(NEW).unwrap(), START).await;
        let target = match call {
            Call::SignUp | Call::SignUpAdmin | Call::Join => found.unwrap().unwrap().id.to_string(),
            Call::RevokeToken => world.jti(),
            _ => world.ann.id.to_string(),
        };
        assert_eq!(event["target"], target.as_str(), "{call:?}");
        let token = match call {
            Call::DeleteOneself => &world.anns_token,
            _ => &world.roots_token,
        };
        let token = id_token::verify(&world.fixture.domain, token, START).unwrap();
        let actor = json!({
            "type": "user",
            "id": token.user_id.as_str(),
            "sessionId": token.session_id.as_str(),
            "ip": "192.0.2.7",
        });
        assert_eq!(event["actor"], actor, "{call:?}");
        assert_eq!(event["time"], clock::rfc3339(START), "{call:?}");
        assert_eq!((&event["requestId"], &event["outcome"]), (&json!("req-7"), &json!("success")));
        let in_tenant = [Call::Join, Call::RevokeInTenant].contains(&call);
        let tenant = in_tenant.then(|| json!(world.acme.as_str()));
        assert_eq!(event.get("tenantId"), tenant.as_ref(), "{call:?}");
        assert_eq!(event.get("crossTenant"), None, "{call:?}");
    }
}

#[tokio::test]
async fn refused_calls_and_those_that_change_nothing_leave_no_event() {
    for call in Call::ALL {
        let world = World::new(call).await;
        let domain = &world.fixture.domain;
        world.fixture.user("eve@example.org", GlobalRole::CompanyAdmin).await;
        let eve = world.fixture.sign_in("eve@example.org").await.id_token;
        let strangers = match call {
            // He shows his token in the body.
            Call::DeleteOneself => vec![Caller::default()],
            _ => vec![Caller::default(), keyed(), keyed_bearing(&eve)],
        };
        for stranger in strangers {
            let refused = world.run(call, domain, &from_here(stranger)).await.unwrap_err();
            assert!(matches!(refused, Error::Refused(_)), "{call:?}: {refused:?}");
        }
        assert_eq!(world.events().await, Vec::<String>::new(), "{call:?}");
        // Once more: what is so already, or is there no more.
        world.run(call, domain, &world.root()).await.unwrap();
        let again = world.run(call, domain, &world.root()).await;
        let changes_again = [Call::Revoke, Call::RevokeInTenant, Call::ResetPassword];
        let expected = 1 + usize::from(changes_again.contains(&call));
        assert_eq!(world.events().await.len(), expected, "{call:?}: {again:?}");
        assert_clean(&world.fixture).await;
    }
}

#[tokio::test]
async fn the_last_administrator_who_is_refused_leaves_no_event() {
    let fixture = Fixture::new().await;
    let root = fixture.admin("root@corp.sys").await;
    let token = fixture.sign_in("root@corp.sys").await.id_token;
    let (domain, caller) = (&fixture.domain, keyed_bearing(&token));
    let email = || Email::parse("root@corp.sys").unwrap();
    let suspend = SetStatus { email: email(), status: UserStatus::Suspended };
    let demote = UpdateUser { role: Some(GlobalRole::CompanyEmployee), ..UpdateUser::default() };
    for refused in [
        set_status(domain, &caller, &suspend).await.map(drop),
        update_user(domain, &caller, (&root.id, &demote)).await.map(drop),
        remove_user(domain, &caller, &root.id).await,
        delete_account(domain, &caller, &token).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::LastAdmin);
    }
    assert_eq!(links_of(domain, &Chain::Deployment, fixture.now()).await, []);
    assert_clean(&fixture).await;
}

/// A membership that is refused after its user was made takes the user back: then both are told.
#[tokio::test]
async fn a_user_who_was_made_and_taken_back_is_told_of_twice() {
    for waits in 1.. {
        let world = World::new(Call::Join).await;
        let (domain, caller) = (&world.fixture.domain, world.root());
        let mut joining = Box::pin(world.run(Call::Join, domain, &caller));
        // On the embedded engine it waits for the password's hash first, having seen the tenant.
        let mut polled = 0;
        let early = poll_fn(|context| match joining.as_mut().poll(context) {
            Poll::Ready(joined) => Poll::Ready(Some(joined)),
            Poll::Pending => {
                polled += 1;
                if polled == waits { Poll::Ready(None) } else { Poll::Pending }
            }
        });
        let early = early.await;
        crate::tenancy::delete_tenant(domain, &world.acme, START).await.unwrap();
        let joined = match early {
            Some(joined) => joined,
            None => joining.await,
        };
        assert_eq!(joined.unwrap_err().code(), Code::TenantNotFound, "after {waits} waits");
        let told = world.events().await;
        let told = told.iter().map(|event| serde_json::from_str::<Value>(event).unwrap());
        let told: Vec<_> =
            told.map(|event| (event["action"].clone(), event["target"].clone())).collect();
        assert!(!world.is_done(Call::Join).await);
        assert_clean(&world.fixture).await;
        if let [(created, made), (deleted, gone)] = &told[..] {
            assert_eq!((created, deleted), (&json!("user.create"), &json!("user.delete")));
            assert_eq!(made, gone);
            return;
        }
        // The tenant went before it was looked at: nothing was made.
        assert_eq!(told, []);
    }
}

/// Wherever a process dies, after one sweep an event is there exactly where its change is.
#[tokio::test]
async fn neither_a_change_nor_its_event_is_there_alone_wherever_a_process_dies() {
    for call in Call::ALL {
        let (mut calls, mut linked_by_sweep) = (0, 0);
        loop {
            let when = format!("{call:?} after {calls} calls");
            let world = World::new(call).await;
            let plan = FaultPlan::crash_after(calls);
            let replica = world.fixture.replica(2, &plan).await;
            let outcome = Box::pin(world.run(call, &replica, &world.root())).await;
            let linked = world.events().await.len();
            world.fixture.clock.advance(SWEEP_AFTER_MILLIS);
            let now = world.fixture.now();
            let swept = sweep(&world.fixture.domain, &mut SweepCursor::default(), now).await;
            assert_eq!(swept.unwrap().failed, 0, "{when}");
            let events = world.events().await.len();
            linked_by_sweep += events - linked;
            let done = world.is_done(call).await;
            assert_eq!(events, usize::from(done), "{when}");
            assert!(done || outcome.is_err(), "{when}");
            assert_clean(&world.fixture).await;
            if plan.calls() <= calls {
                break;
            }
            calls += 1;
        }
        assert!(linked_by_sweep > 0, "{call:?}: no crash between change and link");
    }
}

/// Two administrators at once: of one deletion there is one event.
#[tokio::test]
async fn what_happens_once_is_told_once_however_many_ask_for_it() {
    for call in [Call::Suspend, Call::Promote, Call::Delete, Call::DeleteAdmin, Call::RevokeToken] {
        let world = World::new(call).await;
        let never = FaultPlan::crash_after(u64::MAX - 1);
        let mut replicas = Vec::new();
        for seed in 2..6 {
            replicas.push(world.fixture.replica(seed, &Arc::clone(&never)).await);
        }
        let caller = world.root();
        all(replicas.iter().map(|replica| world.run(call, replica, &caller))).await;
        assert!(world.is_done(call).await, "{call:?}");
        world.fixture.clock.advance(SWEEP_AFTER_MILLIS);
        let now = world.fixture.now();
        sweep(&world.fixture.domain, &mut SweepCursor::default(), now).await.unwrap();
        assert_eq!(world.events().await.len(), 1, "{call:?}");
        assert_clean(&world.fixture).await;
    }
}
