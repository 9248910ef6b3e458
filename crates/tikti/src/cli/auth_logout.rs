//! `tikti auth logout`: ends the session at the server, and forgets its tokens here.
//!
//! The tokens are forgotten whatever the server says: one that is away costs a warning. The session is ended
//! at the server of the profile and at no other, and before the tokens are gone: a command that is stopped in
//! between can be run again. It waits a while for a refresh that is under way, whose session it would miss, and
//! leaves alone what somebody has signed in to since it looked. A file that cannot be changed keeps its tokens,
//! and their session ends all the same.
//!
//! Spec: Command line, `auth`; HTTP API, "Identity" (`signOut`).

use std::fs::File;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tikti_server::api::{EmptyReply, SignOutRequest};
use tikti_token::peek;
use tokio::time::sleep;

use super::auth::warn_of_variable;
use super::token::expires_at;
use crate::base_url::BaseUrl;
use crate::clock;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::http_client::Credential;
use crate::profile::{Profile, ProfileFile};

/// How often it is looked whether a refresh is over: for five seconds.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
const WAITING: &str = "Waiting for another command, which refreshes the session.";

/// End the session of the profile, and forget its tokens
#[derive(Args)]
#[command(after_help = "Example:\n  tikti auth logout\n  tikti auth logout --local")]
pub(crate) struct LogoutArgs {
    /// Only forget the tokens: the server is not asked, and the session ends at its expiry
    #[arg(long)]
    local: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedOut {
    profile: String,
    had_session: bool,
    /// Whether the server says that the session is over.
    ended_at_server: bool,
}

/// What became of the session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    AtServer,
    OnlyHere,
    /// There was none.
    Nothing,
}

/// What the profile still holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// One that was not there when it was read.
    Session,
}

pub(crate) async fn run(context: &Context, args: &LogoutArgs) -> Result<(), Failure> {
    let file = context.profile_file()?;
    let (profile, mut stored) = context.selected(&mut file.load()?)?;
    // Held to the end; where there is no profile there is nothing to wait for.
    let _lock = match &stored {
        Some(_) => settled(context, &file).await,
        None => None,
    };
    if stored.is_some() {
        stored = context.selected(&mut file.load()?)?.1;
    }
    let ended = match &stored {
        Some(stored) if has_session(stored) && args.local => Ended::OnlyHere,
        Some(stored) if has_session(stored) => end(context, stored).await,
        _ => Ended::Nothing,
    };
    // Also without an idToken: an access token is as good to whoever finds it.
    let mut left = Left::Nothing;
    if let Some(read) = &stored {
        left = file
            .update(|profiles| {
                let stored = profiles.profiles.get_mut(&profile);
                Ok(stored.map_or(Left::Nothing, |stored| forget(stored, read)))
            })
            .map_err(|failure| unforgotten(failure, ended))?;
    }
    say(context, ended, (&profile, left), stored.as_ref());
    warn_of_variable(context);
    let answer = SignedOut {
        profile,
        had_session: ended != Ended::Nothing,
        ended_at_server: ended == Ended::AtServer,
    };
    context.output.answer(&answer, "", "")
}

/// Waits until nobody refreshes the session. It is ended also where that cannot be known, or lasts.
async fn settled(context: &Context, file: &ProfileFile) -> Option<File> {
    for tried in 0..TRIES {
        match file.try_lock_refresh() {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) if tried == 0 => context.output.note(WAITING),
            Ok(None) => {}
            Err(failure) => {
                context.output.note(&format!("Not waiting for others: {}", failure.message));
                return None;
            }
        }
        sleep(PAUSE).await;
    }
    context.output.note("It lasts: going on without it.");
    None
}

/// Says what has become of the session whose tokens stay.
fn unforgotten(failure: Failure, ended: Ended) -> Failure {
    let message = &failure.message;
    let message = match ended {
        Ended::AtServer => format!("the session has ended, and its tokens stay here: {message}"),
        Ended::OnlyHere | Ended::Nothing => format!("the tokens stay here: {message}"),
    };
    Failure { message, ..failure }
}

/// Takes the tokens that were `read` out of the profile: others came meanwhile.
fn forget(stored: &mut Profile, read: &Profile) -> Left {
    // What was got for the same session meanwhile is as dead as the session.
    if stored.id_token == read.id_token && stored.refresh_token == read.refresh_token {
        stored.forget_tokens();
        return Left::Nothing;
    }
    let Profile { id_token, refresh_token, access_token, worker_token, .. } = &mut *stored;
    let held = [
        (id_token, &read.id_token),
        (refresh_token, &read.refresh_token),
        (access_token, &read.access_token),
        (worker_token, &read.worker_token),
    ];
    let mut left = Left::Nothing;
    for (token, read) in held {
        if token == read {
            *token = None;
        } else if token.is_some() {
            left = Left::Session;
        }
    }
    left
}

fn has_session(profile: &Profile) -> bool {
    profile.id_token.is_some() || profile.refresh_token.is_some()
}

/// Ends the session at its server. What goes wrong is told, and stops nothing.
async fn end(context: &Context, profile: &Profile) -> Ended {
    match ask(context, profile).await {
        Ok(EmptyReply {}) => Ended::AtServer,
        // It has ended before: what was wanted.
        Err(failure) if failure.exit == Exit::Authentication => Ended::AtServer,
        Err(failure) => {
            let reason = failure.message;
            context.output.warn(&format!("the session is not ended at the server: {reason}"));
            Ended::OnlyHere
        }
    }
}

async fn ask(context: &Context, profile: &Profile) -> Result<EmptyReply, Failure> {
    let client = context.client(&BaseUrl::parse(&profile.base_url)?)?;
    // The refresh token first: it is good for longer. The call takes one of them.
    let refresh_token = profile.refresh_token.clone();
    let id_token = profile.id_token.clone().filter(|_| refresh_token.is_none());
    let request = SignOutRequest { id_token, refresh_token, everywhere: None };
    let url = client.url(&["v1", "accounts", "signOut"]);
    client.post(url, Credential::Nothing, &request).await
}

fn say(context: &Context, ended: Ended, (profile, left): (&str, Left), stored: Option<&Profile>) {
    let output = &context.output;
    let holds = match left {
        Left::Nothing => "holds no tokens any more.",
        Left::Session => "holds those of a session that began meanwhile.",
    };
    match ended {
        Ended::Nothing => output.done(&format!("Profile `{profile}` had no session.")),
        Ended::AtServer => {
            output.done(&format!("Signed out: profile `{profile}` {holds}"));
            if stored.is_some_and(holds_tokens_for_others) {
                output.note(
                    "Services that verify access tokens by themselves take them until they expire.",
                );
            }
        }
        Ended::OnlyHere => {
            output.done(&format!("Profile `{profile}` {holds}"));
            let expiry = stored.and_then(|stored| stored.id_token.as_deref()).and_then(expiry_of);
            output.note(&format!(
                "The session itself ends at its expiry{}: a copy of its tokens stays good until then.",
                expiry.unwrap_or_default()
            ));
        }
    }
}

fn holds_tokens_for_others(profile: &Profile) -> bool {
    profile.access_token.is_some() || profile.worker_token.is_some()
}

fn expiry_of(token: &str) -> Option<String> {
    let expiry = expires_at(&peek(token).ok()?)?;
    Some(format!(" (idToken: {})", clock::rfc3339(expiry)))
}
