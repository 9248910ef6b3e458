//! What do sign-ins, lookups and public keys cost, and do sign-ins and lookups leave each other alone?
//!
//! A server in a process of its own and a load generator in this one; every result is a ratio to a
//! baseline that was measured in turns with it: raw bcrypt, a bare echo, the same without sign-ins.
//! Prints a table. `-- --jwks` measures the public keys alone; `-- --quick` takes 20 seconds to see that it works; its numbers mean little.
//!
//! Spec: Performance. How to read it: docs/performance.md.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the result of a benchmark")]

mod jwks;
mod machine;
mod report;
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tikti_domain::testing::PASSWORD;
use tikti_load::{
    Asking, Client, Connection, End, Failed, Outcome, Pace, Ran, Request, Stop, Tally, Watch,
    closed_loop, median, open_loop, rank_lower,
};
use tikti_server::baseline::RawBcrypt;

use crate::machine::{Usage, cpu_time_of};
use crate::report::{Pair, Ratio, Row, table};
use crate::server::{LOOKUP, Ready, Server};

/// Why a measurement cannot go on; there is no result then.
type Failure = Box<dyn Error + Send + Sync>;

/// That of the `tikti` program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sign-ins in flight for each thread of the hash pool: it never waits for one.
const SIGN_INS_PER_THREAD: usize = 4;
/// Lookups in flight: enough for two cores, few enough for a generator on the same ones.
const LOOKUP_CLIENTS: usize = 16;
/// Connections of the open loop: at 2,000 a second each has 16 milliseconds for one lookup.
const PACED_CLIENTS: usize = 32;
/// The rate of the isolation, unless that is more than 30 % of what the server can do.
const PACED_RATE: f64 = 2_000.0;

/// The share of the processors that others may use on a machine that counts as quiet. The work of the
/// kernel for our packets is among it.
const QUIET: f64 = 0.1;

/// How much is measured.
struct Plan {
    rounds: usize,
    /// Length of one closed loop of lookups.
    closed: Duration,
    /// bcrypts of one round, for each thread of the pool.
    hashes: u64,
    /// Length of one open loop.
    open: Duration,
}

