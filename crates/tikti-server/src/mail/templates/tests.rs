//! The shipped texts, and what an operator may put in their place.

use std::fs;

use tempfile::TempDir;

use super::*;

const PLAIN: &str = "https://id.example.org/action?mode=resetPassword&oobCode=ABC";

fn values() -> Values<'static> {
    Values { link: PLAIN, code: "ABC", email: "ann@example.org", expires_minutes: "15" }
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn problems(files: &[(&str, &str)]) -> String {
    let directory = directory(files);
    Templates::load(directory.path()).unwrap_err().join("\n")
}

#[test]
fn every_shipped_text_says_everything_and_fetches_nothing() {
    let templates = Templates::shipped().unwrap();
    for kind in MailKind::ALL {
        for language in Language::ALL {
            let written = templates.write((kind, language), &values());
            let html = written.html.unwrap();
            assert!(!written.subject.is_empty() && !written.subject.contains('{'));
            assert!(written.text.lines().any(|line| line == PLAIN), "{}", written.text);
            assert!(html.contains(&format!("href=\"{}\"", PLAIN.replace('&', "&amp;"))));
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
            for text in [&written.text, &html] {
                assert!(text.contains("ann@example.org"), "{text}");
                assert!(!text.contains("{{"), "{text}");
            }
            for fetched in ["src=", "<link", "<script", "<img", "url(", "@import"] {
                assert!(!html.contains(fetched), "{kind:?}: {fetched}");
            }
        }
    }
}

#[test]
fn the_text_of_a_reset_is_this() {
    let templates = Templates::shipped().unwrap();
    let written = templates.write((MailKind::PasswordReset, Language::English), &values());
    assert_eq!(written.subject, "Reset your password");
    insta::assert_snapshot!(written.text, @r"
    Hello,

    somebody asked to reset the password of ann@example.org. If it was you, choose a new one here:

    https://id.example.org/action?mode=resetPassword&oobCode=ABC

    The link works once, for the next 15 minutes.

    If it was not you, there is nothing to do: your password stays as it is.
    ");
}

#[test]
fn a_replaced_pair_is_used_and_the_others_stay() {
    let directory = directory(&[
        ("password_reset.en.txt", "For {{ email }}\r\n\r\nUse {{code}}.\n{ {x} }"),
        ("password_reset.en.html", "<b>{{code}}</b>"),
        ("verify_email.pt.txt", "Assunto\n{{link}}"),
        (".password_reset.en.txt.swp", "{{nonsense}}"),
    ]);
    fs::create_dir(directory.path().join("..data")).unwrap();
    let templates = Templates::load(directory.path()).unwrap();
    let written = templates.write((MailKind::PasswordReset, Language::English), &values());
    assert_eq!(written.subject, "For ann@example.org");
    assert_eq!(written.text, "Use ABC.\n{ {x} }");
    assert_eq!(written.html.unwrap(), "<b>ABC</b>");
    let written = templates.write((MailKind::VerifyEmail, Language::Portuguese), &values());
    assert_eq!((written.subject.as_str(), written.text.as_str()), ("Assunto", PLAIN));
    assert!(written.html.is_none());
    let written = templates.write((MailKind::PasswordReset, Language::Portuguese), &values());
    assert_eq!(written.subject, "Redefina a sua senha");
}

#[test]
fn every_problem_of_a_template_is_named_with_its_line() {
    let long = format!("Subject\n{{{{link}}}}{}", "x".repeat(MOST_BYTES));
    insta::assert_snapshot!(problems(&[
        ("email_signin.en.txt", "Your code is {{code}}\n\n{{link}}\n{{ tenant }} and\n{{link\n}}\n"),
        ("email_signin.pt.txt", "\n{{link}}\n"),
        ("password_reset.en.html", "{{link}}"),
        ("recover_email.en.txt", "Subject\nnothing\n"),
        ("recover_email.en.html", "<p>\n{{password}}</p>"),
        ("password-reset.en.txt", "x"),
        ("verify_email.de.txt", "x"),
        ("verify_email.en.txt", &long),
        ("verify_email.en.txt.orig", "x"),
    ]), @r"
    password-reset.en.txt: names no mail; such a name is {password_reset,email_signin,verify_email,verify_and_change_email,recover_email}.{en,pt}.{txt,html}
    verify_email.de.txt: names no mail; such a name is {password_reset,email_signin,verify_email,verify_and_change_email,recover_email}.{en,pt}.{txt,html}
    verify_email.en.txt: is longer than 65536 bytes
    verify_email.en.txt.orig: names no mail; such a name is {password_reset,email_signin,verify_email,verify_and_change_email,recover_email}.{en,pt}.{txt,html}
    password_reset.en.html: has no .txt beside it, which holds the subject
    email_signin.en.txt, line 1: unknown placeholder {{code}}; known here: email, expiresMinutes
    email_signin.en.txt, line 4: unknown placeholder {{tenant}}; known here: link, code, email, expiresMinutes
    email_signin.en.txt, line 5: {{ without }}
    email_signin.pt.txt, line 1: must be the subject
    recover_email.en.html, line 2: unknown placeholder {{password}}; known here: link, code, email, expiresMinutes
    recover_email.en.html: has neither {{link}} nor {{code}}
    recover_email.en.txt: has neither {{link}} nor {{code}}
    ");
}

#[test]
fn a_directory_that_is_not_there_is_a_problem() {
    let missing = Path::new("/nowhere/at/all");
    let problems = Templates::load(missing).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("/nowhere/at/all: "), "{problems:?}");
}

#[test]
fn e7_what_is_filled_in_is_text_in_html_and_one_line_in_a_subject() {
    let directory = directory(&[
        ("verify_email.en.txt", "For {{email}}\n{{link}}"),
        ("verify_email.en.html", "<a title='{{email}}' href=\"{{link}}\">{{email}}</a>"),
    ]);
    let templates = Templates::load(directory.path()).unwrap();
    let hostile = Values {
        link: "https://x/?a=1&b=\"><script>",
        code: "<b>",
        email: "'><script>\r\nBcc: x@y",
        expires_minutes: "1",
    };
    let written = templates.write((MailKind::VerifyEmail, Language::English), &hostile);
    assert_eq!(written.subject, "For '><script>  Bcc: x@y");
    assert_eq!(
        written.html.unwrap(),
        "<a title='&#39;&gt;&lt;script&gt;\r\nBcc: x@y' \
         href=\"https://x/?a=1&amp;b=&quot;&gt;&lt;script&gt;\">&#39;&gt;&lt;script&gt;\r\nBcc: x@y</a>"
    );
    // What was filled in is not looked at again.
    let nested = Values { email: "{{code}}", ..hostile };
    let written = templates.write((MailKind::VerifyEmail, Language::English), &nested);
    assert_eq!(written.subject, "For {{code}}");
}
