//! How is a result shown, and is it good? One value for programs, and the same for people.
//!
//! Names carry their unit. Nothing is left out where it failed: a report with failures is printed, and the command
//! fails.

use serde::Serialize;
use tikti_load::{Failed, NOT_SENT, Ran, median};

use super::measure::{Measured, Point, Taken, milliseconds, told};
use super::options::Load;
use super::scenario::Subject;
use super::server::Server;
use crate::exit::Failure;
use crate::next_step;
use crate::output::{self, Output};

/// Everything that a bench found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    scenario: &'static str,
    server: String,
    /// `closed`, or `open` where requests have their times.
    #[serde(rename = "loop")]
    kind: &'static str,
    /// That was asked for, in requests a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    connections: usize,
    #[serde(flatten)]
    result: Found,
    /// Those that kept the server busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<Found>,
    baselines: Vec<BaselineRow>,
    /// Sessions that the sign-ins have left behind, warm-up included.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions_left: Option<u64>,
    /// Whether a person ended it before it was done.
    interrupted: bool,
    /// Whether that was when the server had been measured to the end.
    #[serde(skip)]
    is_whole: bool,
    /// Whether the server is of this machine.
    #[serde(skip)]
    is_here: bool,
    #[serde(skip)]
    user: Option<String>,
    #[serde(skip)]
    tenant: Option<String>,
}

/// What calls came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    good: u64,
    failed: u64,
    duration_seconds: f64,
    /// Good ones a second.
    throughput: f64,
    /// Of the good ones; in an open loop from when they were due.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latency>,
    /// By how much 99 % of the requests of an open loop were sent late at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_late_p99_ms: Option<f64>,
    failures: Vec<FailureRow>,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    /// None of fewer than a thousand calls: it would be one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    /// None of fewer than ten thousand.
    #[serde(rename = "p99.9", skip_serializing_if = "Option::is_none")]
    p999: Option<f64>,
    max: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureRow {
    count: u64,
    /// None where there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What the server calls it, or why there was no answer.
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BaselineRow {
    name: &'static str,
    #[serde(skip)]
    what: &'static str,
    /// What is compared: `throughput` a second, `p50Ms` or `p99Ms`.
    of: &'static str,
    before: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<f64>,
    /// Why it failed when it was taken again.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_failed: Option<String>,
    median: f64,
    /// The server's over the median.
    ratio: f64,
}

/// Of as many the slowest hundredth is ten.
const CALLS_FOR_P99: u64 = 1_000;
const CALLS_FOR_P999: u64 = 10_000;

/// Enough digits to tell a thousandth from the next.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10_f64.powi(digits.clamp(0, 12));
    (value * scale).round() / scale
}

impl Found {
    fn of(ran: &Ran, is_open: bool) -> Self {
        let tally = &ran.tally;
        let quantile = |share| rounded(milliseconds(tally.latency(share)));
        let latency = || Latency {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: (tally.good() >= CALLS_FOR_P99).then(|| quantile(0.99)),
            p999: (tally.good() >= CALLS_FOR_P999).then(|| quantile(0.999)),
            max: quantile(1.0),
        };
        let failures = tally.failures().map(|(failed, count)| match failed {
            Failed::Refused { status, code } => {
                FailureRow { count, status: Some(*status), reason: code.clone() }
            }
            Failed::Broken(why) => FailureRow { count, status: None, reason: why.clone() },
        });
        Self {
            good: tally.good(),
            failed: tally.failed(),
            duration_seconds: rounded(ran.time.as_secs_f64()),
            throughput: rounded(ran.rate()),
            latency_ms: (tally.good() > 0).then(latency),
            sent_late_p99_ms: is_open.then(|| rounded(milliseconds(tally.lateness(0.99)))),
            failures: failures.collect(),
        }
    }
}

impl BaselineRow {
    fn of(taken: &Taken, ours: Point, of: &'static str, value: fn(&Point) -> f64) -> Self {
        let before = value(&taken.before);
        let after = taken.after.as_ref().map(value);
        let middle = median([before].into_iter().chain(after).collect());
        Self {
            name: taken.name,
            what: taken.what,
            of,
            before: rounded(before),
            after: after.map(rounded),
            after_failed: taken.after_failed.clone(),
            median: rounded(middle),
            ratio: rounded(value(&ours) / middle),
        }
    }
}

