//! Is `docs/errors.md` what the codes of this build say?

use std::fmt::Write as _;
use std::path::Path;

fn page() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Generated from `crates/tikti-domain/src/error.rs` and `crates/tikti-server/src/error.rs`; a test \
         compares it.\n\n\
         Every refusal is `{\"error\", \"code\", \"details\", \"requestId\"}`. Compare `code`; `error` is for \
         people and may change. The column *OAuth* is the error of RFC 6749 section 5.2 (or RFC 8707) that \
         the code is at an OAuth endpoint.\n\n\
         There, under `/oauth2/`, a refusal is `{\"error\", \"error_description\", \"code\", \"details\", \
         \"requestId\"}`, with `details` where a member is to blame. Its status is 400, but 401 with \
         `WWW-Authenticate: Basic` for `invalid_client`, and as below for `slow_down`, `server_error` and \
         `temporarily_unavailable`. A code without an OAuth error is `invalid_request` there, or `access_denied` \
         where it says that a right is missing; `CONFLICT` is `temporarily_unavailable`, with 503. Only where no \
         endpoint was reached, `NOT_FOUND` and `METHOD_NOT_ALLOWED` keep their status.\n\n\
         A 401 names in `WWW-Authenticate` how more can be shown: `Bearer`, or `ApiKey` for a key in \
         `X-API-Key`. What is no HTTP request at all, or has a head of over 32 KiB, gets no such body but \
         a bare status, or a closed connection, from the layer below.\n\n\
         | code | status | OAuth | what happened | what to do |\n|---|---|---|---|---|\n",
    );
    for code in tikti_server::error::reference() {
        let oauth = code.oauth_error.map_or("-".to_owned(), |error| format!("`{error}`"));
        let (name, status) = (code.code, code.status);
        writeln!(page, "| `{name}` | {status} | {oauth} | {} | {} |", code.meaning, code.advice)
            .unwrap();
    }
    page
}

#[test]
fn the_committed_page_is_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("errors.md");
    if std::fs::read_to_string(&committed).unwrap_or_default() != page() {
        std::fs::write(&fresh, page()).unwrap();
        panic!("the codes have changed: compare and copy {} to docs/errors.md", fresh.display());
    }
}

#[test]
fn statuses_and_oauth_errors_are_those_of_the_specification() {
    let find = |name| tikti_server::error::reference().find(|code| code.code == name).unwrap();
    for (name, status, oauth) in [
        ("INVALID_ARGUMENT", 400, Some("invalid_request")),
        ("UNKNOWN_AUDIENCE", 400, Some("invalid_target")),
        ("INVALID_LOGIN_CREDENTIALS", 401, None),
        ("INVALID_API_KEY", 401, Some("invalid_client")),
        ("UNSUPPORTED_GRANT_TYPE", 400, Some("unsupported_grant_type")),
        ("TOKEN_REVOKED", 401, Some("invalid_request")),
        ("INVALID_REFRESH_TOKEN", 401, Some("invalid_grant")),
        ("GRANT_NOT_ALLOWED", 403, Some("unauthorized_client")),
        ("USER_DISABLED", 403, Some("access_denied")),
        ("CLIENT_DISABLED", 403, Some("invalid_target")),
        ("SCOPE_NOT_PERMITTED", 403, Some("invalid_scope")),
        ("ADMIN_REQUIRED", 403, None),
        ("TENANT_NOT_FOUND", 404, None),
        ("METHOD_NOT_ALLOWED", 405, None),
        ("LAST_ADMIN", 409, None),
        ("PRECONDITION_FAILED", 412, None),
        ("BODY_TOO_LARGE", 413, Some("invalid_request")),
        ("UNSUPPORTED_MEDIA_TYPE", 415, Some("invalid_request")),
        ("RATE_LIMITED", 429, Some("slow_down")),
        ("INTERNAL", 500, Some("server_error")),
        ("STORE_UNAVAILABLE", 503, Some("temporarily_unavailable")),
    ] {
        let code = find(name);
        assert_eq!((code.status, code.oauth_error), (status, oauth), "{name}");
    }
}
