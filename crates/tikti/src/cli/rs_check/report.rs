//! What is told of a check, and is it good?
//!
//! Fails by what is a hole: a hostile token that was accepted, a stranger's address that was asked, and a
//! token that was not looked at, of which nothing is known. What the RFCs leave open is told, and fails
//! where `--strict` says so.
//!
//! Spec: Command line, `rs-check` and "Output".

use serde::Serialize;

use super::catalogue::{Class, Entry, Expect, Level};
use super::target::{Answer, Verdict};
use crate::context::Context;
use crate::exit::Failure;
use crate::output;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) url: String,
    /// Whether the check was the issuer, or had one token of one.
    pub(super) signed_by: SignedBy,
    pub(super) class: Class,
    /// How far the server's clock is before ours; tokens were made by its clock.
    pub(super) clock_ahead_seconds: i64,
    pub(super) tokens: Vec<Row>,
    /// Those whose changes change nothing here.
    pub(super) not_applicable: Vec<String>,
    /// How many only the issuer can make.
    pub(super) needs_issuer: usize,
    /// How many say nothing without `--tenant` or `--scope`.
    pub(super) needs_options: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SignedBy {
    Check,
    Deployment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    name: String,
    result: Outcome,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    about: String,
    fix: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cves: Vec<String>,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// A good one.
    Taken,
    /// A good one, beside the control.
    GoodRefused,
    Refused,
    Accepted,
    /// Refused, after a stranger's address in it was asked.
    Fetched,
    /// Refused, and a stranger's address in it was asked afterwards.
    FetchedLate,
    Broke,
    /// The server limits requests.
    Throttled,
}

/// How a result counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    AsItShouldBe,
    WorthALine,
    Fails,
}

impl Row {
    pub(super) fn new(entry: &Entry, answer: &Answer, has_fetched: bool) -> Self {
        Self {
            name: entry.name.clone(),
            result: Outcome::of(entry.expect, answer.verdict, has_fetched),
            level: if entry.expect == Expect::Accept { Level::Hardening } else { entry.level },
            status: answer.status,
            about: entry.about.clone(),
            fix: entry.fix.clone(),
            rows: entry.rows.clone(),
            cves: entry.cves.clone(),
        }
    }

    /// Which token it is about.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes in that the address in the token was asked, though it had not been when it was answered.
    pub(super) fn was_believed_late(&mut self) {
        if matches!(self.result, Outcome::Refused | Outcome::Broke) {
            self.result = Outcome::FetchedLate;
        }
    }

    fn weight(&self) -> Weight {
        match (self.result, self.level) {
            (Outcome::Taken | Outcome::Refused, _) => Weight::AsItShouldBe,
            (Outcome::Accepted, Level::Must)
            | (Outcome::Fetched | Outcome::FetchedLate | Outcome::Throttled, _) => Weight::Fails,
            (Outcome::Accepted, Level::Hardening) | (Outcome::GoodRefused | Outcome::Broke, _) => {
                Weight::WorthALine
            }
        }
    }

    fn cells(&self) -> [String; 4] {
        let result = match (self.result, self.level) {
            (Outcome::Taken, _) => "taken",
            (Outcome::GoodRefused, _) => "refused, although good",
            (Outcome::Refused, _) => "refused",
            (Outcome::Accepted, Level::Must) => "ACCEPTED",
            (Outcome::Accepted, Level::Hardening) => "accepted (lenient)",
            (Outcome::Fetched, _) => "FETCHED A KEY",
            (Outcome::FetchedLate, _) => "FETCHED A KEY LATER",
            (Outcome::Broke, _) => "broke",
            (Outcome::Throttled, _) => "THROTTLED",
        };
        let to_do = match self.result {
            Outcome::Taken | Outcome::Refused => String::new(),
            Outcome::Broke => "Answer 401, also to what no client sends.".to_owned(),
            Outcome::Throttled => "Lift the limit for this check.".to_owned(),
            Outcome::Fetched | Outcome::FetchedLate => {
                "Ask no address that stands in a token.".to_owned()
            }
            Outcome::GoodRefused | Outcome::Accepted => self.fix.clone(),
        };
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        [self.name.clone(), status, result.to_owned(), to_do]
    }
}

impl Outcome {
    fn of(expect: Expect, verdict: Verdict, has_fetched: bool) -> Self {
        match (expect, verdict) {
            (_, Verdict::Throttled) => Self::Throttled,
            (Expect::Refuse, Verdict::Refused | Verdict::Broke) if has_fetched => Self::Fetched,
            (_, Verdict::Broke) => Self::Broke,
            (Expect::Accept, Verdict::Accepted) => Self::Taken,
            (Expect::Accept, Verdict::Refused) => Self::GoodRefused,
            (Expect::Refuse, Verdict::Accepted) => Self::Accepted,
            (Expect::Refuse, Verdict::Refused) => Self::Refused,
        }
    }
}

