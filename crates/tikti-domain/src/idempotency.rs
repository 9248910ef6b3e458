//! Was this request answered already?
//!
//! A creation that shows a secret shows it once. Who did not hear the answer asks again with the same
//! `Idempotency-Key`, and is told what was made, without its secret, instead of making another one or being
//! told that one exists. What was answered stands in the partition of the change and is written in its
//! transaction. Invariant: of several that come at once with one key, by one caller, for one path, exactly
//! one makes something, and only its answer has the secret.
//!
//! How an operation uses it: it asks for `Once::keys` together with what it decides from, and where
//! `Once::answered` finds something it answers that, before it looks whether what it would make exists.
//! Then it makes the change by `Administrator::change_once`, or in a transaction of its own that has declared
//! the keys, by `Once::recall` before anything else and `Once::remember` with the change.
//!
//! Spec: HTTP API, "Tenant administration" (`Idempotency-Key`). Why: docs/decisions/0033.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Key, Partition, Stored, Txn};

use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, InternalError, Refusal};
use crate::keyspace;
use crate::reads::Reads;
use crate::record::Record;

/// How long an answer is given again, in milliseconds.
pub const ANSWERED_AGAIN_MILLIS: u64 = 600_000;
/// Most characters of an `Idempotency-Key`.
const MAX_KEY_LENGTH: usize = 255;

/// A request that may come again, by the name that its client gave it.
#[derive(Clone)]
pub struct Repeatable {
    /// Method, path and the client's name for the request.
    name: String,
    /// The body, in one spelling.
    body: String,
}

impl Repeatable {
    /// Takes the value of the header, the method and path that it came with, and the body as it was parsed:
    /// how it was spelt, and in which order its members stood, makes no difference.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` unless the value is of 1 to 255 visible ASCII characters.
    pub fn new(
        header: &str,
        (method, path): (&str, &str),
        body: &serde_json::Value,
    ) -> Result<Self, Refusal> {
        let is_visible = header.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=MAX_KEY_LENGTH).contains(&header.len()) {
            let reason = format!("must be 1 to {MAX_KEY_LENGTH} visible ASCII characters");
            return Err(Refusal::invalid("Idempotency-Key", reason));
        }
        Ok(Self { name: format!("{method} {path}\n{header}"), body: body.to_string() })
    }
}

impl std::fmt::Debug for Repeatable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Repeatable")
    }
}

/// What was answered to a request that may come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GivenAnswer {
    /// The keyed hash of the request's body.
    body: String,
    /// The answer, without its secret.
    reply: serde_json::Value,
}

impl Record for GivenAnswer {}

/// An answer, and whether it is the first one.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// It was made by this request.
    First(T),
    /// It was made by an earlier one.
    Again(T),
}

impl<T> Answer<T> {
    /// The answer, where no secret goes with it.
    pub(crate) fn reply(self) -> T {
        self.with(()).0
    }

    /// The answer with its secret, where that was shown to nobody yet.
    pub(crate) fn with<S>(self, secret: S) -> (T, Option<S>) {
        match self {
            Self::First(reply) => (reply, Some(secret)),
            Self::Again(reply) => (reply, None),
        }
    }
}

/// Where the answer to one request stands; nowhere, where its client gave it no name.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// By pepper, the newest first: an answer is found after the pepper was rotated.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    key: Key,
    /// The keyed hash of the body.
    body: String,
}

impl Once {
    /// Names the place for a request of `who`, in the partition that it changes something in.
    pub(crate) fn of(
        domain: &Domain,
        (caller, who): (&Caller, &str),
        partition: &Partition,
    ) -> Self {
        let Some(repeatable) = &caller.repeatable else {
            return Self { places: Vec::new() };
        };
        let name = format!("request\n{who}\n{}", repeatable.name);
        // Bound to its request, so that equal bodies of two requests have nothing in common.
        let body = format!("body\n{name}\n{}", repeatable.body);
        let names = domain.peppers.hashes(&name);
        let places = names.zip(domain.peppers.hashes(&body)).map(|(name, body)| Place {
            key: keyspace::given_answer(partition, &name.hmac),
            body: body.hmac,
        });
        Self { places: places.collect() }
    }

    /// What an earlier answer is read from: for the reads before a change and for its transaction.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        self.places.iter().map(|place| place.key.clone())
    }

    /// An earlier answer, from reads that hold [`Once::keys`].
    ///
    /// # Errors
    /// `CONFLICT` where it was an answer to another body.
    pub(crate) fn answered<T: DeserializeOwned>(&self, reads: &Reads) -> Result<Option<T>, Error> {
        self.find(|key| reads.stored(key))
    }

    /// An earlier answer, in a transaction that has declared [`Once::keys`].
    ///
    /// # Errors
    /// `CONFLICT` where it was an answer to another body.
    pub(crate) fn recall<T: DeserializeOwned>(&self, txn: &Txn) -> Result<Option<T>, Error> {
        self.find(|key| txn.get(key))
    }

    /// Keeps an answer, which must hold no secret, with the commit of what it tells of.
    pub(crate) fn remember<T: Serialize>(
        &self,
        txn: &mut Txn,
        reply: &T,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(Place { key, body }) = self.places.first() else {
            return Ok(());
        };
        let reply = serde_json::to_value(reply).map_err(|error| broken(key, &error))?;
        let bytes = GivenAnswer { body: body.clone(), reply }.encode()?;
        let until = now.plus_millis(ANSWERED_AGAIN_MILLIS);
        Ok(txn.put(key, Entry::new(&bytes).expires_at(until))?)
    }

    fn find<'a, T: DeserializeOwned, E>(
        &self,
        stored: impl Fn(&Key) -> Result<Option<&'a Stored>, E>,
    ) -> Result<Option<T>, Error>
    where
        Error: From<E>,
    {
        for Place { key, body } in &self.places {
            let Some(given) = GivenAnswer::decode_optional(key, stored(key)?)? else { continue };
            if given.body != *body {
                let message = "the Idempotency-Key was given with another body";
                return Err(Refusal::new(Code::Conflict, message).into());
            }
            let reply = serde_json::from_value(given.reply).map_err(|error| broken(key, &error))?;
            return Ok(Some(reply));
        }
        Ok(None)
    }
}

fn broken(key: &Key, error: &serde_json::Error) -> Error {
    let key = String::from_utf8_lossy(key.as_bytes()).into_owned();
    InternalError::Record { key, reason: error.to_string() }.into()
}

#[cfg(test)]
mod tests;
