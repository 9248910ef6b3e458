//! `GET /version`: which program answers?

use crate::api::VersionReply;
use crate::reply::Reply;

/// Names the program and its version.
#[utoipa::path(
    get,
    path = "/version",
    tag = "platform",
    responses((status = 200, description = "The program.", body = VersionReply)),
)]
pub(crate) async fn version() -> Reply<VersionReply> {
    Reply::new(VersionReply {
        name: "tikti".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
