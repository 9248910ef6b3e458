//! `tikti audit tail`: what was done last, and what is being done?
//!
//! Each event is one line, printed when it comes. Following asks every two seconds, less often where the server
//! wants that, and goes on over an idToken that ends and a server that is away for a while. What was read is not
//! read again, as far as the server's times tell: the clock of this machine may be wrong.
//!
//! Spec: Command line, `audit`; Authorization, "Audit".

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tikti_server::api::AuditLinkReply;
use tokio::time::sleep;

use super::audit::{ChainArgs, LARGEST_PAGE, Log};
use crate::clock;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::pages::Pages;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// The most that a server in trouble is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// By how many seconds the clocks of servers may differ from one another.
const WRONG_CLOCK: u64 = 600;

/// How far back the last events are looked for, in seconds: the log can only be read forwards.
const WINDOWS: [u64; 4] = [300, 3_600, 86_400, 30 * 86_400];

/// Print the last events, one a line, and with --follow every new one as it comes
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti audit tail --tenant codecompany
  tikti audit tail --deployment --follow
  tikti audit tail --follow --output json --tenant codecompany > events.jsonl

Ctrl-C ends it. With --output json each line is an event as `tikti audit export` prints it.")]
pub(crate) struct TailArgs {
    #[command(flatten)]
    of: ChainArgs,
    /// Go on with what happens from now on
    #[arg(long, short)]
    follow: bool,
    /// How many of the last events
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Only events of this action, such as role.create
    #[arg(long)]
    action: Option<String>,
    /// Only what the user or worker of this id did
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &TailArgs) -> Result<(), Failure> {
    tokio::select! {
        ended = tail(context, args) => ended,
        // Whoever is done with it has got what was asked for.
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn tail(context: &Context, args: &TailArgs) -> Result<(), Failure> {
    let mut log = Log::open(context, &args.of, &[]).await?;
    for (name, value) in [("action", &args.action), ("actor", &args.actor)] {
        if let Some(value) = value {
            log.url.query_pairs_mut().append_pair(name, value);
        }
    }
    let now = clock::now_seconds();
    let mut events = last(&log, args.lines.max(1), now).await?;
    // Where there is none yet, each later one is new.
    let nothing = Seen { seq: 0, at: passed(log.session.server_time()) };
    let mut seen = events.back().map_or(nothing, Seen::of);
    events.drain(..events.len().saturating_sub(args.lines));
    loop {
        for link in &events {
            if show(context, link)? == Reader::Gone {
                return Ok(());
            }
        }
        if !args.follow {
            return Ok(());
        }
        events = next(context, &mut log, &mut seen).await?;
        seen = events.back().map_or(seen, Seen::of);
    }
}

/// Up to where events are known.
struct Seen {
    seq: u64,
    /// When that one was added: none is added to a log with an earlier time. None: the whole log is looked at.
    at: Option<String>,
}

impl Seen {
    fn of(link: &AuditLinkReply) -> Self {
        Self { seq: link.seq, at: Some(link.chained_at.clone()) }
    }
}

/// The last `most` events: from a short time ago on, and before those from longer ago where they are too few.
async fn last(log: &Log<'_>, most: usize, now: u64) -> Result<VecDeque<AuditLinkReply>, Failure> {
    let begins = WINDOWS.map(|window| Some(clock::rfc3339(now.saturating_sub(window))));
    let (mut events, mut to) = (VecDeque::new(), None);
    for from in begins.into_iter().chain([None]) {
        let missing = most - events.len();
        let mut found = between(log, (from.as_deref(), to.as_deref()), missing).await?;
        found.append(&mut events);
        events = found;
        if events.len() >= most {
            break;
        }
        to = from;
    }
    Ok(events)
}

/// Waits for events that were not seen yet.
async fn next(
    context: &Context,
    log: &mut Log<'_>,
    seen: &mut Seen,
) -> Result<VecDeque<AuditLinkReply>, Failure> {
    let mut pause = PAUSE;
    loop {
        sleep(pause).await;
        let asked_at = log.session.server_time();
        let found = match log.session.renew().await {
            Ok(()) => between(log, (seen.at.as_deref(), None), usize::MAX).await,
            Err(failure) => Err(failure),
        };
        match found {
            Ok(mut events) => {
                events.retain(|link| link.seq > seen.seq);
                if !events.is_empty() {
                    return Ok(events);
                }
                // A filter passed over all until then: these need not be looked at again.
                seen.at = seen.at.take().max(passed(asked_at));
                pause = PAUSE;
            }
            Err(failure) if may_pass(&failure) => {
                pause = (pause * 2).min(LONGEST_PAUSE);
                let message = &failure.message;
                let seconds = pause.as_secs();
                context.output.warn(&format!("{message}; asking again in {seconds} s"));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Up to when nothing can be added any more, where the server has told the time.
fn passed(server_time: Option<u64>) -> Option<String> {
    server_time.map(|time| clock::rfc3339(time.saturating_sub(WRONG_CLOCK)))
}

/// Whether it may be over the next time: no answer, or one that says so.
fn may_pass(failure: &Failure) -> bool {
    match &failure.reply {
        None => failure.exit == Exit::Refused,
        Some(reply) => matches!(
            reply.code.as_str(),
            "RATE_LIMITED" | "OVERLOADED" | "STORE_UNAVAILABLE" | "INTERNAL"
        ),
    }
}

/// The last `most` of the events that were added at the first time or later, and before the second.
async fn between(
    log: &Log<'_>,
    (from, to): (Option<&str>, Option<&str>),
    most: usize,
) -> Result<VecDeque<AuditLinkReply>, Failure> {
    let mut url = log.url.clone();
    for (name, time) in [("from", from), ("to", to)] {
        if let Some(time) = time {
            url.query_pairs_mut().append_pair(name, time);
        }
    }
    let (mut events, mut token, mut pages) = (VecDeque::new(), None, Pages::of_events());
    loop {
        let page = log.page(&url, LARGEST_PAGE, token.as_deref()).await?;
        token = pages.next(page.events.len(), page.next_page_token)?;
        events.extend(page.events);
        events.drain(..events.len().saturating_sub(most));
        if token.is_none() {
            return Ok(events);
        }
    }
}

fn show(context: &Context, link: &AuditLinkReply) -> Result<Reader, Failure> {
    let event: Value = serde_json::from_str(link.event.get()).unwrap_or_default();
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    let line = format!(
        "{}  {:<24}  {}  by {} {}",
        text("/time"),
        text("/action"),
        text("/target"),
        text("/actor/type"),
        text("/actor/id")
    );
    // The hash is over this text.
    let json = serde_json::to_string(link)
        .map_err(|cause| Failure::refused(format!("writing an event: {cause}")))?;
    context.output.event(&json, &line, &link.seq.to_string())
}
