//! Which server is loaded, and may it be? One that is asked without TLS, and on this machine unless that is meant.
//!
//! The generator writes plain HTTP, so that what it costs is less than what it measures; what TLS costs is the
//! proxy's that ends it.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tikti_load::{Asking, Broken, Connection, Request, Stop};
use tikti_server::api::ErrorReply;
use url::Url;

use crate::base_url::BaseUrl;
use crate::exit::Failure;

/// The name that the server sees in each session.
const USER_AGENT: (&str, &str) = ("User-Agent", concat!("tikti-bench/", env!("CARGO_PKG_VERSION")));

#[derive(Clone)]
pub(super) struct Server {
    pub(super) base: BaseUrl,
    pub(super) address: SocketAddr,
    /// Name and port, for the head of a request.
    host: String,
    /// Gives up what is asked once.
    stop: Stop,
}

impl Server {
    /// Settles that the server may be loaded, and where it listens.
    ///
    /// Errors: exit code 3 where it may not, 1 where nobody listens.
    pub(super) fn settle(base: &BaseUrl, is_meant: bool) -> Result<Self, Failure> {
        if base.is_https() {
            return Err(Failure::usage(format!("{base} is asked by TLS, which a bench does not"))
                .next("name the address that the server itself listens on: --host http://..."));
        }
        let url = base.join(&[]);
        let unknown = || Failure::refused(format!("cannot find {base}"));
        let (name, port) = url.host_str().zip(url.port_or_known_default()).ok_or_else(unknown)?;
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let addresses = Vec::from_iter((bare, port).to_socket_addrs().map_err(|_| unknown())?);
        may_be_loaded(base, &addresses, is_meant)?;
        let at = |address| Self {
            base: base.clone(),
            address,
            host: format!("{name}:{port}"),
            stop: Stop::default(),
        };
        // Of several the one where somebody listens.
        let mut failed = unknown();
        for server in addresses.into_iter().map(at) {
            match server.connect() {
                Ok(_) => return Ok(server),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }

    /// The same, where calls are given up when this is asked.
    pub(super) fn until(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Whether it is of this machine.
    pub(super) fn is_here(&self) -> bool {
        is_here(self.address)
    }

    /// The path of a call of this server.
    pub(super) fn path(&self, segments: &[&str]) -> String {
        let url: Url = self.base.join(segments);
        url.path().to_owned()
    }

    /// A request that is sent as it is, whoever answers.
    pub(super) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let headers = [&[USER_AGENT], headers].concat();
        let headers = headers.as_slice();
        Request { method: "POST", path, host: &self.host, headers, body }.to_bytes()
    }

    /// A request that asks for something.
    pub(super) fn get(&self, path: &str) -> Vec<u8> {
        let headers = &[USER_AGENT];
        Request { method: "GET", path, host: &self.host, headers, body: b"" }.to_bytes()
    }

    pub(super) fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address).map_err(|broken| self.unreachable(&broken))
    }

    /// One that connects at the first request, for whoever is measured.
    pub(super) fn connection(&self) -> Connection {
        Connection::later(self.address).until(&self.stop)
    }

    /// So many that send the same request over and over.
    pub(super) fn asking(&self, request: &[u8], count: usize) -> Vec<Asking> {
        let all = Asking::all(self.address, vec![request.to_vec()], count).into_iter();
        all.map(|asking| asking.until(&self.stop)).collect()
    }

    /// Sends a request once, before all others, and gives what was answered: what is refused once is not
    /// measured.
    pub(super) fn ask_once(&self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut connection = self.connect()?.until(&self.stop);
        let reply = connection.ask(request).map_err(|broken| self.unreachable(&broken))?;
        if (200..300).contains(&reply.status) {
            return Ok(reply.body.to_vec());
        }
        Err(match serde_json::from_slice::<ErrorReply>(reply.body) {
            Ok(told) => Failure::from_reply(reply.status, told),
            Err(_) => {
                let (base, status) = (&self.base, reply.status);
                Failure::refused(format!("{base} answered HTTP {status}, and not as Tikti does"))
                    .next("check the address of the server")
            }
        })
    }

    /// Errors: a person has asked for the end.
    pub(super) fn goes_on(&self) -> Result<(), Failure> {
        if self.stop.is_asked() { Err(Failure::interrupted()) } else { Ok(()) }
    }

    fn unreachable(&self, broken: &Broken) -> Failure {
        Failure::refused(format!("cannot ask {}: {broken}", self.base))
            .next("check the address and that the server runs; `tikti dev` starts one here")
    }
}

fn is_here(address: SocketAddr) -> bool {
    let ip: IpAddr = address.ip().to_canonical();
    ip.is_loopback()
}

/// Whatever its name looks like, a server is where its name leads to: each of these.
fn may_be_loaded(base: &BaseUrl, to: &[SocketAddr], is_meant: bool) -> Result<(), Failure> {
    if is_meant || to.iter().all(|address| is_here(*address)) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{base} is not this machine, and a bench takes all that a server has"
    ))
    .next("say that it is meant: --yes"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn settle(host: &str, is_meant: bool) -> Result<Server, Failure> {
        Server::settle(&BaseUrl::parse(host).unwrap(), is_meant)
    }

    #[test]
    fn a_server_of_another_machine_is_loaded_only_where_that_is_meant() {
        // TEST-NET-1: whoever would ask it would wait.
        let refused = settle("http://192.0.2.1:9", false).err().unwrap();
        assert!(refused.message.contains("is not this machine"), "{}", refused.message);
        assert_eq!(refused.exit, crate::exit::Exit::Usage);
        let refused = settle("https://127.0.0.1:9", true).err().unwrap();
        assert!(refused.message.contains("TLS"), "{}", refused.message);
    }

    #[test]
    fn a_server_is_where_its_name_leads_to_whatever_the_name_looks_like() {
        let base = BaseUrl::parse("http://app.localhost:8080").unwrap();
        let [here, mapped, away] = ["127.0.0.2:80", "[::ffff:127.0.0.1]:80", "192.0.2.1:80"]
            .map(|address| address.parse::<SocketAddr>().unwrap());
        assert!(may_be_loaded(&base, &[here, mapped], false).is_ok());
        assert!(may_be_loaded(&base, &[here, away], false).is_err());
        assert!(may_be_loaded(&base, &[here, away], true).is_ok());
    }

    #[test]
    fn a_name_is_the_address_at_which_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = settle(&format!("http://localhost:{port}/prefix"), false).unwrap();
        assert_eq!(server.address, listener.local_addr().unwrap());
        assert_eq!(server.path(&["v1", "token"]), "/prefix/v1/token");
        let request = String::from_utf8(server.get("/a")).unwrap();
        assert!(request.contains(&format!("\r\nHost: localhost:{port}\r\n")), "{request}");
    }
}
