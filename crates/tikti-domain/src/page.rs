//! A part of a list: how much is asked for, and what is given.
//!
//! Spec: HTTP API, "Lists".

use crate::error::Refusal;

/// Asks for one page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many things at most: 1 to 200.
    pub size: u16,
    /// Where the page before ended.
    pub token: Option<String>,
}

/// Things of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The things.
    pub items: Vec<T>,
    /// What to ask for the next page with; absent on the last one.
    pub next: Option<String>,
}

impl PageRequest {
    /// Largest page.
    pub const LARGEST: u16 = 200;
    /// Size of a page that names none.
    pub const USUAL: u16 = 50;

    /// Checks size and token of a request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `pageSize`.
    pub fn new(size: Option<u64>, token: Option<String>) -> Result<Self, Refusal> {
        let size = size.unwrap_or_else(|| u64::from(Self::USUAL));
        match u16::try_from(size) {
            Ok(size) if (1..=Self::LARGEST).contains(&size) => Ok(Self { size, token }),
            _ => Err(Refusal::invalid("pageSize", "must be 1 to 200")),
        }
    }
}
