//! In which order is a server asked? Without a token, with a good one, then with each of the catalogue.
//!
//! A route that answers without a token, or refuses the good one, proves nothing by refusing others: the
//! check ends there. One request at a time, so that what a server does is done because of this token.
//!
//! Spec: Command line, `rs-check`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::catalogue::{Class, Entry};
use super::forge::Forge;
use super::publisher::Documents;
use super::report::{Report, Row, SignedBy};
use super::target::{Answer, Target, Verdict};
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;

/// Between two tries whether the server takes the good token yet.
const PAUSE: Duration = Duration::from_millis(500);
/// After the last token that names an address: whoever asks it beside his answer does so soon.
const LATE: Duration = Duration::from_secs(3);
/// Between two looks whether that address was asked.
const LOOK: Duration = Duration::from_millis(50);
/// `Date` has whole seconds and is cached by servers; less is not a difference of clocks.
const MIN_OFFSET_SECONDS: i64 = 5;

/// Where the good token comes from.
#[derive(Clone, Copy)]
pub(super) enum Control<'a> {
    Given(&'a str),
    /// From the check itself: the server may have to be told of it first.
    Made {
        wait: Duration,
    },
}

pub(super) struct Check {
    target: Target,
    forge: Forge,
    documents: Arc<Documents>,
    class: Class,
    /// How far the server's clock is before ours.
    clock_ahead_seconds: i64,
    not_applicable: Vec<String>,
    needs_issuer: usize,
}

impl Check {
    pub(super) fn new(
        target: Target,
        forge: Forge,
        documents: Arc<Documents>,
        class: Class,
    ) -> Self {
        Self {
            target,
            forge,
            documents,
            class,
            clock_ahead_seconds: 0,
            not_applicable: Vec::new(),
            needs_issuer: 0,
        }
    }

    /// Fires the control and then everything of `entries` that can be made.
    pub(super) async fn run(
        &mut self,
        context: &Context,
        control: Control<'_>,
        entries: &[Entry],
    ) -> Result<Vec<Row>, Failure> {
        let mine = Vec::from_iter(entries.iter().filter(|entry| entry.is_for(self.class)));
        let good = mine.iter().find(|entry| entry.is_control());
        let good = good.ok_or_else(|| Failure::refused("the catalogue has no control"))?;
        let answer = self.accepted_control(context, control, good).await?;
        self.refused_without_token().await?;

        let mut rows = vec![Row::new(good, &answer, false)];
        let can_sign = matches!(control, Control::Made { .. });
        let can_make = |entry: &&&Entry| can_sign || !entry.needs_key;
        let others = || mine.iter().filter(|entry| !entry.is_control());
        self.needs_issuer = others().filter(|entry| !can_make(entry)).count();
        let total = others().filter(can_make).count();
        let bar = context.output.progress_of("tokens");
        let (mut addressed, mut patience) = (Vec::new(), Instant::now());
        for (done, entry) in others().filter(can_make).enumerate() {
            bar.show("Firing", done as u64, Some(total as u64));
            let Some(token) = self.forge.make(entry, self.now())? else {
                self.not_applicable.push(entry.name.clone());
                continue;
            };
            let answer = self.target.fire(Some(&token)).await?;
            rows.push(Row::new(entry, &answer, self.documents.was_believed(&entry.name)));
            if entry.names_stranger() {
                addressed.push(entry.name.as_str());
                patience = Instant::now() + LATE;
            }
        }
        bar.show("Waiting for late ones", addressed.len() as u64, None);
        self.wait_for_late_ones(&addressed, patience).await;
        for row in rows.iter_mut().filter(|row| self.documents.was_believed(row.name())) {
            row.was_believed_late();
        }
        Ok(rows)
    }

    /// Until every address was asked, which leaves nothing to learn, or patience ends.
    async fn wait_for_late_ones(&self, names: &[&str], patience: Instant) {
        let is_open = || names.iter().any(|name| !self.documents.was_believed(name));
        while is_open() && Instant::now() < patience {
            sleep(LOOK).await;
        }
    }

    pub(super) fn report(
        self,
        tokens: Vec<Row>,
        signed_by: SignedBy,
        needs_options: usize,
    ) -> Report {
        Report {
            url: self.target.url.to_string(),
            signed_by,
            class: self.class,
            clock_ahead_seconds: self.clock_ahead_seconds,
            tokens,
            not_applicable: self.not_applicable,
            needs_issuer: self.needs_issuer,
            needs_options,
        }
    }

    async fn accepted_control(
        &mut self,
        context: &Context,
        control: Control<'_>,
        good: &Entry,
    ) -> Result<Answer, Failure> {
        let wait = match control {
            Control::Given(_) => Duration::ZERO,
            Control::Made { wait } => wait,
        };
        let deadline = Instant::now() + wait;
        let bar = context.output.progress_of("tries");
        for tries in 1.. {
            let token = match control {
                Control::Given(token) => token.to_owned(),
                Control::Made { .. } => self.forge.make(good, self.now())?.unwrap_or_default(),
            };
            let answer = self.target.fire(Some(&token)).await?;
            self.look_at_the_clock(&answer);
            if answer.verdict == Verdict::Accepted {
                return Ok(answer);
            }
            if Instant::now() + PAUSE > deadline {
                return Err(not_accepted(control, &answer));
            }
            bar.show("Waiting for the server, tries", tries, None);
            sleep(PAUSE).await;
        }
        Err(Failure::refused("the good token was tried too often"))
    }

    async fn refused_without_token(&self) -> Result<(), Failure> {
        let answer = self.target.fire(None).await?;
        if answer.verdict == Verdict::Accepted {
            return Err(Failure::refused(format!(
                "the route wants no token: without one it answers {}",
                answer.told()
            ))
            .next("name a route that is protected, or protect this one"));
        }
        Ok(())
    }

    fn look_at_the_clock(&mut self, answer: &Answer) {
        let ahead =
            |date: u64| date.cast_signed().saturating_sub(clock::now_seconds().cast_signed());
        if let Some(ahead) = answer.date.map(ahead) {
            let is_off = ahead.abs() >= MIN_OFFSET_SECONDS;
            self.clock_ahead_seconds = if is_off { ahead } else { 0 };
        }
    }

    /// By the server's clock.
    fn now(&self) -> u64 {
        clock::now_seconds().saturating_add_signed(self.clock_ahead_seconds)
    }
}

fn not_accepted(control: Control<'_>, answer: &Answer) -> Failure {
    let told = answer.told();
    if answer.status.is_none() {
        return Failure::refused(format!("the server cannot be asked: {told}"))
            .next("check the address of the route and that the server runs");
    }
    let next = match control {
        Control::Given(_) => "check its audience, scopes and tenant, and the method of the request",
        Control::Made { .. } => {
            "check that its issuer is this one, and --aud, --scope, --tenant and --method"
        }
    };
    Failure::usage(format!("the good token is not accepted: {told}")).next(next)
}
