//! `tikti audit verify`: was anything changed, dropped, moved, put in or cut off?
//!
//! The log is read line by line, so that its size does not matter. What the lines prove and what only a
//! signed head can prove is kept apart: without a head the end of a log is nobody's word, and without a
//! checkpoint it begins with the first event that there ever was.
//!
//! Spec: Command line, `audit`; Authorization, "Audit".

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use clap::Args;
use serde::Serialize;
use tikti_server::audit_log::{Head, Link, Tampering, read_head, read_line, verify};
use tikti_token::{Jwks, KeySet, verify_audit_head};
use url::Url;

use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::Credential;

/// More than any signed head or set of keys has.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Prove that no event of an exported log was changed, dropped, moved or put in
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti audit verify audit.jsonl
  tikti audit verify audit.jsonl --head head.jws --jwks audit-keys.json
  tikti audit verify audit.jsonl --begin checkpoint.jws --head head.jws

The keys of a server are at /v1/audit/keys.")]
pub(crate) struct VerifyArgs {
    /// Log of `tikti audit export`, - for standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Signed head, itself or a file with it: proves that nothing that it names was cut off
    #[arg(long, value_name = "JWS-OR-FILE")]
    head: Option<String>,
    /// Signed head or checkpoint behind which the log begins, itself or a file with it
    #[arg(long, value_name = "JWS-OR-FILE")]
    begin: Option<String>,
    /// Public keys that heads are verified with [default: those of the server of the profile]
    #[arg(long, value_name = "FILE-OR-URL")]
    jwks: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    valid: bool,
    /// Of the last event.
    seq: u64,
    hash: &'a str,
    /// Up to which event a signed head proves that nothing was cut off.
    signed_to: Option<u64>,
    /// Behind which event it begins, by a signed head or checkpoint.
    begins_behind: Option<u64>,
    /// How many events before that were removed because of their age, by a signed checkpoint.
    pruned: Option<u64>,
}

/// A head that was verified.
struct Signed {
    chain: String,
    head: Head,
    /// How many events are gone, where it is a checkpoint.
    pruned: Option<u64>,
}

#[derive(Serialize)]
struct Broken {
    valid: bool,
    kind: &'static str,
    seq: u64,
    reason: String,
}

pub(crate) async fn run(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let (begin, head) = heads(context, args).await?;
    let mut unreadable = None;
    let lines = lines(&args.file)?.map_while(|line| match line {
        Ok(line) => Some(link(&line)),
        Err(cause) => {
            unreadable = Some(cause);
            None
        }
    });
    let head = head.map(|signed| signed.head);
    let begins = begin.as_ref().map(|signed| &signed.head);
    let verified = verify(lines, begins, head.as_ref());
    if let Some(cause) = unreadable {
        return Err(Failure::file("reading", Path::new(&args.file), &cause));
    }
    match verified {
        Ok(end) => whole(context, &end, begin.as_ref(), head.as_ref()),
        Err(tampering) => Err(broken(context, tampering, begin.is_some())?),
    }
}

/// The lines of a log, without their line feeds.
fn lines(file: &str) -> Result<Box<dyn Iterator<Item = io::Result<Vec<u8>>>>, Failure> {
    if file == "-" {
        return Ok(Box::new(io::stdin().lock().split(b'\n')));
    }
    let opened =
        File::open(file).map_err(|cause| Failure::file("opening", Path::new(file), &cause))?;
    Ok(Box::new(BufReader::new(opened).split(b'\n')))
}

fn link(line: &[u8]) -> Option<Link> {
    read_line(std::str::from_utf8(line).ok()?)
}

/// Where the log begins and ended, by what the arguments name; nobody is asked where they name neither.
async fn heads(
    context: &Context,
    args: &VerifyArgs,
) -> Result<(Option<Signed>, Option<Signed>), Failure> {
    let text = |argument: &Option<String>| argument.as_deref().map(jws).transpose();
    let (begin, head) = (text(&args.begin)?, text(&args.head)?);
    if begin.is_none() && head.is_none() {
        return Ok((None, None));
    }
    let keys = keys(context, args.jwks.as_deref()).await?;
    let signed = |text: Option<String>| text.map(|text| signed(&text, &keys)).transpose();
    let (begin, head) = (signed(begin)?, signed(head)?);
    if let (Some(Signed { chain: one, .. }), Some(Signed { chain: other, .. })) = (&begin, &head)
        && one != other
    {
        return Err(Failure::refused(format!("the heads are of two chains, {one} and {other}")));
    }
    Ok((begin, head))
}

