//! A connection that a test can break: stands between a client and a server on this machine.
//!
//! Works on whole requests and replies, so it can count and translate them: the nodes of a cluster
//! name their own ports, and behind a proxy they must name those of the proxies. Between a master and
//! its replica it passes bytes. Invariant: as long
//! as nothing else is asked for, everything comes through unchanged and in order.
//!
//! It runs on a thread of its own, so a test that blocks does not stop it.
//!
//! Spec: Storage, "a proxy that delays, cuts, and half-sends".

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::resp::Frame;

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Reply,
}

/// Changes what goes through a proxy.
pub(super) trait Rewrite: Send + Sync + 'static {
    /// What the server gets instead of `request`. It has to answer it once.
    fn request(&self, request: Frame) -> Frame {
        request
    }

    /// What the client gets instead of `reply`. `request` is what the client had sent.
    fn reply(&self, request: &Frame, reply: Frame) -> Frame;
}

/// A running proxy. Dropped, it closes its port and all connections.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    settings: watch::Sender<Settings>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Default)]
struct Settings {
    delays: [Duration; 2],
    is_held: bool,
    /// Connections that were made before the last cut are closed.
    cuts: u64,
}

/// What goes through.
enum Content {
    /// Requests and replies, changed by this.
    Frames(Box<dyn Rewrite>),
    /// Anything, unchanged and uncounted.
    Bytes,
}

struct Shared {
    server: u16,
    content: Content,
    /// What goes this way next is cut off after so many bytes.
    half_send: Mutex<Option<(Direction, usize)>>,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    round_trips: usize,
    commands: Vec<String>,
}

impl Proxy {
    /// Puts a proxy in front of the server on `server_port`.
    ///
    /// # Panics
    /// If there is no port to listen on.
    #[must_use]
    pub fn start(server_port: u16) -> Self {
        Self::start_on(listen(), server_port, Content::Frames(Box::new(Ports::default())))
    }

    /// Puts a proxy between a master and its replica, which say other things than requests and
    /// replies: it counts nothing.
    ///
    /// # Panics
    /// If there is no port to listen on.
    #[must_use]
    pub fn start_for_replica(master_port: u16) -> Self {
        Self::start_on(listen(), master_port, Content::Bytes)
    }

    /// Puts a proxy in front of each node of a cluster, and each names the proxies where the cluster
    /// names the nodes.
    ///
    /// # Panics
    /// If there is no port to listen on.
    #[must_use]
    pub fn start_for_cluster(node_ports: &[u16]) -> Vec<Self> {
        let listeners: Vec<_> = node_ports.iter().map(|_| listen()).collect();
        let proxies = listeners.iter().map(|listener| listener.local_addr().unwrap().port());
        let ports = Ports(node_ports.iter().copied().zip(proxies).collect());
        let start = |(listener, port): (_, &u16)| {
            Self::start_on(listener, *port, Content::Frames(Box::new(ports.clone())))
        };
        listeners.into_iter().zip(node_ports).map(start).collect()
    }

    pub(super) fn start_rewriting(server_port: u16, rewrite: impl Rewrite) -> Self {
        Self::start_on(listen(), server_port, Content::Frames(Box::new(rewrite)))
    }

