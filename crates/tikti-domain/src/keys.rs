//! What is done to signing keys, by administrators, by operators and in the background?
//!
//! | who | what |
//! |---|---|
//! | an administrator of the deployment | [`list`], [`rotate`] |
//! | a task of every server | [`refresh`], [`rotate_if_due`], [`destroy_removed`] |
//! | an operator with the store and its secrets | [`import`], [`rewrap`] |
//!
//! Spec: Tokens and keys, "Signing keys"; HTTP API, row "keys"; CLI, `keys`. Why: docs/decisions/0035.

pub use crate::id::KeyId;
pub use crate::signing_key::{
    KeyState, KeyTimes, ListedKey, Offline, OfflineError, Rewrapped, Rotate, Rotated,
    destroy_removed, import, list, refresh, rewrap, rotate, rotate_if_due,
};
pub use tikti_token::MAX_KEY_FILE_BYTES;
