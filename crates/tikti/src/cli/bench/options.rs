//! What does a person say of a bench? How fast, how long, by how many, and as whom.
//!
//! Spec: Performance; Command line, `bench`.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use tikti_load::{End, Pace};
use tikti_server::baseline::Hashing;

use super::BenchCommand;
use crate::cli::tenant::reference;
use crate::exit::Failure;
use crate::input;

/// More than any machine of today answers.
const FASTEST: f64 = 1_000_000.0;
/// The whole of a bench, warm-up and all: less than the life of an idToken.
const LONGEST: Duration = Duration::from_secs(50 * 60);
const MAX_REQUESTS: u64 = 1_000_000_000;
/// Weeks of bcrypt.
const MAX_SESSIONS: u64 = 10_000_000;
/// Each has a thread and a connection.
const MAX_CONNECTIONS: i64 = 512;
/// As much as all baselines take at the most.
const BASELINES: Duration = Duration::from_secs(60);
/// Of so many requests in a closed loop nobody knows how long they take.
const UNKNOWN: Duration = Duration::from_secs(5 * 60);
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
    user: String,
    /// Read the password from standard input; one line end is stripped
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from this file; one line end is stripped
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Somebody with an address and a password.
pub(super) struct Person {
    pub(super) email: String,
    pub(super) password: SecretString,
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
    /// So many without a warm-up.
    #[cfg(test)]
    pub(super) fn of_requests(rate: Option<f64>, requests: u64) -> Self {
        let (end, warm_up) = (End::Requests(requests), Duration::ZERO);
        Self { rate, end, warm_up, connections: None, svg: None, is_meant: false }
    }

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
        self.connections.map_or_else(|| saturating(hashing), usize::from)
    }

    /// How an open loop asks; none of a closed one.
    pub(super) fn pace(&self) -> Option<Pace> {
        let Self { warm_up, end, .. } = *self;
        self.rate.map(|rate| Pace { rate, warm_up, end })
    }

    /// How long it takes without its baselines, where that is known beforehand.
    fn time(&self) -> Option<Duration> {
        match (self.pace(), self.end) {
            (Some(pace), End::Requests(_)) => Some(pace.last_due()),
            (_, End::After(time)) => Some(self.warm_up.saturating_add(time)),
            (None, End::Requests(_)) => None,
        }
    }

    /// How long an idToken must hold for it, as far as that is known.
    pub(super) fn lasts(&self) -> Duration {
        self.time().unwrap_or(UNKNOWN).saturating_add(BASELINES)
    }

    /// Refuses a load that would measure nothing, or go on for longer than an idToken holds.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.pace().is_some_and(|pace| pace.counted() == 0) {
            return Err(Failure::usage(
                "at this --rate no request is due in the time that is measured",
            )
            .next("ask for a longer --duration or a higher --rate"));
        }
        if self.time().is_some_and(|time| time > LONGEST) {
            let most = LONGEST.as_secs() / 60;
            return Err(Failure::usage(format!(
                "with its warm-up it would take more than {most} m, and an idToken may end before"
            ))
            .next("ask for a shorter --duration, fewer --requests or a higher --rate"));
        }
        Ok(())
    }

    /// Refuses to begin what the idToken does not outlast, where it is known when both end.
    pub(super) fn outlasted_by(&self, holds_for: Option<Duration>) -> Result<(), Failure> {
        match self.time().zip(holds_for) {
            Some((time, left)) if left < time => Err(Failure::usage(format!(
                "the idToken ends in {} s, before the bench would",
                left.as_secs()
            ))
            .next("ask for a shorter --duration")),
            _ => Ok(()),
        }
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
    let most = usize::try_from(MAX_CONNECTIONS).unwrap_or(usize::MAX);
    hashing.threads.saturating_mul(SIGN_INS_PER_THREAD).min(most)
}

impl PersonArgs {
    /// Who signs in.
    pub(super) fn settled(&self) -> Result<Person, Failure> {
        Ok(Person { email: self.user.clone(), password: self.password()? })
    }

    /// Asked for on a terminal where no option says where it is.
    fn password(&self) -> Result<SecretString, Failure> {
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

    fn load(rate: Option<f64>, warm_up: u64, end: End) -> Load {
        let warm_up = Duration::from_secs(warm_up);
        Load { rate, end, warm_up, connections: None, svg: None, is_meant: false }
    }

    #[test]
    fn a_load_that_counts_nothing_or_outlasts_an_id_token_is_refused() {
        let seconds = |seconds| End::After(Duration::from_secs(seconds));
        for (rate, warm_up, end, is_done) in [
            (None, 2, seconds(10), true),
            (None, 1_500, seconds(1_500), true),
            (None, 1_500, seconds(1_501), false),
            (None, 0, End::Requests(MAX_REQUESTS), true),
            (Some(0.5), 0, seconds(1), true),
            // The second is due at 2 s, and the warm-up has the first.
            (Some(0.5), 1, seconds(1), false),
            (Some(1.0), 0, End::Requests(3_001), true),
            (Some(1.0), 0, End::Requests(3_002), false),
            (Some(FASTEST), 0, End::Requests(u64::MAX), false),
        ] {
            let load = load(rate, warm_up, end);
            assert_eq!(load.check().is_ok(), is_done, "{load:?}");
        }
    }

    #[test]
    fn a_bench_that_outlasts_its_id_token_does_not_begin() {
        let load = load(None, 2, End::After(Duration::from_secs(10)));
        assert_eq!(load.lasts(), Duration::from_secs(12) + BASELINES);
        for (seconds, begins) in [(11, false), (12, true)] {
            let left = Some(Duration::from_secs(seconds));
            assert_eq!(load.outlasted_by(left).is_ok(), begins, "{seconds}");
        }
        assert!(load.outlasted_by(None).is_ok());
    }

    #[test]
    fn however_many_threads_hash_there_are_not_more_connections_than_may_be() {
        let hashing = |threads| Hashing { cost: 4, threads, niceness: 0 };
        let load = load(None, 0, End::Requests(1));
        assert_eq!([saturating(hashing(2)), load.sign_ins(hashing(2))], [8, 8]);
        assert_eq!([saturating(hashing(512)), load.sign_ins(hashing(512))], [512, 512]);
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
