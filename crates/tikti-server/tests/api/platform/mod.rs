//! `/v1/apiKeys`, `/healthz`, `/readyz`, `/version`, `/openapi.json`, `/docs`

mod api_keys;
mod authorization;
mod docs;
mod health;
mod openapi;
mod users;
mod version;
