//! Where do log lines go and what do they look like? JSON lines on standard error, one event a
//! line; readable text on a terminal.
//!
//! What may be logged is decided where it is logged: never a token, code, password, key or address.
//!
//! Spec: Operations, "Seeing what happens".

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::json_lines::JsonLines;
use super::stderr::WholeLines;
use crate::config::{LogConfig, LogFormat};

/// Sends the logs of this process to standard error, in the form that `log` asks for.
///
/// Also turns the report of a panic into a log line. A second call changes nothing.
pub fn init(log: &LogConfig) {
    let format = match log.format {
        LogFormat::Auto if std::io::stderr().is_terminal() => LogFormat::Text,
        LogFormat::Auto => LogFormat::Json,
        chosen @ (LogFormat::Json | LogFormat::Text) => chosen,
    };
    let log = LogConfig { level: log.level.clone(), format };
    let color = if std::io::stderr().is_terminal() { Color::Wanted } else { Color::Never };
    let subscriber = match WholeLines::to_stderr() {
        Ok(lines) => build(&log, Arc::new(lines), color),
        // No descriptor is free: the same, with a lock.
        Err(_) => build(&log, std::io::stderr, color),
    };
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(report_panic));
    }
}

/// Whether a terminal shows the lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Color {
    /// On a terminal, unless `NO_COLOR` is set, which the formatter looks at itself.
    Wanted,
    /// In a file or a pipe.
    Never,
}

/// Builds what [`init`] installs, writing to `writer` without colours. `LogFormat::Auto` means JSON
/// here.
pub fn subscriber<W>(log: &LogConfig, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    build(log, writer, Color::Never)
}

fn build<W>(log: &LogConfig, writer: W, color: Color) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The configuration refuses a filter that does not parse; this one was checked.
    let filter = EnvFilter::try_new(&log.level).unwrap_or_default();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // A line that cannot be written is lost. Told of on standard error, where it could not be written, it would be
    // a panic, whose own line could not be written either: that ends the process.
    let builder = builder.log_internal_errors(false);
    match log.format {
        LogFormat::Text if color == Color::Never => {
            Box::new(builder.with_ansi(false).compact().finish())
        }
        LogFormat::Text => Box::new(builder.compact().finish()),
        LogFormat::Json | LogFormat::Auto => {
            Box::new(builder.fmt_fields(JsonLines).event_format(JsonLines).finish())
        }
    }
}

/// Logs where a panic happened, and its message only where that is a constant of the program: one
/// made at run time may hold anything, also a secret.
fn report_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload().downcast_ref::<&'static str>().copied();
    let location = info.location().map(ToString::to_string);
    tracing::error!(message, location, "panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_no_terminal_shows_has_no_colours() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = LogConfig { level: "info".to_owned(), format: LogFormat::Text };
        let writer = WriteTo(file.reopen().unwrap());
        let line = || tracing::info!(count = 1, "said");
        tracing::subscriber::with_default(subscriber(&log, writer), line);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("said") && !text.contains('\x1b'), "{text:?}");
    }

    struct WriteTo(std::fs::File);

    impl<'a> MakeWriter<'a> for WriteTo {
        type Writer = std::fs::File;

        fn make_writer(&'a self) -> Self::Writer {
            self.0.try_clone().unwrap()
        }
    }
}
