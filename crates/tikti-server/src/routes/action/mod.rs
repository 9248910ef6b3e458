//! The pages that mailed links open.

pub(crate) mod redeem;
pub(crate) mod show;
