//! `tikti worker run`: a program that always has a fresh token of its worker.
//!
//! The environment of a running process cannot be changed, so a token that is to be renewed lies in a file,
//! which is replaced in one step well before the token ends. The child gets the signals that this process
//! gets, its end is the end of this process, and it is not left behind whichever way this one ends by itself.
//!
//! Spec: Command line, `worker run`.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{fs, path};

use clap::Args;
use tikti_server::api::OAuthTokenReply;

use super::worker_child::Child;
use super::worker_renewal::{Schedule, Stage};
use super::worker_token::{Asker, WORKER_SECRET, WantedArgs};
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::HttpClient;
use crate::output::Output;
use crate::private_file;

/// The names by which the child finds its token.
const TOKEN: &str = "TIKTI_TOKEN";
const TOKEN_FILE: &str = "TIKTI_TOKEN_FILE";

/// Run a program with a token of a worker, kept fresh in a file
///
/// The token lies in the file, whose path the program finds in TIKTI_TOKEN_FILE: read it at each use. It is
/// renewed at two thirds of its life and replaced in one step, 0600. Without --token-file the token stands in
/// TIKTI_TOKEN and is never renewed, since nobody can change the environment of a running program: that is for
/// programs that end before the token does. The secret of the worker is not handed on.
///
/// SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 go to the program; the command ends with its exit
/// code, or with 128 + n where signal n ended it. SIGKILL cannot be passed on: end it by SIGTERM. The file of
/// settings is read again at each renewal, so that a secret can be rotated while the program runs.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti worker provision worker-03 --tenant codecompany --aud backend-worker \\
      --scopes jobs:read --rotate --write-env worker.env
  tikti worker run --env-file worker.env --token-file worker.token -- \\
      sh -c 'cat \"$TIKTI_TOKEN_FILE\"'
  tikti worker run --env-file worker.env -- sh -c 'echo \"$TIKTI_TOKEN\"'")]
pub(crate) struct RunArgs {
    /// Id of the worker [default: TIKTI_WORKER_ID]
    #[arg(long, value_name = "WORKER")]
    worker: Option<String>,
    #[command(flatten)]
    wanted: WantedArgs,
    /// File in which a fresh token lies while the program runs
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Renew so long after a token was got, for whoever has no quarter of an hour
    #[arg(long, hide = true, value_name = "MILLISECONDS")]
    renew_after_ms: Option<u64>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    program: Vec<OsString>,
}

/// A token in a file. No `Debug`: it holds the token.
struct TokenFile {
    path: PathBuf,
    /// What was put there; none where nothing was, and then nothing is taken away.
    written: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &RunArgs) -> Result<ExitCode, Failure> {
    args.wanted.warn_of_readers(context);
    refuse_one_file(args)?;
    let asker = settle(context, args)?.with_tenant_id(context, &args.wanted).await;
    let client = context.client(&asker.host)?;
    let reply = asker.ask(&client).await?;
    let schedule = schedule(args, &reply);
    let mut file = args.token_file.as_deref().map(TokenFile::at).transpose()?;
    if let Some(file) = &mut file {
        file.write(&reply.access_token)?;
    }
    let mut child = Child::start(command(args, file.as_ref(), &reply.access_token)?)?;
    let renewal = Renewal { context, args, asker, client, schedule, file: file.as_mut() };
    let ended = tokio::select! {
        ended = child.end() => ended,
        never = renewal.keep_fresh() => match never {},
    };
    ended.map(ExitCode::from)
}

/// The token would take the place of the secret that it is got with.
fn refuse_one_file(args: &RunArgs) -> Result<(), Failure> {
    let place = |file: &Option<PathBuf>| fs::canonicalize(file.as_ref()?).ok();
    let (token, settings) = (place(&args.token_file), place(&args.wanted.env_file));
    if token.is_some() && token == settings {
        return Err(Failure::usage("--token-file and --env-file are one file"));
    }
    Ok(())
}

/// Who asks: settled anew for each token, since the file of settings may have changed.
fn settle(context: &Context, args: &RunArgs) -> Result<Asker, Failure> {
    args.wanted.settle(context, args.worker.as_deref(), None)
}