impl Report {
    /// Prints it, and fails where it is not good.
    pub(super) fn tell(&self, context: &Context, is_strict: bool) -> Result<(), Failure> {
        let told = |row: &&Row| row.weight() > Weight::AsItShouldBe;
        let rows = self.tokens.iter().map(Row::cells);
        let people = output::table(&["TOKEN", "STATUS", "RESULT", "WHAT TO DO"], rows);
        let names = self.tokens.iter().filter(told).map(|row| row.name.as_str());
        let names = Vec::from_iter(names).join("\n");
        context.output.answer(self, &people, &names)?;
        self.notes(context);
        let limit = if is_strict { Weight::WorthALine } else { Weight::Fails };
        let failed = self.tokens.iter().filter(|row| row.weight() >= limit).count();
        match failed {
            0 => {
                let total = self.tokens.len();
                context.output.done(&format!("{total} tokens, and none that fails the check"));
                Ok(())
            }
            1 => Err(Failure::refused("1 token fails the check")),
            more => Err(Failure::refused(format!("{more} tokens fail the check"))),
        }
    }

    fn notes(&self, context: &Context) {
        let output = &context.output;
        let open = self.tokens.iter().filter(|row| row.weight() == Weight::WorthALine).count();
        if open > 0 {
            output.note(&format!("{open} are worth a look and fail under --strict alone"));
        }
        if self.needs_issuer > 0 {
            output.note(&format!(
                "{} more need the issuer's key: point a test instance at `tikti rs-check URL \
                 --issue-at 127.0.0.1:9400`",
                self.needs_issuer
            ));
        }
        if self.needs_options > 0 {
            output.note(&format!(
                "{} say nothing unless --tenant and --scope say what the route requires",
                self.needs_options
            ));
        }
        if self.clock_ahead_seconds != 0 {
            output.warn(&format!(
                "the server's clock is {} s {} this one's; tokens were made by the server's",
                self.clock_ahead_seconds.unsigned_abs(),
                if self.clock_ahead_seconds > 0 { "before" } else { "behind" }
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogue;
    use super::*;

    fn weight(result: Outcome, level: Level) -> Weight {
        let text = String::new;
        Row {
            name: text(),
            result,
            level,
            status: None,
            about: text(),
            fix: text(),
            rows: Vec::new(),
            cves: Vec::new(),
        }
        .weight()
    }

    #[test]
    fn who_asked_an_address_later_did_not_refuse() {
        let catalogue = Catalogue::read().unwrap();
        let entry = catalogue.tokens.into_iter().find(|entry| entry.name == "jku").unwrap();
        for (verdict, result) in [
            (Verdict::Refused, Outcome::FetchedLate),
            (Verdict::Broke, Outcome::FetchedLate),
            (Verdict::Accepted, Outcome::Accepted),
            (Verdict::Throttled, Outcome::Throttled),
        ] {
            let answer = Answer { verdict, status: None, silence: None, date: None };
            let mut row = Row::new(&entry, &answer, false);
            row.was_believed_late();
            assert_eq!(row.result, result, "{verdict:?}");
            assert!(row.weight() == Weight::Fails, "{verdict:?}");
        }
    }

    #[test]
    fn a_hole_fails_and_what_is_left_open_is_told() {
        assert!(weight(Outcome::Accepted, Level::Must) == Weight::Fails);
        assert!(weight(Outcome::Fetched, Level::Must) == Weight::Fails);
        assert!(weight(Outcome::Throttled, Level::Hardening) == Weight::Fails);
        for result in [Outcome::Accepted, Outcome::GoodRefused, Outcome::Broke] {
            assert!(weight(result, Level::Hardening) == Weight::WorthALine);
        }
        assert!(weight(Outcome::Broke, Level::Must) == Weight::WorthALine);
        for result in [Outcome::Taken, Outcome::Refused] {
            assert!(weight(result, Level::Must) == Weight::AsItShouldBe);
        }
    }

    #[test]
    fn a_refusal_after_a_fetch_is_not_one() {
        let of = |verdict| Outcome::of(Expect::Refuse, verdict, true);
        assert_eq!(of(Verdict::Refused), Outcome::Fetched);
        assert_eq!(of(Verdict::Accepted), Outcome::Accepted);
        assert_eq!(of(Verdict::Broke), Outcome::Fetched);
    }
}
