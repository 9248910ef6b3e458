//! Where in a text is something filled in?
//!
//! Invariant: what stands between `{{` and `}}` is a known placeholder or a problem that is named with
//! its line; no text is taken for anything but itself.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    Text(String),
    Slot(Slot),
}

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Link,
    Code,
    Email,
    ExpiresMinutes,
}

impl Slot {
    pub(super) const ALL: [Self; 4] = [Self::Link, Self::Code, Self::Email, Self::ExpiresMinutes];
    /// Those that may be shown to whoever sees the outside of a mail.
    pub(super) const OPEN: [Self; 2] = [Self::Email, Self::ExpiresMinutes];

    const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Code => "code",
            Self::Email => "email",
            Self::ExpiresMinutes => "expiresMinutes",
        }
    }
}

/// Takes a text apart whose first line has this number in this file. `allowed` may be filled in.
pub(super) fn parse(
    (file, first_line): (&str, usize),
    text: &str,
    allowed: &[Slot],
    problems: &mut Vec<String>,
) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    let (mut rest, mut line) = (text, first_line);
    while let Some((before, behind)) = rest.split_once("{{") {
        line += before.matches('\n').count();
        fragments.push(Fragment::Text(before.to_owned()));
        let on_this_line = behind.split('\n').next().unwrap_or_default();
        let Some((name, _)) = on_this_line.split_once("}}") else {
            problems.push(format!("{file}, line {line}: {{{{ without }}}}"));
            rest = behind;
            continue;
        };
        match allowed.iter().find(|slot| slot.name() == name.trim()) {
            Some(slot) => fragments.push(Fragment::Slot(*slot)),
            None => {
                let known: Vec<_> = allowed.iter().map(|slot| slot.name()).collect();
                problems.push(format!(
                    "{file}, line {line}: unknown placeholder {{{{{}}}}}; known here: {}",
                    name.trim(),
                    known.join(", ")
                ));
            }
        }
        rest = behind.split_once("}}").map_or("", |(_, rest)| rest);
    }
    fragments.push(Fragment::Text(rest.to_owned()));
    fragments
}
