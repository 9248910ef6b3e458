//! A world in which everything is in order, for tests of the decision to change.

use std::collections::BTreeSet;

use crate::api_key::{AcceptedKey, KeyScope};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::email::Email;
use crate::id::{ClientId, EventType, RoleName, SessionId, Slug, TenantId, TenantRef, UserId};
use crate::id_token::{Holder, IdToken};
use crate::legacy::Shown;
use crate::membership::Membership;
use crate::record::Lasting;
use crate::scope::ScopeSet;
use crate::session::{Session, SessionDoor};
use crate::settings::TenantTemplate;
use crate::tenant::{Tenant, TenantStatus};
use crate::testing::worker_id;
use crate::token_exchange::facts::{Facts, Named, Place};
use crate::token_exchange::{Decision, Exchange, decide};
use crate::user::{GlobalRole, User};
use crate::worker::{Credentials, Worker, WorkerStatus};

pub(super) const BEFORE: Timestamp = Timestamp::from_millis(1_000_000);
pub(super) const SIGN_IN: Timestamp = Timestamp::from_millis(2_000_000);
pub(super) const AFTER: Timestamp = Timestamp::from_millis(3_000_000);

pub(super) fn tenant_id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

pub(super) fn tenant_ref(text: &str) -> Option<TenantRef> {
    Some(TenantRef::parse(text).unwrap())
}

pub(super) fn scopes(text: &str) -> Option<ScopeSet> {
    Some(ScopeSet::parse(text).unwrap())
}

pub(super) fn events(list: &[&str]) -> Vec<EventType> {
    list.iter().map(|event| EventType::parse(event).unwrap()).collect()
}

pub(super) fn tenant(id: &str) -> Tenant {
    Tenant {
        id: tenant_id(id),
        slug: Slug::parse("acme").unwrap(),
        name: "Acme".to_owned(),
        status: TenantStatus::Active,
        self_sign_up: false,
        created_at: BEFORE,
    }
}

pub(super) fn template_client(id: &str) -> Client {
    let clients = TenantTemplate::shipped().unwrap().clients(BEFORE).unwrap();
    clients.into_iter().find(|client| client.id.as_str() == id).unwrap()
}

pub(super) fn membership(tenant: &str, user: &UserId) -> Membership {
    let roles = ["JOBS_OPERATOR", "CODEQ_PRODUCER", "CODEQ_WORKER", "TENANT_ADMIN"];
    let roles = roles.iter().map(|role| RoleName::parse(role).unwrap()).collect();
    Membership::new(tenant_id(tenant), user.clone(), roles, BEFORE)
}

/// What a row changes.
#[derive(Debug)]
pub(super) struct World {
    pub(super) facts: Facts,
    pub(super) request: Exchange,
}

impl World {
    /// A member of `t-acme` who asks for `backend-worker` with his tenant in the token.
    pub(super) fn in_order() -> Self {
        let user_id = UserId::parse("0193a5c8-1f6e-7000-8000-00000000000a").unwrap();
        let email = Email::parse("ann@example.org").unwrap();
        let user = User::new(user_id.clone(), email, GlobalRole::CompanyEmployee, BEFORE);
        let session_id = SessionId::parse("01JD0000000000000000000000").unwrap();
        let session = Session {
            id: session_id.clone(),
            user_id: user_id.clone(),
            created_at: SIGN_IN,
            refreshed_at: SIGN_IN,
            ver: user.ver,
            tenant_id: Some(tenant_id("t-acme")),
            client_id: None,
            door: SessionDoor::Plain,
            amr: vec!["pwd".to_owned()],
            user_agent: None,
            ip: None,
            refresh: None,
        };
        let membership = membership("t-acme", &user_id);
        let token = IdToken {
            ver: user.ver,
            mver: Some(membership.mver),
            user_id,
            session_id,
            tenant_id: Some(tenant_id("t-acme")),
            client_id: None,
            jti: "j1".to_owned(),
            issued_at: 2000,
        };
        let holder = Holder {
            user: Some(user),
            session: Some(session),
            denied: false,
            client: None,
            tenant: Some(tenant("t-acme")),
            membership: Some(membership.clone()),
        };
        let place = Place {
            tenant: Some(tenant("t-acme")),
            membership: Some(membership),
            roles: TenantTemplate::shipped().unwrap().roles(),
            client: Some(template_client("backend-worker")),
            worker: None,
            subject_is_user: false,
        };
        let api_key = Ok(AcceptedKey { scopes: KeyScope::ALL.into(), tenant_id: None });
        let facts = Facts {
            api_key,
            token: Ok(Shown::Own(token)),
            holder,
            not_before: None,
            body_tenant: Named::Nothing,
            header_tenant: Named::Nothing,
            place,
        };
        Self { facts, request: request("backend-worker") }
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&self.facts, &self.request)
    }

    pub(super) fn token(&mut self) -> &mut IdToken {
        match self.facts.token.as_mut().unwrap() {
            Shown::Own(token) => token,
            Shown::Legacy(_) => panic!("a token of an older Tikti"),
        }
    }

    pub(super) fn user(&mut self) -> &mut User {
        self.facts.holder.user.as_mut().unwrap()
    }

    pub(super) fn session(&mut self) -> &mut Session {
        self.facts.holder.session.as_mut().unwrap()
    }

    pub(super) fn place_membership(&mut self) -> &mut Membership {
        self.facts.place.membership.as_mut().unwrap()
    }

    pub(super) fn client(&mut self) -> &mut Client {
        self.facts.place.client.as_mut().unwrap()
    }

    pub(super) fn for_audience(&mut self, id: &str) {
        self.request.audience = ClientId::parse(id).unwrap();
        self.facts.place.client = Some(template_client(id));
    }

    /// The body names the tenant `t-beta`, of which the user is a member too.
    pub(super) fn elsewhere(&mut self) {
        let user_id = self.user().id.clone();
        self.request.tenant = tenant_ref("beta");
        self.facts.body_tenant = Named::Tenant(tenant_id("t-beta"));
        self.facts.place.tenant = Some(tenant("t-beta"));
        let mut held = membership("t-beta", &user_id);
        held.mver += 7;
        self.facts.place.membership = Some(held);
    }

    /// The request is for a registered worker that the caller may act for.
    pub(super) fn for_worker(&mut self) -> &mut Worker {
        self.request.subject = Some("worker-01".to_owned());
        let worker = Worker {
            id: worker_id("worker-01"),
            clients: [self.request.audience.clone()].into(),
            scopes: ScopeSet::parse("jobs:read").unwrap(),
            event_types: events(&["render"]).into_iter().collect(),
            mintable_by: BTreeSet::new(),
            custom_tokens: false,
            credentials: Credentials::default(),
            status: WorkerStatus::Active,
            wver: 5,
            created_at: BEFORE,
        };
        match self.facts.place.worker.insert(Lasting::Live(worker)) {
            Lasting::Live(worker) => worker,
            Lasting::Tombstone(_) => unreachable!("a live worker was put there"),
        }
    }
}

pub(super) fn request(audience: &str) -> Exchange {
    Exchange {
        id_token: "not looked at by the decision".to_owned().into(),
        audience: ClientId::parse(audience).unwrap(),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: None,
        tenant_header: None,
    }
}
