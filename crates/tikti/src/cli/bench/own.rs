//! Which sessions exist for the bench alone, and who ends them? Whatever happens after one is begun, it is signed out.
//!
//! Best effort and soon over: a server that does not answer is not asked for each, and where one cannot be ended it
//! ends by itself.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tikti_load::{Broken, Connection};
use tikti_server::api::SignOutRequest;

use super::clients::Session;
use super::scenario::json;
use super::server::Server;

/// The longest that all of them take.
const LIMIT: Duration = Duration::from_secs(5);

/// Signs out what it was given, when it is dropped.
pub(super) struct Own {
    server: Server,
    sessions: Mutex<Vec<Session>>,
}

impl Own {
    pub(super) fn of(server: &Server) -> Self {
        Self { server: server.clone(), sessions: Mutex::default() }
    }

    /// A session that was begun just now.
    pub(super) fn keep(&self, session: &Session) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
    }

    fn sign_out(&self) {
        let path = self.server.path(&["v1", "accounts", "signOut"]);
        let request = |session: &Session| {
            let refresh_token = Some(session.refresh_token().expose_secret().to_owned());
            let request = SignOutRequest { id_token: None, refresh_token, everywhere: None };
            json(&request).ok().map(|body| self.server.post(&path, &[], &body))
        };
        let begun = Instant::now();
        // Not one that ends with the bench: this is what is done after it.
        let mut connection = Connection::later(self.server.address);
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = |request: Vec<u8>| {
            let left = LIMIT.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(Broken("there is no time left".to_owned()));
            }
            connection.waits(left);
            connection.ask(&request).map(|_| ())
        };
        // At the first that is not answered the others would not be either.
        let _ = sessions.iter().filter_map(request).try_for_each(answered);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.sign_out();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;
    use crate::base_url::BaseUrl;

    #[test]
    fn at_the_first_call_without_an_answer_signing_out_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            // Whoever comes is hung up on; the one who says so is the last.
            let mut heard = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).unwrap();
                match &bytes[..read] {
                    // The look at whether somebody listens.
                    b"" => {}
                    b"end" => return heard,
                    request => heard.push(String::from_utf8(request.to_vec()).unwrap()),
                }
            }
        });
        let server = Server::settle(&BaseUrl::parse(&base).unwrap(), false).unwrap();
        let own = Own::of(&server);
        for token in ["first", "second", "third"] {
            own.keep(&Session::new(token.to_owned()));
        }
        drop(own);
        let mut last = std::net::TcpStream::connect(server.address).unwrap();
        std::io::Write::write_all(&mut last, b"end").unwrap();
        let heard = asked.join().unwrap();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].contains("first"), "{heard:?}");
    }
}
