//! What commands print for people and for programs, word for word, where no test of the command itself says so:
//! those of the session, its tokens, the log, the keys, the profiles and the store, and the first words of a
//! server.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::exact::{exact, fails, prints};
use crate::support::{Dev, Home};

mod profiles;
mod tokens;

/// A home, and the values of this run that no form gives away, each with what stands for it.
struct Forms<'a> {
    home: &'a Home,
    known: Vec<(String, &'static str)>,
}

impl<'a> Forms<'a> {
    fn new(home: &'a Home) -> Self {
        Self { home, known: Vec::new() }
    }

    fn knows(&mut self, value: &str, name: &'static str) {
        let value = value.trim_end();
        assert!(!value.is_empty(), "{name}");
        self.known.push((value.to_owned(), name));
    }

    /// Runs a command that is done, and compares what it printed on standard output and standard error.
    #[track_caller]
    fn prints(&self, line: &str, stdout: &str, stderr: &str) {
        let outcome = self.home.run(line);
        let printed = (outcome.code, self.masked(&outcome.stdout), self.masked(&outcome.stderr));
        assert_eq!(printed, (Some(0), stdout.to_owned(), stderr.to_owned()), "{line}");
    }

    fn masked(&self, text: &str) -> String {
        without_spans(&without_times(&exact(&self.with_names(text))))
    }

    fn with_names(&self, text: &str) -> String {
        let known = self.known.iter();
        known.fold(text.to_owned(), |text, (value, name)| text.replace(value.as_str(), name))
    }
}

/// Times that are numbers, in seconds or milliseconds, are `NUMBER`.
fn without_times(text: &str) -> String {
    let mut replaced = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        let is_time = matches!(digits.len(), 10 | 13);
        let end = part.strip_prefix(digits).unwrap_or_default();
        replaced.push_str(if is_time { "NUMBER" } else { digits });
        replaced.push_str(end);
    }
    replaced
}

/// How far away a time is, in brackets behind it, is `SPAN`.
fn without_spans(text: &str) -> String {
    let lines = text.split('\n').map(|line| match line.rsplit_once("TIME (") {
        Some((before, span)) if span.starts_with("in ") || span.ends_with(" ago)") => {
            format!("{before}TIME (SPAN)")
        }
        _ => line.to_owned(),
    });
    Vec::from_iter(lines).join("\n")
}

/// Every figure is `#`.
fn without_figures(text: &str) -> String {
    let mut replaced = String::new();
    for character in text.chars() {
        let goes_on = replaced.ends_with('#');
        match character {
            '0'..='9' | '.' if goes_on => {}
            '0'..='9' => replaced.push('#'),
            _ => replaced.push(character),
        }
    }
    replaced
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn only_times_spans_and_figures_are_replaced() {
    assert_eq!(without_times("1 1795731547,\"a\":1795731546921}"), "1 NUMBER,\"a\":NUMBER}");
    assert_eq!(without_times("17957315470 a1795731547"), "17957315470 aNUMBER");
    assert_eq!(
        without_spans("exp  TIME (in 15 min)\niat  TIME (1 s ago)\nTIME (x)\n"),
        "exp  TIME (SPAN)\niat  TIME (SPAN)\nTIME (x)\n"
    );
    assert_eq!(without_figures("size  60.0 KiB. (1.2.3)"), "size  # KiB. (#)");
}

#[test]
fn a_server_says_where_it_is_and_how_to_go_on() {
    let home = Home::new();
    let mut forms = Forms::new(&home);
    let dev = Dev::start(&home);
    for (member, name) in [
        ("apiKey", "KEY"),
        ("webApiKey", "WEBKEY"),
        ("adminPassword", "PASSWORD"),
        ("firebaseAdminPath", "/PATH"),
        ("dataDir", "DATA"),
    ] {
        forms.knows(dev.text(member), name);
    }
    assert_eq!(
        forms.masked(&dev.line),
        "{\"url\":\"http://HOST\",\"apiKey\":\"KEY\",\"webApiKey\":\"WEBKEY\",\
         \"adminEmail\":\"root@corp.sys\",\"adminPassword\":\"PASSWORD\",\
         \"firebaseAdminPath\":\"/PATH\",\"dataDir\":\"DATA\"}\n"
    );
    assert_eq!(dev.terminate().code, Some(0));
    // The next start tells people the same.
    assert_eq!(
        forms.masked(&told_to_people(&home)),
        "Tikti is ready at http://HOST\n\n  admin  root@corp.sys\n  password  PASSWORD\n  \
         API key  KEY\n  web API key  WEBKEY\n  data  DATA\n  mails  http://HOST/dev/mailbox\n  \
         profile  dev (current)\n\nFrom another terminal:\n\n  tikti init --host http://HOST\n  \
         tikti auth login --user root@corp.sys\n  tikti tenant create --slug codecompany\n  \
         tikti token exchange --aud backend-worker --scope \"jobs:read jobs:write\" \
         --tenant codecompany --sub worker-01\n\n\
         Ctrl-C ends it; everything is kept for the next start.\n"
    );
}

/// What a server prints until its last word for people; it is ended then.
fn told_to_people(home: &Home) -> String {
    let line = format!("dev --listen 127.0.0.1:0 {}", home.store_options());
    let mut dev = home.command(&line).stderr(Stdio::null()).spawn().unwrap();
    let mut told = String::new();
    for line in BufReader::new(dev.stdout.take().unwrap()).lines().map_while(Result::ok) {
        told.push_str(&line);
        told.push('\n');
        if line.starts_with("Ctrl-C ends it") {
            break;
        }
    }
    dev.kill().unwrap();
    dev.wait().unwrap();
    told
}

#[test]
fn a_server_is_named() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let init = format!("init --host {}", dev.text("url"));
    let version = env!("CARGO_PKG_VERSION");
    let answers = format!("✔ tikti {version} answers at http://HOST\n");
    prints(&home, &init, "", &format!("{answers}✔ Profile `dev` is current: http://HOST\n"));
    let told = |profile: &str, has_key: bool| {
        format!(
            "{{\"profile\":\"{profile}\",\"baseUrl\":\"http://HOST\",\"version\":\"{version}\",\
             \"hasApiKey\":{has_key}}}\n"
        )
    };
    prints(&home, &format!("{init} --output json"), &told("dev", true), "");
    prints(&home, &format!("{init} --quiet"), "dev\n", "");
    let bare = format!("{init} --profile bare");
    prints(
        &home,
        &bare,
        "",
        &format!(
            "{answers}✔ Profile `bare` is current: http://HOST\n  \
             It has no API key: token exchange wants one (--api-key).\n"
        ),
    );
    prints(&home, &format!("{bare} --output json"), &told("bare", false), "");
}

