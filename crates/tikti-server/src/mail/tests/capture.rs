//! What `dev` keeps and shows.

use std::sync::Mutex;

use tikti_domain::testing::START;

use super::*;

#[tokio::test]
async fn a_captured_mail_is_shown_with_its_link_and_the_last_hundred_are_kept() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let capture =
        Capture::default().shown_to(move |line| heard.lock().unwrap().push(line.to_owned()));
    let outbox = outbox(config(MailTransport::Capture(capture.clone())));
    outbox.send(&due(ADDRESS).await, START).await.unwrap();
    assert_eq!(
        *lines.lock().unwrap(),
        [format!(
            "mail to {ADDRESS}: Reset your password: \
             https://id.example.org/action?mode=x&oobCode={CODE}"
        )]
    );
    let mails = capture.mails();
    assert_eq!((mails[0].to.as_str(), mails[0].kind), (ADDRESS, MailKind::PasswordReset));
    assert!(mails[0].language == Language::English && mails[0].text.contains(CODE));
    let last = due("last@example.org").await;
    for _ in 0..100 {
        outbox.send(&last, START).await.unwrap();
    }
    let mails = capture.mails();
    assert_eq!(mails.len(), 100);
    assert!(mails.iter().all(|mail| mail.to == "last@example.org"));
    assert_eq!(format!("{capture:?}"), "Capture");
}

#[tokio::test]
async fn a_mail_that_waited_long_says_what_is_left_of_its_time() {
    let capture = Capture::default();
    let outbox = outbox(config(MailTransport::Capture(capture.clone())));
    let mail = due(ADDRESS).await;
    for (passed, minutes) in [(0, "15"), (31_000, "14"), (15 * 60_000, "1"), (10_000_000, "1")] {
        outbox.send(&mail, START.plus_millis(passed)).await.unwrap();
        let text = capture.mails().pop().unwrap().text;
        assert!(text.contains(&format!("for the next {minutes} minutes")), "{passed}: {text}");
    }
}
