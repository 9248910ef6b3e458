//! What does a mail say? Shipped texts in two languages, each of which an operator may replace.
//!
//! A template is a pair of files, `password_reset.en.txt` and `password_reset.en.html`, the first line
//! of the text being the subject. A text of an operator's takes the place of the shipped pair; without
//! an HTML file beside it the mail is text alone. Invariants: every placeholder is known before the
//! server serves; what is filled in is escaped in HTML; and a subject has neither link nor code, since
//! it shows on locked screens and in the logs of mail servers, and is one line whatever is filled in.
//!
//! Spec: Operations, "Configuration", group `mail`; Attacks, E7.

mod parse;
mod shipped;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use tikti_domain::mail::{Language, MailKind};

use parse::{Fragment, Slot, parse};

/// A mail is read on a telephone; and templates are held in memory.
const MOST_BYTES: usize = 64 * 1024;

/// All texts of a deployment.
#[derive(Clone, Debug)]
pub struct Templates(BTreeMap<(MailKind, Language), Template>);

#[derive(Clone, Debug, Default)]
struct Template {
    subject: Vec<Fragment>,
    text: Vec<Fragment>,
    html: Option<Vec<Fragment>>,
}

/// What is filled in.
pub(super) struct Values<'a> {
    pub(super) link: &'a str,
    pub(super) code: &'a str,
    pub(super) email: &'a str,
    pub(super) expires_minutes: &'a str,
}

/// A template with everything filled in.
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: Option<String>,
}

/// The two halves of a template, as they were found.
#[derive(Default)]
struct Source {
    text: Option<(String, String)>,
    html: Option<(String, String)>,
}

type Sources = BTreeMap<(MailKind, Language), Source>;

impl Templates {
    /// The shipped texts.
    ///
    /// # Errors
    /// None in practice: a test reads them all.
    pub fn shipped() -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let templates = Self(compile(shipped::sources(), &mut problems));
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// The shipped texts, but those that the directory has.
    ///
    /// # Errors
    /// One line a problem: the file, the line in it, and what is wrong.
    pub fn load(directory: &Path) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let found = find(directory, &mut problems);
        let replaced = compile(found, &mut problems);
        let mut templates = Self::shipped()?;
        templates.0.extend(replaced);
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// Fills a template in.
    pub(super) fn write(&self, which: (MailKind, Language), values: &Values<'_>) -> Written {
        let empty = Template::default();
        // All are there: the shipped ones are complete, and a test says so.
        let template = self.0.get(&which).unwrap_or(&empty);
        let subject = fill(&template.subject, values, str::to_owned);
        Written {
            subject: subject.replace(char::is_control, " "),
            text: fill(&template.text, values, str::to_owned),
            html: template.html.as_deref().map(|html| fill(html, values, escaped)),
        }
    }
}

fn fill(fragments: &[Fragment], values: &Values<'_>, escape: fn(&str) -> String) -> String {
    let written = fragments.iter().map(|fragment| match fragment {
        Fragment::Text(text) => text.clone(),
        Fragment::Slot(Slot::Link) => escape(values.link),
        Fragment::Slot(Slot::Code) => escape(values.code),
        Fragment::Slot(Slot::Email) => escape(values.email),
        Fragment::Slot(Slot::ExpiresMinutes) => escape(values.expires_minutes),
    });
    written.collect()
}

/// Writes what HTML would take for its own, also between quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Reads the files of a directory. A name that means nothing is a problem: it could be a misspelt one,
/// and its mail would silently be the shipped one.
fn find(directory: &Path, problems: &mut Vec<String>) -> Sources {
    let mut sources = Sources::new();
    let mut names: Vec<OsString> = match std::fs::read_dir(directory) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
        Err(cause) => {
            problems.push(format!("{}: {cause}", directory.display()));
            return sources;
        }
    };
    // In an order that is the same everywhere.
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let name = name.to_string_lossy().into_owned();
        // What begins with a dot is an editor's or a mounted volume's own.
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        let Some((which, is_html)) = meant_by(&name) else {
            problems.push(format!("{name}: names no mail; such a name is {}", example_names()));
            continue;
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) if text.len() <= MOST_BYTES => text,
            Ok(_) => {
                problems.push(format!("{name}: is longer than {MOST_BYTES} bytes"));
                continue;
            }
            Err(cause) => {
                problems.push(format!("{name}: {cause}"));
                continue;
            }
        };
        let source = sources.entry(which).or_default();
        *if is_html { &mut source.html } else { &mut source.text } = Some((name, text));
    }
    sources
}

fn example_names() -> String {
    let stems: Vec<_> = MailKind::ALL.iter().map(|kind| stem(*kind)).collect();
    format!("{{{}}}.{{en,pt}}.{{txt,html}}", stems.join(","))
}

/// The first part of a template's file name.
fn stem(kind: MailKind) -> String {
    kind.as_str().to_ascii_lowercase()
}

/// Which half of which template a file is.
fn meant_by(name: &str) -> Option<((MailKind, Language), bool)> {
    let mut parts = name.split('.');
    let (first, language, extension) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = MailKind::ALL.into_iter().find(|kind| stem(*kind) == first)?;
    let language = Language::ALL.into_iter().find(|known| known.tag() == language)?;
    let is_html = match extension {
        "txt" => false,
        "html" => true,
        _ => return None,
    };
    parts.next().is_none().then_some(((kind, language), is_html))
}

fn compile(
    sources: Sources,
    problems: &mut Vec<String>,
) -> BTreeMap<(MailKind, Language), Template> {
    let mut templates = BTreeMap::new();
    for (which, Source { text, html }) in sources {
        let html = html.map(|(name, html)| {
            let html = parse((&name, 1), &html, &Slot::ALL, problems);
            leads_somewhere(&name, &html, problems);
            (name, html)
        });
        let Some((name, text)) = text else {
            if let Some((name, _)) = html {
                problems.push(format!("{name}: has no .txt beside it, which holds the subject"));
            }
            continue;
        };
        let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = subject.trim();
        if subject.is_empty() {
            problems.push(format!("{name}, line 1: must be the subject"));
        }
        let subject = parse((&name, 1), subject, &Slot::OPEN, problems);
        let body = text.trim_start_matches(['\r', '\n']);
        let skipped = text.matches('\n').count() - body.matches('\n').count();
        let text = parse((&name, 2 + skipped), body, &Slot::ALL, problems);
        leads_somewhere(&name, &text, problems);
        templates.insert(which, Template { subject, text, html: html.map(|(_, html)| html) });
    }
    templates
}

/// A mail without link and code asks for something that nobody can do.
fn leads_somewhere(name: &str, fragments: &[Fragment], problems: &mut Vec<String>) {
    let leads = |fragment: &Fragment| {
        matches!(fragment, Fragment::Slot(Slot::Link) | Fragment::Slot(Slot::Code))
    };
    if !fragments.iter().any(leads) {
        problems.push(format!("{name}: has neither {{{{link}}}} nor {{{{code}}}}"));
    }
}

#[cfg(test)]
mod tests;
