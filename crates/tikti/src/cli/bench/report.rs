//! How is a result shown, and is it good? One value for programs, and the same for people.
//!
//! Names carry their unit. Nothing is left out where it failed: a report with failures is printed, and the command
//! fails.

use serde::Serialize;
use tikti_load::{Failed, Ran, median};

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
    #[serde(skip)]
    user: Option<String>,
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
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
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
    median: f64,
    /// The server's over the median.
    ratio: f64,
}

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
            p99: quantile(0.99),
            p999: quantile(0.999),
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
            median: rounded(middle),
            ratio: rounded(value(&ours) / middle),
        }
    }
}

/// Throughputs of closed loops are compared, and latencies of open ones; not the slowest of what was done many
/// times in one call.
fn rows(baselines: &[Taken], ours: Point, is_open: bool) -> Vec<BaselineRow> {
    let rows = baselines.iter().flat_map(|taken| {
        let row = |of, value| BaselineRow::of(taken, ours, of, value);
        match is_open {
            true if taken.each > 1 => vec![row("p50Ms", |at| at.p50_ms)],
            true => vec![row("p50Ms", |at| at.p50_ms), row("p99Ms", |at| at.p99_ms)],
            false => vec![row("throughput", |at| at.throughput)],
        }
    });
    rows.collect()
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
            user: left.map(|(user, _)| user.to_owned()),
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
            (Some(latency), Some(_)) => latency.p99.to_string(),
            _ => self.result.throughput.to_string(),
        };
        output.answer(self, &self.people(), &bare)?;
        if self.interrupted {
            output.note("It was ended early: this is what was measured until then");
        }
        if let Some((user, left)) = self.user.as_deref().zip(self.sessions_left) {
            output.note(&format!(
                "{left} sessions of {user} are left: `tikti session revoke --user {user}` ends all of his"
            ));
        }
        Ok(())
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
            let all = format!("p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max} ms");
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

    /// Fails where a call did: its numbers would be of something else.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        let found = [Some(&self.result), self.beside.as_ref()].into_iter().flatten();
        let all = found.clone().map(|found| found.good + found.failed).sum::<u64>();
        let failed = found.clone().map(|found| found.failed).sum::<u64>();
        let worst = found.flat_map(|found| &found.failures).max_by_key(|row| row.count);
        let Some(worst) = worst else { return Ok(()) };
        let failure =
            Failure::refused(format!("{failed} of {all} calls failed, most by {}", worst.told()));
        Err(match next_after(worst) {
            Some(next) => failure.next(next),
            None => failure,
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
        let after = self.after.map_or_else(|| "-".to_owned(), |after| after.to_string());
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
            "these are the server's rate limits: for a bench, set `limits.enabled: false` in its configuration",
        ),
        (Some(_), "OVERLOADED") => Some("the server's queue is full: ask with fewer --connections"),
        (Some(_), code) => next_step::for_code(code),
        (None, _) => Some("see whether the server still runs, and what its log says"),
    }
}

#[cfg(test)]
mod tests;
