//! A server with a tenant and its administrator signed in, and what a command printed there without what
//! differs from run to run.

use serde_json::Value;

use crate::support::{Dev, Home, Outcome};

pub(crate) struct TenantWorld {
    // Ends before its home is taken away.
    pub(crate) dev: Dev,
    pub(crate) home: Home,
    pub(crate) tenant_id: String,
}

impl TenantWorld {
    /// The tenant `codecompany`, which commands mean where none is named.
    pub(crate) fn start() -> Self {
        let home = Home::new();
        let dev = Dev::signed_in(&home);
        let tenant_id = home.run("tenant create --slug codecompany --quiet").done();
        home.run("tenant use codecompany").done();
        Self { home, dev, tenant_id: tenant_id.trim_end().to_owned() }
    }

    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.home.run(line)
    }

    /// What a command that was done said: standard error and standard output, masked.
    #[track_caller]
    pub(crate) fn said(&self, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.code, Some(0), "{line}: {outcome:?}");
        self.masked(&format!("{}{}", outcome.stderr, outcome.stdout))
    }

    /// The one JSON value of a command, masked.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        let outcome = self.run(&format!("{line} --output json"));
        assert_eq!(outcome.stderr, "", "{line}");
        let stdout = self.masked(&outcome.done());
        serde_json::from_str(&stdout).unwrap()
    }

    /// What a command that was refused said, masked and without the id of its request.
    #[track_caller]
    pub(crate) fn refused(&self, line: &str, code: i32) -> String {
        let said = self.masked(&self.run(line).fails(code));
        Vec::from_iter(said.lines().filter(|line| !line.starts_with("  request id: "))).join("\n")
    }

    /// `text` with `ID`, `TIME`, `HOST` and `SECRET` for what is of this run alone, and columns two spaces
    /// apart.
    pub(crate) fn masked(&self, text: &str) -> String {
        let text = text.replace(&self.tenant_id, "ID").replace(self.dev.text("url"), "HOST");
        let mut masked = String::new();
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "_:.-".contains(c);
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| is_of_word(c) != is_of_word(first)).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(end);
            masked.push_str(mask(part));
            rest = behind;
        }
        masked
    }
}

fn mask(part: &str) -> &str {
    let is_time = part.len() >= 20 && part.starts_with("20") && part.ends_with('Z');
    let is_secret =
        part.len() > 40 && ["ws_", "cs_", "tk_"].iter().any(|prefix| part.starts_with(prefix));
    let is_gap = part.len() > 2 && part.trim_matches(' ').is_empty();
    match part {
        _ if is_time => "TIME",
        _ if is_secret => "SECRET",
        _ if is_gap => "  ",
        _ => part,
    }
}
