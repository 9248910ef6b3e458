//! How is a hash taken apart that is written as `$name$v=1$a=1,b=2$salt$hash`?
//!
//! Strict, so that one hash has one spelling: parameters of exactly the names that were asked for, in
//! their order, decimal without leading zeros; base64 without padding, its unused bits zero.
//!
//! Spec: Domain, rule 6. The PHC string format:
//! <https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>.

use data_encoding::{BASE64_NOPAD, Encoding};

/// What is wrong with a hash, without anything of it.
pub(super) type Parsed<T> = Result<T, &'static str>;

/// Bytes of a salt: more than any exporter makes.
const MAX_SALT_BYTES: usize = 64;
/// Bytes of a hash: a shorter one could be met by chance, a longer one is made by nobody.
const HASH_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// The salt, and the hash that the right password gives with it.
pub(super) struct Salted {
    pub(super) salt: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

impl Salted {
    /// Takes a salt of 1 to 64 bytes and a hash of 16 to 64.
    pub(super) fn new(salt: Vec<u8>, hash: Vec<u8>) -> Parsed<Self> {
        if salt.is_empty() || salt.len() > MAX_SALT_BYTES {
            return Err("has a salt that is not of 1 to 64 bytes");
        }
        if !HASH_BYTES.contains(&hash.len()) {
            return Err("has a hash that is not of 16 to 64 bytes");
        }
        Ok(Self { salt, hash })
    }

    /// Reads both as base64.
    pub(super) fn decode(salt: &str, hash: &str) -> Parsed<Self> {
        Self::new(bytes(salt)?, bytes(hash)?)
    }
}

/// Splits what stands between the `$`, the first of which is the first character.
pub(super) fn fields<const N: usize>(text: &str) -> Parsed<[&str; N]> {
    let rest = text.strip_prefix('$').ok_or("does not begin with a $")?;
    let fields: Vec<&str> = rest.split('$').collect();
    fields.try_into().map_err(|_| "has too few or too many parts")
}

/// Reads `a=1,b=2` with exactly these names.
pub(super) fn numbers<const N: usize>(text: &str, names: [&str; N]) -> Parsed<[u32; N]> {
    let mut numbers = [0; N];
    for (number, value) in numbers.iter_mut().zip(values(text, names)?) {
        *number = decimal(value)?;
    }
    Ok(numbers)
}

/// Splits `a=x,b=y` with exactly these names.
pub(super) fn values<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Parsed<[&'a str; N]> {
    const WRONG: &str = "has other parameters than its kind has";
    let given: Vec<&str> = text.split(',').collect();
    let given: [&str; N] = given.try_into().map_err(|_| WRONG)?;
    let mut values = [""; N];
    for ((value, given), name) in values.iter_mut().zip(given).zip(names) {
        let stripped = given.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        *value = stripped.ok_or(WRONG)?;
    }
    Ok(values)
}

/// Reads a number as its shortest decimal.
pub(super) fn decimal(text: &str) -> Parsed<u32> {
    let is_shortest = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_shortest);
    number.ok_or("has a parameter that is not a positive decimal number")
}

/// Reads base64 without padding.
pub(super) fn bytes(text: &str) -> Parsed<Vec<u8>> {
    bytes_of(&BASE64_NOPAD, text)
}

/// Reads base64 of another kind.
pub(super) fn bytes_of(encoding: &Encoding, text: &str) -> Parsed<Vec<u8>> {
    encoding.decode(text.as_bytes()).map_err(|_| "holds something that is not base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_that_were_asked_for_in_their_order() {
        assert_eq!(numbers("m=64,t=2,p=1", ["m", "t", "p"]), Ok([64, 2, 1]));
        assert_eq!(numbers("ln=10", ["ln"]), Ok([10]));
        for wrong in [
            "t=2,m=64,p=1",
            "m=64,t=2",
            "m=64,t=2,p=1,",
            "m=64,t=2,p=1,data=AAAA",
            "m=064,t=2,p=1",
            "m=+64,t=2,p=1",
            "m=,t=2,p=1",
            "m=0,t=2,p=1",
            "m=4294967296,t=2,p=1",
            "mt=64,t=2,p=1",
            " m=64,t=2,p=1",
            "",
        ] {
            assert!(numbers(wrong, ["m", "t", "p"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(bytes("Bw"), Ok(vec![7]));
        for wrong in ["Bw==", "Bx", "B", "B-", "Bw\n", "Bw ", "ü"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_salt_or_hash_of_a_strange_length_is_refused() {
        for (salt, hash, taken) in [
            (1, 16, true),
            (64, 64, true),
            (0, 32, false),
            (65, 32, false),
            (8, 15, false),
            (8, 65, false),
        ] {
            let salted = Salted::new(vec![1; salt], vec![2; hash]);
            assert_eq!(salted.is_ok(), taken, "{salt} {hash}");
        }
    }
}
