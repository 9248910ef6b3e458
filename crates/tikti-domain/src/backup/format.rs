//! What does a backup look like?
//!
//! ```text
//! "tikti backup 1\n"
//! length of the header, 4 bytes little endian; the header, JSON
//! frames, each:
//!   length of its body, 4 bytes little endian
//!   its kind: 0 the deployment's record, 1 records, 2 the end
//!   the body, sealed where the header says so
//!   its tag, 16 bytes
//! ```
//!
//! The first frame says whose backup it is, the last one how many records there are and what they
//! add up to. A record is: length of its key, 2 bytes; the key; length of its envelope, 4 bytes; the
//! envelope as the store keeps it; all little endian.
//!
//! Invariant: a frame counts only at its own place in its own file. Its nonce is its number and kind,
//! and its tag covers the header, the nonce and the body: AES-256-GCM under a key that is derived for
//! this file alone from the backup key and a random salt, so that nonces never meet; without a key,
//! the first half of a SHA-256, which finds accidents and not intent. The scheme is that of STREAM
//! (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance", 2015).
//!
//! Spec: Operations, "Backup".

use std::io::{ErrorKind, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hmac};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use tikti_store::copy::Tally;
use tikti_store::{Key, Stored};

use super::{BackupError, BackupKey, BackupOptions};
use crate::clock::Timestamp;
use crate::error::InternalError;

const PRODUCT: &[u8] = b"tikti backup ";
const MAGIC: &[u8; 15] = b"tikti backup 1\n";
const MAX_HEADER_BYTES: usize = 4096;
/// A frame ends behind the record that fills it, and a record has at most 1 MiB and its key.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
const SALT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

const CUT: &str = "a frame is not whole";
const UNORDERED: &str = "a frame is not where it belongs";
const UNREADABLE: &str = "its header cannot be read";

/// What stands in the clear before everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    /// When the backup was made.
    pub(super) created: Timestamp,
    /// From which engine.
    pub(super) engine: String,
    /// About how many records follow.
    #[serde(default)]
    pub(super) entries: Option<u64>,
    /// Present where the frames are sealed.
    #[serde(default)]
    pub(super) sealed: Option<Sealed>,
}

/// What the holder of the key needs to open the frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sealed {
    /// Random, so that every file has a key of its own; base64url.
    salt: String,
    /// Says whether a key is the right one, and nothing else of it; base64url.
    key_check: String,
}

/// How the tags of one file are made.
pub(super) enum Seal {
    Plain,
    Key(LessSafeKey),
}

impl Header {
    /// The header of a new file, and its seal.
    pub(super) fn new(
        options: &BackupOptions<'_>,
        engine: &str,
        entries: Option<u64>,
    ) -> Result<(Self, Seal), BackupError> {
        let mut header =
            Self { created: options.now, engine: engine.to_owned(), entries, sealed: None };
        let Some(key) = options.key else {
            return Ok((header, Seal::Plain));
        };
        let salt = options.random.bytes::<SALT_BYTES>()?;
        header.sealed = Some(Sealed {
            salt: BASE64URL_NOPAD.encode(&salt),
            key_check: BASE64URL_NOPAD.encode(&derive(key, "key check", &salt)),
        });
        Ok((header, seal_of(key, &salt)?))
    }

    /// The seal of a file that is being read.
    fn seal(&self, key: Option<&BackupKey>) -> Result<Seal, BackupError> {
        let (sealed, key) = match (&self.sealed, key) {
            (None, None) => return Ok(Seal::Plain),
            (None, Some(_)) => return Err(BackupError::NotSealed),
            (Some(_), None) => return Err(BackupError::KeyRequired),
            (Some(sealed), Some(key)) => (sealed, key),
        };
        let unreadable = |_| BackupError::Damaged { what: UNREADABLE };
        let salt = BASE64URL_NOPAD.decode(sealed.salt.as_bytes()).map_err(unreadable)?;
        let check = BASE64URL_NOPAD.decode(sealed.key_check.as_bytes()).map_err(unreadable)?;
        let ours = derive(key, "key check", &salt);
        constant_time::verify_slices_are_equal(&ours, &check).map_err(|_| BackupError::WrongKey)?;
        seal_of(key, &salt)
    }
}

/// 32 bytes for one purpose in one file: HMAC-SHA256 as a pseudo-random function of the backup key.
fn derive(key: &BackupKey, purpose: &str, salt: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.0.expose());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("tikti backup 1 {purpose} ").as_bytes());
    context.update(salt);
    context.sign().as_ref().to_vec()
}

