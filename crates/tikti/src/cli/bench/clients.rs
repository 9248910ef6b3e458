//! Who asks the server what changes from call to call? Those that sign in, and those that refresh.
//!
//! What never changes is asked by [`Asking`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tikti_load::{Asking, Broken, Client, Connection, Outcome, Reply};
use tikti_server::api::{TokenReply, TokenRequest};

use super::server::Server;
use crate::exit::Failure;

/// Signs in, and counts the sessions that it begins.
pub(super) struct SigningIn {
    pub(super) asking: Asking,
    pub(super) begun: Arc<AtomicU64>,
}

impl Client for SigningIn {
    fn call(&mut self, turn: u64) -> Outcome {
        let outcome = self.asking.call(turn);
        if outcome == Outcome::Good {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

/// The refresh token that a session has now: its client's, and whoever's who signs it out.
#[derive(Clone)]
pub(super) struct Session(Arc<Mutex<SecretString>>);

impl Session {
    pub(super) fn new(refresh_token: String) -> Self {
        Self(Arc::new(Mutex::new(refresh_token.into())))
    }

    pub(super) fn refresh_token(&self) -> SecretString {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn goes_on_with(&self, refresh_token: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refresh_token.into();
    }
}

/// How a session is refreshed.
#[derive(Clone)]
pub(super) struct Refresh {
    session: Session,
    server: Arc<Server>,
    path: String,
}

impl Refresh {
    pub(super) fn new(server: &Arc<Server>, session: Session) -> Self {
        let path = server.path(&["v1", "token"]);
        Self { session, server: Arc::clone(server), path }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn request(&self) -> Result<Vec<u8>, Failure> {
        let request = TokenRequest {
            grant_type: "refresh_token".to_owned(),
            refresh_token: self.session.refresh_token().expose_secret().to_owned(),
            tenant_id: None,
        };
        Ok(self.server.post(&self.path, &[], &super::scenario::json(&request)?))
    }

    /// A token is good once: the next refresh goes on with the one of the reply. Where no reply came the
    /// same is sent again, which the server takes for what it is.
    pub(super) fn hear(&self, heard: Result<Reply<'_>, Broken>) -> Outcome {
        if let Ok(Reply { status: 200, body }) = &heard {
            match serde_json::from_slice::<TokenReply>(body) {
                Ok(reply) => self.session.goes_on_with(reply.refresh_token),
                Err(_) => return Outcome::Broken(Broken("a reply is not Tikti's".to_owned())),
            }
        }
        heard.into()
    }

    fn call(&self, connection: &mut Connection) -> Outcome {
        match self.request() {
            Ok(request) => self.hear(connection.ask(&request)),
            Err(failure) => Outcome::Broken(Broken(failure.message)),
        }
    }
}

/// Refreshes one session, over and over.
pub(super) struct Refreshing {
    pub(super) connection: Connection,
    pub(super) refresh: Refresh,
}

impl Client for Refreshing {
    fn call(&mut self, _: u64) -> Outcome {
        self.refresh.call(&mut self.connection)
    }
}

/// One call of the mixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Lookup,
    Exchange,
    Refresh,
    Jwks,
}

/// What a deployment is asked for: mostly who somebody is, sometimes for a token.
const MIXTURE: [Call; 20] = {
    use Call::{Exchange as E, Jwks as J, Lookup as L, Refresh as R};
    [L, L, L, E, L, L, L, E, L, J, L, L, L, E, L, L, R, L, E, L]
};

/// The call of a turn: of 20 that follow each other each has its part, and no client of many does always the same.
pub(super) fn call_of(turn: u64) -> Call {
    let count = MIXTURE.len() as u64;
    // Each 20 begin at another place, which no step from turn to turn can follow (Knuth's multiplicative hash).
    let begin = (turn / count).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let at = (turn % count + begin) % count;
    usize::try_from(at).ok().and_then(|at| MIXTURE.get(at)).copied().unwrap_or(Call::Lookup)
}

/// Does what a deployment is asked for, on one connection.
pub(super) struct Mixed {
    pub(super) connection: Connection,
    /// Whole requests that never change.
    pub(super) lookup: Arc<[u8]>,
    pub(super) exchange: Arc<[u8]>,
    pub(super) jwks: Arc<[u8]>,
    pub(super) refresh: Refresh,
}

impl Client for Mixed {
    fn call(&mut self, turn: u64) -> Outcome {
        let Self { connection, lookup, exchange, jwks, refresh } = self;
        match call_of(turn) {
            Call::Lookup => connection.ask(lookup).into(),
            Call::Exchange => connection.ask(exchange).into(),
            Call::Jwks => connection.ask(jwks).into(),
            Call::Refresh => refresh.call(connection),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(turns: impl Iterator<Item = u64>) -> [usize; 4] {
        let calls = Vec::from_iter(turns.map(call_of));
        let count = |wanted| calls.iter().filter(|call| **call == wanted).count();
        [Call::Lookup, Call::Exchange, Call::Refresh, Call::Jwks].map(count)
    }

    #[test]
    fn of_20_calls_each_has_its_part() {
        for begin in [0, 20, 4_000] {
            assert_eq!(parts(begin..begin + 20), [14, 4, 1, 1], "{begin}");
        }
    }

    #[test]
    fn no_client_of_many_does_always_the_same() {
        for clients in 1..=64_usize {
            for client in 0..clients as u64 {
                let turns = (client..).step_by(clients).take(2_000);
                assert!(parts(turns).iter().all(|part| *part > 0), "{client} of {clients}");
            }
        }
    }
}
