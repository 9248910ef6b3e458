//! `tikti rs-check`: does a resource server of the user's refuse what it must?
//!
//! Two ways. With one good token of a deployment, everything is fired that anybody could make of it; with
//! `--issue-at` the check is the issuer, with a key of its own, and everything is. A deployment's key never
//! signs a hostile token: only an issuer that exists for the check does.
//!
//! Spec: Command line, `rs-check`; Attacks, K1, L5, A6.

mod catalogue;
mod check;
mod der;
mod forge;
mod keys;
mod placeholder;
mod publisher;
mod report;
mod shape;
mod target;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tikti_token::{Audience, DEFAULT_SKEW_SECONDS, Jwk, Policy, UnverifiedToken, peek};

use self::catalogue::{Catalogue, Class, Need};
use self::check::{Check, Control};
use self::forge::{Forge, GoodToken, Source};
use self::keys::{FreshKey, PublicForms, fresh_name};
use self::placeholder::Facts;
use self::publisher::{Documents, Publisher, stranger_url};
use self::report::{Report, SignedBy};
use self::target::{Target, TargetArgs};
use super::keys::trusted_keys;
use super::token::{text_claim, token_use, words};
use super::token_exchange::{self, ExchangeArgs};
use super::token_verify;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;

/// Stands where the route serves no tenant in particular.
const ANY_TENANT: &str = "rs-check-tenant";

/// Fire hostile tokens at a resource server of yours, and say which it accepts
///
/// With a good token (from the session by --aud, or --token) it fires what anybody could make of it.
/// With --issue-at it is the issuer itself, with a fresh key, and fires everything: point a test instance
/// of the server at it. A deployment's own key never signs a hostile token.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti rs-check http://127.0.0.1:9000/jobs --aud backend-worker --scope jobs:read
  tikti rs-check http://127.0.0.1:9000/jobs --aud backend-worker --scope jobs:read \\
      --tenant codecompany --issue-at 127.0.0.1:9400

Exit codes: 0 nothing hostile was accepted, 1 something was, 3 the good token is refused too.
What each token is: conformance/hostile-tokens.json; more in docs/rs-check.md.")]
pub(crate) struct RsCheckArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Audience that the route requires
    #[arg(long, alias = "audience", value_name = "CLIENT", required_unless_present = "token")]
    aud: Option<String>,
    /// Scopes that the route requires, with spaces or commas between them
    #[arg(long, alias = "scopes", value_name = "SCOPES")]
    scope: Vec<String>,
    /// Tenant that the route serves; with --issue-at its id, as in `tid`
    #[arg(long, value_name = "REF")]
    tenant: Option<String>,
    /// Subject of the tokens [default: the signed-in user; with --issue-at rs-check]
    #[arg(long, alias = "subject", value_name = "SUB")]
    sub: Option<String>,
    /// Event types: the route wants worker tokens
    #[arg(long, value_name = "TYPES")]
    event_types: Vec<String>,
    /// The good token, instead of one from the session; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", conflicts_with = "issue_at")]
    token: Option<String>,
    /// Be the issuer at this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    issue_at: Option<SocketAddr>,
    /// What the issuer is called, where the server reaches it by another address
    #[arg(long, value_name = "URL", requires = "issue_at")]
    issuer: Option<String>,
    /// How long the server may take to accept the good token of the new issuer
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "issue_at")]
    wait: u64,
    /// Fire this token of the catalogue and no other; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Fail also by what the RFCs leave open, by 5xx, and by a good token that is refused
    #[arg(long)]
    strict: bool,
}

pub(crate) async fn run(context: &Context, args: &RsCheckArgs) -> Result<(), Failure> {
    if args.issue_at.is_some() {
        context.refuse_server_options("rs-check --issue-at")?;
    }
    let target = Target::new(context, &args.target)?;
    let catalogue = args.chosen(Catalogue::read()?)?;
    let report = match args.issue_at {
        Some(address) => as_issuer(context, args, target, catalogue, address).await?,
        None => with_token(context, args, target, catalogue).await?,
    };
    report.tell(context, args.strict)
}

