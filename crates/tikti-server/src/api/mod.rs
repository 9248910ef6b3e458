//! The shapes that travel over HTTP, one file a resource: what may a request hold, what does a reply show?
//!
//! The routes read requests and write replies with them, the command line does the reverse, and the
//! API document is derived from them, so the three cannot drift. A wire type holds strings and
//! numbers as they arrived and judges nothing: routes turn it into a command of typed ids.
//! Unknown members are ignored (old and new clients mix), `null` means absent, an absent optional
//! member is left out of a reply. A type that carries a password or a token has no `Debug`.
//!
//! Spec: HTTP API.

mod account_changes;
mod accounts;
mod api_keys;
mod audit;
mod authorization;
mod clients;
mod error;
mod keys;
mod members;
mod oauth;
mod oob_codes;
mod platform;
mod roles;
mod sessions;
mod tenants;
mod token_doors;
mod token_exchange;
mod users;
mod workers;

pub use account_changes::{
    DeleteReply, DeleteRequest, RevokeJtiReply, RevokeJtiRequest, RevokeReply, RevokeRequest,
    SignUpReply, SignUpRequest, StatusReply, StatusRequest, UpdateReply, UpdateRequest,
    ValidateReply, ValidateRequest,
};
pub use accounts::{
    LookupMembership, LookupReply, LookupRequest, LookupUser, SignInReply, SignInRequest,
};
pub use api_keys::{
    ApiKeyListReply, ApiKeyReply, CreateApiKeyRequest, CreatedApiKeyReply, UpdateApiKeyRequest,
};
pub use audit::{AuditCheckpointReply, AuditHeadReply, AuditLinkReply, AuditListReply};
pub use authorization::{ExplainReply, ExplainRequest, ExplainStep};
pub use clients::{
    ClientListReply, ClientReply, CreateClientRequest, CreatedClientReply, UpdateClientRequest,
};
pub use error::{ErrorReply, OAuthErrorReply};
pub use keys::{KeyListReply, KeyReply, RotateKeyRequest, RotatedKeyReply};
pub use members::{
    CreateMemberRequest, MemberListReply, MemberReply, RemoveMemberRequest, RemovedMemberReply,
    RevokedMemberReply, UpdateMemberRequest,
};
pub use oauth::{OAuthTokenReply, OAuthTokenRequest};
pub use oob_codes::{
    ActionForm, ResetPasswordReply, ResetPasswordRequest, SendOobCodeReply, SendOobCodeRequest,
    SendTenantCodeReply, SendTenantCodeRequest, SignInWithOobCodeRequest,
};
pub use platform::{DiscoveryReply, HealthReply, JwkReply, JwksReply, VersionReply};
pub use roles::{CreateRoleRequest, PutRoleRequest, RoleListReply, RoleReply};
pub use sessions::{
    EmptyReply, SessionListReply, SessionReply, SignOutRequest, TokenReply, TokenRequest,
};
pub use tenants::{CreateTenantRequest, TenantListReply, TenantReply, UpdateTenantRequest};
pub use token_doors::{ActorReply, IntrospectRequest, IntrospectionReply, RevokeTokenRequest};
pub use token_exchange::{ExchangeReply, ExchangeRequest, ScopeList};
pub use users::{UpdateUserRequest, UserListReply, UserReply};
pub use workers::{
    AddWorkerSecretRequest, AddedWorkerSecretReply, CreateWorkerRequest, CreatedWorkerReply,
    UpdateWorkerRequest, WorkerKeys, WorkerListReply, WorkerReply, WorkerSecretReply,
};

#[cfg(test)]
mod tests;
