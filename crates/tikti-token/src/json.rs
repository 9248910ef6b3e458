//! What is a JSON object that two readers cannot read differently?
//!
//! General readers let pass what must be refused: a member that appears twice, at any depth (one
//! reader takes the first, another the last, and each sees its own token), and nesting without end.
//! This module reads the structure, once, and keeps strings and numbers as they are written; what
//! is not plain in them (escapes, fractions, exponents) is checked and decoded by `serde_json`.
//! Whatever is accepted here `serde_json` reads too, to the same value: a property test holds that.
//!
//! Spec: Tokens and keys, "Verification". RFC 8259, RFC 7515 section 4, RFC 8725 section 2.

use std::borrow::Cow;

use serde_json::Number;

/// Levels of nesting, the outermost object being the first. Tikti's own tokens have three.
const MAX_DEPTH: u8 = 16;

/// Less than a claim usually takes with its name, so that the outermost object allocates once.
const BYTES_OF_A_MEMBER: usize = 16;

/// Up to here comparing each name with each is cheaper than sorting; Tikti's tokens have twenty.
const PAIRWISE_MEMBERS: usize = 32;

/// The members of an object in the order in which they were written; no name appears twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object<'a>(Vec<Member<'a>>);

pub(crate) type Member<'a> = (Cow<'a, str>, Value<'a>);

/// A well-formed value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// The inside of a string that has no escapes.
    Text(&'a str),
    /// A string that has escapes, with its quotes.
    EscapedText(&'a str),
    /// A number, `true`, `false` or `null` as it is written.
    Word(&'a str),
    Array(Vec<Self>),
    Object(Object<'a>),
}

/// The bytes are not one strict JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotStrict;

impl<'a> Object<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, NotStrict> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotStrict)?;
        let mut scanner = Scanner { text, at: 0 };
        scanner.expect(b'{')?;
        let members = Vec::with_capacity(bytes.len() / BYTES_OF_A_MEMBER);
        let object = scanner.object(members, MAX_DEPTH - 1)?;
        match scanner.peek() {
            None => Ok(object),
            Some(_) => Err(NotStrict),
        }
    }

    pub(crate) fn members(&self) -> &[Member<'a>] {
        &self.0
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    fn has_repeated_member(&self) -> bool {
        let members = &self.0;
        if members.len() > PAIRWISE_MEMBERS {
            // 8 KiB hold 1,600 members: comparing each with each would cost milliseconds before any
            // signature is checked.
            let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
            names.sort_unstable();
            return !names.is_sorted_by(|left, right| left < right);
        }
        // Names whose marks differ differ. Those of our claims mostly do, so that few are compared.
        let mut marks = 0_u64;
        members.iter().enumerate().any(|(index, (name, _))| {
            let mark = 1 << (mark_of(name) % u64::BITS);
            let is_marked = marks & mark != 0;
            marks |= mark;
            is_marked && members.iter().take(index).any(|(earlier, _)| earlier == name)
        })
    }
}

fn mark_of(name: &str) -> u32 {
    match name.as_bytes() {
        [first, .., last] => u32::from(*first) * 3 + u32::from(*last) * 11 + name.len() as u32,
        _ => 0,
    }
}

impl<'a> Value<'a> {
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::EscapedText(quoted) => unescape(quoted).map(Cow::Owned).ok(),
            Self::Word(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// Returns an integer that is written as one: no sign, fraction or exponent.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Word(written) => written.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Word("true") => Some(true),
            Self::Word("false") => Some(false),
            _ => None,
        }
    }

    /// Returns the strings of an array that has nothing else.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Array(items) => {
                items.iter().map(|item| item.text().map(Cow::into_owned)).collect()
            }
            _ => None,
        }
    }

    pub(crate) fn object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

fn unescape(quoted: &str) -> Result<String, NotStrict> {
    serde_json::from_str(quoted).map_err(|_| NotStrict)
}

