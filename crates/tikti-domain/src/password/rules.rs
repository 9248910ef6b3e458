//! May this be somebody's new password?
//!
//! Length is counted in bytes, since that is what bcrypt reads; beyond it what is refused is what
//! everybody tries first: the passwords that stand in every public list of common ones, and the user's
//! own address. No rule asks for digits or signs (NIST SP 800-63B, section 5.1.1.2).
//!
//! Spec: Domain, rule 6; HTTP API, `WEAK_PASSWORD`, `PASSWORD_TOO_LONG`.

use secrecy::{ExposeSecret, SecretString};

use super::{MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES};
use crate::email::Email;
use crate::error::{Code, Refusal};

/// Common passwords of 8 bytes or more, in lower case, one a line, sorted: words that people choose,
/// with what they put behind them, and walks over the keyboard.
const COMMON: &str = include_str!("common.txt");

/// Checks a password that is to be set, for whoever bears this address.
///
/// # Errors
/// `WEAK_PASSWORD` under 8 bytes, for one that is common, and for the address itself;
/// `PASSWORD_TOO_LONG` over 72 bytes; `INVALID_ARGUMENT` where it holds a NUL: bcrypt repeats the
/// password with a NUL in between, so that `p` and `p NUL p` would be one.
pub fn check_new_password(password: &SecretString, email: Option<&Email>) -> Result<(), Refusal> {
    let text = password.expose_secret();
    let weak = |message: &'static str, detail: &str| {
        Refusal::new(Code::WeakPassword, message).detail("password", detail)
    };
    if text.len() < MIN_PASSWORD_BYTES {
        return Err(weak("the password is shorter than 8 bytes", "must be at least 8 bytes"));
    }
    check_length(text)?;
    if text.contains('\0') {
        return Err(Refusal::invalid("password", "must not hold a NUL character"));
    }
    let lower = text.to_lowercase();
    if COMMON.lines().any(|common| common == lower) {
        return Err(weak("the password is one that everybody tries first", "is too common"));
    }
    let is_address = |email: &Email| {
        let address = email.as_str();
        let name = address.split('@').next().unwrap_or_default();
        lower == address || lower == name
    };
    if email.is_some_and(is_address) {
        return Err(weak("the password is the address", "must not be the e-mail address"));
    }
    Ok(())
}

/// Refuses what bcrypt would cut.
pub(super) fn check_length(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(Refusal::of(Code::PasswordTooLong)
            .detail("password", "must be at most 72 bytes of UTF-8"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str, email: &str) -> Option<Code> {
        let email = Email::parse(email).unwrap();
        let checked = check_new_password(&password.to_owned().into(), Some(&email));
        checked.err().map(|refusal| refusal.code)
    }

    #[test]
    fn length_is_counted_in_bytes_from_8_to_72() {
        for (password, code) in [
            ("7 bytes".to_owned(), Some(Code::WeakPassword)),
            ("8 bytes!".to_owned(), None),
            (format!("{}y", "xz".repeat(35)), None),
            (format!("{}yy", "xz".repeat(35)), None),
            (format!("{}yyy", "xz".repeat(35)), Some(Code::PasswordTooLong)),
            ("ü".repeat(37), Some(Code::PasswordTooLong)),
            ("12345678\0".to_owned(), Some(Code::InvalidArgument)),
        ] {
            assert_eq!(refused(&password, "ann@example.org"), code, "{password}");
        }
    }

    #[test]
    fn what_everybody_tries_first_is_refused_in_any_case() {
        for password in ["12345678", "Password1", "QWERTYUIOP", "iloveyou", "Senha123", "aaaaaaaa"]
        {
            assert_eq!(
                refused(password, "ann@example.org"),
                Some(Code::WeakPassword),
                "{password}"
            );
        }
        for password in ["correct horse", "12345678x", "Password1 of mine"] {
            assert_eq!(refused(password, "ann@example.org"), None, "{password}");
        }
    }

    #[test]
    fn the_address_is_no_password() {
        for password in ["annabella@example.org", "Annabella@Example.org", "annabella", "ANNABELLA"]
        {
            let email = "annabella@example.org";
            assert_eq!(refused(password, email), Some(Code::WeakPassword), "{password}");
            assert_eq!(refused(password, "bob@example.org"), None, "{password}");
        }
    }

    #[test]
    fn the_list_is_sorted_in_lower_case_and_of_passwords_that_length_lets_pass() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.is_sorted_by(|one, next| one < next));
        for line in lines {
            assert!((8..=72).contains(&line.len()) && line == line.to_lowercase(), "{line}");
        }
    }
}
