//! In which order is everything measured? Each baseline, the server, each baseline again.
//!
//! Whoever ends it by Ctrl-C is told what was measured until then: the loops end, the report is printed, and the
//! program ends as one that was interrupted. A second Ctrl-C ends it at once. Once the server is measured nothing
//! that fails takes that away.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tikti_load::{Asking, End, Failed, Pace, Ran, Stop, Tally, Watch, closed_loop, open_loop};

use super::echo::EchoProcess;
use super::filler;
use super::options::Load;
use super::raw;
use super::scenario::{Baseline, Clients, Subject, Work, boxed};
use crate::exit::Failure;
use crate::interrupt::{self, PutBack};
use crate::output::Output;
use crate::progress::Progress;

/// A baseline takes a quarter of the time of what is measured beside it, within these bounds.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// Where the number of requests is bounded, and not the time.
const USUAL: Duration = Duration::from_millis(200);

/// Ends a bench that a person interrupts, after it has told what it knows.
pub(super) struct Finished {
    // Dropped first: a signal waits for it, holding what the others need to be dropped.
    done: Sender<()>,
    bar: Progress,
    _put_back: PutBack,
    stop: Stop,
}

impl Finished {
    /// Catches signals from here on.
    pub(super) fn watch(output: &Output) -> Self {
        let (done, is_done) = mpsc::channel();
        let stop = Stop::default();
        let asked = stop.clone();
        let put_back = PutBack::at_signal(move |_| {
            interrupt::end_at_the_next();
            asked.ask();
            // Nothing is ever sent: it ends when everything is told.
            let _ = is_done.recv();
        });
        Self { done, bar: output.progress_of("calls"), _put_back: put_back, stop }
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(super) fn bar(&self) -> &Progress {
        &self.bar
    }

    /// Says that everything is told.
    pub(super) fn end(self) {
        drop(self.done);
    }
}

/// Everything that was measured.
pub(super) struct Measured {
    pub(super) ran: Ran,
    /// What those did that kept the server busy.
    pub(super) beside: Option<Ran>,
    pub(super) baselines: Vec<Taken>,
    /// Whether a person ended it, be it while the server was measured or behind that.
    pub(super) is_interrupted: bool,
    /// Whether that was so late that only baselines are missing.
    pub(super) is_whole: bool,
}

/// One baseline, before and after.
pub(super) struct Taken {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// How much of it one call did.
    pub(super) each: u32,
    pub(super) before: Point,
    /// None where it did not come to that.
    pub(super) after: Option<Point>,
    /// Why it failed when it was taken again.
    pub(super) after_failed: Option<String>,
    /// The latencies of the one before.
    pub(super) tally: Tally,
}

/// What a loop came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// How many calls were good.
    pub(super) good: u64,
    /// Good ones a second.
    pub(super) throughput: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Point {
    /// Where one call did `each` of it.
    pub(super) fn of(ran: &Ran, each: u32) -> Self {
        let each = f64::from(each);
        let ms = |share| milliseconds(ran.tally.latency(share)) / each;
        let (good, throughput) = (ran.tally.good(), ran.rate() * each);
        Self { good, throughput, p50_ms: ms(0.5), p99_ms: ms(0.99) }
    }
}

pub(super) fn milliseconds(time: Option<Duration>) -> f64 {
    time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Measures; gives nothing where it was interrupted before there was anything.
pub(super) fn measure(
    subject: &mut Subject,
    (load, finished): (&Load, &Finished),
) -> Result<Option<Measured>, Failure> {
    let bench = Bench { load, stop: &finished.stop, bar: &finished.bar };
    let measured = bench.run(subject);
    finished.bar.clear();
    measured
}

struct Bench<'a> {
    load: &'a Load,
    stop: &'a Stop,
    bar: &'a Progress,
}

impl Bench<'_> {
    fn run(&self, subject: &mut Subject) -> Result<Option<Measured>, Failure> {
        let is_echoed = !subject.payloads.is_empty();
        let echo = is_echoed.then(|| EchoProcess::start(&subject.payloads)).transpose()?;
        let mut baselines = Vec::new();
        for baseline in &subject.baselines {
            let Some(ran) = self.take(baseline, echo.as_ref())? else { return Ok(None) };
            let (name, what) = (baseline.name, baseline.what);
            let each = baseline.work.each();
            let before = Point::of(&ran, each);
            let (after, after_failed, tally) = (None, None, ran.tally);
            baselines.push(Taken { name, what, each, before, after, after_failed, tally });
        }
        let (ran, beside) = self.beside(&mut subject.beside, &mut subject.clients)?;
        let is_whole = !self.stop.is_asked();
        if !is_whole && ran.tally.good() == 0 {
            return Ok(None);
        }
        for (baseline, taken) in subject.baselines.iter().zip(&mut baselines) {
            if self.stop.is_asked() {
                break;
            }
            match self.take(baseline, echo.as_ref()) {
                Ok(after) => taken.after = after.map(|ran| Point::of(&ran, taken.each)),
                Err(failure) => taken.after_failed = Some(failure.message),
            }
        }
        let is_interrupted = self.stop.is_asked();
        Ok(Some(Measured { ran, beside, baselines, is_interrupted, is_whole }))
    }