    fn start_on(listener: StdListener, server: u16, content: Content) -> Self {
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            content,
            half_send: Mutex::default(),
            counted: Mutex::default(),
        });
        let (settings, watched) = watch::channel(Settings::default());
        let accepting = accept(listener, Arc::clone(&shared), watched);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let thread = std::thread::spawn(move || runtime.block_on(accepting));
        Self { port, shared, settings, thread: Some(thread) }
    }

    /// Gives the port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives the URL of the server through this proxy, for a server that is alone.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Keeps all that goes this way back for so long before it goes on.
    pub fn delay(&self, direction: Direction, by: Duration) {
        self.settings.send_modify(|settings| settings.delays[direction as usize] = by);
    }

    /// Closes both ends of every connection. New ones are accepted.
    pub fn cut(&self) {
        self.settings.send_modify(|settings| settings.cuts += 1);
    }

    /// Lets the next request or reply (all that arrives in one piece) go on for `bytes` bytes and
    /// then closes both ends of that connection.
    pub fn half_send(&self, direction: Direction, bytes: usize) {
        *lock(&self.shared.half_send) = Some((direction, bytes));
    }

    /// Lets nothing through any more, and keeps connections open and accepts new ones: a network
    /// that has lost its way. What is sent meanwhile arrives after [`Proxy::release`], also that of
    /// a client which has given up since.
    pub fn hold(&self) {
        self.settings.send_modify(|settings| settings.is_held = true);
    }

    /// Ends [`Proxy::hold`].
    pub fn release(&self) {
        self.settings.send_modify(|settings| settings.is_held = false);
    }

    /// Counts the round trips since it was asked last: requests that were sent without waiting for a
    /// reply in between are one.
    #[must_use]
    pub fn take_round_trips(&self) -> usize {
        std::mem::take(&mut lock(&self.shared.counted).round_trips)
    }

    /// Names the commands, in capitals, that went through since it was asked last.
    #[must_use]
    pub fn take_commands(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.counted).commands)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The thread ends when nobody can change the settings any more.
        self.settings = watch::channel(Settings::default()).0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn listen() -> StdListener {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

async fn accept(
    listener: StdListener,
    shared: Arc<Shared>,
    mut settings: watch::Receiver<Settings>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            changed = settings.changed() => if changed.is_err() {
                return;
            },
            Ok((client, _)) = listener.accept() => {
                connections.spawn(serve(client, Arc::clone(&shared), settings.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until one side closes it or it is cut. Then both ends are dropped.
async fn serve(client: TcpStream, shared: Arc<Shared>, mut settings: watch::Receiver<Settings>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let cuts = settings.borrow().cuts;
    let was_cut = settings.clone();
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let waiting = Mutex::default();
    let link = Link { shared: &shared, waiting: &waiting };
    let requests = link
        .pump(Pipe { from: client_in, to: server_out, way: Direction::Request }, was_cut.clone());
    let replies =
        link.pump(Pipe { from: server_in, to: client_out, way: Direction::Reply }, was_cut);
    tokio::select! {
        _ = requests => {}
        _ = replies => {}
        _ = settings.wait_for(|settings| settings.cuts != cuts) => {}
    }
}

struct Pipe {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    way: Direction,
}

/// What both directions of one connection share.
struct Link<'a> {
    shared: &'a Shared,
    waiting: &'a Mutex<Waiting>,
}

/// Requests without a reply yet, the oldest first.
#[derive(Default)]
struct Waiting {
    requests: VecDeque<Frame>,
    /// Whether a request went through after the last reply: then the next is of the same burst.
    is_burst: bool,
}

impl Link<'_> {
    async fn pump(
        &self,
        mut pipe: Pipe,
        mut settings: watch::Receiver<Settings>,
    ) -> io::Result<()> {
        const CHUNK_BYTES: usize = 64 * 1024;
        let mut unread = Vec::new();
        loop {
            let is_end = pipe.from.read_buf(&mut unread).await? == 0;
            let mut out = Vec::with_capacity(CHUNK_BYTES);
            match &self.shared.content {
                // The next chunk is as large, or a delay would let through a few bytes at a time.
                Content::Bytes => std::mem::swap(&mut unread, &mut out),
                Content::Frames(rewrite) => {
                    let mut at = 0;
                    while let Some((frame, length)) = Frame::parse(&unread[at..])? {
                        at += length;
                        self.pass(pipe.way, frame, rewrite.as_ref()).encode(&mut out);
                    }
                    unread.drain(..at);
                }
            }
            let delay = settings.borrow_and_update().delays[pipe.way as usize];
            if !delay.is_zero() {
                sleep(delay).await;
            }
            let released = settings.wait_for(|settings| !settings.is_held).await;
            drop(released.map_err(io::Error::other)?);
            if let Some(bytes) = self.half_of(pipe.way, &out) {
                return pipe.to.write_all(&out[..bytes]).await;
            }
            pipe.to.write_all(&out).await?;
            if is_end {
                return Ok(());
            }
        }
    }

    fn half_of(&self, way: Direction, out: &[u8]) -> Option<usize> {
        let mut half_send = lock(&self.shared.half_send);
        let (_, bytes) = half_send.filter(|(asked, _)| *asked == way && !out.is_empty())?;
        *half_send = None;
        Some(bytes.min(out.len()))
    }

    fn pass(&self, way: Direction, frame: Frame, rewrite: &dyn Rewrite) -> Frame {
        match way {
            Direction::Request => self.pass_request(frame, rewrite),
            Direction::Reply => self.pass_reply(frame, rewrite),
        }
    }

    fn pass_request(&self, request: Frame, rewrite: &dyn Rewrite) -> Frame {
        let mut waiting = lock(self.waiting);
        let mut counted = lock(&self.shared.counted);
        counted.round_trips += usize::from(!waiting.is_burst);
        counted.commands.push(command_name(&request));
        waiting.is_burst = true;
        waiting.requests.push_back(request.clone());
        rewrite.request(request)
    }

    fn pass_reply(&self, reply: Frame, rewrite: &dyn Rewrite) -> Frame {
        let mut waiting = lock(self.waiting);
        waiting.is_burst = false;
        match waiting.requests.pop_front() {
            Some(request) => rewrite.reply(&request, reply),
            None => reply,
        }
    }
}

/// The first word of a request, in capitals.
pub(super) fn command_name(request: &Frame) -> String {
    request.items().first().map(Frame::text).unwrap_or_default().to_ascii_uppercase()
}

/// Which port the client is told instead of which: those of the proxies instead of those of the
/// nodes.
#[derive(Clone, Default)]
struct Ports(HashMap<u16, u16>);

impl Ports {
    /// The number that the client is told for a port.
    fn told(&self, port: i64) -> i64 {
        let told = u16::try_from(port).ok().and_then(|port| self.0.get(&port));
        told.map_or(port, |told| i64::from(*told))
    }

    /// `MOVED 12182 127.0.0.1:7002`, and `ASK` likewise.
    fn error(&self, text: &str) -> String {
        let redirected = text.starts_with("MOVED ") || text.starts_with("ASK ");
        match text.rsplit_once(':').filter(|_| redirected) {
            Some((rest, port)) => {
                format!("{rest}:{}", port.parse().map_or(0, |port| self.told(port)))
            }
            None => text.to_owned(),
        }
    }

    /// In `CLUSTER SLOTS` a node is `[host, port, id, ...]` and a range is `[first, last, nodes]`.
    fn slots(&self, item: Frame) -> Frame {
        let Frame::Array(Some(items)) = item else {
            return item;
        };
        let is_node = matches!(items.first(), Some(Frame::Bulk(_)));
        let inner = items.into_iter().map(|item| match item {
            Frame::Integer(port) if is_node => Frame::Integer(self.told(port)),
            other => self.slots(other),
        });
        Frame::Array(Some(inner.collect()))
    }

    fn errors(&self, reply: Frame) -> Frame {
        match reply {
            Frame::Error(text) => Frame::Error(self.error(&text)),
            Frame::Array(Some(items)) => {
                Frame::Array(Some(items.into_iter().map(|item| self.errors(item)).collect()))
            }
            other => other,
        }
    }
}

impl Rewrite for Ports {
    fn reply(&self, request: &Frame, reply: Frame) -> Frame {
        let is_cluster = command_name(request) == "CLUSTER";
        let is_slots = request.items().get(1).is_some_and(|word| word.text() == "SLOTS");
        if is_cluster && is_slots { self.slots(reply) } else { self.errors(reply) }
    }
}
