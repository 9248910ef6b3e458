//! `/healthz`, `/readyz`, `/version`, `/openapi.json`, `/docs`

mod authorization;
mod docs;
mod health;
mod openapi;
mod users;
mod version;
