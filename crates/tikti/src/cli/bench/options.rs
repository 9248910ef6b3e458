//! What does a person say of a bench? How fast, how long, by how many, and as whom.
//!
//! Spec: Performance; Command line, `bench`.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use tikti_load::End;
use tikti_server::baseline::Hashing;

use super::BenchCommand;
use crate::cli::tenant::reference;
use crate::exit::Failure;
use crate::input;

/// More than any machine of today answers.
const FASTEST: f64 = 1_000_000.0;
/// Less than the life of an idToken.
const LONGEST: Duration = Duration::from_secs(50 * 60);
const MAX_REQUESTS: u64 = 1_000_000_000;
/// Weeks of bcrypt.
const MAX_SESSIONS: u64 = 10_000_000;
/// Each has a thread and a connection.
const MAX_CONNECTIONS: i64 = 512;
/// In flight in a closed loop: enough for a few cores, few enough for a generator on the same ones.
const CLOSED_CONNECTIONS: usize = 16;
/// Of an open loop: at 2,000 a second each has 16 milliseconds for one request.
const OPEN_CONNECTIONS: usize = 32;
/// Sign-ins in flight for each thread of the hash pool: it never waits for one.
const SIGN_INS_PER_THREAD: usize = 4;
/// Of those that sign in once for each.
const SESSIONS: usize = 8;
/// That of the isolation.
const PACED_RATE: f64 = 2_000.0;
const DEFAULT_DURATION: Duration = Duration::from_secs(10);
const DEFAULT_WARM_UP: Duration = Duration::from_secs(2);

/// Where the load comes from and goes to.
#[derive(Args)]
pub(crate) struct GeneratorArgs {
    /// Connections, each with one request in flight [default: 16, with --rate 32; 8 where each needs
    /// a session of its own; 4 for each thread that hashes sign-ins]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_CONNECTIONS))]
    connections: Option<u16>,
    /// Draw the latencies into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Load a server of another machine
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// Requests a second, each at its time: an open loop, for latency [default: each as soon as the
    /// one before it is answered: a closed loop, for throughput]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// How long is measured, such as 500ms, 10s or 5m [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = positive, conflicts_with = "requests")]
    duration: Option<Duration>,
    /// Measure so many requests instead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_REQUESTS))]
    requests: Option<u64>,
    /// How long is asked before that is measured; 0s is not at all [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    warm_up: Option<Duration>,
    #[command(flatten)]
    generator: GeneratorArgs,
}

#[derive(Args)]
pub(crate) struct ExchangeArgs {
    #[command(flatten)]
    pub(super) wanted: WantedArgs,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Args)]
pub(crate) struct WantedArgs {
    /// Client of the tenant that the tokens are for
    #[arg(long, alias = "audience", value_name = "CLIENT")]
    pub(super) aud: String,
    /// Scopes, with spaces or commas between them [default: those of the client]
    #[arg(long, alias = "scopes", value_name = "SCOPES")]
    pub(super) scope: Vec<String>,
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's, the session's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    pub(super) tenant: Option<String>,
    /// Worker that the tokens speak for [default: the signed-in user]
    #[arg(long, alias = "subject", value_name = "WORKER")]
    pub(super) sub: Option<String>,
}

#[derive(Args)]
pub(crate) struct PersonArgs {
    /// E-mail address of the user who signs in
    #[arg(long, alias = "email", value_name = "EMAIL")]
    pub(super) user: String,
    /// Read the password from standard input; one line end is stripped
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from this file; one line end is stripped
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// How the server hashes: it tells nobody.
#[derive(Args)]
pub(crate) struct HashingArgs {
    /// Cost of bcrypt that the server is set to [default: 12]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=20))]
    bcrypt_cost: Option<u32>,
    /// Threads of the server's hash pool [default: one less than this machine has cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_CONNECTIONS))]
    hash_threads: Option<u16>,
}

#[derive(Args)]
pub(crate) struct SignInArgs {
    #[command(flatten)]
    pub(super) person: PersonArgs,
    #[command(flatten)]
    pub(super) hashing: HashingArgs,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Args)]
pub(crate) struct SessionsArgs {
    #[command(flatten)]
    pub(super) person: PersonArgs,
    /// Sessions to begin
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MAX_SESSIONS))]
    sessions: u64,
    #[command(flatten)]
    pub(super) hashing: HashingArgs,
    #[command(flatten)]
    generator: GeneratorArgs,
}

#[derive(Args)]
pub(crate) struct RefreshArgs {
    #[command(flatten)]
    pub(super) person: PersonArgs,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Args)]
pub(crate) struct MixedArgs {
    #[command(flatten)]
    pub(super) person: PersonArgs,
    #[command(flatten)]
    pub(super) wanted: WantedArgs,
    #[command(flatten)]
    load: LoadArgs,
}

/// What was asked for, whichever command says it.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Requests a second; none where they follow each other.
    pub(super) rate: Option<f64>,
    pub(super) end: End,
    pub(super) warm_up: Duration,
    connections: Option<u16>,
    pub(super) svg: Option<PathBuf>,
    pub(super) is_meant: bool,
}

