//! `tikti auth status`: who is signed in, where, until when?
//!
//! The token says it by itself; the server says whether it still holds. Nobody signed in is exit code 2,
//! so that a script can go on with `||`.
//!
//! Spec: Command line, `auth`; HTTP API, "Identity".

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tikti_server::api::{LookupReply, LookupRequest, LookupUser};
use tikti_token::{UnverifiedToken, peek};

use super::token::{expires_at, text_claim};
use crate::clock;
use crate::context::{Context, Target};
use crate::exit::Failure;
use crate::http_client::{Credential, HttpClient};
use crate::output;
use crate::session;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    profile: String,
    base_url: String,
    email: Option<String>,
    local_id: Option<String>,
    role: Option<String>,
    tenant_id: Option<String>,
    expires_at: String,
    /// Whether the server was asked; it wants an API key for that.
    checked: bool,
}

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let again = "sign in: `tikti auth login --user EMAIL`";
    let (_, stored) = context.selected(&mut context.profiles()?)?;
    // Elsewhere a wrong configuration; here it is the answer to the question.
    if context.named_host(stored.as_ref()).is_none() {
        return Err(Failure::authentication("nobody is signed in, and no server is named")
            .next("`tikti init --host URL` names one, `tikti dev` starts one on this machine"));
    }
    let target = context.target()?;
    let client = context.client(&target.host)?;
    let target = session::refreshed(context, target, &client).await?;
    let token = target.id_token()?;
    let unverified = peek(token.expose_secret()).map_err(|cause| {
        Failure::authentication(format!("the idToken cannot be read: {cause}")).next(again)
    })?;
    let now = clock::now_seconds();
    let expires_at = expires_at(&unverified).unwrap_or_default();
    if expires_at <= now {
        let ended = clock::readable(expires_at, now);
        return Err(Failure::authentication(format!("the session ended at {ended}")).next(again));
    }
    let user = lookup(&client, &target, token).await?;
    let answer = describe(&target, &unverified, user, expires_at);
    let people = people(&answer, &clock::readable(expires_at, now));
    let bare = answer.email.clone().or_else(|| answer.local_id.clone());
    let bare = bare.unwrap_or_default();
    context.output.answer(&answer, &people, &bare)
}

/// Asks the server whether the session is still good; without an API key it cannot be asked.
async fn lookup(
    client: &HttpClient,
    target: &Target,
    token: &SecretString,
) -> Result<Option<LookupUser>, Failure> {
    let Some(key) = &target.api_key else {
        return Ok(None);
    };
    let request = LookupRequest { id_token: token.expose_secret().to_owned(), memberships: None };
    let url = client.url(&["v1", "accounts", "lookup"]);
    let reply: LookupReply = client.post(url, Credential::ApiKey(Some(key)), &request).await?;
    Ok(reply.users.into_iter().next())
}

/// What the server says, else what the token says of itself.
fn describe(
    target: &Target,
    token: &UnverifiedToken,
    user: Option<LookupUser>,
    expires_at: u64,
) -> Status {
    let claim = |name| text_claim(token, name).map(str::to_owned);
    let common = Status {
        profile: target.profile_name.clone(),
        base_url: target.host.to_string(),
        email: claim("email"),
        local_id: claim("sub"),
        role: claim("role"),
        tenant_id: claim("tid"),
        expires_at: clock::rfc3339(expires_at),
        checked: false,
    };
    match user {
        None => common,
        Some(user) => Status {
            email: user.email,
            local_id: Some(user.local_id),
            role: Some(user.role),
            tenant_id: user.tenant_id,
            checked: true,
            ..common
        },
    }
}

fn people(status: &Status, until: &str) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let checked = if status.checked {
        "the server accepts the session"
    } else {
        "not asked: the profile has no API key"
    };
    output::fields(vec![
        ("user", or_none(&status.email)),
        ("user id", or_none(&status.local_id)),
        ("role", or_none(&status.role)),
        ("tenant", or_none(&status.tenant_id)),
        ("server", status.base_url.clone()),
        ("profile", status.profile.clone()),
        ("until", until.to_owned()),
        ("checked", checked.to_owned()),
    ])
}