/// Throughputs of closed loops are compared, and latencies of open ones; not the slowest of too few calls, or of
/// what was done many times in one call.
fn rows(baselines: &[Taken], ours: Point, is_open: bool) -> Vec<BaselineRow> {
    let rows = baselines.iter().flat_map(|taken| {
        let row = |of, value| BaselineRow::of(taken, ours, of, value);
        match is_open {
            true if taken.each > 1 || !has_p99(taken, ours) => vec![row("p50Ms", |at| at.p50_ms)],
            true => vec![row("p50Ms", |at| at.p50_ms), row("p99Ms", |at| at.p99_ms)],
            false => vec![row("throughput", |at| at.throughput)],
        }
    });
    rows.collect()
}

/// Whether all that would be compared had calls enough.
fn has_p99(taken: &Taken, ours: Point) -> bool {
    let points = [Some(ours), Some(taken.before), taken.after].into_iter().flatten();
    points.map(|point| point.good).all(|good| good >= CALLS_FOR_P99)
}

impl Report {
    pub(super) fn of(server: &Server, load: &Load, subject: &Subject, measured: &Measured) -> Self {
        let is_open = load.rate.is_some();
        let ours = Point::of(&measured.ran, 1);
        let left = subject.left();
        Self {
            scenario: subject.scenario,
            server: server.base.to_string(),
            kind: if is_open { "open" } else { "closed" },
            rate: load.rate,
            connections: subject.clients.len(),
            result: Found::of(&measured.ran, is_open),
            beside: measured.beside.as_ref().map(|ran| Found::of(ran, false)),
            baselines: rows(&measured.baselines, ours, is_open),
            sessions_left: left.map(|(_, count)| count),
            interrupted: measured.is_interrupted,
            is_whole: measured.is_whole,
            is_here: server.is_here(),
            user: left.map(|(user, _)| user.to_owned()),
            tenant: subject.tenant.clone(),
        }
    }

    /// Whether a single call was good.
    pub(super) fn has_numbers(&self) -> bool {
        self.result.good > 0
    }

    /// What stands above a plot.
    pub(super) fn title(&self) -> String {
        format!("tikti bench {}: {}", self.scenario, self.how())
    }

    fn how(&self) -> String {
        let connections = self.connections;
        match self.rate {
            Some(rate) => format!("open loop, {rate} requests/s, {connections} connections"),
            None => format!("closed loop, {connections} connections"),
        }
    }

    /// Prints it; nothing where not a single call was good.
    pub(super) fn tell(&self, output: &Output) -> Result<(), Failure> {
        if !self.has_numbers() {
            return Ok(());
        }
        let bare = match (&self.result.latency_ms, self.rate) {
            (Some(latency), Some(_)) => latency.p99.unwrap_or(latency.max).to_string(),
            _ => self.result.throughput.to_string(),
        };
        output.answer(self, &self.people(), &bare)?;
        self.notes().iter().for_each(|note| output.note(note));
        Ok(())
    }