fn seal_of(key: &BackupKey, salt: &[u8]) -> Result<Seal, BackupError> {
    let of_file = zeroize::Zeroizing::new(derive(key, "frames", salt));
    let key = UnboundKey::new(&AES_256_GCM, &of_file);
    let key = key.map_err(|_| InternalError::Crypto("the backup key"))?;
    Ok(Seal::Key(LessSafeKey::new(key)))
}

impl Seal {
    /// Seals a body in its place, and gives its tag.
    fn close(&self, place: &Place<'_>, body: &mut [u8]) -> Result<[u8; TAG_BYTES], InternalError> {
        const BROKEN: InternalError = InternalError::Crypto("sealing");
        match self {
            Self::Plain => place.digest(body).ok_or(BROKEN),
            Self::Key(key) => {
                let nonce = Nonce::assume_unique_for_key(place.nonce());
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(place.header), body);
                let tag = tag.map_err(|_| BROKEN)?;
                tag.as_ref().first_chunk().copied().ok_or(BROKEN)
            }
        }
    }

    /// Opens a body and its tag in their place.
    fn open(&self, place: &Place<'_>, mut body: Vec<u8>) -> Option<Vec<u8>> {
        let length = body.len().checked_sub(TAG_BYTES)?;
        match self {
            Self::Plain => {
                let (content, tag) = body.split_at_checked(length)?;
                if place.digest(content)? != tag {
                    return None;
                }
            }
            Self::Key(key) => {
                let nonce = Nonce::assume_unique_for_key(place.nonce());
                key.open_in_place(nonce, Aad::from(place.header), &mut body).ok()?;
            }
        }
        body.truncate(length);
        Some(body)
    }
}

/// Where a frame stands.
struct Place<'a> {
    header: &'a [u8],
    number: u64,
    kind: u8,
}

impl Place<'_> {
    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        let kind_and_number = [self.kind].into_iter().chain(self.number.to_be_bytes());
        for (byte, given) in nonce.iter_mut().zip(kind_and_number) {
            *byte = given;
        }
        nonce
    }

    fn digest(&self, body: &[u8]) -> Option<[u8; TAG_BYTES]> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.header);
        context.update(&self.nonce());
        context.update(body);
        context.finish().as_ref().first_chunk().copied()
    }
}

/// Records on their way into a frame.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) count: u64,
    pub(super) bytes: Vec<u8>,
}

impl Records {
    pub(super) fn add(&mut self, key: &Key, record: &Stored) {
        // Both are bounded by the store, far below what their lengths can say.
        let key_bytes = u16::try_from(key.as_bytes().len()).unwrap_or(u16::MAX);
        let record_bytes = u32::try_from(record.as_bytes().len()).unwrap_or(u32::MAX);
        self.count += 1;
        self.bytes.extend_from_slice(&key_bytes.to_le_bytes());
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(&record_bytes.to_le_bytes());
        self.bytes.extend_from_slice(record.as_bytes());
    }
}

/// What a frame is made of.
pub(super) enum Body<'a> {
    /// The record of the deployment, so that others' backups are refused before anything is written.
    Deployment(&'a Stored),
    Records(Records),
}

/// Writes a file from its beginning to its end.
pub(super) struct FrameWriter<'a> {
    out: &'a mut (dyn Write + Send),
    header: Vec<u8>,
    seal: Seal,
    number: u64,
}

impl<'a> FrameWriter<'a> {
    pub(super) fn begin(
        out: &'a mut (dyn Write + Send),
        header: &Header,
        seal: Seal,
    ) -> Result<Self, BackupError> {
        let json = serde_json::to_vec(header).map_err(std::io::Error::from)?;
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        let header = [&MAGIC[..], &length.to_le_bytes(), &json].concat();
        out.write_all(&header)?;
        Ok(Self { out, header, seal, number: 0 })
    }

    pub(super) fn put(&mut self, body: Body<'_>) -> Result<(), BackupError> {
        match body {
            Body::Deployment(stored) => self.frame(DEPLOYMENT, stored.as_bytes().to_vec()),
            Body::Records(records) => self.frame(RECORDS, records.bytes),
        }
    }

    /// Writes the end.
    pub(super) fn finish(mut self, tally: Tally) -> Result<(), BackupError> {
        let body = [tally.records.to_le_bytes(), tally.checksum.to_le_bytes()].concat();
        self.frame(END, body)?;
        Ok(self.out.flush()?)
    }

    fn frame(&mut self, kind: u8, mut body: Vec<u8>) -> Result<(), BackupError> {
        let place = Place { header: &self.header, number: self.number, kind };
        let tag = self.seal.close(&place, &mut body)?;
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&[kind])?;
        self.out.write_all(&body)?;
        self.out.write_all(&tag)?;
        self.number += 1;
        Ok(())
    }
}

const DEPLOYMENT: u8 = 0;
const RECORDS: u8 = 1;
const END: u8 = 2;

