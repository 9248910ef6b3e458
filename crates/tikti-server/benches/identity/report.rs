//! How is a result shown? Medians over the rounds, each beside its baseline of the same run, and the
//! median of the rounds' ratios, which outlives the machine.

use tikti_load::median;

/// What was measured in one round, and beside what.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) ours: f64,
    pub(crate) baseline: f64,
}

/// How the two of a pair become a ratio.
#[derive(Clone, Copy)]
pub(crate) enum Ratio {
    /// Ours over the baseline.
    Of,
    /// The baseline over ours: for costs, so that it compares with a ratio of throughputs.
    Inverse,
}

/// What is wanted of the ratio.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Shown to explain the others.
    None,
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) beside: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ratio: Ratio,
    pub(crate) target: Target,
    pub(crate) rounds: Vec<Pair>,
}

impl Row {
    fn ratios(&self) -> Vec<f64> {
        let ratio = |pair: &Pair| match self.ratio {
            Ratio::Of => pair.ours / pair.baseline,
            Ratio::Inverse => pair.baseline / pair.ours,
        };
        self.rounds.iter().map(ratio).collect()
    }

    /// The median of our side.
    pub(crate) fn ours(&self) -> f64 {
        median(self.rounds.iter().map(|pair| pair.ours).collect())
    }

    fn line(&self) -> String {
        let baseline = median(self.rounds.iter().map(|pair| pair.baseline).collect());
        let ratios = self.ratios();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ratio = median(ratios);
        let (target, verdict) = match self.target {
            Target::AtLeast(bound) => (format!(">= {bound}"), told(ratio >= bound)),
            Target::AtMost(bound) => (format!("<= {bound}"), told(ratio <= bound)),
            Target::None => (String::new(), ""),
        };
        let (ours, spread) = (number(self.ours()), format!("{least:.2} to {most:.2}"));
        let (what, beside, unit, baseline) = (self.what, self.beside, self.unit, number(baseline));
        format!(
            "{what:<28} {ours:>10} {baseline:>10} {unit:<5} {ratio:>6.2}  {spread:<15} {target:<8} \
             {verdict:<7} {beside}"
        )
    }
}

fn told(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// Four digits that count.
fn number(value: f64) -> String {
    let digits = if value >= 1000.0 {
        0
    } else if value >= 100.0 {
        1
    } else if value >= 10.0 {
        2
    } else {
        3
    };
    format!("{value:.digits$}")
}

/// The table as text.
pub(crate) fn table(rows: &[Row]) -> String {
    let (what, beside) = ("median of rounds", "baseline");
    let head = format!(
        "{what:<28} {:>10} {:>10} {:<5} {:>6}  {:<15} {:<8} {:<7} {beside}",
        "tikti", "baseline", "", "ratio", "least to most", "target", ""
    );
    let lines = rows.iter().map(Row::line);
    std::iter::once(head).chain(lines).map(|line| format!("{}\n", line.trim_end())).collect()
}
