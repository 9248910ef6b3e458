//! A road to a server on which replies to rotations of keys are lost: what was asked is done, and nobody hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::Dev;

const ROTATE: &str = "POST /v1/keys/rotate ";

/// Passes requests on, one a connection.
pub(crate) struct LossyRoad {
    pub(crate) url: String,
    travelled: Arc<Mutex<Travelled>>,
}

#[derive(Default)]
struct Travelled {
    /// How many more replies will be lost.
    losing: usize,
    /// The `Idempotency-Key` of each rotation.
    names: Vec<String>,
}

impl LossyRoad {
    /// Loses so many replies at first.
    pub(crate) fn to(dev: &Dev, losing: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let travelled = Arc::new(Mutex::new(Travelled { losing, names: Vec::new() }));
        let (there, seen) = (dev.address(), Arc::clone(&travelled));
        thread::spawn(move || {
            for stream in listener.incoming() {
                pass_on(stream.unwrap(), &there, &seen);
            }
        });
        Self { url, travelled }
    }

    pub(crate) fn lose(&self, losing: usize) {
        self.travelled.lock().unwrap().losing = losing;
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.travelled.lock().unwrap().names.clone()
    }
}

fn pass_on(mut stream: TcpStream, there: &str, travelled: &Mutex<Travelled>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        // Whoever hangs up without asking is not passed on.
        if reader.read_line(&mut line).unwrap_or_default() == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push(line);
    }
    let value = |name: &str| {
        let values = head.iter().filter_map(|line| line.split_once(": "));
        let mut values = values.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim_end().to_owned())
    };
    let length = value("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();

    let mut server = TcpStream::connect(there).unwrap();
    server.write_all(head.concat().as_bytes()).unwrap();
    server.write_all(b"connection: close\r\n\r\n").unwrap();
    server.write_all(&body).unwrap();
    let mut reply = Vec::new();
    server.read_to_end(&mut reply).unwrap();

    if head[0].starts_with(ROTATE) {
        let mut travelled = travelled.lock().unwrap();
        travelled.names.push(value("idempotency-key").unwrap_or_default());
        if travelled.losing > 0 {
            travelled.losing -= 1;
            return;
        }
    }
    // Whoever has hung up reads nothing.
    let _ = stream.write_all(&reply);
}
