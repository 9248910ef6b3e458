//! Accounts: who somebody is. Making a user, signing in, being looked up.

mod create_user;
mod lookup;
mod sign_in;
mod sign_in_context;

pub(crate) use create_user::{NewUser, create_user};
pub use lookup::{LookedUp, Lookup, lookup};
pub(crate) use sign_in::find_by_email;
pub use sign_in::{SignIn, SignInCall, SignedIn, sign_in};