#[test]
fn who_is_signed_in_is_told() {
    let home = Home::new();
    let forms = Forms::new(&home);
    fails(
        &home,
        "auth status",
        2,
        "error: nobody is signed in, and no server is named\n  \
         next: `tikti init --host URL` names one, `tikti dev` starts one on this machine\n",
    );
    let _dev = Dev::signed_in(&home);
    forms.prints(
        "auth status",
        "user  root@corp.sys\nuser id  ID\nrole  ADMIN\ntenant  -\nserver  http://HOST\n\
         profile  dev\nuntil  TIME (SPAN)\nchecked  the server accepts the session\n",
        "",
    );
    forms.prints(
        "auth status --output json",
        "{\"profile\":\"dev\",\"baseUrl\":\"http://HOST\",\"email\":\"root@corp.sys\",\
         \"localId\":\"ID\",\"role\":\"ADMIN\",\"tenantId\":null,\"expiresAt\":\"TIME\",\
         \"checked\":true}\n",
        "",
    );
    home.run("auth logout --local").done();
    for line in ["auth status", "auth status --output json"] {
        fails(
            &home,
            line,
            2,
            "error: no session at http://HOST\n  next: sign in: `tikti auth login --user EMAIL`\n",
        );
    }
}

#[test]
fn events_are_told() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let mut forms = Forms::new(&home);
    let list = "audit list --tenant codecompany";
    let tail = "audit tail --tenant codecompany";
    prints(&home, list, "No event.\n", "");
    prints(&home, tail, "", "");

    home.run("role create BILLING --permissions a:b --tenant codecompany").done();
    let mut listed = home.run(&format!("{list} --output json")).json();
    // A head is signed in the background, sooner or later.
    listed.as_object_mut().unwrap().remove("head");
    forms.knows(text(&listed["events"][0]["hash"]), "HASH");
    forms.knows(&"0".repeat(64), "NOHASH");
    assert_eq!(
        forms.masked(&listed.to_string()),
        "{\"events\":[{\"chainedAt\":\"TIME\",\"event\":{\"action\":\"role.create\",\
         \"actor\":{\"id\":\"ID\",\"ip\":\"127.0.0.1\",\"sessionId\":\"ID\",\"type\":\"user\"},\
         \"details\":{\"permissions\":\"a:b\"},\"id\":\"ID\",\"outcome\":\"success\",\
         \"requestId\":\"ID\",\"target\":\"BILLING\",\"tenantId\":\"ID\",\"time\":\"TIME\"},\
         \"hash\":\"HASH\",\"prevHash\":\"NOHASH\",\"seq\":1}]}"
    );
    forms.prints(
        &format!("{tail} --output json"),
        "{\"seq\":1,\"chainedAt\":\"TIME\",\"prevHash\":\"NOHASH\",\"hash\":\"HASH\",\
         \"event\":{\"id\":\"ID\",\"time\":\"TIME\",\"action\":\"role.create\",\
         \"target\":\"BILLING\",\"tenantId\":\"ID\",\"actor\":{\"type\":\"user\",\"id\":\"ID\",\
         \"sessionId\":\"ID\",\"ip\":\"127.0.0.1\"},\"outcome\":\"success\",\"requestId\":\"ID\",\
         \"details\":{\"permissions\":\"a:b\"}}}\n",
        "",
    );

    home.run("role delete BILLING --yes --tenant codecompany").done();
    let header = "SEQ  TIME  ACTION  TARGET  ACTOR\n";
    let first = "1  TIME  role.create  BILLING  user ID\n";
    let second = "2  TIME  role.delete  BILLING  user ID\n";
    prints(&home, list, &format!("{header}{first}{second}"), "");
    prints(&home, &format!("{list} --quiet"), "1\n2\n", "");
    prints(
        &home,
        &format!("{list} --limit 1"),
        &format!("{header}{first}"),
        "  there may be more: `--limit N`, or `--from TIME` for later ones\n",
    );
    prints(
        &home,
        tail,
        "TIME  role.create  BILLING  by user ID\nTIME  role.delete  BILLING  by user ID\n",
        "",
    );
}

