//! What is measured? A whole server over an embedded store, and the bare echo beside it, in a
//! process of their own.
//!
//! The load generator is the parent. On two cores either way takes its processor time from the server;
//! but in one process the tasks of both would wait for each other on the same workers, share an
//! allocator, and a server that is busy would keep the generator from noticing. Two processes are
//! also what really happens, and let the server's own processor time be told apart.
//!
//! The child prints one line, what is to be known of it, and ends when its standard input does: also
//! where the parent died.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tikti_domain::account::{NewUser, SignIn, SignInCall, create_user, sign_in};
use tikti_domain::bootstrap;
use tikti_domain::clock::Clock;
use tikti_domain::email::Email;
use tikti_domain::id::Slug;
use tikti_domain::password::PasswordHash;
use tikti_domain::random::Random;
use tikti_domain::tenancy::{CreateTenant, add_member, create_tenant};
use tikti_domain::testing::{bearing, raw_bcrypt_hash};
use tikti_domain::user::GlobalRole;
use tikti_domain::{Caller, Domain};
use tikti_server::baseline::Echo;
use tikti_server::config::{LogConfig, LogFormat};
use tikti_server::dev::{self, DevSetup};
use tikti_server::{Listener, Running, start, telemetry};
use tokio::runtime;
use tokio::task::JoinSet;

use crate::Failure;

/// The argument that makes this program the server.
pub(crate) const ROLE: &str = "serve";
/// The path of a lookup, at the server and at the echo.
pub(crate) const LOOKUP: &str = "/v1/accounts/lookup";
/// The path of the public keys, at the server and at the echo.
pub(crate) const JWKS: &str = "/.well-known/jwks.json";

/// What the parent is told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) address: SocketAddr,
    pub(crate) echo: SocketAddr,
    pub(crate) api_key: String,
    /// Threads of the hash pool, and how much lower they rank.
    pub(crate) hash_threads: usize,
    pub(crate) hash_niceness: i32,
    pub(crate) cost: u32,
}

/// The server, seen from the parent; dropping it stops it.
pub(crate) struct Server {
    child: Child,
    pub(crate) ready: Ready,
}

impl Server {
    /// Starts this program once more, as a server with so many users, and waits until it is ready.
    pub(crate) fn start(users: usize) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ROLE, &users.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A line for every request, as the service writes it; that it is read is not its cost.
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let ready: Result<Ready, String> = serde_json::from_str(&line)
            .map_err(|_| "the server ended before it was ready".to_owned())?;
        Ok(Self { child, ready: ready? })
    }

    /// The id of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The address of a user.
pub(crate) fn email(number: usize) -> String {
    format!("user{number}@example.org")
}

/// Is the server, until standard input ends.
#[expect(clippy::print_stdout, reason = "the one line that the parent reads")]
pub(crate) fn serve(users: usize) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let started = runtime.block_on(begin(&directory, users));
    let told = started.as_ref().map(|started| &started.ready).map_err(ToString::to_string);
    println!("{}", serde_json::to_string(&told)?);
    let Started { running, echo, .. } = started?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.block_on(async {
        drop(echo);
        running.shutdown_handle().shut_down();
        running.stopped().await
    })?;
    Ok(())
}

struct Started {
    running: Running,
    echo: JoinSet<std::io::Result<()>>,
    ready: Ready,
}

async fn begin(directory: &TempDir, users: usize) -> Result<Started, Failure> {
    let setup = dev::prepare(directory.path(), None)?;
    let log = LogConfig { format: LogFormat::Json, ..LogConfig::default() };
    telemetry::init(&log);
    fill(&setup, users).await?;
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_address();
    let config = setup.config(&format!("http://{address}"));
    let (pool, cost) = (config.domain.settings.password_pool, config.domain.settings.password_cost);
    let running = start(listener, config, setup.seed()).await?;
    let echo = Echo::bind(&[LOOKUP, JWKS]).await?;
    let ready = Ready {
        address,
        echo: echo.address,
        api_key: setup.api_key,
        hash_threads: pool.threads,
        hash_niceness: pool.niceness,
        cost,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(echo.serve());
    Ok(Started { running, echo: tasks, ready })
}

/// Makes users who are members of one tenant: a lookup reads the tenant and the membership, too.
async fn fill(setup: &DevSetup, users: usize) -> Result<(), Failure> {
    let config = setup.config("http://127.0.0.1:8080");
    let hash = PasswordHash::parse(&raw_bcrypt_hash(config.domain.settings.password_cost))
        .map_err(|refusal| refusal.message.to_string())?;
    let store = config.store.open("the identity bench").await?;
    let (clock, random) = (Clock::system(), Random::system());
    let domain = Domain::open(store.clone(), config.domain, clock.clone(), random).await?;
    bootstrap::seed(&domain, &setup.seed()).await?;
    let ask = SignIn {
        call: SignInCall::Open,
        email: parsed(&setup.admin_email)?,
        password: setup.admin_password.clone().into(),
        tenant: None,
        client: None,
        return_secure_token: false,
    };
    let admin = bearing(&sign_in(&domain, &Caller::default(), &ask).await?.id_token);
    let slug = Slug::parse("bench").map_err(|refusal| refusal.message.to_string())?;
    let ask = CreateTenant { slug, name: None, id: None };
    let tenant = create_tenant(&domain, &admin, &ask).await?;
    for number in 0..users {
        let email = parsed(&email(number))?;
        let role = GlobalRole::CompanyEmployee;
        let new = NewUser { email, password_hash: Some(hash.clone()), role };
        let user = create_user(&domain, new, clock.now()).await?;
        add_member(&domain, &tenant.id, &user.id, BTreeSet::new(), clock.now()).await?;
    }
    drop(domain);
    store.close().await;
    Ok(())
}

fn parsed(email: &str) -> Result<Email, Failure> {
    Email::parse(email).map_err(|refusal| refusal.message.to_string().into())
}
