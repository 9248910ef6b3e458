//! What the tests of this engine share.

use redis::{Cmd, Value, cmd};
use tokio::time::{Duration, Instant, sleep};

use crate::redis::servers::{Failure, Reply, Request, Servers, Slot};
use crate::store::Access;
use crate::{OpenError, OpenOptions};

pub(super) fn options() -> OpenOptions {
    OpenOptions::new([5; 16], "test")
}

pub(super) async fn connect(url: &str) -> Servers {
    try_connect(url, &options()).await.unwrap()
}

pub(super) async fn try_connect(url: &str, options: &OpenOptions) -> Result<Servers, OpenError> {
    Servers::connect(url, options, Access::ReadAndWrite).await
}

pub(super) async fn refusal(url: &str, options: &OpenOptions) -> String {
    try_connect(url, options).await.err().expect("it is refused").to_string()
}

pub(super) fn words(words: &[&str]) -> Cmd {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command
}

pub(super) fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

pub(super) fn slot(key: &str) -> Slot {
    let tag = key.strip_prefix('{').and_then(|key| key.split_once('}')).unwrap().0;
    Slot::of(tag.as_bytes())
}

/// One command on one key.
pub(super) async fn write(servers: &Servers, command: &[&str]) -> Result<Vec<Reply>, Failure> {
    let request = Request { commands: vec![words(command)], is_write: true };
    servers.write(slot(command[1]), &request).await
}

pub(super) async fn set(servers: &Servers, key: &str, value: &str) -> Result<(), Failure> {
    let replies = write(servers, &["SET", key, value]).await?;
    assert_eq!(replies, [Ok(Value::Okay)]);
    Ok(())
}

/// `MULTI; SET; SET; EXEC` on two keys of one slot.
pub(super) async fn transact(servers: &Servers, tag: &str, value: &str) -> Result<(), Failure> {
    let [one, two] = ["one", "two"].map(|id| format!("{{{tag}}}/k/{id}"));
    let commands = vec![
        words(&["MULTI"]),
        words(&["SET", &one, value]),
        words(&["SET", &two, value]),
        words(&["EXEC"]),
    ];
    let request = Request { commands, is_write: true };
    let replies = servers.write(Slot::of(tag.as_bytes()), &request).await?;
    let done = Value::Array(vec![Value::Okay, Value::Okay]);
    assert_eq!(replies.last(), Some(&Ok(done)));
    Ok(())
}

pub(super) async fn get(servers: &Servers, key: &str) -> Value {
    let replies = servers.read(vec![(slot(key), words(&["GET", key]))]).await;
    replies.unwrap().remove(0).unwrap()
}

/// Tries until it works; panics when that takes more than two seconds.
pub(super) async fn recovers<T, E: std::fmt::Debug>(
    mut call: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let begin = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(begin.elapsed() < Duration::from_secs(2), "it did not recover: {error:?}");
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
}
