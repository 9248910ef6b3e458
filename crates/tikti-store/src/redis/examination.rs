//! Would this server keep what it is given, and what could a crash of it lose?
//!
//! Pure. Invariant: every refusal says what to change.
//!
//! Spec: Storage, "a Redis without AOF is refused outside `dev` unless `store.allowVolatile: true`;
//! `store.requireSync: true` refuses a KVRocks with `sync no`".

use super::info::{Info, Product, Settings};

/// What is asked of every master.
pub(super) struct Wishes {
    pub(super) is_cluster: bool,
    pub(super) wait_replicas: u32,
    pub(super) allow_volatile: bool,
    pub(super) require_sync: bool,
}

/// What one master is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) product: Product,
    pub(super) compare_and_set: bool,
    pub(super) remarks: Vec<String>,
}

/// Judges one master; the sentence of a refusal follows its address and "cannot be used".
pub(super) fn examine_one(
    info: &Info,
    settings: &Settings,
    compare_and_set: bool,
    wishes: &Wishes,
) -> Result<Findings, String> {
    match (wishes.is_cluster, info.is_cluster()) {
        (true, false) => return Err("it is not in cluster mode: use redis: instead".to_owned()),
        (false, true) => return Err("it is in cluster mode: use redis+cluster: instead".to_owned()),
        _ => {}
    }
    if info.field("role").is_some_and(|role| role != "master") {
        return Err("it is a replica: name its master, or use redis+sentinel:".to_owned());
    }
    let policy = info.field("maxmemory_policy").or(settings.value("maxmemory-policy"));
    if let Some(policy) = policy
        && policy != "noeviction"
    {
        return Err(format!(
            "it throws records away when its memory is full: set maxmemory-policy to noeviction, not {policy}"
        ));
    }
    let product = info.product();
    let mut remarks = Vec::new();
    if settings.are_hidden {
        remarks.push(
            "CONFIG GET is forbidden, so not everything that a crash could lose is known"
                .to_owned(),
        );
    }
    let durability = match &product {
        Product::KvRocks(_) => kvrocks(settings, wishes)?,
        Product::Redis(_) | Product::Valkey(_) => redis(info, settings, wishes)?,
    };
    remarks.extend(durability.map(str::to_owned));
    if matches!(product, Product::KvRocks(_)) && settings.value("use-rsid-psync") == Some("no") {
        remarks.push(
            "a master that returns after a failover may silently differ from its replicas: set \
             use-rsid-psync to yes on all nodes"
                .to_owned(),
        );
    }
    remarks.extend(replication(info, wishes));
    Ok(Findings { product, compare_and_set, remarks })
}

type Remark = Option<&'static str>;

fn kvrocks(settings: &Settings, wishes: &Wishes) -> Result<Remark, String> {
    if settings.value("rocksdb.write_options.disable_wal") == Some("yes") {
        return volatile(wishes, "set rocksdb.write_options.disable_wal to no");
    }
    match settings.value("rocksdb.write_options.sync") {
        Some("yes") => Ok(None),
        found if wishes.require_sync => {
            let how = if found.is_some() { "it is no" } else { "it cannot be read" };
            Err(format!("store.requireSync asks for rocksdb.write_options.sync yes, and {how}"))
        }
        Some(_) => Ok(Some(
            "a crash of the machine (not of the server alone) loses the writes of its last seconds, \
             up to some tens of them: rocksdb.write_options.sync is no",
        )),
        None => Ok(Some("what a crash of the machine loses depends on rocksdb.write_options.sync")),
    }
}

