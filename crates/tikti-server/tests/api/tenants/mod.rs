//! `/v1/tenants`

mod create;
mod list;
mod members;
mod read;
mod roles;
