//! What does each scenario send, and beside what is it measured?
//!
//! Everything is sent once before anything is measured: a refusal ends the command as it ends any other, and a
//! good reply is what the echo answers.
//!
//! Spec: Performance (scenarios and baselines); HTTP API, "Identity".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use secrecy::ExposeSecret;
use serde::Serialize;
use tikti_load::{Asking, Client, Connection, End};
use tikti_server::api::{
    ExchangeRequest, LookupRequest, ScopeList, SignInReply, SignInRequest, SignOutRequest,
};
use tikti_server::baseline::Hashing;

use super::clients::{Call, Mixed, Refresh, Refreshing, Session, SigningIn, call_of};
use super::options::{Load, PersonArgs, WantedArgs, saturating};
use super::raw;
use super::server::Server;
use crate::cli::token::words;
use crate::context::Target;
use crate::exit::Failure;

/// Those that ask at the same time.
pub(super) type Clients = Vec<Box<dyn Client>>;

/// What is measured.
pub(super) struct Subject {
    pub(super) scenario: &'static str,
    pub(super) clients: Clients,
    /// Those that keep the server busy meanwhile.
    pub(super) beside: Clients,
    pub(super) baselines: Vec<Baseline>,
    /// What the echo answers, by path.
    pub(super) payloads: Vec<(String, Vec<u8>)>,
    /// Whose sessions the sign-ins have begun, and how many.
    pub(super) begun: Option<(String, Arc<AtomicU64>)>,
    /// Sessions that exist for the bench alone.
    own: Vec<Session>,
}

/// What is measured beside it.
pub(super) struct Baseline {
    pub(super) name: &'static str,
    /// For people.
    pub(super) what: &'static str,
    pub(super) work: Work,
}

/// Those that do a baseline: made when it is measured, since some of it lies on the disk or in another process.
pub(super) enum Work {
    /// The echo, asked by so many for the same.
    Echo { requests: Vec<Vec<u8>>, clients: usize },
    /// As the echo, with an RSA-2048 signature before each request.
    SignatureAndEcho { requests: Vec<Vec<u8>>, clients: usize },
    /// The server itself, alone.
    Alone(Clients),
    /// Work in this process: one call does so many of it.
    Raw { make: fn() -> Result<Clients, Failure>, each: u32 },
    /// Checks of a password.
    Bcrypt(Hashing),
}

type To<'a> = (&'a Server, &'a Load);

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value)
        .map_err(|cause| Failure::refused(format!("writing a request: {cause}")))
}

impl Subject {
    fn new(scenario: &'static str, clients: Clients) -> Self {
        Self {
            scenario,
            clients,
            beside: Vec::new(),
            baselines: Vec::new(),
            payloads: Vec::new(),
            begun: None,
            own: Vec::new(),
        }
    }

    /// One request, over and over, beside the echo of its reply.
    fn of_one_call(scenario: &'static str, (server, load): To<'_>, call: Asked) -> Self {
        let Asked { path, request, reply } = call;
        let count = load.connections();
        let mut subject =
            Self::new(scenario, boxed(Asking::all(server.address, vec![request.clone()], count)));
        subject.payloads = vec![(path, reply)];
        subject.beside_echo(vec![request], count);
        subject
    }

    fn beside_echo(&mut self, requests: Vec<Vec<u8>>, clients: usize) {
        self.baselines.push(Baseline {
            name: "echo",
            what: "bare HTTP echo",
            work: Work::Echo { requests, clients },
        });
    }

    fn beside_raw(&mut self, names: (&'static str, &'static str), work: Work) {
        self.baselines.push(Baseline { name: names.0, what: names.1, work });
    }

    fn beside_tokens_and_reads(&mut self) {
        let hmacs = Work::Raw { make: raw::hmacs, each: raw::HMACS };
        self.beside_raw(("hmacSha256", "HMAC-SHA256"), hmacs);
        let reads = Work::Raw { make: raw::point_reads, each: raw::READS };
        self.beside_raw(("pointReads", "point reads of the engine"), reads);
    }

    /// Ends the sessions that were begun for the bench alone; where one cannot be ended it ends by itself.
    pub(super) fn sign_out(&self, server: &Server) {
        let path = server.path(&["v1", "accounts", "signOut"]);
        for session in &self.own {
            let refresh_token = session.refresh_token().expose_secret().to_owned();
            let request = SignOutRequest {
                id_token: None,
                refresh_token: Some(refresh_token),
                everywhere: None,
            };
            let _ =
                json(&request).and_then(|body| server.ask_once(&server.post(&path, &[], &body)));
        }
    }

    /// How many sessions were begun and stay, and whose they are.
    pub(super) fn left(&self) -> Option<(&str, u64)> {
        let (user, begun) = self.begun.as_ref()?;
        Some((user, begun.load(Ordering::Relaxed)))
    }
}

pub(super) fn boxed<C: Client + 'static>(clients: Vec<C>) -> Clients {
    clients.into_iter().map(|client| Box::new(client) as Box<dyn Client>).collect()
}

