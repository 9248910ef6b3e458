//! Who asks what was written beforehand? A client that sends the same requests round and round.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::client::{Client, Outcome};
use crate::connection::Connection;
use crate::stop::Stop;

/// Sends whole requests, those of its turns.
pub struct Asking {
    connection: Connection,
    requests: Arc<[Vec<u8>]>,
}

impl Asking {
    /// So many clients of one server, which take turns with `requests`: turn `n` sends the `n`th, and after
    /// the last comes the first.
    #[must_use]
    pub fn all(address: SocketAddr, requests: Vec<Vec<u8>>, clients: usize) -> Vec<Self> {
        let requests: Arc<[Vec<u8>]> = requests.into();
        let client =
            |_| Self { connection: Connection::later(address), requests: Arc::clone(&requests) };
        (0..clients).map(client).collect()
    }

    /// The same, that gives a call up when this is asked.
    #[must_use]
    pub fn until(self, stop: &Stop) -> Self {
        Self { connection: self.connection.until(stop), ..self }
    }
}

impl Client for Asking {
    fn call(&mut self, turn: u64) -> Outcome {
        let count = self.requests.len().max(1) as u64;
        let request = usize::try_from(turn % count).ok().and_then(|at| self.requests.get(at));
        self.connection.ask(request.map(Vec::as_slice).unwrap_or_default()).into()
    }
}
