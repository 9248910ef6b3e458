//! Which server is talked to, as whom? Flags before the environment before the profile.
//!
//! A credential of a profile goes to the server of that profile and to no other: where a flag or a
//! variable names another host, only the credentials given beside it count.
//!
//! Spec: Command line, "Profiles".

use clap::Args;
use secrecy::SecretString;

use crate::base_url::BaseUrl;
use crate::exit::Failure;
use crate::http_client::HttpClient;
use crate::output::{Color, Format, Output, Verbosity};
use crate::profile::{Environment, Profile, ProfileFile, Profiles};

/// Options that may stand anywhere on the line.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// For whom the answer is: `json` and `yaml` print one value and nothing else
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Print only the bare value
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Profile of ~/.tikti/config.yaml to use [env: TIKTI_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Address of the server [env: TIKTI_HOST]
    #[arg(long, global = true, alias = "base-url", value_name = "URL")]
    pub(crate) host: Option<String>,
    /// API key of the server [env: TIKTI_API_KEY]
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
}

/// What every command has at hand.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) globals: Globals,
    pub(crate) environment: Environment,
}

/// One server, and who asks it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) profile_name: String,
    pub(crate) host: BaseUrl,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) tenant: Option<String>,
    id_token: Option<SecretString>,
    /// That of the idToken's session; none where the idToken came from elsewhere.
    refresh_token: Option<SecretString>,
}

/// Whether something was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    InProfile,
    /// There is no profile of this server.
    Nowhere,
}

impl Context {
    pub(crate) fn new(globals: Globals) -> Self {
        let environment = Environment::read();
        let verbosity = if globals.quiet { Verbosity::Quiet } else { Verbosity::Normal };
        let color = if environment.no_color { Color::Never } else { Color::WhereTerminal };
        Self { output: Output::new(globals.output, verbosity, color), globals, environment }
    }

    /// Refuses options that would mean nothing: a wrong guess of what `tikti COMMAND --host` does is
    /// worse than a sentence.
    pub(crate) fn refuse_server_options(&self, command: &str) -> Result<(), Failure> {
        let Globals { host, api_key, .. } = &self.globals;
        let given = host.as_ref().map(|_| "--host");
        match given.or(api_key.as_ref().map(|_| "--api-key")) {
            Some(option) => Err(Failure::usage(format!(
                "`tikti {command}` asks no server, {option} means nothing to it"
            ))),
            None => Ok(()),
        }
    }

    pub(crate) fn profile_file(&self) -> Result<ProfileFile, Failure> {
        Ok(ProfileFile::new(self.environment.directory()?))
    }

    /// The profiles; without a home directory there are none, which is enough for automation.
    pub(crate) fn profiles(&self) -> Result<Profiles, Failure> {
        match self.environment.home {
            Some(_) => self.profile_file()?.load(),
            None => Ok(Profiles::default()),
        }
    }

    /// The profile that the command line or the environment names.
    pub(crate) fn named_profile(&self) -> Option<&str> {
        let flag = self.globals.profile.as_deref();
        flag.or(self.environment.profile.as_deref())
    }

    /// Settles the server and the credentials of a command.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let mut profiles = self.profiles()?;
        let (profile_name, stored) = self.selected(&mut profiles)?;
        let Some(host) = self.named_host(stored.as_ref()) else {
            return Err(Failure::usage("no server is named").next(
                "`tikti init --host URL` names one, `tikti dev` starts one on this machine",
            ));
        };
        let host = BaseUrl::parse(host)?;
        let own = stored.filter(|profile| profile.is_of(&host));
        let Profile { api_key, tenant_id, id_token, refresh_token, .. } = own.unwrap_or_default();
        let is_own_session = self.environment.token.is_none();
        let given = self.globals.api_key.clone();
        Ok(Target {
            profile_name,
            host,
            api_key: given
                .or_else(|| self.environment.api_key.clone())
                .or(api_key)
                .map(SecretString::from),
            tenant: self.environment.tenant.clone().or(tenant_id),
            id_token: self.environment.token.clone().or(id_token).map(SecretString::from),
            refresh_token: refresh_token.filter(|_| is_own_session).map(SecretString::from),
        })
    }

    /// The profile in use, with its secrets: empty where there is none of that name and nobody asked for it.
    pub(crate) fn selected(
        &self,
        profiles: &mut Profiles,
    ) -> Result<(String, Option<Profile>), Failure> {
        let named = self.named_profile().map(str::to_owned);
        let is_named = named.is_some();
        let name = named
            .or_else(|| profiles.current_profile.clone())
            .unwrap_or_else(|| "default".to_owned());
        let stored = profiles.profiles.remove(&name);
        if is_named && stored.is_none() {
            return Err(Failure::usage(format!("there is no profile `{name}`")).next(
                "see `tikti profile list`, or make it: `tikti init --profile NAME --host URL`",
            ));
        }
        // One without secrets needs no directory either.
        let stored = match stored {
            Some(stored) if stored.keyring => {
                Some(self.profile_file()?.with_secrets(&name, stored)?)
            }
            stored => stored,
        };
        Ok((name, stored))
    }

    /// The address of the server, as it was given; none where nothing names one.
    pub(crate) fn named_host<'a>(&'a self, stored: Option<&'a Profile>) -> Option<&'a str> {
        let flag = self.globals.host.as_deref();
        flag.or(self.environment.host.as_deref())
            .or(stored.map(|profile| profile.base_url.as_str()))
    }

    /// A client for `host`; says so where others on the way could read what is sent.
    pub(crate) fn client(&self, host: &BaseUrl) -> Result<HttpClient, Failure> {
        if host.is_exposed() {
            self.output.warn(&format!(
                "{host} is not encrypted: others on the way can read passwords and tokens"
            ));
        }
        HttpClient::new(host.clone())
    }

    /// Stores something in the target's profile, if that is a profile of this server: automation may
    /// have none at all, and then no file is made.
    pub(crate) fn remember(
        &self,
        target: &Target,
        change: impl FnOnce(&mut Profile),
    ) -> Result<Remembered, Failure> {
        let is_own = |profile: &Profile| profile.is_of(&target.host);
        let stored = self.profiles()?.profiles.remove(&target.profile_name);
        if !stored.is_some_and(|profile| is_own(&profile)) {
            return Ok(Remembered::Nowhere);
        }
        self.profile_file()?.update(|profiles| {
            // Looked up again: another program may have changed the file meanwhile.
            let stored = profiles.profiles.get_mut(&target.profile_name);
            let Some(profile) = stored.filter(|profile| is_own(profile)) else {
                return Ok(Remembered::Nowhere);
            };
            change(profile);
            Ok(Remembered::InProfile)
        })
    }
}

impl Target {
    /// What the session can be refreshed with.
    pub(crate) fn refresh_token(&self) -> Option<&SecretString> {
        self.refresh_token.as_ref()
    }

    /// The same target after a refresh.
    pub(crate) fn with_session(self, id_token: SecretString, refresh_token: SecretString) -> Self {
        Self { id_token: Some(id_token), refresh_token: Some(refresh_token), ..self }
    }

    /// The idToken of the session.
    pub(crate) fn id_token(&self) -> Result<&SecretString, Failure> {
        self.id_token.as_ref().ok_or_else(|| {
            Failure::authentication(format!("no session at {}", self.host))
                .next("sign in: `tikti auth login --user EMAIL`")
        })
    }
}
