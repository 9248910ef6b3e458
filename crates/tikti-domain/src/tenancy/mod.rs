//! Tenants: making, reading, changing and deleting them, resolving their names, who stands where in them.

pub(crate) mod administer;
mod admission;
pub(crate) mod change_member;
mod change_once;
mod change_tenant;
mod clients;
pub(crate) mod create_tenant;
pub(crate) mod delete_tenant;
pub(crate) mod import;
mod manage_members;
mod member_sessions;
pub(crate) mod members;
mod names;
mod read_tenants;
mod revoke_membership;
mod roles;
pub(crate) mod seats;
mod send_code;
mod standing;
pub(crate) mod tenant_admins;
mod workers;

pub(crate) use administer::Administrator;
pub use change_tenant::{UpdateTenant, remove_tenant, update_tenant};
pub use clients::{
    ClientSettings, CreateClient, CreatedClient, UpdateClient, create_client, delete_client,
    get_client, list_clients, update_client,
};
pub(crate) use create_tenant::is_reserved;
pub use create_tenant::{CreateTenant, create_tenant};
pub use delete_tenant::delete_tenant;
pub use manage_members::{
    CreateMember, Member, MemberName, RemovedMember, create_member, delete_member, get_member,
    list_members, revoke_member, update_member,
};
pub use member_sessions::{end_member_sessions, list_member_sessions};
pub(crate) use members::import_member;
pub use members::{add_member, remove_member};
pub(crate) use names::{NameCache, find, resolve, resolve_alike};
pub use read_tenants::{get_tenant, list_tenants};
pub(crate) use revoke_membership::revoke_membership;
pub use roles::{
    MAX_ROLES_BYTES, MAX_ROLES_OF_TENANT, NamedRole, PutRole, create_role, delete_role, get_role,
    list_roles, put_role,
};
pub use send_code::{CodeSent, SendCode, TenantCode, send_code};
pub(crate) use standing::{Held, Standing, active_memberships, entries, standing};
pub use workers::{
    AddedSecret, CreateWorker, CreatedWorker, UpdateWorker, WorkerRights, add_worker_secret,
    create_worker, delete_worker, get_worker, list_workers, parse_worker_keys,
    remove_worker_secret, set_worker_keys, update_worker,
};
