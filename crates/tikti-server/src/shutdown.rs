//! When does the server stop? On SIGTERM or SIGINT, or when a [`ShutdownHandle`] says so.
//!
//! Spec: Operations, "Behaviour".

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Asks a running server to stop, from anywhere. Asking twice is asking once.
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<watch::Sender<bool>>);

/// Hears of the wish to stop.
#[derive(Clone, Debug)]
pub(crate) struct ShutdownListener(watch::Receiver<bool>);

/// Makes the two ends.
pub(crate) fn channel() -> (ShutdownHandle, ShutdownListener) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownHandle(Arc::new(sender)), ShutdownListener(receiver))
}

impl ShutdownHandle {
    /// Asks the server to stop.
    pub fn shut_down(&self) {
        self.0.send_replace(true);
    }
}

impl ShutdownHandle {
    /// Whether somebody has asked.
    pub(crate) fn was_asked(&self) -> bool {
        *self.0.borrow()
    }
}

impl ShutdownListener {
    /// Waits until somebody asked to stop, or nobody is left who could.
    pub(crate) async fn asked(&mut self) {
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// The signals that end a process politely, listened to from its making on.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen: from now on the signals no longer kill the process.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for either signal and names it.
    pub(crate) async fn arrived(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
