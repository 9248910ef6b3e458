//! Who asks, and of which tenant? A server's calls as the signed-in user.
//!
//! The idToken that every call shows is one that holds: where it has ended and the session has not, it is
//! refreshed, silently. Two commands at once refresh once: a refresh token is good once, and a second use of
//! it would look like theft and end the session. For the same reason nothing is refreshed where the profile
//! file cannot be written: the file would be left with a refresh token that is used up.
//!
//! Spec: Command line, "Profiles"; HTTP API, "Identity"; Tokens and keys, "Refresh tokens".

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_server::api::{TokenReply, TokenRequest};
use tikti_token::peek;
use url::Url;

use crate::cli::token::expires_at;
use crate::clock;
use crate::context::{Context, Target};
use crate::exit::Failure;
use crate::http_client::{Credential, HttpClient};
use crate::output::Output;
use crate::pages::Pages;

/// An idToken that ends within this time would end on its way.
const REFRESHED_BEFORE_SECONDS: u64 = 5;

/// Within this time a refresh whose reply was lost is repeated: well within the 10 s in which the server takes
/// that for what it is. Later it would be the theft that ends the session.
const REPEATED_WITHIN: Duration = Duration::from_secs(4);

/// The most that a page of a list holds: HTTP API, "Pages".
const PAGE_SIZE: usize = 200;

/// One server, as the signed-in user.
pub(crate) struct Session<'a> {
    pub(crate) context: &'a Context,
    pub(crate) target: Target,
    client: HttpClient,
    shows_key: ShowsKey,
}

/// Whether the calls show the API key as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ShowsKey {
    No,
    Yes,
}

/// One page of a list.
pub(crate) trait Page: DeserializeOwned {
    type Item;

    /// What it holds, and the `pageToken` of the next one.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

impl<'a> Session<'a> {
    /// Settles the server and the session of a command.
    ///
    /// Errors: as [`Context::target`]; exit code 2 where nobody is signed in, or the session has ended.
    pub(crate) async fn open(context: &'a Context) -> Result<Self, Failure> {
        let target = context.target()?;
        let client = context.client(&target.host)?;
        let target = refreshed(context, target, &client).await?;
        target.id_token()?;
        Ok(Self { context, target, client, shows_key: ShowsKey::No })
    }

    /// As [`Self::open`], with an idToken that holds for so long, where the session can give one.
    pub(crate) async fn open_for(context: &'a Context, lasting: Duration) -> Result<Self, Failure> {
        let target = context.target()?;
        let client = context.client(&target.host)?;
        let target = refreshed_for(context, target, (&client, lasting)).await?;
        target.id_token()?;
        Ok(Self { context, target, client, shows_key: ShowsKey::No })
    }

    /// As [`Self::open`], for the calls that want an API key of the deployment beside the administrator.
    pub(crate) async fn open_with_api_key(context: &'a Context) -> Result<Self, Failure> {
        Ok(Self { shows_key: ShowsKey::Yes, ..Self::open(context).await? })
    }

    /// Refreshes the session where its idToken has ended, for a command that goes on for long.
    pub(crate) async fn renew(&mut self) -> Result<(), Failure> {
        self.target = refreshed(self.context, self.target.clone(), &self.client).await?;
        Ok(())
    }

    /// As [`Self::open`], with the session as it is stored, though it may have ended: for whoever must
    /// neither wait nor say anything.
    pub(crate) fn as_it_is(context: &'a Context) -> Result<Self, Failure> {
        let target = context.target()?;
        target.id_token()?;
        let client = HttpClient::new(target.host.clone())?;
        Ok(Self { context, target, client, shows_key: ShowsKey::No })
    }

    pub(crate) fn output(&self) -> &'a Output {
        &self.context.output
    }

    /// The time of the server when it last answered, in seconds since 1970; none where it tells none.
    pub(crate) fn server_time(&self) -> Option<u64> {
        self.client.server_time()
    }

    /// The address of a call.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        self.client.url(segments)
    }

    /// The address of a call below a tenant: `/v1/tenants/{tenant}/…`.
    pub(crate) fn tenant_url(&self, tenant: &str, segments: &[&str]) -> Url {
        let path = ["v1", "tenants", tenant].into_iter().chain(segments.iter().copied());
        self.client.url(&Vec::from_iter(path))
    }

    /// The tenant that a command means: that of its option, of `TIKTI_TENANT`, of the profile.
    ///
    /// Errors: exit code 3 where none is named.
    pub(crate) fn tenant<'t>(&'t self, named: Option<&'t str>) -> Result<&'t str, Failure> {
        named.or(self.target.tenant.as_deref()).ok_or_else(|| {
            Failure::usage("no tenant is named")
                .next("name it with --tenant REF, or choose one: `tikti tenant use REF`")
        })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Failure> {
        self.client.get(url, self.credential()?).await
    }

    /// As [`Self::get`], for the one call of a command that wants the API key as well.
    pub(crate) async fn get_with_api_key<T: DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<T, Failure> {
        let key = self.target.api_key.as_ref();
        self.client.get(url, Credential::ApiKeyAndBearer(key, self.target.id_token()?)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.client.post(url, self.credential()?, body).await
    }

    /// As [`Self::post`], by a name, for what the server must not do twice.
    pub(crate) async fn post_named<T: DeserializeOwned>(
        &self,
        url: Url,
        named: (&str, &(impl Serialize + Sync)),
    ) -> Result<T, Failure> {
        self.client.post_named(url, self.credential()?, named).await
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.client.patch(url, self.credential()?, body).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.client.put(url, self.credential()?, body).await
    }

    /// As [`Self::put`], for what is there already.
    pub(crate) async fn replace<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.client.replace(url, self.credential()?, body).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, url: Url) -> Result<T, Failure> {
        self.client.delete(url, self.credential()?).await
    }

    /// Everything that the list at `url` holds, page after page.
    pub(crate) async fn all<P: Page>(&self, url: &Url) -> Result<Vec<P::Item>, Failure> {
        Ok(self.at_most::<P>(url, usize::MAX).await?.0)
    }

    /// The first `limit` of what the list at `url` holds, and the `pageToken` of what is behind them.
    pub(crate) async fn at_most<P: Page>(
        &self,
        url: &Url,
        limit: usize,
    ) -> Result<(Vec<P::Item>, Option<String>), Failure> {
        let (mut items, mut pages) = (Vec::new(), Pages::of_list());
        let mut page_token: Option<String> = None;
        loop {
            let mut url = url.clone();
            let size = limit.saturating_sub(items.len()).clamp(1, PAGE_SIZE);
            url.query_pairs_mut().append_pair("pageSize", &size.to_string());
            if let Some(token) = &page_token {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let (found, next) = self.get::<P>(url).await?.split();
            let next = pages.next(found.len(), next)?;
            items.extend(found);
            if next.is_none() || items.len() >= limit {
                items.truncate(limit);
                return Ok((items, next));
            }
            page_token = next;
        }
    }

    fn credential(&self) -> Result<Credential<'_>, Failure> {
        let token = self.target.id_token()?;
        Ok(match self.shows_key {
            ShowsKey::No => Credential::Bearer(token),
            ShowsKey::Yes => Credential::ApiKeyAndBearer(self.target.api_key.as_ref(), token),
        })
    }
}

