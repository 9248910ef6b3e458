//! What is done to signing keys, by administrators, by operators and in the background?
//!
//! | who | what |
//! |---|---|
//! | an administrator of the deployment | [`list`], [`rotate`] |
//! | a task of every server | [`refresh`], [`rotate_if_due`], [`destroy_removed`] |
//!
//! Spec: Tokens and keys, "Signing keys"; HTTP API, row "keys"; CLI, `keys`. Why: docs/decisions/0035.

pub use crate::id::KeyId;
pub use crate::signing_key::{
    KeyState, KeyTimes, ListedKey, Rotate, Rotated, destroy_removed, list, refresh, rotate,
    rotate_if_due,
};
