//! What do the parts of a call cost by themselves? The crypto library, bcrypt and the engine, with nothing of
//! Tikti's around them.
//!
//! What takes less than a microsecond is done many times in one call: the loop around it costs as much.
//!
//! Spec: Performance ("raw RSA-2048 signing and HMAC-SHA256 of the crypto library, raw bcrypt, raw point reads of
//! the engine").

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, process, thread};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use tikti_load::{Asking, Broken, Client, Outcome, rank_lower};
use tikti_server::baseline::{Hashing, RawBcrypt};
use tikti_store::{Entry, Key, Kind, OpenOptions, Partition, Store, StoreError, Timestamp};
use tikti_token::{RsaSize, generate_rsa};
use tokio::runtime::Runtime;

use super::scenario::{Clients, boxed};
use crate::cli::{block_on, runtime};
use crate::clock;
use crate::exit::Failure;

/// As many bytes as the signed part of an access token has.
const MESSAGE: [u8; 512] = [b'm'; 512];
/// Signatures by HMAC in one call.
pub(super) const HMACS: u32 = 256;
/// Reads in one call.
pub(super) const READS: u32 = 64;
const PARTITIONS: u64 = 16;
/// As many as one transaction may write.
const RECORDS: u64 = 2048;
/// About a session.
const RECORD: [u8; 300] = [b'r'; 300];
const KIND: Kind = Kind::new("bench");

/// One client for each core.
fn on_each_core<C: Client + 'static>(
    client: impl Fn() -> Result<C, Failure>,
) -> Result<Clients, Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Ok(boxed((0..cores).map(|_| client()).collect::<Result<_, _>>()?))
}

fn done(is_done: bool, what: &str) -> Outcome {
    if is_done { Outcome::Good } else { Outcome::Broken(Broken(format!("{what} failed"))) }
}

/// An RSA key of 2048 bits that exists for one bench.
#[derive(Clone)]
pub(super) struct Signing {
    pair: Arc<KeyPair>,
    random: SystemRandom,
    signature: Vec<u8>,
}

impl Signing {
    fn new() -> Result<Self, Failure> {
        let broken = |what: &str| Failure::refused(format!("making a key to sign with: {what}"));
        let der = generate_rsa(RsaSize::Bits2048).map_err(|cause| broken(&cause.to_string()))?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|cause| broken(&cause.to_string()))?;
        let signature = vec![0; pair.public_modulus_len()];
        #[expect(clippy::disallowed_methods, reason = "PKCS #1 uses none, and the call wants one")]
        let random = SystemRandom::new();
        Ok(Self { pair: Arc::new(pair), random, signature })
    }

    fn sign(&mut self) -> bool {
        let Self { pair, random, signature } = self;
        pair.sign(&RSA_PKCS1_SHA256, random, &MESSAGE, signature).is_ok()
    }
}

impl Client for Signing {
    fn call(&mut self, _: u64) -> Outcome {
        done(self.sign(), "signing")
    }
}

/// Signs once, then asks: what an exchange is made of.
struct SigningAndAsking {
    signing: Signing,
    asking: Asking,
}

impl Client for SigningAndAsking {
    fn call(&mut self, turn: u64) -> Outcome {
        match self.signing.sign() {
            true => self.asking.call(turn),
            false => done(false, "signing"),
        }
    }
}

pub(super) fn rsa() -> Result<Clients, Failure> {
    let signing = Signing::new()?;
    on_each_core(|| Ok(signing.clone()))
}

pub(super) fn rsa_and(asking: Vec<Asking>) -> Result<Clients, Failure> {
    let signing = Signing::new()?;
    let both = |asking| SigningAndAsking { signing: signing.clone(), asking };
    Ok(boxed(asking.into_iter().map(both).collect()))
}

struct Hmac(hmac::Key);

impl Client for Hmac {
    fn call(&mut self, _: u64) -> Outcome {
        let signed = (0..HMACS).map(|_| hmac::sign(&self.0, &MESSAGE));
        done(
            signed.fold(0_u8, |all, tag| all | tag.as_ref().first().copied().unwrap_or(1)) > 0,
            "HMAC",
        )
    }
}

