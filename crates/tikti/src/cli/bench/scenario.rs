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
use tikti_load::{Client, End};
use tikti_server::api::{ExchangeRequest, LookupRequest, ScopeList, SignInReply, SignInRequest};
use tikti_server::baseline::Hashing;

use super::clients::{Call, Mixed, Refresh, Refreshing, Session, SigningIn, call_of};
use super::options::{Load, Person, WantedArgs, saturating};
use super::own::Own;
use super::raw;
use super::server::Server;
use crate::cli::token::words;
use crate::context::Target;
use crate::exit::Failure;
use crate::progress::Progress;

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
    /// The tenant of whoever began them, where it is known.
    pub(super) tenant: Option<String>,
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
    Alone(Make),
    /// Work in this process: one call does so many of it.
    Raw { make: Make, each: u32 },
    /// Checks of a password.
    Bcrypt(Hashing),
}

/// Makes clients, new ones each time: what has connections would have such as the server has closed meanwhile.
pub(super) type Make = Box<dyn Fn() -> Result<Clients, Failure>>;

/// To whom a scenario goes, and what it needs on its way there.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    pub(super) server: &'a Server,
    pub(super) load: &'a Load,
    /// Signs out what is begun for the bench alone.
    pub(super) own: &'a Own,
    pub(super) bar: &'a Progress,
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value)
        .map_err(|cause| Failure::refused(format!("writing a request: {cause}")))
}

impl Subject {
    /// One that is beside nothing.
    #[cfg(test)]
    pub(super) fn bare(scenario: &'static str, clients: Clients) -> Self {
        Self::new(scenario, clients)
    }

    fn new(scenario: &'static str, clients: Clients) -> Self {
        Self {
            scenario,
            clients,
            beside: Vec::new(),
            baselines: Vec::new(),
            payloads: Vec::new(),
            begun: None,
            tenant: None,
        }
    }

    /// One request, over and over, beside the echo of its reply.
    fn of_one_call(scenario: &'static str, To { server, load, .. }: To<'_>, call: Asked) -> Self {
        let Asked { path, request, reply } = call;
        let count = load.connections();
        let mut subject = Self::new(scenario, boxed(server.asking(&request, count)));
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
        let hmacs = Work::Raw { make: Box::new(raw::hmacs), each: raw::HMACS };
        self.beside_raw(("hmacSha256", "HMAC-SHA256"), hmacs);
        let reads = Work::Raw { make: Box::new(raw::point_reads), each: raw::READS };
        self.beside_raw(("pointReads", "point reads of the engine"), reads);
    }

