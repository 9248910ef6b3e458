//! What do the replies to a request say about whether it was executed?
//!
//! Pure. Invariant: "not executed" is said only where no part of the request was; where a part may
//! have been, and a part was refused, it is said that this is not known.
//!
//! Spec: Storage, "inner errors of an `EXEC` array are read", "`MOVED`/`ASK`/`TRYAGAIN` followed".

use redis::{Arg, Cmd, ServerError, Value};

use super::connection::Reply;
use super::topology::announced;
use super::url::Address;

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It was executed; single commands may have failed, which is for the caller to read.
    Executed,
    /// Nothing was executed; what to do about it.
    Refused(Refusal),
    /// A part was executed, or may have been.
    Partly,
}

/// Why a server executed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another server has the slot.
    Moved(Address),
    /// Another server has the key already, and has to be asked with `ASKING`.
    Ask(Address),
    /// It may be over in a moment: the code.
    Wait(String),
    /// It will not be over by itself: the code.
    Final(String),
}

/// Whether the commands are one transaction, `MULTI` to `EXEC`.
pub(super) fn is_transaction(commands: &[Cmd]) -> bool {
    let is = |command: Option<&Cmd>, wanted: &[u8]| {
        let name = command.and_then(|command| command.args_iter().next());
        matches!(name, Some(Arg::Simple(name)) if name.eq_ignore_ascii_case(wanted))
    };
    is(commands.first(), b"MULTI") && is(commands.last(), b"EXEC")
}

/// Judges the replies to a request, one for each of its commands.
pub(super) fn judge(asked: &Address, replies: &[Reply], is_transaction: bool) -> Verdict {
    if is_transaction {
        return judge_transaction(asked, replies);
    }
    let refusals: Vec<_> = replies.iter().map(|reply| refusal_of(asked, reply)).collect();
    all_or_nothing(&refusals)
}

fn judge_transaction(asked: &Address, replies: &[Reply]) -> Verdict {
    let Some((end, queued)) = replies.split_last() else { return Verdict::Partly };
    match end {
        // Everything that was to be queued is dropped; the cause is among the replies.
        Err(error) if error.code() == "EXECABORT" => {
            let cause = queued.iter().find_map(|reply| reply.as_ref().err());
            let refusal = cause.and_then(|cause| refusal(asked, cause));
            Verdict::Refused(refusal.unwrap_or_else(|| Refusal::Final(error.code().to_owned())))
        }
        // The other errors of EXEC are judged before anything is executed, but for one: without a
        // MULTI, which was refused then, what was to be queued may have been executed at once.
        Err(error) => match refusal(asked, error) {
            Some(refusal) => Verdict::Refused(refusal),
            None => refused_as_a_whole(asked, queued),
        },
        Ok(Value::Array(inner)) => {
            let refusals: Vec<_> = inner
                .iter()
                .map(|value| match value {
                    Value::ServerError(error) => refusal(asked, error),
                    _ => None,
                })
                .collect();
            // That of a script as well: a server asks for memory, a disk and replicas before the first
            // write of a script only, and then lets it come to its end.
            all_or_nothing(&refusals)
        }
        Ok(Value::Nil) => Verdict::Executed,
        Ok(_) => Verdict::Partly,
    }
}

/// Neither `MULTI` nor anything behind it was accepted.
fn refused_as_a_whole(asked: &Address, queued: &[Reply]) -> Verdict {
    let refusals: Vec<_> = queued.iter().map(|reply| refusal_of(asked, reply)).collect();
    match all_or_nothing(&refusals) {
        Verdict::Executed => Verdict::Partly,
        verdict => verdict,
    }
}

fn all_or_nothing(refusals: &[Option<Refusal>]) -> Verdict {
    match refusals.iter().flatten().next() {
        None => Verdict::Executed,
        Some(first) if refusals.iter().all(Option::is_some) => Verdict::Refused(first.clone()),
        Some(_) => Verdict::Partly,
    }
}

fn refusal_of(asked: &Address, reply: &Reply) -> Option<Refusal> {
    reply.as_ref().err().and_then(|error| refusal(asked, error))
}

/// What an error says, if it is one that a server gives before it executes a command.
pub(super) fn refusal(asked: &Address, error: &ServerError) -> Option<Refusal> {
    let code = error.code();
    match code {
        "MOVED" => Some(target(asked, error).map_or_else(|| wait(code), Refusal::Moved)),
        "ASK" => Some(target(asked, error).map_or_else(|| wait(code), Refusal::Ask)),
        _ if may_pass(code) => Some(wait(code)),
        "OOM" | "MISCONF" | "NOREPLICAS" | "NOAUTH" | "NOPERM" | "BUSY" => {
            Some(Refusal::Final(code.to_owned()))
        }
        _ => None,
    }
}

