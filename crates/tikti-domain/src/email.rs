//! What an e-mail address is: parsed and normalised once, then typed.
//!
//! Two spellings of one address give one [`Email`], so that the claim on it is unique.
//!
//! Spec: Domain, rule 1.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Refusal};

/// Longest address in bytes (RFC 5321, section 4.5.3.1.3, less the brackets).
pub const MAX_EMAIL_BYTES: usize = 254;

/// A normalised address: trimmed, ASCII lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Parses and normalises an address.
    ///
    /// # Errors
    /// `INVALID_EMAIL` unless it is ASCII of at most 254 bytes with one `@`, something on both
    /// sides, and neither white space nor control characters. An international domain comes as
    /// punycode.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |reason: &'static str| {
            Err(Refusal::new(Code::InvalidEmail, format!("the e-mail address {reason}"))
                .detail("email", reason))
        };
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return refuse("is empty");
        }
        if text.len() > MAX_EMAIL_BYTES {
            return refuse("is longer than 254 bytes");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("holds white space, a control character or a character outside ASCII");
        }
        match text.split_once('@') {
            None => refuse("has no @"),
            Some(("", _) | (_, "")) => refuse("has nothing before or after its @"),
            Some((_, domain)) if domain.contains('@') => refuse("has more than one @"),
            Some(_) => Ok(Self(text.to_ascii_lowercase())),
        }
    }

    /// The normalised address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one_email() {
        let email = Email::parse("  Root@Corp.SYS ").unwrap();
        assert_eq!(email.as_str(), "root@corp.sys");
        assert_eq!(email, Email::parse("root@corp.sys").unwrap());
    }

    #[test]
    fn refuses_what_is_no_address() {
        let long = format!("{}@example.org", "a".repeat(243));
        for bad in [
            "",
            " ",
            "root",
            "@corp.sys",
            "root@",
            "a@b@c",
            "a b@c",
            "a\t@c",
            "a\0@c",
            "ä@corp.sys",
            "a\u{202e}@c",
            "a@c\r\nBcc: x@y",
            &long,
        ] {
            assert_eq!(Email::parse(bad).unwrap_err().code, Code::InvalidEmail, "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@example.org", "a".repeat(242))).is_ok());
    }
}
