//! How is something of a server deleted? Asked about first, then in one request, then said.
//!
//! Spec: Command line, "Output".

use tikti_server::api::EmptyReply;
use url::Url;

use crate::exit::Failure;
use crate::input;
use crate::session::Session;

/// What is to be deleted, in words.
pub(super) struct Deletion<'a> {
    /// What goes, and with what: asked about before.
    pub(super) what: &'a str,
    /// What has been done: said afterwards.
    pub(super) said: &'a str,
    /// Whether the command line has said `--yes`.
    pub(super) is_meant: bool,
}

impl Deletion<'_> {
    /// Deletes what lies at `url`.
    ///
    /// Errors: exit code 3 where nobody can be asked, 1 where it is not meant; the server's.
    pub(super) async fn at(self, session: &Session<'_>, url: Url) -> Result<(), Failure> {
        input::confirm_deletion(session.output(), self.what, self.is_meant)?;
        let gone: EmptyReply = session.delete(url).await?;
        session.output().done(self.said);
        session.output().answer(&gone, "", "")
    }
}
