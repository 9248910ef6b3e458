//! How does an operator see what the service does? Logs to standard error.

mod logging;

pub use logging::{init, subscriber};