/// A call that was made once.
struct Asked {
    path: String,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Asked {
    fn post(
        server: &Server,
        segments: &[&str],
        target: Option<&Target>,
        body: &impl Serialize,
    ) -> Result<Self, Failure> {
        let path = server.path(segments);
        let key = target.and_then(|target| target.api_key.as_ref());
        let headers = Vec::from_iter(key.map(|key| ("X-API-Key", key.expose_secret())));
        let request = server.post(&path, &headers, &json(body)?);
        let reply = server.ask_once(&request)?;
        Ok(Self { path, request, reply })
    }

    fn lookup(server: &Server, target: &Target) -> Result<Self, Failure> {
        let id_token = target.id_token()?.expose_secret().to_owned();
        let body = LookupRequest { id_token, memberships: None };
        Self::post(server, &["v1", "accounts", "lookup"], Some(target), &body)
    }

    fn exchange(server: &Server, target: &Target, wanted: &WantedArgs) -> Result<Self, Failure> {
        let body = ExchangeRequest {
            id_token: target.id_token()?.expose_secret().to_owned(),
            audience: wanted.aud.clone(),
            scopes: words("--scope", &wanted.scope)?.map(ScopeList::List),
            event_types: None,
            ttl_seconds: None,
            subject: wanted.sub.clone(),
            tenant_id: wanted.tenant.clone().or_else(|| target.tenant.clone()),
        };
        Self::post(server, &["v1", "accounts", "token", "exchange"], Some(target), &body)
    }

    fn jwks(server: &Server) -> Result<Self, Failure> {
        let path = server.path(&[".well-known", "jwks.json"]);
        let request = server.get(&path);
        let reply = server.ask_once(&request)?;
        Ok(Self { path, request, reply })
    }

    /// By the door of the API key where there is one, as `auth login` does.
    fn sign_in(server: &Server, target: &Target, person: &PersonArgs) -> Result<Self, Failure> {
        let body = SignInRequest {
            email: person.user.clone(),
            password: person.password()?.expose_secret().to_owned(),
            return_secure_token: Some(true),
            tenant_id: None,
            client_id: None,
        };
        let call = if target.api_key.is_some() { "signInWithPassword" } else { "signIn" };
        Self::post(server, &["v1", "accounts", call], Some(target), &body)
    }

    fn session(&self) -> Result<Session, Failure> {
        session_of(&self.reply)
    }
}

fn session_of(reply: &[u8]) -> Result<Session, Failure> {
    let reply = serde_json::from_slice::<SignInReply>(reply).ok();
    let token = reply.and_then(|reply| reply.refresh_token);
    token.map(Session::new).ok_or_else(|| Failure::refused("a sign-in gave no refresh token"))
}

pub(super) fn lookup(to: To<'_>, target: &Target) -> Result<Subject, Failure> {
    let call = Asked::lookup(to.0, target)?;
    let mut subject = Subject::of_one_call("lookup", to, call);
    subject.beside_tokens_and_reads();
    Ok(subject)
}

pub(super) fn jwks(to: To<'_>) -> Result<Subject, Failure> {
    Ok(Subject::of_one_call("jwks", to, Asked::jwks(to.0)?))
}

pub(super) fn exchange(
    to: To<'_>,
    target: &Target,
    wanted: &WantedArgs,
) -> Result<Subject, Failure> {
    let call = Asked::exchange(to.0, target, wanted)?;
    let (requests, clients) = (vec![call.request.clone()], to.1.connections());
    let mut subject = Subject::of_one_call("exchange", to, call);
    let signatures = Work::Raw { make: raw::rsa, each: 1 };
    subject.beside_raw(("rsa2048", "RSA-2048 signatures"), signatures);
    let both = Work::SignatureAndEcho { requests, clients };
    subject.beside_raw(("rsa2048AndEcho", "RSA-2048 signature, then echo"), both);
    Ok(subject)
}

/// Sign-ins that leave their sessions behind.
pub(super) fn sign_in(
    (server, load): To<'_>,
    target: &Target,
    (scenario, person, hashing): (&'static str, &PersonArgs, Hashing),
) -> Result<Subject, Failure> {
    let call = Asked::sign_in(server, target, person)?;
    // The one that was tried is not of the number that was asked for.
    let own = vec![call.session()?];
    let (clients, begun) = signing_in(server, call, load.sign_ins(hashing));
    let begun = Some((person.user.clone(), begun));
    let mut subject = Subject { begun, own, ..Subject::new(scenario, clients) };
    subject.beside_raw(("bcrypt", "bcrypt"), Work::Bcrypt(hashing));
    Ok(subject)
}

fn signing_in(server: &Server, call: Asked, count: usize) -> (Clients, Arc<AtomicU64>) {
    let begun = Arc::new(AtomicU64::new(0));
    let clients = Asking::all(server.address, vec![call.request], count).into_iter();
    let clients = clients.map(|asking| SigningIn { asking, begun: Arc::clone(&begun) });
    (boxed(clients.collect()), begun)
}

/// Signs in so often.
fn sessions(server: &Server, call: &Asked, count: usize) -> Result<Vec<Session>, Failure> {
    let mut sessions = vec![call.session()?];
    while sessions.len() < count {
        sessions.push(session_of(&server.ask_once(&call.request)?)?);
    }
    Ok(sessions)
}

pub(super) fn refresh(
    (server, load): To<'_>,
    target: &Target,
    person: &PersonArgs,
) -> Result<Subject, Failure> {
    let call = Asked::sign_in(server, target, person)?;
    let count = load.sessions();
    let own = sessions(server, &call, count)?;
    let server = Arc::new(server.clone());
    let refreshes = Vec::from_iter(own.iter().map(|own| Refresh::new(&server, own.clone())));
    let (path, payload, request) = refresh_once(&server, &refreshes)?;
    let client = |refresh| Refreshing { connection: Connection::later(server.address), refresh };
    let clients = boxed(refreshes.into_iter().map(client).collect());
    let mut subject = Subject { own, ..Subject::new("refresh", clients) };
    subject.payloads = vec![(path, payload)];
    subject.beside_echo(vec![request], count);
    subject.beside_tokens_and_reads();
    Ok(subject)
}

/// Path, reply and request of one refresh, by the first session.
fn refresh_once(
    server: &Server,
    refreshes: &[Refresh],
) -> Result<(String, Vec<u8>, Vec<u8>), Failure> {
    let refresh = refreshes.first().ok_or_else(|| Failure::usage("no session is refreshed"))?;
    let request = refresh.request()?;
    let reply = server.ask_once(&request)?;
    refresh.hear(Ok(tikti_load::Reply { status: 200, body: &reply }));
    Ok((refresh.path().to_owned(), reply, request))
}

pub(super) fn mixed(
    (server, load): To<'_>,
    target: &Target,
    (person, wanted): (&PersonArgs, &WantedArgs),
) -> Result<Subject, Failure> {
    let lookup = Asked::lookup(server, target)?;
    let exchange = Asked::exchange(server, target, wanted)?;
    let jwks = Asked::jwks(server)?;
    let call = Asked::sign_in(server, target, person)?;
    let count = load.sessions();
    let own = sessions(server, &call, count)?;
    let server = Arc::new(server.clone());
    let refreshes = Vec::from_iter(own.iter().map(|own| Refresh::new(&server, own.clone())));
    let (path, payload, request) = refresh_once(&server, &refreshes)?;
    let requests = (0..20).map(|turn| match call_of(turn) {
        Call::Lookup => lookup.request.clone(),
        Call::Exchange => exchange.request.clone(),
        Call::Jwks => jwks.request.clone(),
        Call::Refresh => request.clone(),
    });
    let requests = requests.collect();
    let shared = [lookup.request, exchange.request, jwks.request].map(Arc::<[u8]>::from);
    let clients = refreshes.into_iter().map(|refresh| {
        let [lookup, exchange, jwks] = shared.clone();
        let connection = Connection::later(server.address);
        Mixed { connection, lookup, exchange, jwks, refresh }
    });
    let mut subject = Subject { own, ..Subject::new("mixed", boxed(clients.collect())) };
    subject.payloads = vec![
        (lookup.path, lookup.reply),
        (exchange.path, exchange.reply),
        (jwks.path, jwks.reply),
        (path, payload),
    ];
    subject.beside_echo(requests, count);
    Ok(subject)
}

/// Lookups, while so many sign in that the hash pool never waits.
pub(super) fn isolation(
    (server, load): To<'_>,
    target: &Target,
    (person, hashing): (&PersonArgs, Hashing),
) -> Result<Subject, Failure> {
    let lookup = Asked::lookup(server, target)?;
    let call = Asked::sign_in(server, target, person)?;
    let own = vec![call.session()?];
    let lookups =
        || boxed(Asking::all(server.address, vec![lookup.request.clone()], load.connections()));
    let (beside, begun) = signing_in(server, call, saturating(hashing));
    let begun = Some((person.user.clone(), begun));
    let mut subject = Subject { begun, own, beside, ..Subject::new("isolation", lookups()) };
    subject.beside_raw(("alone", "without sign-ins"), Work::Alone(lookups()));
    Ok(subject)
}

impl Baseline {
    /// How much of it is done, where the time is not what bounds it.
    pub(super) fn end(&self) -> Option<End> {
        match &self.work {
            // Of five hashes a second the last half one counts.
            Work::Bcrypt(hashing) => Some(End::Requests(hashing.threads as u64 * 4)),
            _ => None,
        }
    }
}

impl Work {
    /// How much of it one call does.
    pub(super) fn each(&self) -> u32 {
        match self {
            Self::Raw { each, .. } => *each,
            _ => 1,
        }
    }
}
