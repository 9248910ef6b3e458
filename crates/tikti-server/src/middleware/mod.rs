//! What happens to every request, whatever its route? From the outside in: request id, access log,
//! the form of OAuth answers, security headers, panics, and for what changes something a task of its own.

pub(crate) mod access_log;
pub(crate) mod carry_through;
pub(crate) mod oauth_errors;
pub(crate) mod request_id;
pub(crate) mod security_headers;
