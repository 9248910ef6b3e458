//! How does a resource server take Tikti's tokens? The whole of one, with two routes.
//!
//! `GET /jobs` needs the scope `jobs:read`, `POST /jobs` needs `jobs:write`; a caller sees the jobs
//! of its token's tenant and no other's. Configured by `TIKTI_ISSUER`, `TIKTI_AUDIENCE` and `LISTEN`;
//! with `TIKTI_TENANT`, a tenant's id, tokens of other tenants are refused:
//!
//! ```sh
//! TIKTI_ISSUER=http://127.0.0.1:8080 TIKTI_AUDIENCE=jobs LISTEN=127.0.0.1:9000 \
//!     cargo run -p tikti-verify --example resource_server
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use tikti_verify::{BearerLayer, Caller, RequireScopes, Verifier};
use tokio::net::TcpListener;

/// The jobs of each tenant, which a real server has in a database, by tenant as well.
type Jobs = Arc<Mutex<HashMap<String, Vec<String>>>>;

async fn list(State(jobs): State<Jobs>, Extension(caller): Extension<Caller>) -> Json<Vec<String>> {
    let jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    Json(jobs.get(caller.tenant()).cloned().unwrap_or_default())
}

async fn add(
    State(jobs): State<Jobs>,
    Extension(caller): Extension<Caller>,
    Json(job): Json<String>,
) -> StatusCode {
    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.entry(caller.tenant().to_owned()).or_default().push(job);
    StatusCode::CREATED
}

fn app(verifier: &Verifier) -> Result<Router, tikti_verify::BuildError> {
    let read = get(list).layer(RequireScopes::all(["jobs:read"])?);
    let write = axum::routing::post(add).layer(RequireScopes::all(["jobs:write"])?);
    Ok(Router::new()
        .route("/jobs", read.merge(write))
        .layer(BearerLayer::access(verifier))
        .with_state(Jobs::default()))
}

#[expect(clippy::disallowed_methods, reason = "an example is configured where it runs")]
fn setting(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("set {name}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder =
        Verifier::builder(&setting("TIKTI_ISSUER")?).audience(&setting("TIKTI_AUDIENCE")?);
    if let Ok(tenant) = setting("TIKTI_TENANT") {
        builder = builder.tenant(&tenant);
    }
    let verifier = builder.build()?;
    let listener = TcpListener::bind(setting("LISTEN")?).await?;
    let server = axum::serve(listener, app(&verifier)?);
    // Keys are fetched now and kept fresh beside the server; if the issuer is not there yet, requests
    // get 503 until it is.
    tokio::select! {
        ended = server => Ok(ended?),
        () = verifier.keep_fresh() => Ok(()),
    }
}