/// A frame that was read and is what was written.
pub(super) enum Frame {
    Records(Vec<(Key, Stored)>),
    End(Tally),
}

/// Reads a file from its beginning to its end.
pub(super) struct FrameReader<'a> {
    input: &'a mut (dyn Read + Send),
    header_bytes: Vec<u8>,
    pub(super) header: Header,
    seal: Seal,
    number: u64,
}

impl<'a> FrameReader<'a> {
    /// Reads the header.
    pub(super) fn begin(
        input: &'a mut (dyn Read + Send),
        key: Option<&BackupKey>,
    ) -> Result<Self, BackupError> {
        let mut header_bytes = vec![0; MAGIC.len()];
        read_exact(input, &mut header_bytes).map_err(|error| match error {
            BackupError::Truncated => BackupError::NotABackup,
            other => other,
        })?;
        if header_bytes != MAGIC {
            let version = header_bytes.strip_prefix(PRODUCT).ok_or(BackupError::NotABackup)?;
            let found = version.trim_ascii().escape_ascii().to_string();
            return Err(BackupError::OtherVersion { found });
        }
        let mut length = [0; 4];
        read_exact(input, &mut length)?;
        let unreadable = || BackupError::Damaged { what: UNREADABLE };
        let bytes = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if bytes > MAX_HEADER_BYTES {
            return Err(unreadable());
        }
        let mut json = vec![0; bytes];
        read_exact(input, &mut json)?;
        let header: Header = serde_json::from_slice(&json).map_err(|_| unreadable())?;
        header_bytes.extend_from_slice(&length);
        header_bytes.extend_from_slice(&json);
        let seal = header.seal(key)?;
        Ok(Self { input, header_bytes, header, seal, number: 0 })
    }

    /// Reads the first frame: the deployment's record.
    pub(super) fn deployment(&mut self, key: &Key) -> Result<Stored, BackupError> {
        let (kind, body) = self.frame()?;
        if kind != DEPLOYMENT {
            return Err(BackupError::Damaged { what: UNORDERED });
        }
        parse(key, &body)
    }

    /// Reads any other frame. Behind the end there is nothing.
    pub(super) fn next(&mut self) -> Result<Frame, BackupError> {
        match self.frame()? {
            (RECORDS, body) => records(&body).map(Frame::Records),
            (END, body) => {
                let mut behind = [0];
                if self.input.read(&mut behind)? != 0 {
                    return Err(BackupError::Damaged { what: "something stands behind its end" });
                }
                let numbers = body.split_first_chunk::<8>();
                let (records, checksum) = numbers
                    .and_then(|(records, rest)| Some((records, rest.first_chunk::<8>()?)))
                    .ok_or(BackupError::Damaged { what: CUT })?;
                Ok(Frame::End(Tally {
                    records: u64::from_le_bytes(*records),
                    checksum: u64::from_le_bytes(*checksum),
                }))
            }
            _ => Err(BackupError::Damaged { what: UNORDERED }),
        }
    }

    fn frame(&mut self) -> Result<(u8, Vec<u8>), BackupError> {
        let (mut length, mut kind) = ([0; 4], [0]);
        read_exact(self.input, &mut length)?;
        read_exact(self.input, &mut kind)?;
        let [kind] = kind;
        let bytes = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if bytes > MAX_BODY_BYTES {
            return Err(BackupError::Damaged { what: "a frame is longer than any" });
        }
        let mut body = vec![0; bytes + TAG_BYTES];
        read_exact(self.input, &mut body)?;
        let place = Place { header: &self.header_bytes, number: self.number, kind };
        let body = self.seal.open(&place, body);
        let body = body.ok_or(BackupError::Damaged { what: "the tag of a frame does not fit" })?;
        self.number += 1;
        Ok((kind, body))
    }
}

/// A file that ends too early is told from one that cannot be read.
fn read_exact(input: &mut (dyn Read + Send), target: &mut [u8]) -> Result<(), BackupError> {
    input.read_exact(target).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => BackupError::Truncated,
        _ => error.into(),
    })
}

fn parse(key: &Key, bytes: &[u8]) -> Result<Stored, BackupError> {
    Stored::parse(key, bytes).map_err(|_| BackupError::Damaged { what: "a record is damaged" })
}

fn records(mut body: &[u8]) -> Result<Vec<(Key, Stored)>, BackupError> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let (key, record, rest) = split_record(body).ok_or(BackupError::Damaged { what: CUT })?;
        let key = Key::parse(key).ok_or(BackupError::Damaged { what: "a key is none" })?;
        let record = parse(&key, record)?;
        records.push((key, record));
        body = rest;
    }
    Ok(records)
}

fn split_record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (record, rest) = rest.split_at_checked(length)?;
    Some((key, record, rest))
}
