//! What does this machine do at the most? Work without anything of ours around it, for whoever measures us.
//!
//! Spec: Performance ("raw bcrypt").

use crate::error::InternalError;

/// Nobody's.
const PASSWORD: &str = "correct horse battery";

/// A hash to check a password against, over and over, by bcrypt alone.
#[derive(Debug)]
pub struct RawBcrypt {
    hash: String,
}

impl RawBcrypt {
    /// Makes a hash of this cost.
    ///
    /// # Errors
    /// [`InternalError`] where bcrypt has no such cost.
    pub fn new(cost: u32) -> Result<Self, InternalError> {
        let hash = bcrypt::hash(PASSWORD, cost).map_err(|_| InternalError::Crypto("bcrypt"))?;
        Ok(Self { hash })
    }

    /// Checks the right password once: what a sign-in costs before any of our code. Gives whether bcrypt
    /// found it right.
    #[must_use]
    pub fn check(&self) -> bool {
        bcrypt::verify(PASSWORD, &self.hash).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_is_found_right_and_a_cost_that_is_none_is_refused() {
        assert!(RawBcrypt::new(4).unwrap().check());
        assert!(RawBcrypt::new(99).is_err());
    }
}