fn redis(info: &Info, settings: &Settings, wishes: &Wishes) -> Result<Remark, String> {
    if info.field("aof_enabled") != Some("1") {
        return volatile(wishes, "set appendonly to yes");
    }
    match settings.value("appendfsync") {
        Some("always") => rewriting(settings, wishes),
        found if wishes.require_sync => {
            let found = found.unwrap_or("hidden");
            Err(format!("store.requireSync asks for appendfsync always, and it is {found}"))
        }
        Some("no") => Ok(Some(
            "a crash of the machine (not of the server alone) loses the writes of its last seconds, \
             up to some tens of them: appendfsync is no",
        )),
        Some(_) => Ok(Some(
            "a crash of the machine (not of the server alone) loses the writes of up to two seconds: \
             appendfsync is everysec",
        )),
        None => Ok(Some("what a crash of the machine loses depends on appendfsync")),
    }
}

/// A log that is synced always is not while it is rewritten, where that is asked for.
fn rewriting(settings: &Settings, wishes: &Wishes) -> Result<Remark, String> {
    if settings.value("no-appendfsync-on-rewrite") != Some("yes") {
        return Ok(None);
    }
    if wishes.require_sync {
        let reason = "store.requireSync asks for no-appendfsync-on-rewrite no: as it is, writes are \
                      answered before the disk has them while the log is rewritten";
        return Err(reason.to_owned());
    }
    Ok(Some(
        "a crash of the machine (not of the server alone) while its log is rewritten loses the writes \
         since then, up to some tens of seconds of them: no-appendfsync-on-rewrite is yes",
    ))
}

fn volatile(wishes: &Wishes, cure: &str) -> Result<Remark, String> {
    if wishes.require_sync {
        return Err(format!("store.requireSync asks for a log, and there is none: {cure}"));
    }
    if wishes.allow_volatile {
        return Ok(Some("it writes no log: a restart loses what was written last, or everything"));
    }
    Err(format!("it writes no log, so a restart loses data: {cure}, or set store.allowVolatile"))
}