#[test]
fn signing_keys_are_told() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    let mut forms = Forms::new(&home);
    let published = home.run("keys jwks --output json").json();
    forms.knows(text(&published["keys"][0]["kid"]), "KID");
    forms.knows(text(&published["keys"][0]["n"]), "MODULUS");
    forms.prints(
        "keys list",
        "KID  STATE  NEXT  TOKENS UNTIL  SAFE TO RETIRE  KEY  CREATED\n\
         KID  active  -  TIME  no  RSA 2048  TIME\n",
        "",
    );
    forms.prints(
        "keys list --output json",
        "{\"keys\":[{\"kid\":\"KID\",\"state\":\"active\",\"createdAt\":\"TIME\",\
         \"activatesAt\":\"TIME\",\"tokensAliveUntil\":\"TIME\",\"safeToRetire\":false,\
         \"imported\":false,\"bits\":2048}]}\n",
        "",
    );
    forms.prints("keys list --quiet", "KID\n", "");
    forms.prints(
        "keys jwks --output json",
        "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"KID\",\
         \"n\":\"MODULUS\",\"e\":\"AQAB\"}]}\n",
        "",
    );
    forms.prints("keys jwks --quiet", "KID\n", "");
    // People see the same value with lines and depth, which belong to it.
    let shown = forms.with_names(&home.run("keys jwks").done());
    let expected = r#"{
  "keys": [
    {
      "kty": "RSA",
      "use": "sig",
      "alg": "RS256",
      "kid": "KID",
      "n": "MODULUS",
      "e": "AQAB"
    }
  ]
}
"#;
    assert_eq!(shown, expected);
}

#[test]
fn a_store_says_what_it_is_and_that_it_is_sound() {
    let home = Home::new();
    // Whatever the other tests run on: engines tell different things of themselves.
    let options = format!("--data {}", Dev::data(&home));
    let dev = Dev::start_with(&home, "127.0.0.1:0", &options);
    home.sign_in(&dev).done();
    let said = |line: &str| {
        let outcome = home.run(&format!("{line} {options}"));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        without_figures(&exact(&format!("{}{}", outcome.stderr, outcome.stdout)))
    };
    assert_eq!(
        said("store status"),
        "engine  embedded (LMDB #)\nsize  # KiB\nused  # KiB\nfree  # KiB\nlimit  # TiB\n\
         entries  #\nreaders  #\nremark  every write is on the disk before it is answered\n"
    );
    assert_eq!(
        said("store status --output json"),
        "{\"engine\":\"embedded (LMDB #)\",\"sizeBytes\":#,\"usedBytes\":#,\"freeBytes\":#,\
         \"limitBytes\":#,\"entries\":#,\"readers\":#,\
         \"remarks\":[\"every write is on the disk before it is answered\"]}\n"
    );
    assert_eq!(said("store status --quiet"), "embedded (LMDB #)\n");
    assert_eq!(said("store verify"), "✔ # records, and every rule holds\n");
    assert_eq!(home.run(&format!("store verify {options} --quiet")).done(), "0\n");

    // How many there are of each kind is the server's matter; together they are all.
    let told = home.run(&format!("store verify {options} --output json")).done();
    let verified: Value = serde_json::from_str(&told).unwrap();
    let (records, kinds) = (&verified["records"], &verified["kinds"]);
    let counts = kinds.as_object().unwrap().values();
    let sum: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(Some(sum), records.as_u64(), "{told}");
    assert_eq!(
        told,
        format!(
            "{{\"records\":{records},\"kinds\":{kinds},\"pending\":0,\"findingsTotal\":0,\
             \"findings\":[]}}\n"
        )
    );
}