/// What a signed head says.
fn signed(jws: &str, keys: &KeySet) -> Result<Signed, Failure> {
    let claims = verify_audit_head(jws, keys).map_err(|cause| {
        Failure::refused(format!("the signed head is refused at step {}: {cause}", cause.step()))
    })?;
    let head = read_head(claims.seq, &claims.chained_at, &claims.hash);
    let head = head.ok_or_else(|| Failure::refused("the signed head names no time"))?;
    if claims.pruned.is_some_and(|pruned| pruned != claims.seq) {
        return Err(Failure::refused("the checkpoint names another number of events than its own"));
    }
    Ok(Signed { chain: claims.chain.clone(), head, pruned: claims.pruned })
}

/// A signed head that stands there itself, or in the file of that name.
fn jws(argument: &str) -> Result<String, Failure> {
    if argument.starts_with("eyJ") && argument.split('.').count() == 3 {
        return Ok(argument.to_owned());
    }
    Ok(bounded(argument)?.trim().to_owned())
}

fn bounded(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(MAX_FILE_BYTES).read_to_string(&mut text))
        .map_err(|cause| Failure::file("reading", Path::new(file), &cause))?;
    Ok(text)
}

async fn keys(context: &Context, jwks: Option<&str>) -> Result<KeySet, Failure> {
    let Some(jwks) = jwks else {
        // Not those of tokens: heads are verified long after their keys have retired.
        let host = context.target()?.host;
        let client = context.client(&host)?;
        let set: Jwks =
            client.get(client.url(&["v1", "audit", "keys"]), Credential::Nothing).await?;
        return KeySet::from_jwks(&set)
            .map_err(|cause| Failure::refused(format!("the keys of {host}: {cause}")));
    };
    let wrong = |cause: &dyn std::fmt::Display| {
        Failure::usage(format!("{jwks} is no usable set of keys: {cause}"))
    };
    let set: Jwks = if jwks.starts_with("https://") || jwks.starts_with("http://") {
        let url = Url::parse(jwks).map_err(|cause| wrong(&cause))?;
        let client = context.client(&BaseUrl::parse(&url.origin().ascii_serialization())?)?;
        client.get(url, Credential::Nothing).await?
    } else {
        serde_json::from_str(&bounded(jwks)?).map_err(|cause| wrong(&cause))?
    };
    KeySet::from_jwks(&set).map_err(|cause| wrong(&cause))
}

fn whole(
    context: &Context,
    end: &Head,
    begin: Option<&Signed>,
    head: Option<&Head>,
) -> Result<(), Failure> {
    let output = &context.output;
    output.done(&format!("The log is whole up to event {}.", end.seq));
    let begins_behind = begin.map(|begin| begin.head.seq);
    let pruned = begin.and_then(|begin| begin.pruned);
    match (begins_behind, pruned) {
        (Some(seq), Some(_)) => output.note(&format!(
            "it begins behind event {seq}: what came before was removed, as a signed checkpoint says"
        )),
        (Some(seq), None) => output.note(&format!(
            "it begins behind event {seq}, by a signed head; what came before is not shown here"
        )),
        (None, _) => {}
    }
    let signed_to = head.map(|head| head.seq);
    match signed_to {
        Some(seq) => output.note(&format!("a signed head vouches for it up to event {seq}")),
        None => output.note("without a signed head nobody knows whether later events were cut off"),
    }
    let (seq, hash) = (end.seq, &end.hash);
    let answer = Whole { valid: true, seq, hash, signed_to, begins_behind, pruned };
    output.answer(&answer, "", &end.hash)
}

/// Answers programs with what was done to the log, and gives the failure that ends the command.
fn broken(context: &Context, tampering: Tampering, has_begin: bool) -> Result<Failure, Failure> {
    let (kind, seq, reason) = (tampering.kind(), tampering.seq(), tampering.to_string());
    context.output.answer(&Broken { valid: false, kind, seq, reason }, "", "")?;
    let failure = Failure::refused(format!("the log is not whole: {tampering}"));
    Ok(match tampering {
        Tampering::Dropped { seq: 1, .. } if !has_begin => failure.next(
            "where old events were removed, name the checkpoint behind which it begins: `--begin`",
        ),
        _ => failure,
    })
}