fn replication(info: &Info, wishes: &Wishes) -> Option<String> {
    let replicas: u32 = info.field("connected_slaves")?.parse().ok()?;
    let wanted = wishes.wait_replicas;
    if replicas < wanted {
        return Some(format!(
            "{replicas} replicas are connected and every write waits for {wanted}: writes will not \
             be answered"
        ));
    }
    (replicas > 0 && wanted == 0).then(|| {
        "a master that is replaced by its replica takes along what had not reached it, which can \
         undo a revocation: see store.waitReplicas"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    const REDIS: &str = "redis_version:7.0.15\r\nrole:master\r\naof_enabled:1\r\n\
                         maxmemory_policy:noeviction\r\nconnected_slaves:0\r\nredis_mode:standalone\r\n";
    const KVROCKS: &str = "kvrocks_version:2.10.1\r\nredis_version:4.0.0\r\nrole:master\r\n\
                           connected_slaves:0\r\n";

    const NO_WISHES: Wishes =
        Wishes { is_cluster: false, wait_replicas: 0, allow_volatile: false, require_sync: false };

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let words = pairs.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]);
        Settings::read(&[Ok(Value::Array(words.collect()))])
    }

    fn remarks(info: &str, pairs: &[(&str, &str)], wishes: &Wishes) -> String {
        let found = examine_one(&Info::read(info), &settings(pairs), false, wishes);
        found.unwrap().remarks.join("; ")
    }

    fn refusal(info: &str, pairs: &[(&str, &str)], wishes: &Wishes) -> String {
        examine_one(&Info::read(info), &settings(pairs), false, wishes).unwrap_err()
    }

    #[test]
    fn a_server_that_keeps_everything_needs_no_remark() {
        assert_eq!(remarks(REDIS, &[("appendfsync", "always")], &NO_WISHES), "");
        let kvrocks = [("rocksdb.write_options.sync", "yes"), ("use-rsid-psync", "yes")];
        let strict = Wishes { require_sync: true, ..NO_WISHES };
        assert_eq!(remarks(KVROCKS, &kvrocks, &strict), "");
    }

    #[test]
    fn says_what_a_crash_could_lose() {
        for (info, pairs, said) in [
            (REDIS, &[("appendfsync", "everysec")], "up to two seconds"),
            (REDIS, &[("appendfsync", "no")], "some tens of them: appendfsync"),
            (REDIS, &[("x", "y")], "depends on appendfsync"),
            (KVROCKS, &[("rocksdb.write_options.sync", "no")], "some tens of them: rocksdb"),
            (KVROCKS, &[("use-rsid-psync", "no")], "use-rsid-psync to yes"),
        ] {
            let found = remarks(info, pairs, &NO_WISHES);
            assert!(found.contains(said), "{found}");
        }
        let replicated = REDIS.replace("connected_slaves:0", "connected_slaves:1");
        assert!(remarks(&replicated, &[], &NO_WISHES).contains("store.waitReplicas"));
        let waits = Wishes { wait_replicas: 2, ..NO_WISHES };
        assert!(remarks(&replicated, &[], &waits).contains("waits for 2"));
        let hidden = Settings::read(&[Ok(Value::Nil)]);
        let found = examine_one(&Info::read(REDIS), &hidden, false, &NO_WISHES).unwrap();
        assert!(found.remarks.concat().contains("CONFIG GET is forbidden"));
    }

    #[test]
    fn a_log_that_is_not_synced_while_it_is_rewritten_is_not_always_synced() {
        let pauses = [("appendfsync", "always"), ("no-appendfsync-on-rewrite", "yes")];
        let found = remarks(REDIS, &pauses, &NO_WISHES);
        assert!(found.contains("no-appendfsync-on-rewrite is yes"), "{found}");
        let strict = Wishes { require_sync: true, ..NO_WISHES };
        let found = refusal(REDIS, &pauses, &strict);
        assert!(found.contains("asks for no-appendfsync-on-rewrite no"), "{found}");
        let syncs = [("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")];
        assert_eq!(remarks(REDIS, &syncs, &strict), "");
    }

    #[test]
    fn refuses_what_would_lose_data() {
        let strict = || Wishes { require_sync: true, ..NO_WISHES };
        let volatile = REDIS.replace("aof_enabled:1", "aof_enabled:0");
        for (info, pairs, wishes, said) in [
            (volatile.as_str(), [("x", "y")], NO_WISHES, "set appendonly to yes"),
            (&volatile, [("x", "y")], strict(), "store.requireSync asks for a log"),
            (REDIS, [("appendfsync", "everysec")], strict(), "it is everysec"),
            (REDIS, [("x", "y")], strict(), "it is hidden"),
            (KVROCKS, [("rocksdb.write_options.sync", "no")], strict(), "it is no"),
            (KVROCKS, [("x", "y")], strict(), "it cannot be read"),
            (
                KVROCKS,
                [("rocksdb.write_options.disable_wal", "yes")],
                NO_WISHES,
                "disable_wal to no",
            ),
            (KVROCKS, [("maxmemory-policy", "allkeys-lru")], NO_WISHES, "not allkeys-lru"),
            (
                &REDIS.replace("noeviction", "volatile-ttl"),
                [("x", "y")],
                NO_WISHES,
                "not volatile-ttl",
            ),
            (&REDIS.replace("role:master", "role:slave"), [("x", "y")], NO_WISHES, "a replica"),
            (
                &REDIS.replace("standalone", "cluster"),
                [("x", "y")],
                NO_WISHES,
                "use redis+cluster: instead",
            ),
            (REDIS, [("x", "y")], Wishes { is_cluster: true, ..NO_WISHES }, "use redis: instead"),
        ] {
            let found = refusal(info, &pairs, &wishes);
            assert!(found.contains(said), "{found} does not say {said}");
        }
    }

    #[test]
    fn accepts_a_volatile_server_where_that_is_allowed_and_says_so() {
        let wishes = Wishes { allow_volatile: true, ..NO_WISHES };
        let volatile = REDIS.replace("aof_enabled:1", "aof_enabled:0");
        assert!(remarks(&volatile, &[], &wishes).contains("a restart loses"));
    }
}
