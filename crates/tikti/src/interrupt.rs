//! What is left behind by a command that a person ends with Ctrl-C? A terminal as it was, and no
//! half-written file.
//!
//! As long as there is nothing to put back, nothing is caught, and a signal ends the program at once. From
//! the first thing on, a signal puts back what is registered then, the latest first, and ends the program
//! with the number that a shell gives for it: 128 and that of the signal.
//!
//! Spec: Command line, "Exit codes"; docs/decisions/0045.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::{io, process, thread};

use tokio::runtime::{self, Runtime};
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};

const CAUGHT: [SignalKind; 3] =
    [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

type Undo = Box<dyn FnOnce(SignalKind) + Send>;

static REGISTERED: Mutex<Vec<(u64, Undo)>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
static WATCH: Once = Once::new();

/// Something that is put back by a signal as long as this lives.
#[must_use]
pub(crate) struct PutBack(u64);

impl PutBack {
    /// Registers `undo`, which is told the signal, runs on a thread of its own, and after which the program ends.
    pub(crate) fn at_signal(undo: impl FnOnce(SignalKind) + Send + 'static) -> Self {
        // Where signals cannot be caught they go on ending the program at once, and nothing is put back.
        WATCH.call_once(|| watch().unwrap_or(()));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        registered().push((id, Box::new(undo)));
        Self(id)
    }
}

impl Drop for PutBack {
    fn drop(&mut self) {
        registered().retain(|(id, _)| *id != self.0);
    }
}

fn registered() -> MutexGuard<'static, Vec<(u64, Undo)>> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Catches signals from here on, on a thread of its own: whoever waits for a person to type cannot see to
/// them.
fn watch() -> io::Result<()> {
    let (runtime, signals) = catch()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || end_at(&runtime, signals))?;
    Ok(())
}

/// Ends the program at once by the next signal: for what is done at a signal and may take long, at its beginning.
/// Where that cannot be caught it goes on as it is.
pub(crate) fn end_at_the_next() {
    let Ok((runtime, signals)) = catch() else { return };
    let end = move || {
        let came = wait(&runtime, signals);
        process::exit(128 + came.as_raw_value());
    };
    let _ = thread::Builder::new().name("next-signal".to_owned()).spawn(end);
}

/// Sees signals from here on.
fn catch() -> io::Result<(Runtime, [Signal; 3])> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _in = runtime.enter();
        let [interrupt, terminate, hangup] = CAUGHT.map(signal);
        [interrupt?, terminate?, hangup?]
    };
    Ok((runtime, signals))
}

fn wait(runtime: &Runtime, [mut interrupt, mut terminate, mut hangup]: [Signal; 3]) -> SignalKind {
    runtime.block_on(async {
        select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hangup.recv() => SignalKind::hangup(),
        }
    })
}

fn end_at(runtime: &Runtime, signals: [Signal; 3]) {
    let came = wait(runtime, signals);
    // Held until the end: nobody goes on meanwhile as if it had not been put back.
    let mut registered = registered();
    while let Some((_, undo)) = registered.pop() {
        undo(came);
    }
    process::exit(128 + came.as_raw_value());
}
