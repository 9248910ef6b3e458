//! Whom do we trust, and what do we show, on a TLS connection?
//!
//! Invariant: the certificate of a server and its name are always checked. There is one place that
//! sees to it that rustls has a cryptographic provider, the same as everywhere else.
//!
//! Spec: Storage, "`rediss://` (TLS)", "client certificates".

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redis::{Client, ClientTlsConfig, ConnectionAddr, TlsCertificates};
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use super::url::Address;
use crate::error::OpenError;
use crate::store::TlsFiles;

/// How a connection is secured.
#[derive(Clone)]
pub(super) enum Security {
    Plain,
    /// An address whose host and port are replaced: what it trusts and shows cannot be taken out.
    Tls(Box<ConnectionAddr>),
}

impl Security {
    /// Reads the files once: a file that cannot be used is refused at the start.
    pub(super) fn tls(files: &TlsFiles) -> Result<Self, OpenError> {
        provide_cryptography();
        let ca = files.ca.as_deref();
        let root_cert = ca.map(read).transpose()?;
        let client_tls = match &files.client {
            Some((certificate, key)) => {
                Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
            None => None,
        };
        if let (Some(path), Some(pem)) = (ca, &root_cert)
            && !contains_certificate(pem)
        {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate");
            return Err(OpenError::Io { doing: USE, path: path.to_owned(), source });
        }
        let address = ConnectionAddr::TcpTls {
            host: String::new(),
            port: 0,
            insecure: false,
            tls_params: None,
        };
        let client = Client::build_with_tls(address, TlsCertificates { client_tls, root_cert });
        let client = client.map_err(|error| {
            // The certificate of the client is parsed first, then the authorities.
            let client = files.client.as_ref().map(|(certificate, _)| certificate.clone());
            let path = client.or_else(|| files.ca.clone()).unwrap_or_default();
            let source = io::Error::new(io::ErrorKind::InvalidData, error);
            OpenError::Io { doing: USE, path, source }
        })?;
        Ok(Self::Tls(Box::new(client.get_connection_info().addr().clone())))
    }

    /// Where to connect to.
    pub(super) fn address(&self, server: &Address) -> ConnectionAddr {
        let Address { host, port } = server.clone();
        match self {
            Self::Tls(template) => match template.as_ref() {
                ConnectionAddr::TcpTls { tls_params, .. } => {
                    let tls_params = tls_params.clone();
                    ConnectionAddr::TcpTls { host, port, insecure: false, tls_params }
                }
                _ => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            },
            Self::Plain => ConnectionAddr::Tcp(host, port),
        }
    }
}

const USE: &str = "use for TLS";

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, OpenError> {
    let path = path.as_ref();
    let failed = |source| OpenError::Io { doing: "read", path: PathBuf::from(path), source };
    fs::read(path).map_err(failed)
}

/// An authority file of another kind parses as no certificate at all, and then no server is trusted.
fn contains_certificate(pem: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// rustls chooses a provider by itself only where exactly one is compiled in, and panics otherwise;
/// which ones are is decided by whoever builds the program. So it is said here.
fn provide_cryptography() {
    if CryptoProvider::get_default().is_none() {
        // An error means that somebody else was faster, and then there is one as well.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(files: &TlsFiles) -> String {
        Security::tls(files).err().unwrap().to_string()
    }

    #[test]
    fn refuses_files_that_are_missing_or_hold_something_else() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.pem");
        let odd = directory.path().join("odd.pem");
        fs::write(&odd, "not a certificate").unwrap();
        let shown = |path: &Path| path.display().to_string();
        let ca = |path: &Path| TlsFiles { ca: Some(path.to_owned()), client: None };
        assert_eq!(refusal(&ca(&missing)), format!("could not read {}", shown(&missing)));
        assert_eq!(refusal(&ca(&odd)), format!("could not use for TLS {}", shown(&odd)));
        let client = TlsFiles { ca: None, client: Some((odd.clone(), odd.clone())) };
        assert_eq!(refusal(&client), format!("could not use for TLS {}", shown(&odd)));
    }

    #[test]
    fn checks_the_name_of_the_server_it_connects_to() {
        let security = Security::tls(&TlsFiles::default()).ok().unwrap();
        let server = Address { host: "redis.example".to_owned(), port: 6380 };
        let ConnectionAddr::TcpTls { host, port, insecure, .. } = security.address(&server) else {
            panic!("not a TLS address");
        };
        assert_eq!((host.as_str(), port, insecure), ("redis.example", 6380, false));
    }
}
