//! `/v1/tenants`

mod create;
mod list;
mod read;
mod roles;
