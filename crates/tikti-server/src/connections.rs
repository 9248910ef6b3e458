//! How do requests get in and out? Accepts connections, a bounded number at a time, serves each,
//! and drains them at the end.
//!
//! The bound is on accepting: beyond it the kernel's queue holds the next connections, so that a
//! flood costs no memory here. A connection that sends no complete head within 10 seconds, or takes
//! nothing of its answer for 20, is closed.
//!
//! Spec: Operations, "Behaviour"; attacks, row E7 (slow loris).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::extract::client_ip::Peer;
use crate::patience::Patient;
use crate::published;
use crate::shutdown::ShutdownListener;
use crate::state::Shared;
use crate::tasks::Tasks;

/// Below the usual limit of 65,536 open files, with room for the store; each waits in about 20 KiB.
const MAX_CONNECTIONS: usize = 16_384;
/// How long the head of a request may take, and how long a kept connection may be silent.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest head, in bytes: a token of 8 KiB twice, and room.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long running requests may take once the server was asked to stop.
const DRAIN_TIME: Duration = Duration::from_secs(25);
/// Pause after the system gave no connection, as with too many open files: accepting again at once
/// would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Whether a connection may serve more than one request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reuse {
    KeepAlive,
    Once,
}

/// The accept loop and what it needs.
pub(crate) struct Connections {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    pub(crate) state: Shared,
    pub(crate) shutdown: ShutdownListener,
    /// How long connections are accepted after the stop was asked for, at the least.
    pub(crate) grace: Duration,
}

impl Connections {
    /// Serves until asked to stop, then lets running requests finish.
    pub(crate) async fn serve(mut self) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut running = Tasks::default();
        let mut asked = self.shutdown.clone();
        loop {
            tokio::select! {
                // The stop first: a connection that came after it must find `/readyz` changed.
                biased;
                () = asked.asked() => break,
                () = running.one_ended() => {}
                (stream, peer, slot) = accept(&self.listener, &slots) => {
                    running.start(self.connection(stream, peer, slot, Reuse::KeepAlive));
                }
            }
        }
        self.state.begin_stopping();
        let bound = self.grace.saturating_add(DRAIN_TIME);
        if tokio::time::timeout(bound, self.drain(&mut running, &slots)).await.is_err() {
            tracing::warn!("requests that had not finished in time were cut off");
        }
    }

    /// Waits for the connections that were there when the stop was asked for, and for the time of
    /// grace. Until then new ones still get an answer, so that a load balancer can read in `/readyz`
    /// that it should look elsewhere.
    async fn drain(&mut self, running: &mut Tasks, slots: &Arc<Semaphore>) {
        let mut late = Tasks::default();
        let mut grace = std::pin::pin!(tokio::time::sleep(self.grace));
        while !(grace.is_elapsed() && running.is_empty()) {
            tokio::select! {
                () = &mut grace, if !grace.is_elapsed() => {}
                () = running.one_ended() => {}
                () = late.one_ended() => {}
                (stream, peer, slot) = accept(&self.listener, slots) => {
                    late.start(self.connection(stream, peer, slot, Reuse::Once));
                }
            }
        }
        late.all_ended().await;
        // Of clients that are gone.
        self.state.carried.all_ended().await;
    }

    /// Serves one connection to its end.
    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        slot: OwnedSemaphorePermit,
        reuse: Reuse,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (router, state) = (self.router.clone(), Arc::clone(&self.state));
        let mut shutdown = self.shutdown.clone();
        async move {
            let service = service_fn(move |request| {
                // Boxed, so that a connection does not hold the router's large future.
                let published = published::answer(&state, &request);
                let answer =
                    published.ok_or_else(|| Box::pin(route(router.clone(), request, peer)));
                async move {
                    match answer {
                        Ok(published) => Ok(published),
                        Err(routed) => routed.await,
                    }
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(MAX_HEAD_BYTES)
                .keep_alive(reuse == Reuse::KeepAlive)
                .serve_connection(TokioIo::new(Patient::new(stream)), service);
            let mut connection = std::pin::pin!(connection);
            let ended = if reuse == Reuse::KeepAlive {
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = shutdown.asked() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            } else {
                connection.await
            };
            if let Err(error) = ended {
                // The other side's doing: gone, silent too long, or not speaking HTTP.
                tracing::debug!(%error, "a connection ended early");
            }
            drop(slot);
        }
    }
}

async fn route(
    mut router: Router,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(Peer(peer));
    router.call(request.map(Body::new)).await
}

/// Waits for a free slot, then for a connection.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
            // Nobody closes the semaphore.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small replies go out at once; where the option is refused they only go out later.
                let _ = stream.set_nodelay(true);
                return (stream, peer, slot);
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
