//! Why is there no answer from a server?
//!
//! Invariant: the text names servers and error codes, never a value, a command or a password; what a
//! server said beside its code is left out, since it may repeat what it was sent.
//!
//! Spec: Storage, "Engine B".

use crate::error::StoreError;
use crate::redis::url::Address;
use crate::redis::verdict;

/// What stands behind a [`StoreError::Unavailable`] of this engine.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{server} cannot be reached: {reason}")]
    Unreachable { server: Address, reason: String },
    #[error("{server} could not be reached a moment ago; the next attempt is due within a second")]
    Resting { server: Address },
    #[error("all connections to {server} are in use")]
    Busy { server: Address },
    #[error("{server} did not answer in time")]
    TimedOut { server: Address },
    #[error("the connection to {server} broke")]
    Broke { server: Address },
    #[error("{server} answered something that is no answer to the request")]
    Nonsense { server: Address },
    #[error("{server} executed a part of the request only")]
    Partly { server: Address },
    #[error("{server} answers {code}: {meaning}")]
    Refused { server: Address, code: String, meaning: &'static str },
    #[error("{server} has the write, but too few of its replicas have it")]
    TooFewReplicas { server: Address },
    #[error("no server says which one is the master of slot {slot}")]
    NoMaster { slot: u16 },
    #[error("no {kind} answers what the masters are")]
    NoTopology { kind: &'static str },
    #[error("the sentinels call {server} the master, and it does not say so")]
    Demoted { server: Address },
    #[error("{server} was restarted too often to be walked over")]
    Restarted { server: Address },
    #[error("the servers took over from each other too often to be walked over")]
    Restless,
    #[error("the servers send each other the request in a circle")]
    Circle,
}

impl Trouble {
    /// The server refused the request with this code.
    pub(super) fn refused(server: &Address, code: &str) -> Self {
        let is_plain = |byte: u8| byte.is_ascii_uppercase();
        let code = if code.bytes().all(is_plain) { code } else { "an error" };
        Self::Refused { server: server.clone(), code: code.to_owned(), meaning: meaning(code) }
    }

    /// Whether a request was on its way when it happened.
    pub(super) fn was_sent(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Broke { .. } | Self::Nonsense { .. })
    }

    /// Whether it may be over in a moment.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused { code, .. } => verdict::may_pass(code),
            _ => true,
        }
    }

    /// For the caller of the store.
    pub(super) fn while_doing(self, doing: &'static str) -> StoreError {
        StoreError::unavailable(doing, self)
    }
}

fn meaning(code: &str) -> &'static str {
    match code {
        "LOADING" => "it is still loading its data",
        "READONLY" => "it has become a replica; the URL has to name the master",
        "OOM" => "its memory is full and it refused this: raise maxmemory or remove data",
        "MISCONF" => "it cannot write its data to the disk: see its log",
        "NOREPLICAS" => "too few of its replicas are connected (min-replicas-to-write)",
        "CLUSTERDOWN" => "a part of the cluster is not served by any node",
        "MASTERDOWN" => "it is a replica that has lost its master",
        "NOAUTH" | "WRONGPASS" => "the password is wrong or missing",
        "NOPERM" => "its user may not use a command that is needed: see its ACL rules",
        "BUSY" => "it is busy with a script",
        "MOVED" | "ASK" => "another server has it, and said the same",
        "TRYAGAIN" => "a slot is being moved, for longer than a request can wait",
        _ => "it refused the request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_nothing_that_was_sent() {
        let server = Address { host: "a".to_owned(), port: 1 };
        assert_eq!(
            Trouble::refused(&server, "OOM").to_string(),
            "a:1 answers OOM: its memory is full and it refused this: raise maxmemory or remove data"
        );
        let odd = Trouble::refused(&server, "s3cr3t value").to_string();
        assert_eq!(odd, "a:1 answers an error: it refused the request");
    }
}
