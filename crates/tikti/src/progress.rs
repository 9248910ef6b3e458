//! How far is it? A bar with rate and remaining time on a terminal, nothing anywhere else.
//!
//! Spec: Command line, "Output".

use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, drawn to standard error while it lives.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Draws where somebody looks: on a terminal.
    pub(crate) fn on_terminal() -> Self {
        Self::drawn_to(ProgressDrawTarget::stderr())
    }

    /// Draws nothing.
    pub(crate) fn hidden() -> Self {
        Self::drawn_to(ProgressDrawTarget::hidden())
    }

    fn drawn_to(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        // A template that does not parse would be found by the test below.
        bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// Shows that `done` records are done, of `total` where that is known.
    pub(crate) fn show(&self, doing: &'static str, done: u64, total: Option<u64>) {
        if self.0.message() != doing {
            self.0.set_message(doing);
            self.0.reset();
        }
        // The total is a guess: it counts what is expired, and what has come since.
        self.0.set_length(total.unwrap_or(done).max(done));
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    /// Leaves a clean line for what is said next.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style() -> Result<ProgressStyle, TemplateError> {
    ProgressStyle::with_template(
        "{msg} {bar:30} {human_pos}/{human_len} records, {per_sec}, {eta} remaining",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_has_a_template_that_parses() {
        assert!(style().is_ok());
    }
}