impl Plan {
    fn new(is_quick: bool) -> Self {
        let (rounds, closed, hashes, open) =
            if is_quick { (2, 500, 5, 1500) } else { (5, 2000, 16, 4000) };
        let (closed, open) = (Duration::from_millis(closed), Duration::from_millis(open));
        Self { rounds, closed, hashes, open }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments.as_slice() {
        [server::ROLE, users] => users.parse().map_err(Failure::from).and_then(server::serve),
        // `cargo bench` adds one of its own.
        options => options
            .iter()
            .find(|option| !["--bench", "--quick", "--jwks"].contains(*option))
            .map_or_else(|| run(options), |other| Err(unknown(other))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            println!("not measured: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn unknown(option: &str) -> Failure {
    format!("there is no option {option}, only --quick and --jwks").into()
}

fn run(options: &[&str]) -> Result<(), Failure> {
    let begun = Instant::now();
    let plan = Plan::new(options.contains(&"--quick"));
    let cores = thread::available_parallelism()?.get();
    let sign_ins_in_flight = cores * SIGN_INS_PER_THREAD;
    let server = Server::start(sign_ins_in_flight)?;
    let ready = &server.ready;
    println!(
        "{cores} cores; {} hash threads at niceness {}, bcrypt cost {}; {} rounds",
        ready.hash_threads, ready.hash_niceness, ready.cost, plan.rounds
    );
    let before = Usage::now(server.process());
    let subject = Subject::prepare(&server, sign_ins_in_flight)?;
    let mut rows = vec![subject.jwks(&plan)?];
    if options.contains(&"--jwks") {
        print!("{}", table(&rows));
    } else {
        measure_sign_ins_and_lookups(&subject, &plan, &mut rows)?;
    }
    if let Some((before, after)) = before.zip(Usage::now(server.process())) {
        report_others(before.of_others_until(&after, cores));
    }
    println!("{:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn measure_sign_ins_and_lookups(
    subject: &Subject<'_>,
    plan: &Plan,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let lookups = subject.lookup(plan)?;
    let fastest = lookups.first().map_or(f64::NAN, Row::ours);
    rows.extend(lookups);
    rows.push(subject.sign_in(plan)?);
    let rate = PACED_RATE.min(0.3 * fastest);
    let isolation = subject.isolation(plan, rate)?;
    rows.extend(isolation.rows);
    print!("{}", table(rows));
    println!("isolation: {rate:.0} lookups/s beside {:.1} sign-ins/s", isolation.sign_ins);
    Ok(())
}

/// Says whether the machine was quiet.
fn report_others(share: f64) {
    let is_quiet = share < QUIET;
    let advice = if is_quiet { "" } else { ": not a quiet machine, these numbers mean little" };
    println!("others used {:.0} % of the processors{advice}", share * 100.0);
}

/// Whom to ask, and what.
struct Target {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
}

impl Target {
    /// A closed loop until its end; anything but 200 is a failure, since it would be cheaper than what is
    /// measured.
    fn closed(&self, clients: usize, end: End, stop: &Stop) -> Result<Ran, Failure> {
        let mut clients = Asking::all(self.address, self.requests.clone(), clients);
        all_good(closed_loop(&mut clients, end, Watch { stop, tell: &|_| {} })?)
    }
}

fn all_good(ran: Ran) -> Result<Ran, Failure> {
    let failed = ran.tally.failures().next().map(|(failed, _)| match failed {
        Failed::Refused { status, code } => format!("answered {status} {code}"),
        Failed::Broken(why) => why.clone(),
    });
    failed.map_or(Ok(ran), |why| Err(why.into()))
}

/// Writes a request to the server or to the echo.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    Request { method, path, host: "localhost", headers, body }.to_bytes()
}

/// Tells the echo what a path answers.
fn tell(echo: SocketAddr, path: &str, payload: &[u8]) -> Result<(), Failure> {
    Connection::open(echo)?.ask(&request("PUT", path, &[], payload))?;
    Ok(())
}

/// The server and the requests that it is sent.
struct Subject<'a> {
    server: &'a Server,
    lookups: Target,
    echoes: Target,
    sign_ins: Target,
}

impl<'a> Subject<'a> {
    /// Signs every user in, and tells the echo what a lookup answers.
    fn prepare(server: &'a Server, users: usize) -> Result<Self, Failure> {
        let ready = &server.ready;
        let sign_in = |number| {
            let email = server::email(number);
            let ask = json!({"email": email, "password": PASSWORD, "returnSecureToken": true});
            request("POST", "/v1/accounts/signIn", &[], ask.to_string().as_bytes())
        };
        let sign_ins: Vec<_> = (0..users).map(sign_in).collect();
        let mut connection = Connection::open(ready.address)?;
        let mut lookups = Vec::new();
        for sign_in in &sign_ins {
            let reply: Value = serde_json::from_slice(connection.ask(sign_in)?.body)?;
            let token = reply.get("idToken").ok_or("a sign-in without an idToken")?;
            let (key, body) = (("X-API-Key", ready.api_key.as_str()), json!({ "idToken": token }));
            lookups.push(request("POST", LOOKUP, &[key], body.to_string().as_bytes()));
        }
        let lookup = lookups.first().ok_or("no users")?;
        tell(ready.echo, LOOKUP, connection.ask(lookup)?.body)?;
        Ok(Self {
            server,
            echoes: Target { address: ready.echo, requests: lookups.clone() },
            lookups: Target { address: ready.address, requests: lookups },
            sign_ins: Target { address: ready.address, requests: sign_ins },
        })
    }

    /// Lookups as fast as they are answered, and the bare echo of the same payloads.
    fn lookup(&self, plan: &Plan) -> Result<Vec<Row>, Failure> {
        // Once beforehand, for caches and connections that begin.
        self.fast(&self.echoes, plan.closed / 4)?;
        self.fast(&self.lookups, plan.closed / 4)?;
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let (baseline, baseline_cost) = self.fast(&self.echoes, plan.closed)?;
            let (ours, cost) = self.fast(&self.lookups, plan.closed)?;
            rates.push(Pair { ours: ours.rate(), baseline: baseline.rate() });
            costs.extend(cost.zip(baseline_cost).map(|(ours, baseline)| Pair { ours, baseline }));
        }
        let beside = "bare echo";
        let mut rows = vec![Row {
            what: "lookup throughput",
            beside,
            unit: "/s",
            ratio: Ratio::Of,
            target: report::Target::AtLeast(0.5),
            rounds: rates,
        }];
        if !costs.is_empty() {
            rows.push(Row {
                what: "lookup processor time",
                beside: "bare echo, the server's alone",
                unit: "us",
                ratio: Ratio::Inverse,
                target: report::Target::None,
                rounds: costs,
            });
        }
        Ok(rows)
    }

    /// A closed loop for so long, and the server's processor time for one request in microseconds.
    fn fast(&self, target: &Target, time: Duration) -> Result<(Ran, Option<f64>), Failure> {
        let before = cpu_time_of(self.server.process());
        let done = target.closed(LOOKUP_CLIENTS, End::After(time), &Stop::default())?;
        let used =
            before.zip(cpu_time_of(self.server.process())).map(|(before, after)| after - before);
        let cost = used.map(|used| used.as_secs_f64() * 1e6 / done.tally.good() as f64);
        Ok((done, cost))
    }

    /// So many sign-ins as fast as they are answered, and as many bcrypts on as many threads. The work
    /// is fixed and not the time: of five hashes a second the last half one counts.
    fn sign_in(&self, plan: &Plan) -> Result<Row, Failure> {
        let ready = &self.server.ready;
        let hashes = plan.hashes * u64::try_from(ready.hash_threads)?;
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let baseline = raw_bcrypt(ready, hashes)?;
            let (clients, end) = (self.sign_ins.requests.len(), End::Requests(hashes));
            let done = self.sign_ins.closed(clients, end, &Stop::default())?;
            rounds.push(Pair { ours: done.rate(), baseline: baseline.rate() });
        }
        Ok(Row {
            what: "sign-in throughput",
            beside: "raw bcrypt",
            unit: "/s",
            ratio: Ratio::Of,
            target: report::Target::AtLeast(0.95),
            rounds,
        })
    }

    /// Lookups at a fixed rate, without and with sign-ins that saturate the hash pool.
    fn isolation(&self, plan: &Plan, rate: f64) -> Result<Isolation, Failure> {
        let warm_up = plan.open / 5;
        let pace = Pace { rate, warm_up, end: End::After(plan.open) };
        let (mut rounds, mut sign_ins) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let alone = self.paced_lookups(pace)?;
            let (beside, done) = self.beside_sign_ins(|| self.paced_lookups(pace))?;
            rounds.push((beside.tally, alone.tally));
            sign_ins.push(done.rate());
        }
        Ok(Isolation { rows: isolation_rows(&rounds), sign_ins: median(sign_ins) })
    }