/// Whether what an error code says may be over in a moment.
pub(super) fn may_pass(code: &str) -> bool {
    matches!(code, "TRYAGAIN" | "LOADING" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY")
}

fn wait(code: &str) -> Refusal {
    Refusal::Wait(code.to_owned())
}

/// Of `3999 127.0.0.1:6381`, the address.
fn target(asked: &Address, error: &ServerError) -> Option<Address> {
    let (_, target) = error.details()?.split_once(' ')?;
    let (host, port) = target.trim().rsplit_once(':')?;
    Some(announced(asked, host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use redis::cmd;

    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    fn error(text: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> Reply {
        Err(error(text))
    }

    fn inner(values: &[&str]) -> Reply {
        let value = |text: &&str| match text.strip_prefix('-') {
            Some(text) => Value::ServerError(error(text)),
            None => Value::Okay,
        };
        Ok(Value::Array(values.iter().map(value).collect()))
    }

    fn wait_for(code: &str) -> Verdict {
        Verdict::Refused(Refusal::Wait(code.to_owned()))
    }

    const OKAY: Reply = Ok(Value::Okay);

    #[test]
    fn judges_single_commands() {
        let asked = at("a", 1);
        for (replies, expected) in [
            (vec![OKAY], Verdict::Executed),
            (vec![refused("ERR wrong")], Verdict::Executed),
            (vec![refused("NOSCRIPT none")], Verdict::Executed),
            (vec![refused("MOVED 1 b:2")], Verdict::Refused(Refusal::Moved(at("b", 2)))),
            (vec![refused("MOVED 1 :2")], Verdict::Refused(Refusal::Moved(at("a", 2)))),
            (vec![refused("ASK 1 ::5:2")], Verdict::Refused(Refusal::Ask(at("::5", 2)))),
            (vec![refused("MOVED nonsense")], wait_for("MOVED")),
            (vec![refused("TRYAGAIN x"), refused("TRYAGAIN x")], wait_for("TRYAGAIN")),
            (vec![refused("READONLY x")], wait_for("READONLY")),
            (vec![refused("LOADING x")], wait_for("LOADING")),
            (vec![refused("OOM x")], Verdict::Refused(Refusal::Final("OOM".to_owned()))),
            // The disk is full.
            (vec![refused("MISCONF x")], Verdict::Refused(Refusal::Final("MISCONF".to_owned()))),
            (vec![OKAY, refused("MOVED 1 b:2")], Verdict::Partly),
            (vec![refused("MOVED 1 b:2"), OKAY], Verdict::Partly),
            (vec![refused("MOVED 1 b:2"), refused("ERR x")], Verdict::Partly),
        ] {
            assert_eq!(judge(&asked, &replies, false), expected, "{replies:?}");
        }
    }

    #[test]
    fn judges_transactions() {
        let asked = at("a", 1);
        let moved = || Verdict::Refused(Refusal::Moved(at("b", 2)));
        let full = || Verdict::Refused(Refusal::Final("OOM".to_owned()));
        let abort = || refused("EXECABORT Transaction discarded");
        for (replies, expected) in [
            (vec![OKAY, OKAY, inner(&["OK"])], Verdict::Executed),
            (vec![OKAY, OKAY, inner(&["-ERR script"])], Verdict::Executed),
            (vec![OKAY, OKAY, inner(&["-NOSCRIPT none"])], Verdict::Executed),
            (vec![OKAY, OKAY, inner(&["-TRYAGAIN x"])], wait_for("TRYAGAIN")),
            (vec![OKAY, OKAY, inner(&["-MOVED 1 b:2"])], moved()),
            (vec![OKAY, OKAY, inner(&["OK", "-TRYAGAIN x"])], Verdict::Partly),
            (vec![OKAY, OKAY, inner(&["-OOM of a script"])], full()),
            (vec![OKAY, OKAY, inner(&["OK", "-OOM of a script"])], Verdict::Partly),
            (vec![OKAY, refused("OOM when it is queued"), abort()], full()),
            (vec![OKAY, refused("MOVED 1 b:2"), abort()], moved()),
            (vec![OKAY, refused("TRYAGAIN x"), abort()], wait_for("TRYAGAIN")),
            (
                vec![OKAY, refused("MISCONF x"), abort()],
                Verdict::Refused(Refusal::Final("MISCONF".to_owned())),
            ),
            (
                vec![OKAY, refused("ERR arguments"), abort()],
                Verdict::Refused(Refusal::Final("EXECABORT".to_owned())),
            ),
            (vec![OKAY, OKAY, refused("MOVED 1 b:2")], moved()),
            (vec![OKAY, OKAY, refused("CLUSTERDOWN x")], wait_for("CLUSTERDOWN")),
            (vec![refused("LOADING x"), OKAY, refused("ERR EXEC without MULTI")], Verdict::Partly),
            (
                vec![refused("LOADING x"), refused("LOADING x"), refused("ERR EXEC without MULTI")],
                wait_for("LOADING"),
            ),
            (vec![OKAY, OKAY, OKAY], Verdict::Partly),
            (vec![], Verdict::Partly),
        ] {
            assert_eq!(judge(&asked, &replies, true), expected, "{replies:?}");
        }
    }

    #[test]
    fn a_transaction_begins_with_multi_and_ends_with_exec() {
        assert!(is_transaction(&[cmd("multi"), cmd("GET"), cmd("Exec")]));
        assert!(!is_transaction(&[cmd("GET"), cmd("EXEC")]));
        assert!(!is_transaction(&[cmd("MULTI"), cmd("GET")]));
        assert!(!is_transaction(&[]));
    }
}