/// The check makes every token.
async fn as_issuer(
    context: &Context,
    args: &RsCheckArgs,
    target: Target,
    mut catalogue: Catalogue,
    address: SocketAddr,
) -> Result<Report, Failure> {
    let publisher = Publisher::bind(address).await?;
    let url = publisher.url();
    let issuer = args.issuer.clone().unwrap_or_else(|| url.clone());
    let key = FreshKey::generate(&fresh_name("rs-check-")?)?;
    let facts = args.facts(&issuer, &key.public.jwk.kid)?;
    let stranger = FreshKey::generate(&facts.kid)?;
    let documents = Documents::of_stranger(&stranger)?.with_issuer(&issuer, &key)?;
    let documents = Arc::new(documents);
    let class = match words("--event-types", &args.event_types)? {
        Some(types) => {
            let base = catalogue.base.get_mut(&Class::Worker);
            base.and_then(|base| base.claims.insert("eventTypes".to_owned(), json!(types)));
            Class::Worker
        }
        None => Class::Access,
    };
    let needs_options = leave_out_what_says_nothing(&mut catalogue, args, &facts);
    let there = stranger_url(&issuer);
    let source = Source::Issuer(key);
    let forge = Forge::new(source, class, catalogue.base, &facts, (stranger, &there))?;
    context.output.note(&format!(
        "Let the server take {issuer} for its issuer (keys at {issuer}/.well-known/jwks.json); \
         it has {} s to accept a good token",
        args.wait
    ));
    let wait = Duration::from_secs(args.wait);
    let mut check = Check::new(target, forge, Arc::clone(&documents), class);
    let checked = check.run(context, Control::Made { wait }, &catalogue.tokens);
    let rows = tokio::select! {
        rows = checked => rows?,
        never = publisher.serve(documents) => match never {},
    };
    Ok(check.report(rows, SignedBy::Check, needs_options))
}

/// A deployment made one good token.
async fn with_token(
    context: &Context,
    args: &RsCheckArgs,
    target: Target,
    catalogue: Catalogue,
) -> Result<Report, Failure> {
    let token = args.good_token(context).await?;
    let said = peek(&token)
        .map_err(|cause| Failure::usage(format!("the good token is not one: {cause}")))?;
    let jwk = verified(context, args, &token, &said).await?;
    let facts = args.facts_of(&said, &jwk)?;
    let class = if token_use(&said) == Some("worker") { Class::Worker } else { Class::Access };
    let good = GoodToken::new(&token, said.header().clone(), said.claims().clone())
        .ok_or_else(|| Failure::usage("the good token has no three parts"))?;
    let publisher = Publisher::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let stranger = FreshKey::generate(&facts.kid)?;
    let documents = Arc::new(Documents::of_stranger(&stranger)?);
    let there = stranger_url(&publisher.url());
    let source = Source::Token { good, public: PublicForms::of(jwk)? };
    let forge = Forge::new(source, class, catalogue.base, &facts, (stranger, &there))?;
    let mut check = Check::new(target, forge, Arc::clone(&documents), class);
    let checked = check.run(context, Control::Given(&token), &catalogue.tokens);
    let rows = tokio::select! {
        rows = checked => rows?,
        never = publisher.serve(documents) => match never {},
    };
    Ok(check.report(rows, SignedBy::Deployment, 0))
}

/// Takes out what is not hostile to a route that requires no tenant or no scope; counts it.
fn leave_out_what_says_nothing(
    catalogue: &mut Catalogue,
    args: &RsCheckArgs,
    facts: &Facts,
) -> usize {
    let before = catalogue.tokens.len();
    catalogue.tokens.retain(|entry| {
        entry.needs.iter().all(|need| match need {
            Need::Tenant => args.tenant.is_some(),
            Need::Scope => !facts.scopes.is_empty(),
        })
    });
    before - catalogue.tokens.len()
}

