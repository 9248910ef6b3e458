//! Is this claim there, and is it of the right kind?
//!
//! Nothing is converted: a number in a string, a fraction, a negative number, one of 2^63 or more
//! and `null` are each the wrong kind, because readers elsewhere would take them for different
//! values.
//!
//! Spec: Tokens and keys, "Verification"; attack row L5.

use std::{borrow::Cow, cell::Cell};

use crate::{
    claims::MAX_NUMBER,
    error::VerifyError,
    json::{Member, Object, Value},
};

/// Reads the members of one object as claims.
pub(crate) struct Reader<'o, 'a> {
    object: &'o Object<'a>,
    /// Tikti's tokens are read in the order in which they were written: mostly the member behind
    /// the one that was read last is the one that is wanted.
    next: Cell<usize>,
}

impl<'o, 'a> Reader<'o, 'a> {
    pub(crate) fn new(object: &'o Object<'a>) -> Self {
        Self { object, next: Cell::new(0) }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'o str> {
        self.object.members().iter().map(|(name, _)| name.as_ref())
    }

    fn find(&self, name: &str) -> Option<&'o Value<'a>> {
        let members = self.object.members();
        let is_named = |(member, _): &Member<'a>| member == name;
        let index = match members.get(self.next.get()) {
            Some(member) if is_named(member) => self.next.get(),
            _ => members.iter().position(is_named)?,
        };
        self.next.set(index + 1);
        members.get(index).map(|(_, value)| value)
    }

    /// Reads a claim that may be absent, but not of another kind than `read` takes.
    pub(crate) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'o Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, VerifyError> {
        match self.find(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(VerifyError::WrongClaim(name)),
        }
    }

    pub(crate) fn required<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'o Value<'a>) -> Option<T>,
    ) -> Result<T, VerifyError> {
        self.optional(name, read)?.ok_or(VerifyError::MissingClaim(name))
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Cow<'a, str>, VerifyError> {
        self.required(name, Value::text)
    }

    pub(crate) fn optional_text(&self, name: &'static str) -> Result<Option<String>, VerifyError> {
        self.optional(name, |value| value.text().map(Cow::into_owned))
    }

    pub(crate) fn number(&self, name: &'static str) -> Result<u64, VerifyError> {
        self.required(name, bounded_number)
    }

    pub(crate) fn optional_number(&self, name: &'static str) -> Result<Option<u64>, VerifyError> {
        self.optional(name, bounded_number)
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, VerifyError> {
        self.required(name, Value::flag)
    }

    /// Reads an array of strings.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<String>, VerifyError> {
        self.required(name, Value::texts)
    }

    pub(crate) fn optional_texts(
        &self,
        name: &'static str,
    ) -> Result<Option<Vec<String>>, VerifyError> {
        self.optional(name, Value::texts)
    }

    pub(crate) fn object(&self, name: &'static str) -> Result<Reader<'o, 'a>, VerifyError> {
        self.required(name, |value| value.object().map(Reader::new))
    }

    pub(crate) fn optional_object(
        &self,
        name: &'static str,
    ) -> Result<Option<Reader<'o, 'a>>, VerifyError> {
        self.optional(name, |value| value.object().map(Reader::new))
    }
}

fn bounded_number(value: &Value<'_>) -> Option<u64> {
    value.number().filter(|number| *number <= MAX_NUMBER)
}
