//! How is one connection to one server made, and how is one request sent over it?
//!
//! Invariant: a request is written in one piece, and either all of its replies come back in order or
//! the connection is not to be used again. Nothing is repeated here.
//!
//! Spec: Storage, "RESP2; time-outs on every call".

use std::pin::Pin;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisError, RedisResult, ServerError, ServerErrorKind, Value, cmd,
};
use tokio::time::timeout;

use super::tls::Security;
use super::url::{Address, Credentials};

/// The longest that a connection may take to be made, the first answer included.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// How many requests of others may wait in line on a shared connection before one has to wait to
/// get in line: more than there are requests at once.
const LINE: usize = 1024;

/// What a server answered to one command.
pub(super) type Reply = Result<Value, ServerError>;

/// Makes connections.
pub(super) struct Dialer {
    pub(super) security: Security,
    pub(super) credentials: Credentials,
    /// Connect without them where they are not wanted: a sentinel seldom has a password.
    pub(super) are_optional: bool,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DialError {
    /// The server does not let us in.
    Denied,
    /// It accepted the connection, and there was no answer.
    Silent,
    /// It accepted the connection and closed it.
    Closed,
    /// It answered something else than a Redis would.
    Odd(String),
    /// Everything else, in the words of the system.
    Failed(String),
}

impl DialError {
    /// A sentence for an operator.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Denied => "the password is wrong, missing, or not wanted".to_owned(),
            Self::Silent => "it did not answer within a second".to_owned(),
            Self::Closed => "it closed the connection".to_owned(),
            Self::Odd(how) => format!("it does not speak as a Redis does ({how})"),
            Self::Failed(reason) => reason.clone(),
        }
    }

    /// The same, and what it may mean where nothing has worked yet.
    pub(super) fn reason_at_first(&self, security: &Security) -> String {
        let reason = self.reason();
        let advice = match (security, self) {
            (Security::Plain, Self::Closed | Self::Odd(_)) => {
                "if it speaks TLS, use rediss: instead of redis:"
            }
            (Security::Tls(_), Self::Silent) => {
                "if it does not speak TLS, use redis: instead of rediss:"
            }
            // What a server says about a certificate may come after it has closed the connection.
            (Security::Tls(_), Self::Closed) => {
                "it may want a client certificate: see store.tls.certFile"
            }
            _ => return reason,
        };
        format!("{reason}; {advice}")
    }
}

/// Why a request has no replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    TimedOut,
    /// Closed by the other side, or what came does not parse.
    Closed,
}

/// A connection. A clone is the same one: requests of several callers follow each other on it.
#[derive(Clone)]
pub(super) struct Connection(MultiplexedConnection);

/// A connection on its way.
type Connecting<'a> = Pin<Box<dyn Future<Output = RedisResult<MultiplexedConnection>> + Send + 'a>>;

impl Dialer {
    /// Connects, and waits for a first answer: a server that accepts connections and says nothing is
    /// not there.
    pub(super) async fn dial(&self, server: &Address) -> Result<Connection, DialError> {
        let dialing = async {
            match self.dial_as(server, &self.credentials).await {
                Err(DialError::Denied) if self.are_optional => {
                    self.dial_as(server, &Credentials::default()).await
                }
                dialed => dialed,
            }
        };
        timeout(CONNECT_LIMIT, dialing).await.map_err(|_| DialError::Silent)?
    }

    async fn dial_as(
        &self,
        server: &Address,
        credentials: &Credentials,
    ) -> Result<Connection, DialError> {
        let info = self
            .security
            .address(server)
            .into_connection_info()
            .map_err(|error| explain(&error))?;
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let Credentials { user, password } = credentials;
        if let Some(user) = user {
            settings = settings.set_username(user);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        let client =
            Client::open(info.set_redis_settings(settings)).map_err(|error| explain(&error))?;
        // The limits are ours, around each call.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(LINE);
        // Without its type, which is too deep for the compiler when a caller's task is around it.
        let connecting: Connecting<'_> =
            Box::pin(client.get_multiplexed_async_connection_with_config(&config));
        let connection = Connection(connecting.await.map_err(|error| explain(&error))?);
        let replies = connection.exchange(&[cmd("PING")]).await.map_err(|error| explain(&error))?;
        match replies.first() {
            Some(Err(error)) if is_denial(error) => Err(DialError::Denied),
            // Loading, for one, is for whoever sends a request to deal with.
            _ => Ok(connection),
        }
    }
}

impl Connection {
    /// Sends `commands` in one piece and waits for a reply to each, for so long.
    pub(super) async fn send(
        &self,
        commands: &[Cmd],
        limit: Duration,
    ) -> Result<Vec<Reply>, Broken> {
        let exchanged = timeout(limit, self.exchange(commands)).await;
        let replies = exchanged.map_err(|_| Broken::TimedOut)?.map_err(|_| Broken::Closed)?;
        if replies.len() == commands.len() { Ok(replies) } else { Err(Broken::Closed) }
    }

    async fn exchange(&self, commands: &[Cmd]) -> RedisResult<Vec<Reply>> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let mut connection = self.0.clone();
        let values = connection.send_packed_commands(&pipeline, 0, commands.len()).await?;
        Ok(values.into_iter().map(reply).collect())
    }
}

fn reply(value: Value) -> Reply {
    match value {
        Value::ServerError(error) => Err(error),
        value => Ok(value),
    }
}

/// The server does not let us do anything.
pub(super) fn is_denial(error: &ServerError) -> bool {
    matches!(error.code(), "NOAUTH" | "WRONGPASS")
}

/// What a server says when it refuses a password may hold the password: it is not repeated.
fn explain(error: &RedisError) -> DialError {
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => {
            DialError::Denied
        }
        ErrorKind::Io if error.is_connection_dropped() && !error.is_connection_refusal() => {
            DialError::Closed
        }
        ErrorKind::Io => DialError::Failed(error.to_string()),
        _ => DialError::Odd(error.category().to_owned()),
    }
}
