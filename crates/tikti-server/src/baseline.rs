//! What is the service measured beside? What the machine does without it: a bare echo on the same stack, and
//! what the domain knows of raw work.
//!
//! For benchmarks: `tikti bench` and the bench `identity`. No server of a deployment has any of it.
//!
//! Spec: Performance.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::any;
use axum::serve::ListenerExt as _;
pub use tikti_domain::baseline::RawBcrypt;
use tikti_domain::error::Refusal;
use tikti_domain::settings::Settings;
use tokio::net::TcpListener;

/// How passwords are hashed where nobody says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// The cost of bcrypt.
    pub cost: u32,
    /// Threads of the pool.
    pub threads: usize,
    /// How much lower they rank than the rest.
    pub niceness: i32,
}

impl Hashing {
    /// The shipped settings, on this machine.
    ///
    /// # Errors
    /// None in practice: the shipped settings fit their grammar.
    pub fn shipped() -> Result<Self, Refusal> {
        let settings = Settings::shipped("")?;
        let pool = settings.password_pool;
        Ok(Self { cost: settings.password_cost, threads: pool.threads, niceness: pool.niceness })
    }
}

/// A server that reads a whole request and answers what it was told, and does nothing else.
pub struct Echo {
    listener: TcpListener,
    router: Router,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Echo {
    /// Binds a free port of this machine, for these paths. What a path answers is the body of the first `PUT`
    /// to it; until then, nothing.
    ///
    /// # Errors
    /// There is no port.
    pub async fn bind(paths: &[&str]) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let mut router = Router::new();
        for path in paths {
            let payload = Arc::new(OnceLock::new());
            let told = Arc::clone(&payload);
            let tell = async move |body: Bytes| {
                let _ = told.set(body);
            };
            let answer = async move |_whole: Bytes| {
                let json = [(CONTENT_TYPE, "application/json")];
                (json, payload.get().cloned().unwrap_or_default())
            };
            router = router.route(path, any(answer).put(tell));
        }
        Ok(Self { listener, router, address })
    }

    /// Answers until it is dropped.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn serve(self) -> io::Result<()> {
        let listener = self.listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, self.router).await
    }
}

#[cfg(test)]
mod tests {
    use tower::util::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn an_echo_answers_what_it_was_told_first_whatever_it_is_asked() {
        let router = Echo::bind(&["/v1/a", "/v1/b"]).await.unwrap().router;
        let ask = async |method: &str, path: &str, body: &'static str| {
            let request = axum::http::Request::builder().method(method).uri(path);
            let request = request.body(axum::body::Body::from(body)).unwrap();
            let reply = router.clone().oneshot(request).await.unwrap();
            let status = reply.status().as_u16();
            let body = axum::body::to_bytes(reply.into_body(), 64).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(ask("PUT", "/v1/a", "told").await, (200, String::new()));
        assert_eq!(ask("PUT", "/v1/a", "again").await, (200, String::new()));
        assert_eq!(ask("POST", "/v1/a", "{}").await, (200, "told".to_owned()));
        assert_eq!(ask("GET", "/v1/a", "").await, (200, "told".to_owned()));
        assert_eq!(ask("GET", "/v1/b", "").await, (200, String::new()));
        assert_eq!(ask("GET", "/v1/c", "").await.0, 404);
    }

    #[test]
    fn the_shipped_hashing_is_that_of_the_settings() {
        let shipped = Hashing::shipped().unwrap();
        assert_eq!((shipped.cost, shipped.niceness), (12, 10));
        assert!(shipped.threads >= 1);
    }
}