/// Makes sure that the good token is one, by the issuer's keys; gives the key that signed it.
async fn verified(
    context: &Context,
    args: &RsCheckArgs,
    token: &str,
    said: &UnverifiedToken,
) -> Result<Jwk, Failure> {
    let trusted = trusted_keys(context, &context.target()?.host).await?;
    let audience = args.audience_of(said);
    let scopes = words("--scope", &args.scope)?.unwrap_or_default();
    let policy = Policy {
        issuer: &trusted.issuer,
        audience: Audience::OneOf(&[audience.as_str()]),
        required_scopes: &Vec::from_iter(scopes.iter().map(String::as_str)),
        skew_seconds: DEFAULT_SKEW_SECONDS,
    };
    token_verify::verify(token, said, &trusted, &policy).map_err(|cause| {
        Failure::usage(format!("the good token is not good: {cause}"))
            .next("see what it holds: `tikti token inspect TOKEN`")
    })?;
    let kid = said.header().get("kid").and_then(Value::as_str).unwrap_or_default();
    let key = trusted.keys.get(kid).map(|key| key.to_jwk());
    key.ok_or_else(|| Failure::refused("the issuer does not publish the key of the good token"))
}

impl RsCheckArgs {
    /// The catalogue, or what `--only` names of it.
    fn chosen(&self, mut catalogue: Catalogue) -> Result<Catalogue, Failure> {
        for name in &self.only {
            if !catalogue.tokens.iter().any(|entry| entry.name == *name) {
                return Err(Failure::usage(format!("the catalogue has no token `{name}`")));
            }
        }
        let is_chosen = |name: &String| self.only.is_empty() || self.only.contains(name);
        catalogue.tokens.retain(|entry| entry.is_control() || is_chosen(&entry.name));
        Ok(catalogue)
    }

    /// What the check says as the issuer.
    fn facts(&self, issuer: &str, kid: &str) -> Result<Facts, Failure> {
        Ok(Facts {
            issuer: issuer.to_owned(),
            audience: self.aud.clone().unwrap_or_default(),
            tenant: self.tenant.clone().unwrap_or_else(|| ANY_TENANT.to_owned()),
            subject: self.sub.clone().unwrap_or_else(|| "rs-check".to_owned()),
            scopes: words("--scope", &self.scope)?.unwrap_or_default(),
            kid: kid.to_owned(),
        })
    }

    /// What a good token says.
    fn facts_of(&self, said: &UnverifiedToken, jwk: &Jwk) -> Result<Facts, Failure> {
        let text = |name| text_claim(said, name).unwrap_or_default().to_owned();
        let own = || text("scope").split(' ').map(str::to_owned).collect();
        Ok(Facts {
            issuer: text("iss"),
            audience: self.audience_of(said),
            tenant: text("tid"),
            subject: text("sub"),
            scopes: words("--scope", &self.scope)?.unwrap_or_else(own),
            kid: jwk.kid.clone(),
        })
    }

    /// What was named, else what the token is for.
    fn audience_of(&self, said: &UnverifiedToken) -> String {
        let own = || match said.claims().get("aud") {
            Some(Value::Array(several)) => several.first().and_then(Value::as_str),
            other => other.and_then(Value::as_str),
        };
        self.aud.clone().unwrap_or_else(|| own().unwrap_or_default().to_owned())
    }

    /// The one that was given, or a new one for the session.
    async fn good_token(&self, context: &Context) -> Result<String, Failure> {
        match self.token.as_deref() {
            Some("-") => return input::piped_token(),
            Some(token) => return Ok(token.to_owned()),
            None => {}
        }
        let wanted = ExchangeArgs {
            aud: self.aud.clone().unwrap_or_default(),
            scope: self.scope.clone(),
            tenant: self.tenant.clone(),
            sub: self.sub.clone(),
            event_types: self.event_types.clone(),
            ttl: None,
        };
        let reply = token_exchange::ask(context, &context.target()?, &wanted).await?;
        Ok(reply.access_token)
    }
}
