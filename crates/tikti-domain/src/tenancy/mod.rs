//! Tenants: making and reading them, resolving their names, and who stands where in them.

mod create_tenant;
mod names;
mod page_token;
mod read_tenants;
mod standing;

pub use create_tenant::{CreateTenant, create_tenant};
pub(crate) use names::{NameCache, resolve};
pub use read_tenants::{Page, PageRequest, get_tenant, list_tenants};
pub(crate) use standing::{Held, Standing, active_memberships, standing};
