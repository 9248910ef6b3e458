//! A road to a server on which replies to one kind of request are lost: what was asked is done, and nobody hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::Dev;

const ROTATE: &str = "POST /v1/keys/rotate ";

/// Happens when the server has answered and the reply is still on the road.
type Meanwhile = Box<dyn Fn() + Send>;

/// Passes requests on, one a connection.
pub(crate) struct LossyRoad {
    pub(crate) url: String,
    travelled: Arc<Mutex<Travelled>>,
}

#[derive(Default)]
struct Travelled {
    /// How many more replies will be lost.
    losing: usize,
    /// The `Idempotency-Key` of each such request, empty where it has none.
    names: Vec<String>,
    meanwhile: Option<Meanwhile>,
}

impl LossyRoad {
    /// Loses so many replies to rotations of keys at first.
    pub(crate) fn to(dev: &Dev, losing: usize) -> Self {
        Self::losing(dev, ROTATE, losing)
    }

    /// Loses so many replies to requests that begin with `lost`.
    pub(crate) fn losing(dev: &Dev, lost: &str, losing: usize) -> Self {
        let road = Self::watching(lost, dev);
        road.lose(losing);
        road
    }

    /// Counts the requests whose first line begins with `watched`, and loses replies to no others.
    pub(crate) fn watching(watched: &str, dev: &Dev) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let travelled = Arc::new(Mutex::new(Travelled::default()));
        let (there, seen) = (dev.address(), Arc::clone(&travelled));
        let watched = watched.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                pass_on(stream.unwrap(), &there, (&watched, &seen));
            }
        });
        Self { url, travelled }
    }

    pub(crate) fn lose(&self, losing: usize) {
        self.travelled.lock().unwrap().losing = losing;
    }

    /// Does something before each such reply arrives.
    pub(crate) fn meanwhile(&self, done: impl Fn() + Send + 'static) {
        self.travelled.lock().unwrap().meanwhile = Some(Box::new(done));
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.travelled.lock().unwrap().names.clone()
    }
}

fn pass_on(mut stream: TcpStream, there: &str, (watched, travelled): (&str, &Mutex<Travelled>)) {
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

    if head[0].starts_with(watched) {
        let mut travelled = travelled.lock().unwrap();
        travelled.names.push(value("idempotency-key").unwrap_or_default());
        if let Some(done) = &travelled.meanwhile {
            done();
        }
        if travelled.losing > 0 {
            travelled.losing -= 1;
            return;
        }
    }
    // Whoever has hung up reads nothing.
    let _ = stream.write_all(&reply);
}
