//! How is a deployment configured? [`load()`] gives a [`Config`] in which everything is typed and
//! checked, or every problem at once.
//!
//! One idea a file: `load` finds the settings, `section` reads them with their types, `read` knows
//! which there are (`limits`, `mail`, `policy`, `proxies` and `store` for their groups), `check` refuses
//! what is unsafe or contradicts itself, `effective` shows what is set.
//!
//! Spec: Operations, "Configuration".

mod check;
mod effective;
mod keys;
mod limits;
mod load;
mod mail;
mod policy;
mod proxies;
mod read;
mod section;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tikti_domain::DomainConfig;

pub use effective::effective;
pub use load::load;
pub(crate) use load::place_of;
pub(crate) use mail::MAX_MAIL_TIMEOUT;
pub use mail::{MailConfig, MailTransport, Security, SmtpConfig, WebhookConfig};
pub use proxies::{Cidr, ForwardedHeader, TrustedProxies};
pub use store::StoreConfig;

/// How long a deployment's server goes on accepting once it was asked to stop: a probe or two of a
/// load balancer.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Everything that a server needs to start.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long, once asked to stop, connections are still accepted and answered while nothing runs,
    /// so that whoever sends work here can read in `/readyz` that it should look elsewhere.
    pub shutdown_grace: Duration,
    /// Which store to open, and how.
    pub store: StoreConfig,
    /// Whose word on the client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// Which header they write.
    pub forwarded_header: ForwardedHeader,
    /// Settings and secrets of the domain.
    pub domain: DomainConfig,
    /// How mails are sent.
    pub mail: MailConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or a list of `target=level`, such as `info,tikti_domain=debug`.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Why a configuration cannot be used. Prints one line a problem.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no YAML mapping.
    #[error("{}: {reason}", path.display())]
    NotYaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// Settings are missing, unknown, malformed, unsafe or contradict each other.
    #[error("{}", lines(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// One line a problem: the setting, and what is wrong with it.
        problems: Vec<String>,
    },
}

fn lines(path: &std::path::Path, problems: &[String]) -> String {
    let lines: Vec<_> =
        problems.iter().map(|problem| format!("{}: {problem}", path.display())).collect();
    lines.join("\n")
}
