//! What does a request say? Each file reads one thing from it, strictly, and knows no rule of the
//! domain beyond the grammar of what it reads.
//!
//! A handler takes an [`Asker`], [`KeyAsker`] or [`BearerAsker`] for who asks and a [`JsonBody`] or
//! [`FormOrJson`] for what is asked; nothing else in the server looks at headers, query or body.
//!
//! Spec: HTTP API.

mod api_key;
mod asker;
mod bearer;
pub(crate) mod client_ip;
mod form;
mod json;
mod json_error;
mod page;
mod query;
pub(crate) mod request_id;
mod tenant_ref;

pub(crate) use asker::{Asker, BearerAsker, KeyAsker};
pub(crate) use form::FormOrJson;
pub(crate) use json::JsonBody;
pub(crate) use page::Paging;
pub(crate) use query::member as query_member;
pub(crate) use tenant_ref::{PathTenant, TenantHeader};
