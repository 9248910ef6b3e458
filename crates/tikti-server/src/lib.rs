//! Tikti over HTTP: configuration, telemetry, and a route for every operation of the domain.
//!
//! A request goes down once, from wire type to command to operation, and its reply comes up once;
//! no handler judges a rule and none sees the store. Whoever starts a server
//! [`bind`](Listener::bind)s a listener, so that the address is known before anything else, then
//! [`start`]s it, then waits for [`Running::stopped`].
//!
//! | question | module |
//! |---|---|
//! | which routes are there? | [`router`] |
//! | what does a call do? | `routes`, one file a call; `published` answers one before the router |
//! | what travels? | [`api`] |
//! | what does a request say? | `extract` |
//! | what happens to every request? | `middleware` |
//! | what does a refusal look like? | [`error`] |
//! | how is a deployment configured? | [`config`], [`dev`] |
//! | how do tools reach a deployment's store? | [`maintenance`] |
//! | is an exported audit log whole? | [`audit_log`] |
//! | what is the service measured beside? | [`baseline`] |
//! | how does a mail leave? | [`mail`] |
//! | what goes on in the background? | `sweeper`, `key_refresher`, `mail::delivery` |

#![forbid(unsafe_code)]

mod action_page;
pub mod api;
pub mod audit_log;
pub mod baseline;
pub mod config;
mod connections;
pub mod dev;
mod docs_page;
pub mod error;
mod extract;
mod key_refresher;
pub mod mail;
mod mailbox_page;
pub mod maintenance;
mod middleware;
mod openapi;
mod patience;
mod published;
mod reply;
pub mod router;
mod routes;
mod shutdown;
mod state;
mod sweeper;
mod tasks;
pub mod telemetry;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use tikti_domain::Domain;
use tikti_domain::bootstrap::{self, Seed};
use tikti_domain::clock::Clock;
use tikti_domain::error::{Error, InternalError};
use tikti_domain::random::Random;
use tikti_domain::settings::Settings;
use tikti_domain::{OpenError, StartError, Store};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

use crate::config::{Config, StoreConfig};
use crate::connections::Connections;
use crate::extract::client_ip::ClientIp;
use crate::key_refresher::KeyRefresher;
use crate::mail::{Delivery, MailError, Outbox};
use crate::routes::oauth2::discovery;
pub use crate::shutdown::ShutdownHandle;
use crate::shutdown::{ShutdownListener, Signals};
use crate::state::{AppState, Pages, Shared};
use crate::sweeper::Sweeper;

/// Why a server cannot start, or did not end well. Each is a line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store and the configuration do not fit each other.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The administrator or the browser key could not be stored.
    #[error("the first administrator could not be stored")]
    Seed(#[source] Error),
    /// Mails cannot be sent the way that is configured.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] InternalError),
    /// The system lends no signal handlers.
    #[error("signals cannot be listened to: {0}")]
    Signals(#[source] std::io::Error),
    /// A document of this program cannot be written as JSON.
    #[error("the API document cannot be written: {0}")]
    Document(#[source] serde_json::Error),
    /// The accept loop or the background work ended by a panic.
    #[error("the server stopped by a fault of its own")]
    Fault,
}

/// A bound address that nobody is served at yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 is a free one.
    ///
    /// # Errors
    /// [`ServeError::Bind`].
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let refuse = |source| ServeError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(refuse)?;
        let address = socket.local_addr().map_err(refuse)?;
        Ok(Self { socket, address })
    }

    /// Binds `address` for a server over `store`.
    ///
    /// Looks at the store only where the address is taken and the store is one that a server has for
    /// itself; opening it makes one where there is none.
    ///
    /// # Errors
    /// [`ServeError::Bind`]; [`ServeError::Store`] where the address is taken and the store is held
    /// as well. Then one running server is most likely what holds both, and the store can name it.
    pub async fn bind_over(address: SocketAddr, store: &StoreConfig) -> Result<Self, ServeError> {
        let taken = match Self::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(taken) if !store.is_embedded() => return Err(taken),
            Err(taken) => taken,
        };
        match store.open("tikti, starting").await {
            Err(held @ ServeError::Store(OpenError::Locked { .. })) => Err(held),
            Ok(_) | Err(_) => Err(taken),
        }
    }

    /// The address, with the port that it really has.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    accept_loop: JoinHandle<()>,
    /// The sweeper, the reading of the signing keys and the delivery of mails.
    background: Vec<JoinHandle<()>>,
    shutdown: ShutdownHandle,
    signals: Signals,
    store: Store,
}

