//! Which user does a command mean? His id, or his address, which is looked up where a call takes only ids.
//!
//! Spec: Command line, `user`, `member`, `session`; HTTP API, "Identity" (`/v1/users`).

use std::fmt;

use tikti_server::api::{UserListReply, UserReply};
use url::Url;

use crate::exit::Failure;
use crate::session::Session;

/// A user, as the command line names him.
#[derive(Clone)]
pub(crate) enum UserRef {
    Id(String),
    /// No id has an `@`.
    Address(String),
}

impl UserRef {
    /// Refuses what cannot be one segment of a path; everything else is judged by the server.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "" | "." | ".." => Err("not a user id or an e-mail address"),
            _ if text.contains('@') => Ok(Self::Address(text.to_owned())),
            _ => Ok(Self::Id(text.to_owned())),
        }
    }

    /// The id, where a call of the directory of users takes nothing else.
    pub(crate) async fn id(&self, session: &Session<'_>) -> Result<String, Failure> {
        match self {
            Self::Id(id) => Ok(id.clone()),
            Self::Address(address) => Ok(find(session, address).await?.local_id),
        }
    }

    /// The id, where a call of a tenant takes nothing else. A tenant's own calls find nobody by his address,
    /// and the directory of users is not open to everybody who may ask them.
    pub(crate) async fn id_of_member(&self, session: &Session<'_>) -> Result<String, Failure> {
        self.id(session).await.map_err(|failure| {
            let code = failure.reply.as_ref().map(|reply| reply.code.as_str());
            if !matches!(code, Some("ADMIN_REQUIRED" | "INVALID_API_KEY" | "API_KEY_FORBIDDEN")) {
                return failure;
            }
            failure.next(
                "name the member by id, see `tikti member list`: only a global ADMIN with an API key of \
                 the deployment may look an address up",
            )
        })
    }
}

impl fmt::Display for UserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Id(name) | Self::Address(name)) = self;
        f.write_str(name)
    }
}

/// The user who bears `address`.
pub(crate) async fn find(session: &Session<'_>, address: &str) -> Result<UserReply, Failure> {
    let found: UserListReply = session.get_with_api_key(list_url(session, Some(address))).await?;
    found.users.into_iter().next().ok_or_else(|| {
        Failure::refused(format!("no user has the address {address}"))
            .next("see who is there: `tikti user list`")
    })
}

/// The directory of users, or the one of them who bears `address`.
pub(crate) fn list_url(session: &Session<'_>, address: Option<&str>) -> Url {
    let mut url = session.url(&["v1", "users"]);
    if let Some(address) = address {
        url.query_pairs_mut().append_pair("email", address);
    }
    url
}