pub(super) fn hmacs() -> Result<Clients, Failure> {
    on_each_core(|| Ok(Hmac(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]))))
}

struct Bcrypt {
    raw: Arc<RawBcrypt>,
    niceness: i32,
}

impl Client for Bcrypt {
    fn begin(&mut self) {
        rank_lower(self.niceness);
    }

    fn call(&mut self, _: u64) -> Outcome {
        done(self.raw.check(), "bcrypt")
    }
}

/// On threads like those of the server's pool.
pub(super) fn bcrypt(hashing: Hashing) -> Result<Clients, Failure> {
    let raw = RawBcrypt::new(hashing.cost).map_err(|cause| Failure::refused(cause.to_string()))?;
    let (raw, niceness) = (Arc::new(raw), hashing.niceness);
    let thread = |_| Bcrypt { raw: Arc::clone(&raw), niceness };
    Ok(boxed((0..hashing.threads).map(thread).collect()))
}

/// A directory of its own, taken away when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("tikti-bench-{}", process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|cause| Failure::file("making", &path, &cause))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // One that stays is in the place for what may be lost.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An embedded store that exists for one bench.
struct Scratch {
    // Closed before its directory goes.
    store: Store,
    keys: Vec<Key>,
    _directory: Directory,
}

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let directory = Directory::new()?;
        let (store, keys) = block_on(Self::fill(&directory.0))?;
        Ok(Self { store, keys, _directory: directory })
    }

    async fn fill(directory: &Path) -> Result<(Store, Vec<Key>), Failure> {
        let broken = |cause: &dyn std::error::Error| {
            Failure::refused(format!("filling a store to read from: {}", Failure::chain(cause)))
        };
        let url = format!("embedded:{}", directory.join("store").display());
        // Its writes are compared with nothing.
        let options = OpenOptions::new([0; 16], "tikti bench");
        let store = Store::open(&url, options).await.map_err(|cause| broken(&cause))?;
        let mut keys = Vec::new();
        for number in 0..PARTITIONS {
            let partition = Partition::new("bench", &number.to_string());
            let key = |id: u64| Key::new(&partition, KIND, id.to_be_bytes());
            let own = Vec::from_iter((0..RECORDS).map(key));
            let write = store.transact(&partition, &[], clock::now(), |txn| {
                own.iter().try_for_each(|key| txn.put(key, Entry::new(&RECORD)))
            });
            write.await.map_err(|cause: StoreError| broken(&cause))?;
            keys.extend(own);
        }
        Ok((store, keys))
    }
}

/// Reads single records, all over the store.
struct PointReads {
    runtime: Runtime,
    scratch: Arc<Scratch>,
    now: Timestamp,
}

impl Client for PointReads {
    fn call(&mut self, turn: u64) -> Outcome {
        let Self { runtime, scratch, now } = self;
        let count = scratch.keys.len().max(1) as u64;
        let found = runtime.block_on(async {
            for number in 0..u64::from(READS) {
                // A step that shares no factor with their number reaches all of them.
                let at = (turn * u64::from(READS) + number).wrapping_mul(7_919) % count;
                let key = usize::try_from(at).ok().and_then(|at| scratch.keys.get(at));
                let Some(key) = key else { return false };
                if !matches!(scratch.store.get(key, *now).await, Ok(Some(_))) {
                    return false;
                }
            }
            true
        });
        done(found, "reading")
    }
}

pub(super) fn point_reads() -> Result<Clients, Failure> {
    let scratch = Arc::new(Scratch::new()?);
    let now = clock::now();
    on_each_core(|| Ok(PointReads { runtime: runtime()?, scratch: Arc::clone(&scratch), now }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_raw_work_succeeds_and_a_store_leaves_nothing() {
        let hashing = Hashing { cost: 4, threads: 2, niceness: 0 };
        let kinds = [rsa(), hmacs(), bcrypt(hashing), point_reads()];
        for clients in kinds {
            for client in clients.unwrap().iter_mut() {
                client.begin();
                assert_eq!([client.call(0), client.call(1 << 40)], [Outcome::Good, Outcome::Good]);
            }
        }
        let directory = env::temp_dir().join(format!("tikti-bench-{}", process::id()));
        assert!(!directory.exists());
    }
}
