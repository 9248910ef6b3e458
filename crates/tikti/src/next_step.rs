//! What does a person do after a refusal? One sentence for each code that has an answer.
//!
//! Keyed by the server's code, never by its message, which may change. A code without a line here
//! has no next step that this program could know.
//!
//! Spec: Command line, "Output"; HTTP API, "Codes".

/// Says what to do about `code`, as an instruction.
pub(crate) fn for_code(code: &str) -> Option<&'static str> {
    about_who_asks(code).or_else(|| about_a_tenant(code)).or_else(|| about_a_token(code))
}

/// Who asks, and users.
fn about_who_asks(code: &str) -> Option<&'static str> {
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
        "INVALID_EMAIL" => "give an address such as ann@example.org",
        "WEAK_PASSWORD" => "choose a longer password that is neither common nor the address",
        "PASSWORD_TOO_LONG" => "choose a shorter password: at most 72 bytes",
        "EMAIL_EXISTS" => "see whose address it is: `tikti user get EMAIL`",
        "USER_NOT_FOUND" => {
            "see who is there: `tikti user list`, or `tikti member list` for a tenant"
        }
        "SESSION_NOT_FOUND" => "see which sessions there are: `tikti session list`",
        "USER_DISABLED" => "ask a global ADMIN to activate the user",
        "ADMIN_REQUIRED" => "sign in as a global ADMIN: `tikti auth login --user EMAIL`",
        "PERMISSION_DENIED" | "ESCALATION_DENIED" => "ask an administrator of the tenant",
        _ => return None,
    };
    Some(step)
}

/// A tenant, and what is in it.
fn about_a_tenant(code: &str) -> Option<&'static str> {
    let step = match code {
        "TENANT_REQUIRED" => "name the tenant with --tenant, or choose one: `tikti tenant use REF`",
        "TENANT_NOT_FOUND" => "see which tenants there are: `tikti tenant list`",
        "TENANT_CONFLICT" => "leave --tenant out, or sign in for that tenant",
        "TENANT_EXISTS" => "choose another --slug, or use that tenant: `tikti tenant use SLUG`",
        "TENANT_DISABLED" => "ask a global ADMIN to activate the tenant",
        "MEMBER_EXISTS" => "give a member other roles: `tikti member set-roles USER --roles ROLES`",
        "ROLE_EXISTS" => "choose another name, or change that role: `tikti role update NAME`",
        "ROLE_NOT_FOUND" => "see which roles there are: `tikti role list`",
        "LAST_ADMIN" => "make somebody else an administrator first",
        "KEY_NOT_FOUND" => "see which signing keys there are: `tikti keys list`",
        "MEMBERSHIP_REQUIRED" => "ask an administrator of the tenant to add you as a member",
        "CLIENT_EXISTS" => "choose another id, or change that client: `tikti client update CLIENT`",
        "CLIENT_NOT_FOUND" => "see which clients there are: `tikti client list`",
        "CLIENT_DISABLED" => "serve the client again: `tikti client update CLIENT --status ACTIVE`",
        "WORKER_EXISTS" => {
            "choose another id, or give that worker what is missing: `tikti worker provision WORKER`"
        }
        "WORKER_NOT_FOUND" => "see which workers there are: `tikti worker list`",
        "WORKER_DISABLED" => {
            "let the worker act again: `tikti worker update WORKER --status ACTIVE`"
        }
        "INVALID_CLIENT_CREDENTIALS" => {
            "check the worker's id and secret, and name its tenant by id, not by slug: \
             `tikti tenant get REF --quiet`"
        }
        "GRANT_NOT_ALLOWED" => {
            "the client must allow this grant (`tikti client update CLIENT --grant-types GRANTS`), and a \
             worker must name it (`tikti worker update WORKER --clients CLIENTS`)"
        }
        "API_KEY_NOT_FOUND" => "see which API keys there are: `tikti apikey list`",
        "LIMIT_EXCEEDED" => "take away what is not needed any more, then try again",
        _ => return None,
    };
    Some(step)
}

/// Tokens, and what may happen to any call.
fn about_a_token(code: &str) -> Option<&'static str> {
    let step = match code {
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
