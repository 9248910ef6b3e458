//! How a decision came about: each step with what it looked at and what it found.
//!
//! A trace is for the operator who asks why; it holds ids, scopes and codes, never a token.
//!
//! Spec: Authorization, `Decision`.

use crate::error::{Code, Refusal};

/// The steps of an exchange, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// 1. The API key may exchange, for this tenant.
    ApiKey,
    /// 2. The idToken verifies.
    IdToken,
    /// 3. Session alive, version current, user active.
    Session,
    /// 4. The tenant is named, once.
    TenantContext,
    /// 5. The tenant exists and is active.
    Tenant,
    /// 6. The user holds an active membership there.
    Membership,
    /// 7. The audience is a client of this tenant that allows the exchange.
    Audience,
    /// 8. The scopes are within roles and client.
    Scopes,
    /// 9. The event types are within client and worker.
    EventTypes,
    /// 10. The token may be made for the subject.
    Subject,
    /// 11. The lifetime is within its bounds.
    Lifetime,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 11] = [
        Self::ApiKey,
        Self::IdToken,
        Self::Session,
        Self::TenantContext,
        Self::Tenant,
        Self::Membership,
        Self::Audience,
        Self::Scopes,
        Self::EventTypes,
        Self::Subject,
        Self::Lifetime,
    ];

    /// The number in the specification's table.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The name in traces and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api key",
            Self::IdToken => "id token",
            Self::Session => "session",
            Self::TenantContext => "tenant context",
            Self::Tenant => "tenant",
            Self::Membership => "membership",
            Self::Audience => "audience",
            Self::Scopes => "scopes",
            Self::EventTypes => "event types",
            Self::Subject => "subject",
            Self::Lifetime => "lifetime",
        }
    }
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEntry {
    /// The step.
    pub step: Step,
    /// What it looked at.
    pub input: String,
    /// `None` where it passed, else why it did not. Where a stranger is told less, this says the
    /// truth.
    pub refused: Option<Code>,
}

/// The steps that were taken, the failing one last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Vec<TraceEntry>);

impl Trace {
    /// The steps in order.
    pub fn entries(&self) -> impl Iterator<Item = &TraceEntry> {
        self.0.iter()
    }

    /// Records what a step found and hands it on.
    pub(super) fn record<T>(
        &mut self,
        step: Step,
        input: String,
        found: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let refused = found.as_ref().err().map(|refusal| refusal.code);
        self.0.push(TraceEntry { step, input, refused });
        found
    }

    /// Room for every step at once.
    pub(super) fn with_room() -> Self {
        Self(Vec::with_capacity(Step::ALL.len() + 1))
    }
}

impl std::fmt::Display for Trace {
    /// A table: number, name, result, what the step looked at.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for entry in &self.0 {
            let result = entry.refused.map_or("pass", Code::as_str);
            let (number, name) = (entry.step.number(), entry.step.name());
            writeln!(formatter, "{number:>2}  {name:<14}  {result:<24}  {}", entry.input)?;
        }
        Ok(())
    }
}