    fn paced_lookups(&self, pace: Pace) -> Result<Ran, Failure> {
        let lookups = &self.lookups;
        let mut clients = Asking::all(lookups.address, lookups.requests.clone(), PACED_CLIENTS);
        let watch = Watch { stop: &Stop::default(), tell: &|_| {} };
        all_good(open_loop(&mut clients, pace, watch)?)
    }

    /// Does something while sign-ins saturate the hash pool.
    fn beside_sign_ins<T>(
        &self,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<(T, Ran), Failure> {
        let stop = Stop::default();
        thread::scope(|scope| {
            let sign_ins = scope.spawn(|| {
                let clients = self.sign_ins.requests.len();
                self.sign_ins.closed(clients, End::Requests(u64::MAX), &stop)
            });
            let found = work();
            stop.ask();
            let done = sign_ins.join().unwrap_or_else(|_| Err("a sign-in panicked".into()))?;
            Ok((found?, done))
        })
    }
}

struct Isolation {
    rows: Vec<Row>,
    /// Sign-ins a second meanwhile.
    sign_ins: f64,
}

/// One line for each quantile of the rounds; each round is with sign-ins, then without.
fn isolation_rows(rounds: &[(Tally, Tally)]) -> Vec<Row> {
    let row = |what, target, of: fn(&Tally) -> Option<Duration>| Row {
        what,
        beside: "without sign-ins",
        unit: "ms",
        ratio: Ratio::Of,
        target,
        rounds: rounds
            .iter()
            .map(|(beside, alone)| Pair { ours: ms(of(beside)), baseline: ms(of(alone)) })
            .collect(),
    };
    let none = report::Target::None;
    vec![
        row("isolation, lookup p50", none, |found| found.latency(0.5)),
        row("isolation, lookup p99", report::Target::AtMost(2.0), |found| found.latency(0.99)),
        row("isolation, lookup p99.9", none, |found| found.latency(0.999)),
        row("isolation, sent late p99", none, |found| found.lateness(0.99)),
    ]
}

/// Milliseconds.
fn ms(time: Option<Duration>) -> f64 {
    time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Checks a password so often, on threads like those of the pool.
fn raw_bcrypt(ready: &Ready, hashes: u64) -> Result<Ran, Failure> {
    let check =
        |_| Ok(RawCheck { raw: RawBcrypt::new(ready.cost)?, niceness: ready.hash_niceness });
    let mut threads = (0..ready.hash_threads).map(check).collect::<Result<Vec<_>, Failure>>()?;
    let watch = Watch { stop: &Stop::default(), tell: &|_| {} };
    all_good(closed_loop(&mut threads, End::Requests(hashes), watch)?)
}

/// One thread of the baseline: whatever else the machine does, it yields to it like one of the pool.
struct RawCheck {
    raw: RawBcrypt,
    niceness: i32,
}

impl Client for RawCheck {
    fn begin(&mut self) {
        rank_lower(self.niceness);
    }

    fn call(&mut self, _: u64) -> Outcome {
        match self.raw.check() {
            true => Outcome::Good,
            false => Outcome::Refused { status: 0, code: "a wrong password".to_owned() },
        }
    }
}