    /// What a person should know beside the numbers.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.is_here {
            notes.push(
                "It is another machine's server: what this one does by itself says nothing of it, and was not measured"
                    .to_owned(),
            );
        }
        match (self.interrupted, self.is_whole) {
            (true, false) => {
                notes.push("It was ended early: this is what was measured until then".to_owned());
            }
            (true, true) => notes.push(
                "It was ended early: the server was measured to the end, not all of the baselines"
                    .to_owned(),
            ),
            (false, _) => {}
        }
        if let Some((user, left)) = self.user.as_deref().zip(self.sessions_left) {
            let tenant = self.tenant.as_deref().unwrap_or("TENANT");
            notes.push(format!(
                "{left} sessions of {user} are left: an administrator of one of his tenants ends all that he has with \
                 `tikti session revoke --user {user} --tenant {tenant} --yes`"
            ));
        }
        notes
    }

    fn people(&self) -> String {
        let found = &self.result;
        let mut pairs = vec![
            ("scenario", self.scenario.to_owned()),
            ("server", self.server.clone()),
            ("how", self.how()),
            ("calls", calls(found)),
            ("throughput", format!("{}/s", found.throughput)),
        ];
        if let Some(Latency { p50, p90, p99, p999, max }) = &found.latency_ms {
            let rare = |name, value: &Option<f64>| {
                value.map_or_else(String::new, |value| format!("  {name} {value}"))
            };
            let (p99, p999) = (rare("p99", p99), rare("p99.9", p999));
            let all = format!("p50 {p50}  p90 {p90}{p99}{p999}  max {max} ms");
            pairs.push(("latency", all));
        }
        if let Some(late) = found.sent_late_p99_ms {
            pairs.push(("sent late", format!("p99 {late} ms")));
        }
        if let Some(beside) = &self.beside {
            pairs.push(("beside", format!("{}, {}/s", calls(beside), beside.throughput)));
        }
        let mut parts = vec![output::fields(pairs)];
        let rows = Vec::from_iter(self.baselines.iter().map(BaselineRow::cells));
        if !rows.is_empty() {
            parts.push(output::table(
                &["BASELINE", "OF", "BEFORE", "AFTER", "MEDIAN", "RATIO"],
                rows,
            ));
        }
        let besides = self.beside.iter().flat_map(|beside| &beside.failures);
        let rows = Vec::from_iter(found.failures.iter().chain(besides).map(FailureRow::cells));
        if !rows.is_empty() {
            parts.push(output::table(&["FAILED", "STATUS", "REASON"], rows));
        }
        parts.join("\n\n")
    }

    /// Fails where a call did, since its numbers would be of something else; where there was none, and where a
    /// baseline could not be taken again.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        let found = [Some(&self.result), self.beside.as_ref()].into_iter().flatten();
        let all = found.clone().map(|found| found.good + found.failed).sum::<u64>();
        let failed = found.clone().map(|found| found.failed).sum::<u64>();
        let worst = found.flat_map(|found| &found.failures).max_by_key(|row| row.count);
        if self.result.good + self.result.failed == 0 {
            return Err(Failure::refused("not one call was counted")
                .next("ask for a longer --duration, or more --requests"));
        }
        let Some(worst) = worst else { return self.judge_baselines() };
        let failure =
            Failure::refused(format!("{failed} of {all} calls failed, most by {}", worst.told()));
        Err(match next_after(worst) {
            Some(next) => failure.next(next),
            None => failure,
        })
    }
}

impl Report {
    fn judge_baselines(&self) -> Result<(), Failure> {
        let why = self.baselines.iter().find_map(|row| row.after_failed.as_deref());
        why.map_or(Ok(()), |why| {
            Err(Failure::refused(format!("{why}, when it was measured again"))
                .next("what the server did stands; measure again for a ratio to both"))
        })
    }
}

fn calls(found: &Found) -> String {
    format!("{} good, {} failed, in {} s", found.good, found.failed, found.duration_seconds)
}

impl BaselineRow {
    fn cells(&self) -> Vec<String> {
        let of = match self.of {
            "throughput" => "/s",
            "p50Ms" => "p50 ms",
            _ => "p99 ms",
        };
        let missing = if self.after_failed.is_some() { "failed" } else { "-" };
        let after = self.after.map_or_else(|| missing.to_owned(), |after| after.to_string());
        let (before, median, ratio) = (self.before, self.median, self.ratio);
        vec![
            self.what.to_owned(),
            of.to_owned(),
            before.to_string(),
            after,
            median.to_string(),
            ratio.to_string(),
        ]
    }
}

impl FailureRow {
    fn cells(&self) -> Vec<String> {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        vec![self.count.to_string(), status, self.reason.clone()]
    }

    fn told(&self) -> String {
        let reason = self.reason.clone();
        match self.status {
            Some(status) => told(&Failed::Refused { status, code: reason }),
            None => reason,
        }
    }
}

/// What a bench does about that, which is not what anybody else does.
fn next_after(row: &FailureRow) -> Option<&'static str> {
    match (row.status, row.reason.as_str()) {
        (Some(_), "RATE_LIMITED") => Some(
            "these are the server's rate limits: for a bench, set `limits.enabled: false` in its configuration, or leave out \
             `--limits` of `tikti dev`",
        ),
        (Some(_), "OVERLOADED") => Some("the server's queue is full: ask with fewer --connections"),
        (Some(_), code) => next_step::for_code(code),
        (None, NOT_SENT) => Some("the server is slower than that: ask at a lower --rate"),
        (None, _) => Some("see whether the server still runs, and what its log says"),
    }
}

#[cfg(test)]
mod tests;
