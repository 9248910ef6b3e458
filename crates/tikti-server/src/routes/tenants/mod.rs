//! Tenants: made and listed by platform administrators, read by their members.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod read;
