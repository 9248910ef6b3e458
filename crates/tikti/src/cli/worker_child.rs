//! What becomes of a child process, and how is it told what we are told?
//!
//! It is waited for and signalled from one place, so that a signal never goes to a process that has ended and
//! whose number is another's. Dropped, it is killed: nothing is left behind.
//!
//! Spec: Command line, `worker run`.

use std::future::poll_fn;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitStatus};
use std::task::Poll;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::exit::Failure;

/// What a shell adds to the number of the signal that ended a process.
const SIGNALLED: u8 = 128;

/// A running child, and the signals that are meant for it.
pub(super) struct Child {
    process: process::Child,
    ended: unix::Signal,
    passed: Vec<(Signal, unix::Signal)>,
}

impl Child {
    /// Starts it. Signals that come from now on are passed on.
    ///
    /// Errors: exit code 3 where there is no such program, or it may not be run.
    pub(super) fn start(mut command: Command) -> Result<Self, Failure> {
        let (ended, passed) =
            listen().map_err(|cause| Failure::refused(format!("waiting for signals: {cause}")))?;
        let process = command.spawn().map_err(|cause| {
            let program = command.get_program().to_string_lossy();
            Failure::usage(format!("starting {program}: {cause}"))
        })?;
        Ok(Self { process, ended, passed })
    }

    /// Waits for its end, and gives the number by which a shell would know it.
    pub(super) async fn end(&mut self) -> Result<u8, Failure> {
        loop {
            let status = self.process.try_wait();
            let status = status
                .map_err(|cause| Failure::refused(format!("waiting for the program: {cause}")))?;
            if let Some(status) = status {
                return Ok(number(status));
            }
            if let Some(signal) = self.next_signal().await {
                self.pass(signal);
            }
        }
    }

    /// The next signal to pass on; none where a child has ended.
    async fn next_signal(&mut self) -> Option<Signal> {
        poll_fn(|context| {
            if self.ended.poll_recv(context).is_ready() {
                return Poll::Ready(None);
            }
            let came = self.passed.iter_mut().find_map(|(signal, stream)| {
                stream.poll_recv(context).is_ready().then_some(*signal)
            });
            came.map_or(Poll::Pending, |signal| Poll::Ready(Some(signal)))
        })
        .await
    }

    fn pass(&self, signal: Signal) {
        // Not reaped yet, so the number is still its own; where it has just ended, nothing has to be told.
        let _just_ended = kill_process(Pid::from_child(&self.process), signal);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Does nothing where it has ended.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn listen() -> io::Result<(unix::Signal, Vec<(Signal, unix::Signal)>)> {
    let ended = signal(SignalKind::child())?;
    let mut passed = vec![
        (Signal::TERM, signal(SignalKind::terminate())?),
        (Signal::HUP, signal(SignalKind::hangup())?),
        (Signal::USR1, signal(SignalKind::user_defined1())?),
        (Signal::USR2, signal(SignalKind::user_defined2())?),
    ];
    // What is typed on a terminal goes to the whole group there: passed on, it would come twice, and many
    // programs take the second one for impatience. It is heard all the same, so that it does not end us first.
    let keys = [
        (Signal::INT, signal(SignalKind::interrupt())?),
        (Signal::QUIT, signal(SignalKind::quit())?),
    ];
    if !io::stdin().is_terminal() {
        passed.extend(keys);
    }
    Ok((ended, passed))
}

fn number(status: ExitStatus) -> u8 {
    let by_signal =
        || status.signal().and_then(|signal| SIGNALLED.checked_add(signal.try_into().ok()?));
    let code = status.code().and_then(|code| code.try_into().ok());
    code.or_else(by_signal).unwrap_or(u8::MAX)
}
