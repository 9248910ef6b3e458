//! Which scripts are run, and how?
//!
//! A bare script is alone on its server but not one write at a crash on KVRocks; inside `MULTI` and
//! `EXEC` it is one batch and one wait for the disk. Redis and Valkey put what a script did into their
//! log as one transaction anyway, and with a full memory refuse whatever is queued in a `MULTI`: there
//! a script that only removes runs bare, so that it makes room. Invariant: every key that a script touches is
//! declared; no script reads a clock or calls what one of the servers lacks.
//!
//! Spec: Storage, "`transact` is `MULTI; EVALSHA; EXEC` with all keys declared".

use std::sync::{Arc, OnceLock};

use redis::{Cmd, ServerErrorKind, Value};

use super::info::Product;
use super::replies;
use super::servers::{Failure, Reply, Request, Servers, Slot};
use crate::error::StoreError;

const DOING: &str = "running a script";

/// Replaces a string by another if it is as expected. Answers 1, or 0 where it is not.
///
/// KEYS: the record. ARGV: what is expected, what to write, how long to keep it or nothing.
const REPLACE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1";

/// Judges all expectations, and then makes all changes. Answers 0, or the number of the first record
/// that is not as expected.
///
/// KEYS: the records, then the indexes of the changed ones. ARGV: how many records, the time in two
/// halves of 32 bits (a Lua number has 53); then four for each record: what is expected ('?' is
/// anything, nothing is no record or an expired one), what to write ('?' is no change, nothing is a
/// deletion), how long to keep it or nothing, and the number of its index among KEYS or nothing.
const TRANSACT: &str = "
local now_high, now_low = tonumber(ARGV[2]), tonumber(ARGV[3])
local function is_expired(raw)
  local a, b, c, d, e, f, g, h = string.byte(raw, 22, 29)
  if not h then return false end
  local low = a + b * 256 + c * 65536 + d * 16777216
  local high = e + f * 256 + g * 65536 + h * 16777216
  if high == 4294967295 and low == 4294967295 then return false end
  return high < now_high or (high == now_high and low <= now_low)
end
local count = tonumber(ARGV[1])
for i = 1, count do
  local expected = ARGV[4 * i]
  if expected ~= '?' then
    local found = redis.call('GET', KEYS[i])
    if expected == '' then
      if found and not is_expired(found) then return i end
    elseif found ~= expected then
      return i
    end
  end
end
for i = 1, count do
  local key, record, ttl = KEYS[i], ARGV[4 * i + 1], ARGV[4 * i + 2]
  if record ~= '?' then
    local index = KEYS[tonumber(ARGV[4 * i + 3]) or 0]
    local id = index and string.sub(key, string.len(index) + 2)
    if record == '' then
      redis.call('DEL', key)
      if index then redis.call('ZREM', index, id) end
    else
      if ttl == '' then
        redis.call('SET', key, record)
      else
        redis.call('SET', key, record, 'PX', ttl)
      end
      if index then redis.call('ZADD', index, 0, id) end
    end
  end
end
return 0";

/// Removes the entries of an index whose records are gone. Answers how many.
///
/// KEYS: the index, then the records.
const FORGET: &str = "
local removed = 0
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local id = string.sub(KEYS[i], string.len(KEYS[1]) + 2)
    removed = removed + redis.call('ZREM', KEYS[1], id)
  end
end
return removed";

/// What a script is to a crash.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// One write at most, which is whole by itself.
    One,
    /// Several, which happen together.
    Several,
    /// The same, and none of them takes memory.
    Removals,
}

/// A script, and its digest once a server has told it.
pub(super) struct Script {
    text: &'static str,
    writes: Writes,
    digest: Arc<OnceLock<String>>,
}

/// All scripts of the engine.
pub(super) struct Scripts {
    pub(super) replace: Script,
    pub(super) transact: Script,
    /// The same, for a batch that only removes.
    pub(super) remove: Script,
    pub(super) forget: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |text, writes| Script { text, writes, digest: Arc::default() };
        let transact = script(TRANSACT, Writes::Several);
        let digest = Arc::clone(&transact.digest);
        let remove = Script { text: TRANSACT, writes: Writes::Removals, digest };
        Self {
            replace: script(REPLACE, Writes::One),
            transact,
            remove,
            forget: script(FORGET, Writes::Removals),
        }
    }
}

impl Script {
    /// Runs the script at the master of `slot`. `add_arguments` adds the number of the keys, the keys
    /// and the other arguments; it may be called twice.
    ///
    /// A server that does not know the script has done nothing, and is sent the text.
    pub(super) async fn run(
        &self,
        servers: &Servers,
        slot: Slot,
        add_arguments: impl Fn(&mut Cmd),
    ) -> Result<Reply, Failure> {
        let digest = match self.digest.get() {
            Some(digest) => digest.clone(),
            None => self.tell(servers, slot).await?,
        };
        let mut call = redis::cmd("EVALSHA");
        call.arg(digest);
        add_arguments(&mut call);
        let reply = self.call(servers, slot, call).await?;
        let is_unknown = matches!(&reply, Err(error)
            if error.kind() == Some(ServerErrorKind::NoScript));
        if !is_unknown {
            return Ok(reply);
        }
        // The digest may have come from another node, or from before a restart of this one. To tell it
        // would not do: while a slot is moved, the request ends at a node that we cannot address.
        let mut call = redis::cmd("EVAL");
        call.arg(self.text);
        add_arguments(&mut call);
        self.call(servers, slot, call).await
    }

    async fn call(&self, servers: &Servers, slot: Slot, call: Cmd) -> Result<Reply, Failure> {
        let is_bare = match self.writes {
            Writes::One => true,
            Writes::Several => false,
            Writes::Removals => {
                matches!(servers.features().product, Product::Redis(_) | Product::Valkey(_))
            }
        };
        let commands =
            if is_bare { vec![call] } else { vec![redis::cmd("MULTI"), call, redis::cmd("EXEC")] };
        let place = commands.len() - 1;
        let replies = servers.write(slot, &Request { commands, is_write: true }).await?;
        let last = replies.into_iter().nth(place);
        let last = last.ok_or_else(|| Failure::Lost(replies::unknown_shape(DOING)))?;
        if is_bare {
            return Ok(last);
        }
        let of_exec = match last {
            Ok(Value::Array(inner)) => inner.into_iter().next(),
            Ok(_) => None,
            Err(error) => return Ok(Err(error)),
        };
        match of_exec {
            Some(Value::ServerError(error)) => Ok(Err(error)),
            Some(value) => Ok(Ok(value)),
            None => Err(Failure::Lost(replies::unknown_shape(DOING))),
        }
    }

    /// Whatever becomes of this, nothing of the request itself has been executed.
    async fn tell(&self, servers: &Servers, slot: Slot) -> Result<String, Failure> {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(self.text);
        let answered =
            servers.write(slot, &Request { commands: vec![load], is_write: false }).await;
        let replies = answered.map_err(|failure| match failure {
            Failure::NotExecuted(error) | Failure::Lost(error) => Failure::NotExecuted(error),
        })?;
        let digest = digest(replies).map_err(Failure::NotExecuted)?;
        Ok(self.digest.get_or_init(|| digest).clone())
    }
}

fn digest(replies: Vec<Reply>) -> Result<String, StoreError> {
    let digest = replies::string(DOING, replies::only(DOING, replies)?)?;
    let digest = digest.and_then(|digest| String::from_utf8(digest).ok());
    digest.ok_or_else(|| replies::unknown_shape(DOING))
}