/// A place in the text.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Skips white space and returns the byte after it, without taking it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotStrict> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(NotStrict)
        }
    }

    /// Reads from behind the opening brace to behind the closing one.
    fn object(
        &mut self,
        members: Vec<Member<'a>>,
        levels_left: u8,
    ) -> Result<Object<'a>, NotStrict> {
        let mut object = Object(members);
        let mut follows = self.begin_list(b'}');
        while follows {
            self.peek();
            let name = self.string()?.text().ok_or(NotStrict)?;
            self.expect(b':')?;
            object.0.push((name, self.value(levels_left)?));
            follows = self.continue_list(b'}')?;
        }
        if object.has_repeated_member() { Err(NotStrict) } else { Ok(object) }
    }

    /// Reads from behind the opening bracket to behind the closing one.
    fn array(&mut self, levels_left: u8) -> Result<Vec<Value<'a>>, NotStrict> {
        let mut items = Vec::new();
        let mut follows = self.begin_list(b']');
        while follows {
            items.push(self.value(levels_left)?);
            follows = self.continue_list(b']')?;
        }
        Ok(items)
    }

    /// Tells whether an item follows the opening; if none does, takes the closing.
    fn begin_list(&mut self, closing: u8) -> bool {
        let is_empty = self.peek() == Some(closing);
        self.at += usize::from(is_empty);
        !is_empty
    }

    /// Takes a comma or the closing, and tells whether an item follows.
    fn continue_list(&mut self, closing: u8) -> Result<bool, NotStrict> {
        let next = self.peek();
        self.at += 1;
        match next {
            Some(b',') => Ok(true),
            Some(byte) if byte == closing => Ok(false),
            _ => Err(NotStrict),
        }
    }

    // Inlined, like `string`: results returned through memory made the whole scan a quarter slower.
    #[inline(always)]
    fn value(&mut self, levels_left: u8) -> Result<Value<'a>, NotStrict> {
        let first = self.peek().ok_or(NotStrict)?;
        let start = self.at;
        match first {
            b'"' => return self.string(),
            b'{' | b'[' => return self.nested(first, levels_left),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => return Err(NotStrict),
        }
        self.text.get(start..self.at).map(Value::Word).ok_or(NotStrict)
    }

    fn nested(&mut self, opening: u8, levels_left: u8) -> Result<Value<'a>, NotStrict> {
        let levels_left = levels_left.checked_sub(1).ok_or(NotStrict)?;
        self.at += 1;
        if opening == b'{' {
            self.object(Vec::new(), levels_left).map(Value::Object)
        } else {
            self.array(levels_left).map(Value::Array)
        }
    }

    fn word(&mut self, word: &str) -> Result<(), NotStrict> {
        let rest = self.text.get(self.at..).ok_or(NotStrict)?;
        self.at += word.len();
        if rest.starts_with(word) { Ok(()) } else { Err(NotStrict) }
    }

    fn number(&mut self) -> Result<(), NotStrict> {
        let rest = self.text.get(self.at..).ok_or(NotStrict)?;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        // Up to 19 digits fit whatever reads them afterwards; what is longer is judged by
        // serde_json.
        let plain = digits <= 19 && !rest.starts_with('0');
        if plain && !rest.as_bytes().get(digits).is_some_and(is_part) {
            self.at += digits;
            return Ok(());
        }
        let length = rest.as_bytes().iter().take_while(|byte| is_part(byte)).count();
        let written = rest.get(..length).ok_or(NotStrict)?;
        self.at += length;
        serde_json::from_str::<Number>(written).map(drop).map_err(|_| NotStrict)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Value<'a>, NotStrict> {
        let bytes = self.text.as_bytes();
        let open = self.at;
        if bytes.get(open) != Some(&b'"') {
            return Err(NotStrict);
        }
        let mut close = open + 1;
        let mut has_escape = false;
        loop {
            close += plain_length(bytes.get(close..).ok_or(NotStrict)?);
            match bytes.get(close).ok_or(NotStrict)? {
                b'"' => break,
                // Whatever is escaped, a quote above all, does not end the string.
                b'\\' => {
                    has_escape = true;
                    close += 2;
                }
                _ => return Err(NotStrict),
            }
        }
        self.at = close + 1;
        if has_escape {
            let quoted = self.text.get(open..=close).ok_or(NotStrict)?;
            unescape(quoted).map(|_| Value::EscapedText(quoted))
        } else {
            self.text.get(open + 1..close).map(Value::Text).ok_or(NotStrict)
        }
    }
}

/// Counts the bytes before the first quote, backslash or control character, eight at a time: most
/// of a token is the inside of strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte that is below `limit`; exact up to the first such byte, which is
    // the only one that matters.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let stops = below(word, 0x20) | quote | backslash;
        if stops != 0 {
            return index * 8 + stops.trailing_zeros() as usize / 8;
        }
    }
    let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    words.len() * 8 + tail.iter().position(is_stop).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests;
