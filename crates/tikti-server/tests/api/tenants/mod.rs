//! `/v1/tenants`

mod api_keys;
mod audit;
mod boundary;
mod change;
mod create;
mod list;
mod members;
mod oob;
mod read;
mod roles;
mod sessions;
mod workers;
