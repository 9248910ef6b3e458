//! Accounts: who somebody is. Making, changing and deleting a user, signing in, being looked up.

mod admins;
pub(crate) mod change_email;
pub(crate) mod create_user;
pub(crate) mod delete_user;
mod email_claim;
mod lookup;
mod refresh;
mod refresh_token;
mod sessions;
mod sign_in;
mod sign_in_context;
mod sign_out;

pub use change_email::change_email;
pub use create_user::{NewUser, create_user};
pub use delete_user::delete_user;
pub use lookup::{LookedUp, Lookup, lookup};
pub use refresh::{GRACE_MILLIS, Refresh, Refreshed, refresh};
pub use sessions::{end_session, list_sessions};
pub(crate) use sign_in::find_by_email;
pub use sign_in::{SignIn, SignInCall, SignedIn, sign_in};
pub use sign_out::{SignOut, SignOutBy, sign_out};