    /// Measures the clients while others keep the server busy.
    fn beside(
        &self,
        others: &mut Clients,
        clients: &mut Clients,
    ) -> Result<(Ran, Option<Ran>), Failure> {
        if others.is_empty() {
            return Ok((self.whole(clients)?, None));
        }
        let enough = Stop::default();
        thread::scope(|scope| {
            let busy = scope.spawn(|| {
                let watch = Watch { stop: &enough, tell: &|_| {} };
                closed_loop(others, End::Requests(u64::MAX), watch)
            });
            let ran = self.whole(clients);
            enough.ask();
            let beside = busy.join().map_err(|_| Failure::refused("a sign-in panicked"))?;
            Ok((ran?, Some(beside.map_err(|cause| no_threads(&cause))?)))
        })
    }

    /// Warms up, then measures what was asked for.
    fn whole(&self, clients: &mut Clients) -> Result<Ran, Failure> {
        let Load { end, warm_up, .. } = *self.load;
        if let Some(pace) = self.load.pace() {
            if !warm_up.is_zero() {
                self.connect(clients)?;
            }
            return self.open("Measuring", clients, pace);
        }
        if !warm_up.is_zero() {
            self.closed("Warming up", clients, End::After(warm_up))?;
        }
        self.closed("Measuring", clients, end)
    }

    /// One turn of each, so that no connection begins in what is counted: at a low rate a warm-up has fewer.
    fn connect(&self, clients: &mut Clients) -> Result<(), Failure> {
        self.closed("Warming up", clients, End::After(Duration::ZERO)).map(|_| ())
    }

    /// Takes one baseline; none where it was interrupted.
    fn take(
        &self,
        baseline: &Baseline,
        echo: Option<&EchoProcess>,
    ) -> Result<Option<Ran>, Failure> {
        let time = match self.load.end {
            End::After(time) => (time / 4).clamp(SHORTEST, LONGEST),
            End::Requests(_) => USUAL,
        };
        let end = baseline.end().unwrap_or(End::After(time));
        let echoed = |requests: &[Vec<u8>], clients| {
            let address = echo.map(|echo| echo.address);
            let address = address.ok_or_else(|| Failure::refused("there is no echo"))?;
            let requests = requests.iter().map(|request| filler::request(request)).collect();
            let all = Asking::all(address, requests, clients).into_iter();
            Ok::<_, Failure>(Vec::from_iter(all.map(|asking| asking.until(self.stop))))
        };
        let (mut made, is_paced) = match &baseline.work {
            Work::Echo { requests, clients } => (boxed(echoed(requests, *clients)?), true),
            Work::SignatureAndEcho { requests, clients } => {
                (raw::rsa_and(echoed(requests, *clients)?)?, true)
            }
            Work::Alone(make) => (make()?, true),
            Work::Raw { make, .. } => (make()?, false),
            Work::Bcrypt(hashing) => (raw::bcrypt(*hashing)?, false),
        };
        let pace = self.load.rate.filter(|_| is_paced);
        let pace = pace.map(|rate| Pace { rate, warm_up: Duration::ZERO, end });
        let ran = match pace {
            Some(pace) => {
                self.connect(&mut made)?;
                self.open("Measuring the baseline", &mut made, pace)
            }
            None => {
                if is_paced {
                    // Connections begin.
                    self.closed("Measuring the baseline", &mut made, End::After(time / 4))?;
                }
                self.closed("Measuring the baseline", &mut made, end)
            }
        }?;
        if self.stop.is_asked() {
            return Ok(None);
        }
        let failed = ran.tally.failures().next().map(|(failed, _)| told(failed));
        failed.map_or(Ok(Some(ran)), |why| {
            Err(Failure::refused(format!("the baseline {} failed: {why}", baseline.name)))
        })
    }

    fn open(&self, doing: &'static str, clients: &mut Clients, pace: Pace) -> Result<Ran, Failure> {
        let total = match pace.end {
            End::After(time) => (time.as_secs_f64() * pace.rate) as u64,
            End::Requests(requests) => requests,
        };
        let tell = |done| self.bar.show(doing, done, Some(total));
        let watch = Watch { stop: self.stop, tell: &tell };
        open_loop(clients, pace, watch).map_err(|cause| no_threads(&cause))
    }

    fn closed(&self, doing: &'static str, clients: &mut Clients, end: End) -> Result<Ran, Failure> {
        let begun = Instant::now();
        let tell = |done| {
            let total = match end {
                End::Requests(requests) => requests,
                // As many more as there is time for.
                End::After(time) => {
                    (done as f64 * time.as_secs_f64() / begun.elapsed().as_secs_f64()) as u64
                }
            };
            self.bar.show(doing, done, Some(total));
        };
        let watch = Watch { stop: self.stop, tell: &tell };
        closed_loop(clients, end, watch).map_err(|cause| no_threads(&cause))
    }
}

pub(super) fn told(failed: &Failed) -> String {
    match failed {
        Failed::Refused { status, code } => format!("HTTP {status} {code}").trim_end().to_owned(),
        Failed::Broken(why) => why.clone(),
    }
}

fn no_threads(cause: &std::io::Error) -> Failure {
    Failure::refused(format!("starting a thread for each connection: {cause}"))
        .next("ask with fewer --connections")
}

#[cfg(test)]
mod tests;
