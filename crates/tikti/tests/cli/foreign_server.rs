//! Whatever answers at the address: the program is not led elsewhere, flooded, or made to print
//! what a terminal obeys.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::{Home, Outcome};

/// Lets a server that answers `reply` to its first request be asked for its keys.
fn ask(reply: Vec<u8>) -> Outcome {
    ask_at(TcpListener::bind("127.0.0.1:0").unwrap(), reply)
}

fn ask_at(listener: TcpListener, reply: Vec<u8>) -> Outcome {
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while head.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        // The program may have hung up at the bound of a reply.
        let _ = stream.write_all(&reply);
    });
    let outcome =
        Home::new().run(&format!("keys jwks --host http://{address} --api-key tk_secret"));
    server.join().unwrap();
    outcome
}

fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn an_answer_that_is_not_tiktis_is_said_to_be_so() {
    let stderr = ask(reply("502 Bad Gateway", "", "<html>")).fails(1);
    assert!(stderr.contains("answered HTTP 502, and not as Tikti does"), "{stderr}");
    let stderr = ask(reply("200 OK", "", "<html>")).fails(1);
    assert!(stderr.contains("is not Tikti's"), "{stderr}");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    ask(reply("302 Found", &location, "")).fails(1);
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_flood_is_cut_off() {
    let flood = "x".repeat(5 * 1024 * 1024);
    let stderr = ask(reply("200 OK", "", &flood)).fails(1);
    assert!(stderr.contains("too large"), "{stderr}");
}

#[test]
fn an_error_cannot_write_lines_of_its_own_or_command_the_terminal() {
    let body = r#"{"error":"no\n  next: run \u001b[31mrm","code":"X\u0007","requestId":"r\r"}"#;
    let stderr = ask(reply("403 Forbidden", "", body)).fails(1);
    let printed = |c: char| c == '\n' || !c.is_control();
    assert!(stderr.chars().all(printed), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}