/// Starts a server and returns when it is ready: store open, signing key loaded, `seed` stored.
///
/// # Errors
/// [`ServeError`]; nothing is served then.
pub async fn start(listener: Listener, config: Config, seed: Seed) -> Result<Running, ServeError> {
    let signals = Signals::listen().map_err(ServeError::Signals)?;
    let random = Random::system();

    let clock = Clock::system();
    let mailbox = config.mail.mailbox().map(Path::to_owned);
    let outbox = Outbox::open(config.mail)?;

    let store = config.store.open(&format!("tikti at {}", listener.address)).await?;
    report_store(&store).await;
    let domain = Domain::open(store.clone(), config.domain, clock.clone(), random.clone()).await?;
    bootstrap::seed(&domain, &seed).await.map_err(ServeError::Seed)?;

    let (mut routes, document) = router::routes();
    if let Some(directory) = mailbox {
        routes = routes.merge(routes::mailbox::routes(directory));
    }
    let pages = pages(&document, domain.settings()).map_err(ServeError::Document)?;
    let client_ip = ClientIp::new(config.trusted_proxies, config.forwarded_header);
    let state = Arc::new(AppState::new(domain, random.clone(), client_ip, pages));
    let router = router::with_middleware(routes, Arc::clone(&state));

    let (shutdown, asked) = shutdown::channel();
    let delivery = delivery(outbox, &state, (&clock, &random), &asked);
    let sweeper = Sweeper { state: Arc::clone(&state), clock, random, shutdown: asked.clone() };
    let interval = state.domain.settings().key_refresh_interval;
    let refresher = KeyRefresher { state: Arc::clone(&state), interval, shutdown: asked.clone() };
    let own = [tasks::start(sweeper.run()), tasks::start(refresher.run())];
    let background = own.into_iter().chain(delivery).collect();
    let grace = config.shutdown_grace;
    let connections =
        Connections { listener: listener.socket, router, state, shutdown: asked, grace };
    let accept_loop = tasks::start(connections.serve());
    tracing::info!(address = %listener.address, "serving");
    Ok(Running { address: listener.address, accept_loop, background, shutdown, signals, store })
}

/// Starts the delivery of mails, where there is a way to send them; says once where there is none.
fn delivery(
    outbox: Option<Outbox>,
    state: &Shared,
    (clock, random): (&Clock, &Random),
    asked: &ShutdownListener,
) -> Option<JoinHandle<()>> {
    let Some(outbox) = outbox else {
        tracing::warn!("no mail is sent: neither mail.smtp nor mail.webhook is configured");
        return None;
    };
    tracing::info!(transport = outbox.name(), "mails leave this way");
    let delivery = Delivery::new(outbox, Arc::clone(state), (clock.clone(), random.clone()));
    Some(tasks::start(delivery.run(asked.clone())))
}

/// Logs which store it is, and what an operator should know of it.
async fn report_store(store: &Store) {
    match store.status().await {
        Ok(status) => {
            tracing::info!(engine = status.engine, "store opened");
            // A server that keeps everything is not remarked upon; the embedded engine does keep it,
            // and says so.
            let is_kept = store.engine_name() == "embedded";
            for remark in status.remarks {
                if is_kept {
                    tracing::info!(remark, "how the store keeps things");
                } else {
                    tracing::warn!(remark, "what the store could lose, or should be set to");
                }
            }
        }
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the store does not say how it is");
        }
    }
}

impl Running {
    /// The address that is served.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// A way to stop this server from elsewhere.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.shutdown.clone()
    }

    /// The store that is served, for whoever looks into it meanwhile.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Waits until the server was asked to stop, by SIGTERM, SIGINT or a [`ShutdownHandle`], and
    /// has stopped.
    ///
    /// `/readyz` answers 503 first, for [`Config::shutdown_grace`] at the least; running requests have
    /// up to 25 seconds more to finish. Then the background work ends and the store is closed. A second
    /// signal ends the wait at once.
    ///
    /// # Errors
    /// [`ServeError::Fault`] where the server ended by itself.
    pub async fn stopped(mut self) -> Result<(), ServeError> {
        let mut fault = Ok(());
        loop {
            tokio::select! {
                ended = &mut self.accept_loop => return self.finish(ended).await,
                signal = self.signals.arrived() => {
                    tracing::info!(signal, "stopping");
                    break;
                }
                // Asked by a handle, it ends before the accept loop does.
                () = any_ended(&mut self.background) => if !self.shutdown.was_asked() {
                    // Mails would expire and dead operations stay unfinished, and nobody would know.
                    tracing::error!("background work has ended by a fault: stopping");
                    fault = Err(ServeError::Fault);
                    break;
                }
            }
        }
        self.shutdown.shut_down();
        tokio::select! {
            ended = &mut self.accept_loop => self.finish(ended).await.and(fault),
            signal = self.signals.arrived() => {
                tracing::warn!(signal, "stopped before running requests had finished");
                Ok(())
            }
        }
    }

    /// Ends what goes on behind the accept loop, whichever way that ended.
    async fn finish(self, served: Result<(), JoinError>) -> Result<(), ServeError> {
        self.shutdown.shut_down();
        let mut ended = served;
        for task in self.background {
            ended = ended.and(task.await);
        }
        self.store.close().await;
        ended.map_err(|_| ServeError::Fault)
    }
}

/// Waits until some of the background work has ended, and takes it from the list.
async fn any_ended(tasks: &mut Vec<JoinHandle<()>>) {
    poll_fn(|context| {
        let ended = |task: &mut JoinHandle<()>| Pin::new(task).poll(context).is_ready();
        match tasks.iter_mut().position(ended) {
            Some(place) => {
                drop(tasks.swap_remove(place));
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    })
    .await;
}

/// Writes the documents that are served from memory.
fn pages(
    document: &utoipa::openapi::OpenApi,
    settings: &Settings,
) -> Result<Pages, serde_json::Error> {
    Ok(Pages {
        openapi: Bytes::from(serde_json::to_vec_pretty(document)?),
        docs: Bytes::from(docs_page::render(&serde_json::to_value(document)?)),
        discovery: Bytes::from(serde_json::to_vec(&discovery::document(settings))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn background_work_that_dies_is_noticed_while_other_work_goes_on() {
        let mut tasks = vec![
            tasks::start(std::future::pending()),
            tasks::start(async { panic!("dies") }),
            tasks::start(std::future::pending()),
        ];
        any_ended(&mut tasks).await;
        assert_eq!(tasks.len(), 2);
        assert!(tasks.iter().all(|task| !task.is_finished()));
    }
}
