//! Who sends what waits in the queue? A task of every running server.
//!
//! It wakes when this server has queued a mail, and every few seconds for what other servers queued,
//! what is to be tried again, and what a dead one had taken. Invariants: a bounded number of mails is
//! on its way at a time, so that a mail server that hangs holds up no more than those; and when the
//! server is asked to stop, nothing new is begun and what is on its way gets a moment to end, since
//! what is cut off there goes out twice.
//!
//! Spec: HTTP API, "OOB codes"; Operations, "Behaviour". Why: docs/decisions/0019.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tikti_domain::clock::Clock;
use tikti_domain::error::Error;
use tikti_domain::mail::{
    DueMail, MailCursor, NextMail, Outcome, Undelivered, delivered, failed, next_due, queued,
};
use tikti_domain::random::Random;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::message::Refused;
use super::outbox::Outbox;
use crate::shutdown::ShutdownListener;
use crate::state::Shared;
use crate::tasks::Tasks;

/// Mails that are on their way at a time. A mail server takes some hundred milliseconds for one.
const AT_A_TIME: usize = 8;
/// The pause between two looks at the queue, and by how much more it may be.
const PAUSE: Duration = Duration::from_secs(4);
const MOST_JITTER: Duration = Duration::from_secs(2);
/// How long a server that is asked to stop waits for what is on its way. Less than the 25 seconds that
/// running requests have.
const LAST_MOMENT: Duration = Duration::from_secs(10);

/// The delivery of one server.
pub(crate) struct Delivery {
    carrier: Arc<Carrier>,
    random: Random,
    free: Arc<Semaphore>,
    cursor: MailCursor,
    /// Whether the queue could be read the last time: what has not changed is not logged again.
    queue_works: bool,
}

/// What every mail on its way needs.
struct Carrier {
    state: Shared,
    clock: Clock,
    outbox: Outbox,
    /// Why the last mail could not be sent for now, `None` where it could.
    trouble: Mutex<Option<String>>,
}

impl Delivery {
    pub(crate) fn new(outbox: Outbox, state: Shared, (clock, random): (Clock, Random)) -> Self {
        let carrier = Carrier { state, clock, outbox, trouble: Mutex::default() };
        Self {
            carrier: Arc::new(carrier),
            random,
            free: Arc::new(Semaphore::new(AT_A_TIME)),
            cursor: MailCursor::default(),
            queue_works: true,
        }
    }

    /// Delivers until the server is asked to stop.
    pub(crate) async fn run(mut self, mut asked: ShutdownListener) {
        let mut on_their_way = Tasks::default();
        loop {
            let turn = async {
                self.hand_out(&mut on_their_way).await;
                let domain = &self.carrier.state.domain;
                tokio::select! {
                    () = queued(domain) => {}
                    () = tokio::time::sleep(self.pause()) => {}
                }
            };
            tokio::select! {
                biased;
                () = asked.asked() => break,
                () = turn => {}
            }
        }
        // What is cut off then is tried again, by whoever comes next, when its lease is over.
        let _cut_off = tokio::time::timeout(LAST_MOMENT, on_their_way.all_ended()).await;
    }

    /// Sends everything that is due, as far as there is room for more on its way.
    pub(super) async fn hand_out(&mut self, on_their_way: &mut Tasks) {
        loop {
            on_their_way.reap();
            // Never closed.
            let Ok(permit) = Arc::clone(&self.free).acquire_owned().await else { return };
            let Carrier { state, clock, .. } = &*self.carrier;
            let next = next_due(&state.domain, &mut self.cursor, clock.now()).await;
            self.queue_works = report(next.as_ref().err(), self.queue_works);
            match next {
                Ok(NextMail::Due(mail)) => {
                    let carrier = Arc::clone(&self.carrier);
                    on_their_way.start(async move { carrier.carry(*mail, permit).await });
                }
                Ok(NextMail::More) => {}
                Ok(NextMail::End) | Err(_) => return,
            }
        }
    }

    fn pause(&self) -> Duration {
        // Without randomness, replicas look at the same time, which is only a waste.
        let [byte] = self.random.bytes().unwrap_or_default();
        PAUSE + MOST_JITTER.mul_f32(f32::from(byte) / 255.0)
    }
}

/// Logs what is new about the queue, and says whether it can be read.
fn report(error: Option<&Error>, worked: bool) -> bool {
    match error {
        Some(error) if worked => {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "the mails that wait cannot be read; it is tried again");
        }
        None if !worked => tracing::info!("the mails that wait can be read again"),
        Some(_) | None => {}
    }
    error.is_none()
}

impl Carrier {
    /// Sends one mail and tells the queue how it went.
    async fn carry(&self, mail: DueMail, _room: OwnedSemaphorePermit) {
        let receipt = Receipt::of(&mail);
        let sent = self.outbox.send(&mail, self.clock.now()).await;
        let domain = &self.state.domain;
        let noted = match &sent {
            Ok(()) => {
                receipt.delivered();
                delivered(domain, &mail).await.map(|()| None)
            }
            Err(Refused { how, .. }) => {
                failed(domain, &mail, *how, self.clock.now()).await.map(Some)
            }
        };
        self.note_trouble(&sent);
        match (sent, noted) {
            (_, Err(error)) => receipt.not_noted(&error),
            (Err(refused), Ok(outcome)) => receipt.refused(&refused, outcome),
            (Ok(()), Ok(_)) => {}
        }
    }

    /// Logs when mails stop and begin to go out, and when the reason becomes another one: not once a
    /// mail.
    fn note_trouble(&self, sent: &Result<(), Refused>) {
        let reason = match sent {
            Ok(()) => None,
            Err(Refused { how: Undelivered::Temporary, reason }) => Some(reason.clone()),
            // The mail was at fault, not the way.
            Err(Refused { how: Undelivered::Permanent, .. }) => return,
        };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble == reason {
            return;
        }
        match &reason {
            Some(reason) => {
                tracing::warn!(
                    reason,
                    "mails cannot be sent; each is tried again until its code ends"
                );
            }
            None => tracing::info!("mails are sent again"),
        }
        *trouble = reason;
    }
}

/// What is logged of a mail: neither to whom it goes nor what it says.
struct Receipt {
    id: String,
    kind: &'static str,
    attempts: u32,
}

impl Receipt {
    fn of(mail: &DueMail) -> Self {
        Self { id: mail.id.to_string(), kind: mail.kind.as_str(), attempts: mail.attempts }
    }

    fn delivered(&self) {
        let Self { id, kind, attempts } = self;
        tracing::info!(mail.id = id, mail.kind = kind, attempts, "mail sent");
    }

    fn refused(&self, refused: &Refused, outcome: Option<Outcome>) {
        let (Self { id, kind, attempts }, reason) = (self, &refused.reason);
        match outcome {
            Some(Outcome::GivenUp) => {
                tracing::info!(mail.id = id, mail.kind = kind, attempts, reason, "mail given up");
            }
            Some(Outcome::Later(_)) | None => {
                tracing::debug!(
                    mail.id = id,
                    mail.kind = kind,
                    attempts,
                    reason,
                    "mail not sent yet"
                );
            }
        }
    }

    fn not_noted(&self, error: &Error) {
        let (Self { id, kind, .. }, error) = (self, error as &dyn std::error::Error);
        tracing::warn!(
            mail.id = id,
            mail.kind = kind,
            error,
            "how a mail went could not be stored; it is sent again"
        );
    }
}