impl BenchCommand {
    pub(super) fn load(&self) -> Load {
        match self {
            Self::Lookup(load) | Self::Jwks(load) => load.settled(),
            Self::Exchange(args) => args.load.settled(),
            Self::Signin(args) => args.load.settled(),
            Self::Refresh(args) => args.load.settled(),
            Self::Mixed(args) => args.load.settled(),
            Self::Isolation(args) => {
                let load = args.load.settled();
                Load { rate: load.rate.or(Some(PACED_RATE)), ..load }
            }
            Self::Sessions(args) => {
                args.generator.load(None, End::Requests(args.sessions), Duration::ZERO)
            }
        }
    }
}

impl LoadArgs {
    fn settled(&self) -> Load {
        let time = End::After(self.duration.unwrap_or(DEFAULT_DURATION));
        let end = self.requests.map_or(time, End::Requests);
        self.generator.load(self.rate, end, self.warm_up.unwrap_or(DEFAULT_WARM_UP))
    }
}

impl GeneratorArgs {
    fn load(&self, rate: Option<f64>, end: End, warm_up: Duration) -> Load {
        let (connections, svg) = (self.connections, self.svg.clone());
        Load { rate, end, warm_up, connections, svg, is_meant: self.yes }
    }
}

impl Load {
    /// How many ask.
    pub(super) fn connections(&self) -> usize {
        let usual = if self.rate.is_some() { OPEN_CONNECTIONS } else { CLOSED_CONNECTIONS };
        self.connections.map_or(usual, usize::from)
    }

    /// How many ask where each has a session of its own.
    pub(super) fn sessions(&self) -> usize {
        self.connections.map_or(SESSIONS, usize::from)
    }

    /// How many sign in.
    pub(super) fn sign_ins(&self, hashing: Hashing) -> usize {
        self.connections.map_or(hashing.threads * SIGN_INS_PER_THREAD, usize::from)
    }

    /// Whether there will be a place for the plot: a measurement of minutes must not end without.
    pub(super) fn check_plot(&self) -> Result<(), Failure> {
        let Some(file) = &self.svg else { return Ok(()) };
        let opened = OpenOptions::new().append(true).create(true).open(file);
        opened.map(|_| ()).map_err(|cause| Failure::file("writing", file, &cause))
    }
}

impl HashingArgs {
    pub(super) fn settled(&self) -> Result<Hashing, Failure> {
        let shipped = Hashing::shipped().map_err(|cause| Failure::refused(cause.message))?;
        Ok(Hashing {
            cost: self.bcrypt_cost.unwrap_or(shipped.cost),
            threads: self.hash_threads.map_or(shipped.threads, usize::from),
            niceness: shipped.niceness,
        })
    }
}

/// So many sign-ins in flight that the hash pool has always work.
pub(super) fn saturating(hashing: Hashing) -> usize {
    hashing.threads * SIGN_INS_PER_THREAD
}

impl PersonArgs {
    /// Asked for on a terminal where no option says where it is.
    pub(super) fn password(&self) -> Result<SecretString, Failure> {
        if let Some(file) = &self.password_file {
            return input::secret_line(file)
                .map_err(|why| Failure::usage(format!("{} {why}", file.display())));
        }
        if self.password_stdin {
            return input::piped_password();
        }
        if input::is_interactive() {
            return input::ask_secret(&format!("Password of {}", self.user));
        }
        Err(Failure::usage("there is no terminal to ask for the password")
            .next("name a file that holds it: --password-file FILE"))
    }
}

/// Reads `2000` or `2000/s`.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.strip_suffix("/s").unwrap_or(text).parse::<f64>().ok();
    let possible = rate.filter(|rate| *rate > 0.0 && *rate <= FASTEST);
    possible.ok_or_else(|| format!("must be above 0 and at most {FASTEST} requests a second"))
}

fn positive(text: &str) -> Result<Duration, String> {
    time(text).and_then(|time| match time.is_zero() {
        true => Err("must be longer than nothing".to_owned()),
        false => Ok(time),
    })
}

/// Reads `500ms`, `10s` or `5m`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("must be a time such as 500ms, 10s or 5m, at most {} m", LONGEST.as_secs() / 60);
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number = digits.parse::<u64>().map_err(|_| wrong())?;
    let milliseconds_each = match text.strip_prefix(digits) {
        Some("ms") => 1,
        Some("s") => 1_000,
        Some("m") => 60_000,
        _ => return Err(wrong()),
    };
    let time = number.checked_mul(milliseconds_each).map(Duration::from_millis);
    time.filter(|time| *time <= LONGEST).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_an_end() {
        for (text, milliseconds) in [("500ms", 500), ("0s", 0), ("10s", 10_000), ("50m", 3_000_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "1h", "51m", "10 s", "99999999999999999999ms"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert!(time("18446744073709551615m").is_err());
        assert!(positive("0ms").is_err());
    }

    #[test]
    fn a_rate_is_a_number_above_0_that_a_machine_can_do() {
        for (text, number) in [("2000", 2000.0), ("2000/s", 2000.0), ("0.5", 0.5), ("1e6", 1e6)] {
            assert_eq!(rate(text), Ok(number), "{text}");
        }
        for text in ["", "0", "-1", "1000001", "inf", "NaN", "fast", "10/m", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
