//! What happens to every request, whatever its route? From the outside in: request id, access log,
//! security headers, panics.

pub(crate) mod access_log;
pub(crate) mod request_id;
pub(crate) mod security_headers;
