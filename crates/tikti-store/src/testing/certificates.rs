//! Certificates for servers and clients of a test, made by the machine's `openssl`.
//!
//! Invariant: nobody trusts them but a test, and they are gone with it.
//!
//! Spec: Storage, "`rediss://` (TLS)", "client certificates".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::TlsFiles;

/// What openssl would otherwise take from a file of the machine.
const SETTINGS: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
";

/// An authority, and a server and a client that it vouches for: PEM files in a temporary directory.
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes all of them. The server is called `127.0.0.1` and `localhost`.
    ///
    /// # Panics
    /// If `openssl` is missing or refuses.
    #[must_use]
    pub fn make() -> Self {
        let made = Self { directory: TempDir::new().unwrap() };
        fs::write(made.path("settings"), SETTINGS).unwrap();
        for owner in ["authority", "server", "client"] {
            made.openssl(&format!("ecparam -name prime256v1 -genkey -noout -out {owner}.key"));
            let request = format!("req -new -config settings -subj /CN={owner} -key {owner}.key");
            if owner == "authority" {
                made.openssl(&format!(
                    "{request} -x509 -days 2 -extensions {owner} -out {owner}.pem"
                ));
                continue;
            }
            made.openssl(&format!("{request} -out {owner}.csr"));
            made.openssl(&format!(
                "x509 -req -in {owner}.csr -days 2 -extfile settings -extensions {owner} \
                 -CA authority.pem -CAkey authority.key -CAcreateserial -out {owner}.pem"
            ));
        }
        made
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(self.directory.path());
        let ended = command.output().expect("openssl is there: apt-get install openssl");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "openssl {arguments}: {said}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Gives the directory, to put more files there.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Gives what a client trusts that shows no certificate.
    #[must_use]
    pub fn trusted(&self) -> TlsFiles {
        TlsFiles { ca: Some(self.path("authority.pem")), client: None }
    }

    /// Gives what a client trusts and shows.
    #[must_use]
    pub fn trusted_and_shown(&self) -> TlsFiles {
        let client = Some((self.path("client.pem"), self.path("client.key")));
        TlsFiles { client, ..self.trusted() }
    }

    /// What a server is told.
    pub(super) fn server_options(&self) -> Vec<String> {
        let files = [
            ("--tls-cert-file", "server.pem"),
            ("--tls-key-file", "server.key"),
            ("--tls-ca-cert-file", "authority.pem"),
        ];
        let options =
            files.map(|(option, name)| [option.to_owned(), self.path(name).display().to_string()]);
        options.into_iter().flatten().collect()
    }
}
