//! Everything that the servers of this test binary logged, at the most talkative level.

use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use tikti_server::config::{LogConfig, LogFormat};
use tikti_server::telemetry;

/// The log of the whole binary.
pub(crate) static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = LogConfig { level: "trace".to_owned(), format: LogFormat::Json };
    tracing::subscriber::set_global_default(telemetry::subscriber(&log, || Writer)).unwrap();
    Log(Mutex::new(Vec::new()))
});

pub(crate) struct Log(Mutex<Vec<u8>>);

impl Log {
    /// Whether these bytes were logged by anybody.
    pub(crate) fn contains(&self, bytes: impl AsRef<[u8]>) -> bool {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holds(&log, bytes.as_ref())
    }

    /// The lines that belong to the request of this id, as JSON.
    pub(crate) fn of_request(&self, id: &str) -> Vec<serde_json::Value> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(log.clone())
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| [line, &line["span"]].iter().any(|place| place["request.id"] == id))
            .collect()
    }
}

/// Whether `part` stands in `bytes`.
pub(super) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    // Most texts are ASCII, and nothing else stands in those.
    if bytes.is_ascii() && !part.is_ascii() {
        return false;
    }
    // The search of the standard library is compiled with optimisations, the one below is not.
    if let (Ok(text), Ok(part)) = (std::str::from_utf8(bytes), std::str::from_utf8(part)) {
        return text.contains(part);
    }
    let first = part[0];
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts.map(|(start, _)| &bytes[start..]).any(|rest| rest.starts_with(part))
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