fn schedule(args: &RunArgs, reply: &OAuthTokenReply) -> Schedule {
    // Whatever a server says: neither without a pause nor never.
    let life = Duration::from_secs(reply.expires_in.clamp(3, 24 * 3600));
    Schedule::of(life, args.renew_after_ms.map(Duration::from_millis), clock::now())
}

fn command(args: &RunArgs, file: Option<&TokenFile>, token: &str) -> Result<Command, Failure> {
    let Some((program, arguments)) = args.program.split_first() else {
        return Err(Failure::usage("no program is named"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_remove(WORKER_SECRET);
    match file {
        // A token that is not renewed would be found by mistake.
        Some(file) => command.env_remove(TOKEN).env(TOKEN_FILE, &file.path),
        None => command.env_remove(TOKEN_FILE).env(TOKEN, token),
    };
    Ok(command)
}

impl TokenFile {
    /// The child may work in another directory: the path is an absolute one.
    fn at(file: &Path) -> Result<Self, Failure> {
        let path = path::absolute(file).map_err(|cause| Failure::file("finding", file, &cause))?;
        Ok(Self { path, written: None })
    }

    fn write(&mut self, token: &str) -> Result<(), Failure> {
        // No line end: some programs take the whole of a file for the token.
        private_file::replace(&self.path, token)?;
        self.written = Some(token.to_owned());
        Ok(())
    }
}

impl Drop for TokenFile {
    /// Takes the file away, unless another process has put its own token there meanwhile.
    fn drop(&mut self) {
        let Some(written) = &self.written else {
            return;
        };
        // What was written through a link lies where that points to.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if fs::read_to_string(&path).is_ok_and(|held| held == *written) {
            let _gone_already = fs::remove_file(&path);
        }
    }
}

/// The renewal of one child's token.
struct Renewal<'a> {
    context: &'a Context,
    args: &'a RunArgs,
    asker: Asker,
    client: HttpClient,
    schedule: Schedule,
    file: Option<&'a mut TokenFile>,
}

impl Renewal<'_> {
    /// Renews the token for ever.
    async fn keep_fresh(mut self) -> Infallible {
        let mut told = Stage::Fresh;
        loop {
            tokio::time::sleep(self.schedule.pause(clock::now())).await;
            // Slept in short pieces: a machine that was suspended wakes up late.
            if !self.schedule.is_due(clock::now()) {
                continue;
            }
            let Err(failure) = self.renew().await else {
                if told > Stage::Fresh {
                    self.output().done("The token is renewed again");
                }
                told = Stage::Fresh;
                continue;
            };
            self.schedule.failed(clock::now());
            let stage = self.schedule.stage(clock::now());
            if stage > told {
                told = stage;
                self.warn(stage, &failure);
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Failure> {
        let Some(file) = self.file.as_deref_mut() else {
            return Err(Failure::refused("the environment of a running program cannot be changed")
                .next("give --token-file FILE, and read the token from there"));
        };
        if self.args.wanted.env_file.is_some() {
            let asker = settle(self.context, self.args)?;
            // The secret of one server is for no other.
            if asker.host != self.asker.host {
                return Err(Failure::refused("the file of settings names another server now")
                    .next("start the program again"));
            }
            self.asker = asker;
        }
        let reply = self.asker.ask(&self.client).await?;
        file.write(&reply.access_token)?;
        self.schedule = schedule(self.args, &reply);
        Ok(())
    }

    fn warn(&self, stage: Stage, failure: &Failure) {
        let left = self.schedule.left(clock::now()).as_secs();
        let end = match stage {
            Stage::Fresh | Stage::Failing => format!("it is good for {left} s more"),
            Stage::Ending => format!("it ends in {left} s"),
            Stage::Ended => "it has ended".to_owned(),
        };
        let code = failure.reply.as_ref().map(|reply| format!(" ({})", reply.code));
        let (message, code) = (&failure.message, code.unwrap_or_default());
        let next = failure.next.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
        self.output().warn(&format!("the token is not renewed, {end}: {message}{code}{next}"));
    }

    fn output(&self) -> &Output {
        &self.context.output
    }
}
