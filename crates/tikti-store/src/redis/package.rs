//! What goes over the wire for a write, and what do the replies to it mean?
//!
//! Invariant: a connection goes back to the others only when every reply was where it belongs, and
//! what could keep others waiting, or leave replies behind, has one for itself.
//!
//! Spec: Storage, "a reply stream that may be off by one closes its connection", "`WAIT`".

use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::connection::Reply;
use super::node::{Company, Lease};
use super::servers::{Failure, Request};
use super::trouble::Trouble;
use super::url::Address;
use super::verdict::{self, Refusal, Verdict};

/// How long a server has to answer.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// The same for transactions, which wait for each other, and for requests of many commands.
pub(super) const LONG_ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// A request of more commands is a long one.
const SHORT_COMMANDS: usize = 64;
/// How long replicas have to take a write.
const REPLICA_LIMIT: Duration = Duration::from_secs(1);

/// A request, as it goes over the wire.
pub(super) struct Package<'a> {
    request: &'a [Cmd],
    is_transaction: bool,
    waits_for: Option<u32>,
}

/// What came of it.
pub(super) enum Delivered {
    /// It was executed.
    Answered(Vec<Reply>),
    /// Nothing was.
    Refused(Refusal),
}

impl<'a> Package<'a> {
    pub(super) fn new(request: &'a Request, wait_replicas: u32) -> Self {
        let waits_for = (request.is_write && wait_replicas > 0).then_some(wait_replicas);
        let is_transaction = verdict::is_transaction(&request.commands);
        Self { request: &request.commands, is_transaction, waits_for }
    }

    /// Whether it can share a connection. A transaction waits for others, and the end of its replies
    /// is to be seen; `WAIT` blocks its connection; what follows `ASKING` must be what it was meant for.
    pub(super) fn company(&self, is_asking: bool) -> Company {
        if self.is_transaction || self.waits_for.is_some() || is_asking {
            Company::Alone
        } else {
            Company::Shared
        }
    }

    /// Sends it.
    pub(super) async fn deliver(
        &self,
        lease: Lease<'_>,
        server: &Address,
        is_asking: bool,
    ) -> Result<Delivered, Failure> {
        let commands = self.commands(is_asking);
        let limit = if self.is_transaction || commands.len() > SHORT_COMMANDS {
            LONG_ANSWER_LIMIT
        } else {
            ANSWER_LIMIT
        };
        let mut replies = lease.send(&commands, limit).await.map_err(Failure::lost)?;
        if self.is_transaction && !replies.pop().is_some_and(|reply| is_pong(&reply)) {
            return Err(Failure::lost(lease.distrust()));
        }
        lease.give_back();
        let replicas = self.waits_for.map(|wanted| (wanted, replies.pop()));
        let replies = self.without_asking(replies, is_asking);
        match verdict::judge(server, &replies, self.is_transaction) {
            Verdict::Refused(refusal) => Ok(Delivered::Refused(refusal)),
            Verdict::Partly => Err(Failure::lost(Trouble::Partly { server: server.clone() })),
            Verdict::Executed => match replicas {
                Some((wanted, acknowledged)) if !is_enough(acknowledged.as_ref(), wanted) => {
                    Err(Failure::lost(Trouble::TooFewReplicas { server: server.clone() }))
                }
                _ => Ok(Delivered::Answered(replies)),
            },
        }
    }

    /// What `ASKING` allows lasts for one command, and from `MULTI` on for all up to `EXEC`.
    fn commands(&self, is_asking: bool) -> Vec<Cmd> {
        let mut commands = Vec::with_capacity(self.request.len() + 3);
        for (place, command) in self.request.iter().enumerate() {
            if is_asking && (place == 0 || !self.is_transaction) {
                commands.push(cmd("ASKING"));
            }
            commands.push(command.clone());
        }
        if let Some(wanted) = self.waits_for {
            let mut wait = cmd("WAIT");
            wait.arg(wanted).arg(u64::try_from(REPLICA_LIMIT.as_millis()).unwrap_or(u64::MAX));
            commands.push(wait);
        }
        if self.is_transaction {
            // A commit that fails after its replies were written is one reply more, on KVRocks. Then
            // this is not where the answer to this is.
            commands.push(cmd("PING"));
        }
        commands
    }

    fn without_asking(&self, replies: Vec<Reply>, is_asking: bool) -> Vec<Reply> {
        let is_own = |place: usize| {
            !is_asking || if self.is_transaction { place > 0 } else { place % 2 == 1 }
        };
        let own = replies.into_iter().enumerate().filter(|(place, _)| is_own(*place));
        own.map(|(_, reply)| reply).collect()
    }
}

fn is_pong(reply: &Reply) -> bool {
    matches!(reply, Ok(Value::SimpleString(text)) if text == "PONG")
}

fn is_enough(acknowledged: Option<&Reply>, wanted: u32) -> bool {
    matches!(acknowledged, Some(Ok(Value::Int(count))) if *count >= i64::from(wanted))
}
