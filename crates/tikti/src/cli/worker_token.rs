//! `tikti worker token`: a token of a worker's own, by its id and secret (OAuth `client_credentials`).
//!
//! A file of settings is for one server: its secret goes there and nowhere else, whatever the environment or
//! the profile says. A secret never stands on the command line, where others could see it.
//!
//! Spec: Command line, `worker`; Tokens and keys, "Standards beside Tikti's own endpoints".

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use tikti_server::api::{OAuthTokenReply, TenantReply};

use super::tenant::reference;
use super::token::words;
use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::env_file::{self, EnvFile};
use crate::exit::Failure;
use crate::http_client::{Credential, HttpClient};
use crate::input;
use crate::session::Session;

/// Names of the settings, in the environment and in a file.
pub(crate) const HOST: &str = "TIKTI_HOST";
pub(crate) const TENANT: &str = "TIKTI_TENANT";
pub(crate) const WORKER_ID: &str = "TIKTI_WORKER_ID";
pub(crate) const WORKER_SECRET: &str = "TIKTI_WORKER_SECRET";
pub(crate) const AUDIENCE: &str = "TIKTI_AUDIENCE";
pub(crate) const SCOPES: &str = "TIKTI_SCOPES";
pub(crate) const EVENT_TYPES: &str = "TIKTI_EVENT_TYPES";

/// How the ids of tenants begin that a server makes.
const MADE_TENANT_ID: &str = "t-";

/// Get a token of a worker's own, by its id and secret
///
/// Worker, tenant, secret, audience, scopes and event types come from the options, from a file of settings,
/// or from the environment: TIKTI_HOST TIKTI_TENANT TIKTI_WORKER_ID TIKTI_WORKER_SECRET TIKTI_AUDIENCE
/// TIKTI_SCOPES TIKTI_EVENT_TYPES. Nobody has to be signed in.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti worker provision worker-03 --tenant codecompany --aud backend-worker \\
      --scopes jobs:read --rotate --write-env worker.env
  T=$(tikti worker token --env-file worker.env --quiet)")]
pub(crate) struct TokenArgs {
    /// Id of the worker [default: TIKTI_WORKER_ID]
    #[arg(value_name = "WORKER")]
    worker: Option<String>,
    #[command(flatten)]
    wanted: WantedArgs,
    /// Read the secret from standard input [default: TIKTI_WORKER_SECRET]
    #[arg(long, conflicts_with = "env_file")]
    secret_stdin: bool,
}

/// What a worker's token is to be, and where the rest stands.
#[derive(Args)]
pub(crate) struct WantedArgs {
    /// File of settings, as `worker provision --write-env` writes it: then the environment does not count
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Tenant of the worker, by its id [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
    /// Client that the token is for [default: TIKTI_AUDIENCE, the only one of the worker]
    #[arg(long, alias = "audience", value_name = "CLIENT")]
    aud: Option<String>,
    /// Scopes, with spaces or commas between them [default: TIKTI_SCOPES, those of the client]
    #[arg(long, alias = "scopes", value_name = "SCOPES")]
    scope: Vec<String>,
    /// Event types, with spaces or commas between them [default: TIKTI_EVENT_TYPES, those of the worker]
    #[arg(long, value_name = "TYPES")]
    event_types: Vec<String>,
}

/// A worker that can ask for a token. No `Debug`: it holds the secret.
pub(crate) struct Asker {
    pub(crate) host: BaseUrl,
    /// Its id: the server looks for no slug before it knows who asks.
    pub(crate) tenant: String,
    pub(crate) worker: String,
    pub(crate) secret: SecretString,
    pub(crate) audience: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) event_types: Option<Vec<String>>,
}

/// What a file or the environment says.
struct Settings {
    host: Option<String>,
    tenant: Option<String>,
    worker: Option<String>,
    secret: Option<String>,
    audience: Option<String>,
    scopes: Option<String>,
    event_types: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &TokenArgs) -> Result<(), Failure> {
    args.wanted.warn_of_readers(context);
    let secret = if args.secret_stdin { Some(input::piped_password()?) } else { None };
    let asker = args.wanted.settle(context, args.worker.as_deref(), secret)?;
    let asker = asker.with_tenant_id(context, &args.wanted).await;
    let reply = asker.ask(&context.client(&asker.host)?).await?;
    let life = reply.expires_in;
    context.output.done(&format!("Token of worker {} minted, good for {life} s", asker.worker));
    context.output.answer(&reply, &reply.access_token, &reply.access_token)
}

impl WantedArgs {
    /// Says so where others on this machine can read the secret.
    pub(crate) fn warn_of_readers(&self, context: &Context) {
        if let Some(file) = self.env_file.as_deref().filter(|file| env_file::is_open(file)) {
            context
                .output
                .warn(&format!("others can read {}, which holds a secret", file.display()));
        }
    }