/// The target with an idToken that holds, where the session can give one.
///
/// Errors: exit code 2 where the session has ended, or what it would be refreshed to could not be kept.
pub(crate) async fn refreshed(
    context: &Context,
    target: Target,
    client: &HttpClient,
) -> Result<Target, Failure> {
    refreshed_for(context, target, (client, Duration::ZERO)).await
}

async fn refreshed_for(
    context: &Context,
    target: Target,
    (client, lasting): (&HttpClient, Duration),
) -> Result<Target, Failure> {
    let has_ended = |target: &Target| ends_within(target, lasting);
    if !has_ended(&target) {
        return Ok(target);
    }
    // Another command may be refreshing: then its answer is taken.
    let _lock = context.profile_file()?.lock_refresh().map_err(|failure| unkept(&failure))?;
    let target = context.target()?;
    let Some(used) = target.refresh_token().filter(|_| has_ended(&target)).cloned() else {
        return Ok(target);
    };
    // Written as it is, to know that it can be.
    context.remember(&target, |_| {}).map_err(|failure| unkept(&failure))?;
    let reply = ask_for_tokens(client, &used).await?;
    let kept = context.remember(&target, |profile| {
        // Somebody who signed in or out meanwhile meant it.
        if profile.refresh_token.as_deref() == Some(used.expose_secret()) {
            profile.id_token = Some(reply.id_token.clone());
            profile.refresh_token = Some(reply.refresh_token.clone());
        }
    });
    if let Err(failure) = kept {
        context.output.warn(&format!(
            "the refreshed session is not stored, sign in again for the next command: {}",
            failure.message
        ));
    }
    Ok(target.with_session(reply.id_token.into(), reply.refresh_token.into()))
}

/// Uses a refresh token up. A reply that is lost is asked for once more, at once.
async fn ask_for_tokens(
    client: &HttpClient,
    refresh_token: &SecretString,
) -> Result<TokenReply, Failure> {
    let request = TokenRequest {
        grant_type: "refresh_token".to_owned(),
        refresh_token: refresh_token.expose_secret().to_owned(),
        tenant_id: None,
    };
    let ask = || client.post(client.url(&["v1", "token"]), Credential::Nothing, &request);
    let began = Instant::now();
    let reply: Result<TokenReply, Failure> = ask().await;
    let reply = match reply {
        Err(failure) if failure.reply.is_none() && began.elapsed() < REPEATED_WITHIN => ask().await,
        heard => heard,
    };
    reply.map_err(over)
}

/// Whether the session has no idToken, or one that ends within this time, and another can be had.
fn ends_within(target: &Target, lasting: Duration) -> bool {
    if target.refresh_token().is_none() {
        return false;
    }
    let Ok(token) = target.id_token() else { return true };
    let held_for = holds_for(token);
    held_for.is_some_and(|time| time <= lasting + Duration::from_secs(REFRESHED_BEFORE_SECONDS))
}

/// How long an idToken holds from now on; none where it does not say.
pub(crate) fn holds_for(token: &SecretString) -> Option<Duration> {
    let expiry = peek(token.expose_secret()).ok().and_then(|token| expires_at(&token));
    expiry.map(|at| Duration::from_secs(at.saturating_sub(clock::now_seconds())))
}

/// A session that cannot be refreshed has ended.
fn over(failure: Failure) -> Failure {
    let is_refused =
        failure.reply.as_ref().is_some_and(|reply| reply.code == "INVALID_REFRESH_TOKEN");
    if !is_refused {
        return failure;
    }
    Failure::authentication("the session has ended")
        .next("sign in: `tikti auth login --user EMAIL`")
}

/// A session whose successor cannot be kept is left as it is.
fn unkept(failure: &Failure) -> Failure {
    Failure::authentication(format!(
        "the idToken has ended, and a refreshed session could not be stored: {}",
        failure.message
    ))
    .next("make that writable, or give a token that holds in TIKTI_TOKEN")
}
