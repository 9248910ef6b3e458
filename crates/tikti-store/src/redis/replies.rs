//! What has a server answered?
//!
//! Invariant: a reply of another shape than the command has is an error and never a guess. An error
//! of the server is shown without the arguments that some servers repeat, since those are values.
//!
//! Spec: Storage, "inner errors of an EXEC array are read".

use redis::{ServerError, Value};

use super::servers::Reply;
use crate::error::StoreError;

/// A server refused a command, in its words.
#[derive(Debug, thiserror::Error)]
#[error("the server answered {0}")]
struct Refusal(String);

/// A server answered something that is no reply to the command.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer has an unknown shape")]
pub(super) struct UnknownShape;

/// Names what a server refused. What was being done is `doing`.
pub(super) fn refused(doing: &'static str, error: &ServerError) -> StoreError {
    // Redis: "unknown command 'x', with args beginning with: 'key' 'value'".
    let details = error.details().unwrap_or_default();
    let details = details.split(", with args").next().unwrap_or_default();
    let text = format!("{} {details}", error.code());
    StoreError::unavailable(doing, Refusal(text.trim_end().to_owned()))
}

pub(super) fn unknown_shape(doing: &'static str) -> StoreError {
    StoreError::unavailable(doing, UnknownShape)
}

/// The value of a reply that is not an error.
pub(super) fn value(doing: &'static str, reply: Reply) -> Result<Value, StoreError> {
    match reply {
        Ok(Value::ServerError(error)) | Err(error) => Err(refused(doing, &error)),
        Ok(value) => Ok(value),
    }
}

/// The only reply of a request with one command.
pub(super) fn only(doing: &'static str, replies: Vec<Reply>) -> Result<Value, StoreError> {
    let reply = replies.into_iter().next().ok_or_else(|| unknown_shape(doing))?;
    value(doing, reply)
}

/// A string, or nothing.
pub(super) fn string(doing: &'static str, value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::ServerError(error) => Err(refused(doing, &error)),
        _ => Err(unknown_shape(doing)),
    }
}

pub(super) fn array(doing: &'static str, value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) => Ok(values),
        Value::ServerError(error) => Err(refused(doing, &error)),
        _ => Err(unknown_shape(doing)),
    }
}

/// Strings, all of them there.
pub(super) fn strings(doing: &'static str, value: Value) -> Result<Vec<Vec<u8>>, StoreError> {
    let there = |value| string(doing, value)?.ok_or_else(|| unknown_shape(doing));
    array(doing, value)?.into_iter().map(there).collect()
}

pub(super) fn integer(doing: &'static str, value: &Value) -> Result<i64, StoreError> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::ServerError(error) => Err(refused(doing, error)),
        _ => Err(unknown_shape(doing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOING: &str = "testing";

    /// What the parser makes of a reply on the wire.
    fn parsed(wire: &str) -> Value {
        redis::parse_redis_value(wire.as_bytes()).unwrap()
    }

    fn shown(error: &StoreError) -> String {
        let source = std::error::Error::source(error).unwrap();
        source.to_string()
    }

    #[test]
    fn an_error_is_shown_without_the_arguments() {
        let wire = "-ERR unknown command 'CAS', with args beginning with: 'key' 'secret' \r\n";
        let error = value(DOING, Ok(parsed(wire))).unwrap_err();
        assert_eq!(shown(&error), "the server answered ERR unknown command 'CAS'");
        let error = value(DOING, Ok(parsed("-WRONGTYPE not a string\r\n"))).unwrap_err();
        assert_eq!(shown(&error), "the server answered WRONGTYPE not a string");
    }

    #[test]
    fn reads_what_the_command_gives_and_refuses_the_rest() {
        assert_eq!(string(DOING, parsed("$1\r\na\r\n")).unwrap(), Some(b"a".to_vec()));
        assert_eq!(string(DOING, parsed("$-1\r\n")).unwrap(), None);
        assert!(string(DOING, parsed(":1\r\n")).is_err());
        assert_eq!(strings(DOING, parsed("*1\r\n$0\r\n\r\n")).unwrap(), [b""]);
        assert!(strings(DOING, parsed("*1\r\n$-1\r\n")).is_err());
        assert!(strings(DOING, parsed("+OK\r\n")).is_err());
        assert_eq!(integer(DOING, &parsed(":-1\r\n")).unwrap(), -1);
        assert!(integer(DOING, &parsed("$1\r\n1\r\n")).is_err());
        assert!(only(DOING, Vec::new()).is_err());
    }
}
