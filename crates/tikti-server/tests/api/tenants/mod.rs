//! `/v1/tenants`

mod audit;
mod create;
mod list;
mod members;
mod read;
mod roles;
