//! What does a person do after a refusal? One sentence for each code that has an answer.
//!
//! Keyed by the server's code, never by its message, which may change. A code without a line here
//! has no next step that this program could know.
//!
//! Spec: Command line, "Output"; HTTP API, "Codes".

/// Says what to do about `code`, as an instruction.
pub(crate) fn for_code(code: &str) -> Option<&'static str> {
    let step = match code {
        "INVALID_API_KEY" => {
            "store the server's API key with `tikti init --host URL --api-key KEY`, or give --api-key"
        }
        "API_KEY_FORBIDDEN" => "use an API key that has the scope of this call",
        "UNAUTHENTICATED" | "INVALID_ID_TOKEN" | "TOKEN_EXPIRED" | "TOKEN_REVOKED" => {
            "sign in again: `tikti auth login --user EMAIL`"
        }
        "CREDENTIAL_TOO_OLD" => "sign in again, this call wants a fresh session",
        "INVALID_LOGIN_CREDENTIALS" => "check the address and the password",
        "USER_DISABLED" => "ask a global ADMIN to activate the user",
        "ADMIN_REQUIRED" => "sign in as a global ADMIN: `tikti auth login --user EMAIL`",
        "PERMISSION_DENIED" | "ESCALATION_DENIED" => "ask an administrator of the tenant",
        "TENANT_REQUIRED" => "name the tenant with --tenant, or choose one: `tikti tenant use REF`",
        "TENANT_NOT_FOUND" => "see which tenants there are: `tikti tenant list`",
        "TENANT_CONFLICT" => "leave --tenant out, or sign in for that tenant",
        "TENANT_EXISTS" => "choose another --slug, or use that tenant: `tikti tenant use SLUG`",
        "TENANT_DISABLED" => "ask a global ADMIN to activate the tenant",
        "KEY_NOT_FOUND" => "see which signing keys there are: `tikti keys list`",
        "MEMBERSHIP_REQUIRED" => "ask an administrator of the tenant to add you as a member",
        "UNKNOWN_AUDIENCE" => "name a client of this tenant with --aud",
        "SCOPE_NOT_PERMITTED" => {
            "ask for fewer scopes, or for a role that has them; the client must allow them as well"
        }
        "EVENT_TYPES_REQUIRED" | "EVENT_TYPE_NOT_PERMITTED" => {
            "name event types that the client allows with --event-types"
        }
        "SUBJECT_NOT_PERMITTED" => "leave --sub out, or name a worker that you may mint for",
        "INVALID_TTL" => "give --ttl between 900 and the client's bound, at most 3600 seconds",
        "RATE_LIMITED" | "OVERLOADED" => "wait a moment and try again",
        "STORE_UNAVAILABLE" => "try again; if it stays, look at the server's /readyz",
        "INTERNAL" => "look for the request id in the server's log",
        _ => return None,
    };
    Some(step)
}
