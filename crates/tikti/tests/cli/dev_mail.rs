//! The mails of `tikti dev`: shown to whoever started it, and files for programs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use crate::support::{Dev, Home, ask};

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Already gone where it could not start.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn each_mail_is_shown_and_is_a_file_of_its_owners() {
    let home = Home::new();
    let line = format!("dev --listen 127.0.0.1:0 {}", home.store_options());
    let mut dev = Ended(home.command(&line).spawn().unwrap());
    let mut lines = BufReader::new(dev.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut log = dev.0.stderr.take().unwrap();
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    let after = |line: &str, word: &str| line.trim().strip_prefix(word).map(str::to_owned);
    let password = lines.find_map(|line| after(&line, "password "));
    let mailbox_page = lines.find_map(|line| after(&line, "mails ")).unwrap();
    let address = mailbox_page.trim().strip_prefix("http://").unwrap();
    let address = address.strip_suffix("/dev/mailbox").unwrap().to_owned();
    assert!(lines.any(|line| line.starts_with("Ctrl-C ends it")));
    let password = password.unwrap();
    home.run_with_input("auth login --user root@corp.sys --password-stdin", password.trim()).done();
    home.run_with_input("user create ann@example.org --password-stdin", "a long and quiet river")
        .done();

    let mail = Path::new(&Dev::data(&home)).join("mail");
    for count in 1..=2 {
        home.run("user reset-password ann@example.org").done();
        let shown = lines.find(|line| line.starts_with("mail to ann@example.org: ")).unwrap();
        let mut files =
            Vec::from_iter(fs::read_dir(&mail).unwrap().map(|file| file.unwrap().path()));
        files.sort();
        assert_eq!((files.len(), mode(&mail), mode(&files[0])), (count, 0o700, 0o600), "{files:?}");
        let last: Value = serde_json::from_slice(&fs::read(&files[count - 1]).unwrap()).unwrap();
        let text = |member: &str| last[member].as_str().unwrap().to_owned();
        assert_eq!(
            (text("to").as_str(), text("requestType").as_str()),
            ("ann@example.org", "PASSWORD_RESET")
        );
        assert!(
            shown.contains(&text("subject")) && shown.ends_with(&text("link")),
            "{shown} {last}"
        );
        assert!(text("link").contains(&text("oobCode")) && text("sentAt").ends_with('Z'), "{last}");
        assert_eq!(last.as_object().unwrap().len(), 6);
        let (status, listed) = ask(&address, "GET /dev/mailbox.json HTTP/1.1\r\n", "");
        let listed = listed.as_array().unwrap();
        assert_eq!((status, listed.len(), &listed[count - 1]), (200, count, &last));
    }
}

#[test]
fn tries_are_limited_where_that_is_asked_for_and_nowhere_else() {
    for (option, last) in [("", 200), ("--limits", 429)] {
        let home = Home::new();
        let options = format!("{} {option}", home.store_options());
        let dev = Dev::start_with(&home, "127.0.0.1:0", &options);
        let head = format!(
            "POST /v1/accounts/sendOobCode HTTP/1.1\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n",
            dev.text("apiKey")
        );
        let body = r#"{"requestType":"PASSWORD_RESET","email":"nobody@example.org"}"#;
        // Three an hour.
        let statuses: Vec<_> = (0..4).map(|_| ask(&dev.address(), &head, body).0).collect();
        assert_eq!(statuses, [200, 200, 200, last], "{option}");
    }
}
