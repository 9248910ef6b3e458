//! How does an operator see what the service does? Logs to standard error.

mod json_lines;
mod logging;
mod stderr;
#[cfg(test)]
pub(crate) mod testing;

pub use logging::{init, subscriber};
