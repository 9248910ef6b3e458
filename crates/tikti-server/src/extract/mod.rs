//! What does a request say? Each file reads one thing from it, strictly, and knows no rule of the
//! domain beyond the grammar of what it reads.
//!
//! A handler takes an [`Asker`], [`KeyAsker`], [`BearerAsker`],
//! [`KeyBearerAsker`] or [`TenantAsker`] for who asks and a
//! [`JsonBody`], [`RepeatableBody`] or [`FormOrJson`] for what is asked, or at an OAuth endpoint an
//! [`OAuthAsker`] for both; nothing else in the server looks at headers, query or body.
//!
//! Spec: HTTP API.

mod action;
mod api_key;
mod asker;
mod audit;
mod bearer;
mod client_auth;
pub(crate) mod client_ip;
mod form;
mod forwarded;
mod if_match;
mod json;
mod json_error;
mod language;
mod listed;
mod oauth_form;
mod page;
mod path;
mod query;
mod repeatable;
pub(crate) mod request_id;
mod tenant_ref;
mod this_machine;
mod user;

pub(crate) use action::{ActionLink, OwnForm};
pub(crate) use asker::{Asker, BearerAsker, KeyAsker, KeyBearerAsker, Visitor};
pub(crate) use audit::{AsLines, Events, LINES};
pub(crate) use client_auth::OAuthAsker;
pub(crate) use form::FormOrJson;
pub(crate) use if_match::IfMatch;
pub(crate) use json::{JsonBody, UnusedBody};
pub(crate) use language::Reads;
pub(crate) use listed::Listed;
pub(crate) use oauth_form::OAuthForm;
pub(crate) use page::Paging;
pub(crate) use path::PathId;
pub(crate) use query::member as query_member;
pub(crate) use repeatable::{RepeatableBody, RepeatableOrNothing};
pub(crate) use tenant_ref::{TenantAsker, TenantHeader};
pub(crate) use this_machine::ThisMachine;
pub(crate) use user::EmailFilter;
