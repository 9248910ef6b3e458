//! `/v1/tenants`

mod api_keys;
mod audit;
mod boundary;
mod change;
mod clients;
mod create;
mod last_admin;
mod list;
mod members;
mod oob;
mod read;
mod roles;
mod sessions;
mod workers;