    /// Settles who asks for what; `worker` and `secret` are those of the command line.
    ///
    /// Errors: exit code 3 where something is missing.
    pub(crate) fn settle(
        &self,
        context: &Context,
        worker: Option<&str>,
        secret: Option<SecretString>,
    ) -> Result<Asker, Failure> {
        let settings = match &self.env_file {
            Some(file) => Settings::of_file(context, file)?,
            None => Settings::of_environment(context)?,
        };
        let missing = |what: &str, hint: &str| Failure::usage(what).next(hint);
        let host =
            settings.host.ok_or_else(|| missing("the file names no TIKTI_HOST", "add it"))?;
        let worker = worker.map(str::to_owned).or(settings.worker).ok_or_else(|| {
            missing(
                "no worker is named",
                "name it, or set TIKTI_WORKER_ID, or give --env-file FILE",
            )
        })?;
        let tenant = self.tenant.clone().or(settings.tenant).ok_or_else(|| {
            missing("no tenant is named", "name it with --tenant ID, or set TIKTI_TENANT")
        })?;
        let secret = secret.or(settings.secret.map(SecretString::from));
        let listed = |option: &str, given: &[String], set: Option<String>| {
            let set = Vec::from_iter(set);
            words(option, if given.is_empty() { &set } else { given })
        };
        Ok(Asker {
            host: BaseUrl::parse(&host)?,
            secret: secret.map_or_else(|| self.ask_secret(&worker), Ok)?,
            tenant,
            worker,
            audience: self.aud.clone().or(settings.audience),
            scopes: listed("--scope", &self.scope, settings.scopes)?,
            event_types: listed("--event-types", &self.event_types, settings.event_types)?,
        })
    }

    /// Asks a person for what no option can hold; a file of settings stands for the person.
    fn ask_secret(&self, worker: &str) -> Result<SecretString, Failure> {
        if self.env_file.is_none() && input::is_interactive() {
            return input::ask_secret(&format!("Secret of {worker}"));
        }
        Err(Failure::usage(format!("no secret of worker {worker} is given"))
            .next("set TIKTI_WORKER_SECRET, or give --env-file FILE or --secret-stdin"))
    }
}

impl Settings {
    fn of_environment(context: &Context) -> Result<Self, Failure> {
        let (target, environment) = (context.target()?, context.environment.clone());
        Ok(Self {
            host: Some(target.host.to_string()),
            tenant: target.tenant,
            worker: environment.worker_id,
            secret: environment.worker_secret,
            audience: environment.audience,
            scopes: environment.scopes,
            event_types: environment.event_types,
        })
    }

    fn of_file(context: &Context, file: &Path) -> Result<Self, Failure> {
        let found = EnvFile::read(file)?;
        let (own, flag) = (found.get(HOST), context.globals.host.clone());
        if let (Some(own), Some(flag)) = (&own, &flag)
            && BaseUrl::parse(own)? != BaseUrl::parse(flag)?
        {
            let file = file.display();
            return Err(Failure::usage(format!(
                "{file} is for {own}, --host names another server"
            ))
            .next("leave --host out"));
        }
        Ok(Self {
            host: own.or(flag),
            tenant: found.get(TENANT),
            worker: found.get(WORKER_ID),
            secret: found.get(WORKER_SECRET),
            audience: found.get(AUDIENCE),
            scopes: found.get(SCOPES),
            event_types: found.get(EVENT_TYPES),
        })
    }
}

impl Asker {
    /// The same with the id of the tenant, where a slug may have been named and somebody is signed in who can
    /// look it up.
    pub(crate) async fn with_tenant_id(self, context: &Context, wanted: &WantedArgs) -> Self {
        if wanted.env_file.is_some() || self.tenant.starts_with(MADE_TENANT_ID) {
            return self;
        }
        match find_tenant(context, &self.tenant).await {
            Ok(tenant) => Self { tenant: tenant.id, ..self },
            // It may be an id all the same: the server says.
            Err(_) => self,
        }
    }

    /// Asks the server for a token.
    pub(crate) async fn ask(&self, client: &HttpClient) -> Result<OAuthTokenReply, Failure> {
        let id = format!("{}.{}", self.tenant, self.worker);
        let scopes = self.scopes.as_ref().map(|scopes| scopes.join(" "));
        let event_types = self.event_types.as_ref().map(|types| types.join(" "));
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", self.secret.expose_secret()),
        ];
        for (name, value) in
            [("audience", &self.audience), ("scope", &scopes), ("event_types", &event_types)]
        {
            form.extend(value.as_deref().map(|value| (name, value)));
        }
        client.post_form(client.url(&["oauth2", "token"]), Credential::Nothing, &form).await
    }
}

async fn find_tenant(context: &Context, tenant: &str) -> Result<TenantReply, Failure> {
    let session = Session::open(context).await?;
    session.get(session.tenant_url(tenant, &[])).await
}
