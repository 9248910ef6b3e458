//! The only making of randomness.
//!
//! Everything that is unguessable comes from here, so that a test can seed it and a review can find
//! it.

#[cfg(any(test, feature = "testing"))]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[cfg(any(test, feature = "testing"))]
use aws_lc_rs::digest;
use aws_lc_rs::rand;

use crate::error::InternalError;

/// Where randomness comes from: the operating system through aws-lc, or, in tests, a seed.
#[derive(Clone, Debug)]
pub struct Random(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// SHA-256 over (seed, counter): repeatable, for tests only.
    #[cfg(any(test, feature = "testing"))]
    Seeded {
        seed: u64,
        counter: Arc<AtomicU64>,
    },
}

impl Random {
    /// The operating system's generator.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A repeatable sequence, for tests.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded { seed, counter: Arc::new(AtomicU64::new(0)) })
    }

    /// `N` unguessable bytes.
    ///
    /// # Errors
    /// [`InternalError::Crypto`] where the operating system gives no randomness.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], InternalError> {
        let mut bytes = [0_u8; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Fills `target` with unguessable bytes.
    ///
    /// # Errors
    /// As [`Random::bytes`].
    pub fn fill(&self, target: &mut [u8]) -> Result<(), InternalError> {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that makes randomness")]
            Source::System => {
                rand::fill(target).map_err(|_| InternalError::Crypto("the random generator"))
            }
            #[cfg(any(test, feature = "testing"))]
            Source::Seeded { seed, counter } => {
                for chunk in target.chunks_mut(digest::SHA256_OUTPUT_LEN) {
                    let turn = counter.fetch_add(1, Ordering::SeqCst);
                    let mut input = [0_u8; 16];
                    let (first, second) = input.split_at_mut(8);
                    first.copy_from_slice(&seed.to_be_bytes());
                    second.copy_from_slice(&turn.to_be_bytes());
                    let block = digest::digest(&digest::SHA256, &input);
                    for (byte, made) in chunk.iter_mut().zip(block.as_ref()) {
                        *byte = *made;
                    }
                }
                Ok(())
            }
        }
    }

    /// `length` characters drawn evenly from `alphabet` (at most 256 characters).
    ///
    /// # Errors
    /// As [`Random::bytes`].
    pub fn text(&self, alphabet: &[u8], length: usize) -> Result<String, InternalError> {
        // Bytes at or above the largest multiple of the alphabet's length are drawn again: a plain
        // remainder would favour the first characters.
        let bound = 256 - 256 % alphabet.len().max(1);
        let mut text = String::with_capacity(length);
        while text.len() < length {
            for byte in self.bytes::<32>()? {
                let draw = usize::from(byte);
                if draw < bound
                    && text.len() < length
                    && let Some(character) = alphabet.get(draw % alphabet.len().max(1))
                {
                    text.push(char::from(*character));
                }
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_two_draws_differ() {
        let first = Random::seeded(7);
        let second = Random::seeded(7);
        let draw: [u8; 40] = first.bytes().unwrap();
        assert_eq!(draw, second.bytes::<40>().unwrap());
        assert_ne!(draw, first.bytes::<40>().unwrap());
    }

    #[test]
    fn text_keeps_to_its_alphabet_and_length() {
        let text = Random::system().text(b"ab3", 100).unwrap();
        assert_eq!(text.len(), 100);
        assert!(text.bytes().all(|byte| b"ab3".contains(&byte)));
        assert!("ab3".chars().all(|character| text.contains(character)));
    }
}
