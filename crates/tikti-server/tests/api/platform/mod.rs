//! `/v1/apiKeys`, `/v1/keys`, `/healthz`, `/readyz`, `/version`, `/openapi.json`, `/docs`

mod api_keys;
mod authorization;
mod docs;
mod health;
mod keys;
mod openapi;
mod users;
mod version;
