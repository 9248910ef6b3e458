//! Who asks? One after the other, each thing that takes time and can fail.

use crate::connection::{Broken, Reply};

/// Longer than any code, in letters.
const MAX_CODE: usize = 64;

/// One of those that ask at the same time; it has a thread of its own.
pub trait Client: Send {
    /// Prepares the thread that it runs on.
    fn begin(&mut self) {}

    /// Does one thing. `turn` counts over all clients: those that do different things choose by it.
    fn call(&mut self, turn: u64) -> Outcome;
}

impl<C: Client + ?Sized> Client for Box<C> {
    fn begin(&mut self) {
        (**self).begin();
    }

    fn call(&mut self, turn: u64) -> Outcome {
        (**self).call(turn)
    }
}

/// What became of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Good,
    /// The server said no.
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What the server calls it: the `code` of its JSON, or nothing.
        code: String,
    },
    /// There was no answer.
    Broken(Broken),
}

impl From<Result<Reply<'_>, Broken>> for Outcome {
    /// Good is 2xx and nothing else.
    fn from(heard: Result<Reply<'_>, Broken>) -> Self {
        match heard {
            Ok(Reply { status: 200..=299, .. }) => Self::Good,
            Ok(Reply { status, body }) => Self::Refused { status, code: code_of(body) },
            Err(broken) => Self::Broken(broken),
        }
    }
}

fn code_of(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let code = value.get("code").and_then(|code| code.as_str()).unwrap_or_default();
    code.chars().take(MAX_CODE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_good_and_a_refusal_has_the_code_of_the_server() {
        let of =
            |status, body: &'static str| Outcome::from(Ok(Reply { status, body: body.as_bytes() }));
        assert_eq!(of(200, ""), Outcome::Good);
        assert_eq!(of(204, ""), Outcome::Good);
        for (status, body, code) in [
            (429, r#"{"error":"no","code":"RATE_LIMITED"}"#, "RATE_LIMITED"),
            (302, "", ""),
            (502, "<html>", ""),
            (500, r#"{"code":7}"#, ""),
        ] {
            assert_eq!(of(status, body), Outcome::Refused { status, code: code.to_owned() });
        }
    }
}