    /// Leaves out what this machine does by itself: beside a server of another one it says nothing.
    pub(super) fn is_away(&mut self) {
        self.baselines.retain(|baseline| matches!(baseline.work, Work::Alone(_)));
        self.payloads.clear();
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
    /// The session is signed out at the end.
    fn sign_in(
        To { server, own, .. }: To<'_>,
        target: &Target,
        person: &Person,
    ) -> Result<Self, Failure> {
        let body = SignInRequest {
            email: person.email.clone(),
            password: person.password.expose_secret().to_owned(),
            return_secure_token: Some(true),
            tenant_id: None,
            client_id: None,
        };
        let call = if target.api_key.is_some() { "signInWithPassword" } else { "signIn" };
        let asked = Self::post(server, &["v1", "accounts", call], Some(target), &body)?;
        own.keep(&asked.session()?);
        Ok(asked)
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
    let call = Asked::lookup(to.server, target)?;
    let mut subject = Subject::of_one_call("lookup", to, call);
    subject.beside_tokens_and_reads();
    Ok(subject)
}

pub(super) fn jwks(to: To<'_>) -> Result<Subject, Failure> {
    Ok(Subject::of_one_call("jwks", to, Asked::jwks(to.server)?))
}

pub(super) fn exchange(
    to: To<'_>,
    target: &Target,
    wanted: &WantedArgs,
) -> Result<Subject, Failure> {
    let call = Asked::exchange(to.server, target, wanted)?;
    let (requests, clients) = (vec![call.request.clone()], to.load.connections());
    let mut subject = Subject::of_one_call("exchange", to, call);
    let signatures = Work::Raw { make: Box::new(raw::rsa), each: 1 };
    subject.beside_raw(("rsa2048", "RSA-2048 signatures"), signatures);
    let both = Work::SignatureAndEcho { requests, clients };
    subject.beside_raw(("rsa2048AndEcho", "RSA-2048 signature, then echo"), both);
    Ok(subject)
}

/// Sign-ins that leave their sessions behind.
pub(super) fn sign_in(
    to: To<'_>,
    target: &Target,
    (scenario, person, hashing): (&'static str, &Person, Hashing),
) -> Result<Subject, Failure> {
    // The one that is tried is not of the number that was asked for.
    let call = Asked::sign_in(to, target, person)?;
    let (clients, begun) = signing_in(to.server, &call, to.load.sign_ins(hashing));
    let begun = Some((person.email.clone(), begun));
    let tenant = target.tenant.clone();
    let mut subject = Subject { begun, tenant, ..Subject::new(scenario, clients) };
    subject.beside_raw(("bcrypt", "bcrypt"), Work::Bcrypt(hashing));
    Ok(subject)
}

fn signing_in(server: &Server, call: &Asked, count: usize) -> (Clients, Arc<AtomicU64>) {
    let begun = Arc::new(AtomicU64::new(0));
    let clients = server.asking(&call.request, count).into_iter();
    let clients = clients.map(|asking| SigningIn { asking, begun: Arc::clone(&begun) });
    (boxed(clients.collect()), begun)
}

/// Signs in once for each connection.
fn sessions(to: To<'_>, target: &Target, person: &Person) -> Result<Vec<Session>, Failure> {
    let To { server, load, own, bar } = to;
    let call = Asked::sign_in(to, target, person)?;
    let count = load.sessions();
    let mut sessions = vec![call.session()?];
    while sessions.len() < count {
        server.goes_on()?;
        bar.show("Signing in", sessions.len() as u64, Some(count as u64));
        let session = session_of(&server.ask_once(&call.request)?)?;
        own.keep(&session);
        sessions.push(session);
    }
    Ok(sessions)
}

pub(super) fn refresh(to: To<'_>, target: &Target, person: &Person) -> Result<Subject, Failure> {
    let own = sessions(to, target, person)?;
    let (server, count) = (Arc::new(to.server.clone()), own.len());
    let refreshes = Vec::from_iter(own.into_iter().map(|own| Refresh::new(&server, own)));
    let (path, payload, request) = refresh_once(&server, &refreshes)?;
    let client = |refresh| Refreshing { connection: server.connection(), refresh };
    let clients = boxed(refreshes.into_iter().map(client).collect());
    let mut subject = Subject::new("refresh", clients);
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
    to: To<'_>,
    target: &Target,
    (person, wanted): (&Person, &WantedArgs),
) -> Result<Subject, Failure> {
    let server = to.server;
    let lookup = Asked::lookup(server, target)?;
    let exchange = Asked::exchange(server, target, wanted)?;
    let jwks = Asked::jwks(server)?;
    let own = sessions(to, target, person)?;
    let (server, count) = (Arc::new(server.clone()), own.len());
    let refreshes = Vec::from_iter(own.into_iter().map(|own| Refresh::new(&server, own)));
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
        let connection = server.connection();
        Mixed { connection, lookup, exchange, jwks, refresh }
    });
    let mut subject = Subject::new("mixed", boxed(clients.collect()));
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
    to: To<'_>,
    target: &Target,
    (person, hashing): (&Person, Hashing),
) -> Result<Subject, Failure> {
    let (server, count) = (to.server.clone(), to.load.connections());
    let lookup = Asked::lookup(&server, target)?;
    let call = Asked::sign_in(to, target, person)?;
    let (beside, begun) = signing_in(&server, &call, saturating(hashing));
    let lookups = move || boxed(server.asking(&lookup.request, count));
    let begun = Some((person.email.clone(), begun));
    let tenant = target.tenant.clone();
    let mut subject = Subject { begun, tenant, beside, ..Subject::new("isolation", lookups()) };
    subject.beside_raw(("alone", "without sign-ins"), Work::Alone(Box::new(move || Ok(lookups()))));
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
