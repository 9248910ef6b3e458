//! `/v1/tenants`

mod audit;
mod boundary;
mod create;
mod list;
mod members;
mod oob;
mod read;
mod roles;
mod sessions;
