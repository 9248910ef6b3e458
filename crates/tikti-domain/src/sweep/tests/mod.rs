//! Operations that are stopped anywhere, and what is seen of them then and after the sweep.

mod api_keys;
mod crashes;
mod delays;
mod edges;
mod furnish;
mod last_admin;
mod last_tenant_admin;
mod pairs;
mod races;
mod roles;
mod sessions;
mod world;
