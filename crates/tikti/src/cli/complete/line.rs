//! Which words has a line that is still being typed? As bash would split it, up to the cursor.
//!
//! Bash hands a function words that it has also split at `=`, `:` and `@`, and replaces only what follows the
//! last of these: so the line is split here, and the part before is taken off what is offered.

/// Splits `line` at white space, without quotes; says whether a quote is still open. The last word is the one
/// at the cursor, empty after white space.
pub(super) fn split(line: &str) -> (Vec<String>, bool) {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut characters = line.chars();
    let mut is_begun = false;
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                is_begun = true;
            }
            (None | Some('"'), '\\') => {
                push(&mut words, characters.next());
                is_begun = true;
            }
            (None, c) if c.is_whitespace() => {
                if is_begun {
                    words.push(String::new());
                }
                is_begun = false;
            }
            (_, c) => {
                push(&mut words, Some(c));
                is_begun = true;
            }
        }
    }
    (words, quote.is_some())
}

fn push(words: &mut [String], character: Option<char>) {
    if let (Some(word), Some(character)) = (words.last_mut(), character) {
        word.push(character);
    }
}

/// Where in `word` the part begins that the shell replaces.
pub(super) fn replaced_from(word: &str, breaks: &str) -> usize {
    let is_break = |c: char| "=:@".contains(c) && breaks.contains(c);
    word.rfind(is_break).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        for (line, words, is_quoted) in [
            ("", &[""][..], false),
            ("tikti ", &["tikti", ""], false),
            ("tikti  ten", &["tikti", "ten"], false),
            ("tikti x \"a b", &["tikti", "x", "a b"], true),
            ("tikti 'a\"b' c\\ d", &["tikti", "a\"b", "c d"], false),
            ("tikti \"a\\\"b\" ''", &["tikti", "a\"b", ""], false),
            ("tikti --a=b:c@d", &["tikti", "--a=b:c@d"], false),
            ("tikti a\\", &["tikti", "a"], false),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(split(line), (words, is_quoted), "{line:?}");
        }
    }

    #[test]
    fn only_what_follows_the_last_break_is_replaced() {
        let bash = " \t\n\"'@><=;|&(:";
        for (word, breaks, kept) in [
            ("codecompany", bash, 0),
            ("--tenant=code", bash, 9),
            ("ann@ex", bash, 4),
            ("ann@ex", "=:", 0),
            ("https://a", bash, 6),
        ] {
            assert_eq!(replaced_from(word, breaks), kept, "{word}");
        }
    }
}
