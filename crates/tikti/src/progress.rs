//! How far is it? A bar with rate and remaining time on a terminal, nothing anywhere else.
//!
//! Spec: Command line, "Output".

use std::fmt;
use std::io;
use std::time::Duration;

use indicatif::style::TemplateError;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rustix::termios::tcgetwinsize;

use crate::interrupt::PutBack;

/// Drawn anew also while nothing comes, so that what stands there is true.
const DRAWN_EVERY: Duration = Duration::from_millis(250);
/// Columns of a terminal that says nothing of its size.
const USUAL_COLUMNS: u16 = 80;

/// A bar, drawn to standard error while it lives.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Clears the line where a signal ends the program.
    put_back: Option<PutBack>,
}

impl Progress {
    /// Draws where somebody looks: on a terminal. What is counted has a name, such as `records`.
    pub(crate) fn on_terminal(counted: &str) -> Self {
        Self::drawn_to(ProgressDrawTarget::stderr(), counted)
    }

    /// Draws nothing.
    pub(crate) fn hidden() -> Self {
        Self::drawn_to(ProgressDrawTarget::hidden(), "")
    }

    fn drawn_to(target: ProgressDrawTarget, counted: &str) -> Self {
        let is_drawn = !target.is_hidden();
        let bar = ProgressBar::with_draw_target(None, target);
        let columns = tcgetwinsize(io::stderr()).map_or(USUAL_COLUMNS, |size| size.ws_col);
        // A template that does not parse would be found by the test below.
        bar.set_style(style(columns, counted).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let left = bar.clone();
        let put_back = is_drawn.then(|| PutBack::at_signal(move |_| clear(&left)));
        Self { bar, put_back }
    }

    /// Shows that `done` are done, of `total` where that is known.
    pub(crate) fn show(&self, doing: &'static str, done: u64, total: Option<u64>) {
        if self.bar.message() != doing {
            self.bar.set_message(doing);
            self.bar.reset();
            if self.put_back.is_some() {
                self.bar.enable_steady_tick(DRAWN_EVERY);
            }
        }
        // The total is a guess: it counts what is expired, and what has come since.
        self.bar.set_length(total.unwrap_or(done).max(done));
        self.bar.set_position(done);
    }
}

impl Progress {
    /// Takes the bar away for what is said next; dropping it does the same, and waits for a signal that is
    /// being seen to.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    /// Leaves a clean line for what is said next.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Clears the line for good: whoever shows progress has not heard yet that all is over. Where the terminal
/// wrote `^C`, that is the line below, and the bar stays as far as it came.
fn clear(bar: &ProgressBar) {
    bar.finish_and_clear();
    bar.set_draw_target(ProgressDrawTarget::hidden());
}

/// One line, whatever the numbers are: of two, one would be left standing.
fn style(columns: u16, counted: &str) -> Result<ProgressStyle, TemplateError> {
    let numbers = format!("{{human_pos}}/{{human_len}} {counted}, {{rate}}/s, {{eta}} remaining");
    let template = match columns {
        0..76 => "{msg} {human_pos}/{human_len}, {eta} left".to_owned(),
        76..96 => format!("{{msg}} {{bar:10}} {numbers}"),
        96.. => format!("{{msg}} {{bar:30}} {numbers}"),
    };
    let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
        // Records are whole, and a text that cannot be written is not shown.
        let _ = write!(text, "{}", HumanCount(state.per_sec() as u64));
    };
    Ok(ProgressStyle::with_template(&template)?.with_key("rate", rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_has_a_template_that_parses() {
        for columns in [0, 40, 80, 300] {
            assert!(style(columns, "records").is_ok(), "{columns}");
        }
    }
}
