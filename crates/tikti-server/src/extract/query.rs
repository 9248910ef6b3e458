//! Which members does the query string have? Read member by member: no route takes a query as a
//! whole.

use axum::http::request::Parts;
use tikti_domain::error::Refusal;

/// The value of `name` in the query, percent-decoded; absent where it is missing or empty.
///
/// # Errors
/// `INVALID_ARGUMENT` where the member is given twice: two readers could choose differently.
pub(crate) fn member(parts: &Parts, name: &str) -> Result<Option<String>, Refusal> {
    let Some(query) = parts.uri.query() else {
        return Ok(None);
    };
    let mut values = url::form_urlencoded::parse(query.as_bytes())
        .filter_map(|(member, value)| (member == name).then_some(value));
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::invalid(name, "is given twice in the query"));
    }
    Ok(first.map(|value| value.into_owned()).filter(|value| !value.is_empty()))
}
