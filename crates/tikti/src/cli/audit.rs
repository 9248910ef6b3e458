//! `tikti audit`: shows and exports who did what, and proves that an export is whole.
//!
//! Verifying asks nobody but, for a signed head, where its keys are to be had: with `--jwks FILE` it works
//! without any network. What is exported are the links as they are stored, one a line.
//!
//! Spec: Command line, `audit`; Authorization, "Audit".

use clap::{Args, Subcommand};
use serde_json::Value;
use tikti_server::api::{AuditHeadReply, AuditLinkReply, AuditListReply};
use url::Url;

use super::audit_tail;
use super::audit_verify::{self, VerifyArgs};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{self, Reader};
use crate::pages::Pages;
use crate::session::Session;

/// Most events of one page.
pub(super) const LARGEST_PAGE: usize = 200;

/// Show, follow, export and verify who did what
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, oldest first
    #[command(
        after_help = "Example:\n  tikti audit list --from 2026-01-31T00:00:00Z --action role.create"
    )]
    List(ListArgs),
    /// Print events as JSON lines, oldest first, as `tikti audit verify` takes them
    #[command(after_help = "Example:\n  tikti audit export --tenant codecompany > audit.jsonl")]
    Export(ExportArgs),
    /// Print where the log ended when that was last signed: a signed head, to be kept elsewhere
    #[command(
        after_help = "Examples:\n  tikti audit head --tenant codecompany > head.jws\n  tikti audit head --tenant codecompany --checkpoint > begin.jws"
    )]
    Head(HeadArgs),
    Tail(audit_tail::TailArgs),
    Verify(VerifyArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    chosen: ExportArgs,
    /// Only events of this action, such as role.create
    #[arg(long)]
    action: Option<String>,
    /// Only what the user or worker of this id did
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Most events to show
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub(crate) struct HeadArgs {
    #[command(flatten)]
    of: ChainArgs,
    /// The checkpoint behind which the log begins, where old events were removed
    #[arg(long)]
    checkpoint: bool,
}

#[derive(Args)]
pub(super) struct ChainArgs {
    /// Tenant whose events are meant [default: the one of the profile]
    #[arg(long, value_name = "REF", value_parser = super::tenant::reference)]
    tenant: Option<String>,
    /// The deployment's own events, instead of a tenant's
    #[arg(long, conflicts_with = "tenant")]
    deployment: bool,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    of: ChainArgs,
    /// Only events that were added then or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only events that were added before (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

pub(crate) async fn run(context: &Context, command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List(args) => list(context, args).await,
        AuditCommand::Export(args) => export(context, args).await,
        AuditCommand::Head(args) => head(context, args).await,
        AuditCommand::Tail(args) => audit_tail::run(context, args).await,
        AuditCommand::Verify(args) => audit_verify::run(context, args).await,
    }
}

/// The log of a tenant or of the deployment.
pub(super) struct Log<'a> {
    pub(super) session: Session<'a>,
    pub(super) url: Url,
}

impl<'a> Log<'a> {
    /// At the path of its events, with `more` behind it.
    pub(super) async fn open(
        context: &'a Context,
        of: &ChainArgs,
        more: &[&str],
    ) -> Result<Self, Failure> {
        let session = Session::open(context).await?;
        let path = if of.deployment {
            vec!["v1", "audit"]
        } else {
            let tenant = session.tenant(of.tenant.as_deref()).map_err(|failure| {
                failure.next("name one: `--tenant REF`, or `--deployment` for what no tenant has")
            })?;
            vec!["v1", "tenants", tenant, "audit"]
        };
        let url = session.url(&[path.as_slice(), more].concat());
        Ok(Self { session, url })
    }

    /// A page of the events at `url`.
    pub(super) async fn page(
        &self,
        url: &Url,
        size: usize,
        token: Option<&str>,
    ) -> Result<AuditListReply, Failure> {
        let mut url = url.clone();
        url.query_pairs_mut().append_pair("pageSize", &size.clamp(1, LARGEST_PAGE).to_string());
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("pageToken", token);
        }
        self.session.get(url).await
    }
}

/// The events that are asked for, page by page.
struct Chosen<'a>(Log<'a>);

impl<'a> Chosen<'a> {
    async fn open(
        context: &'a Context,
        args: &ExportArgs,
        more: &[(&str, Option<&String>)],
    ) -> Result<Self, Failure> {
        let mut log = Log::open(context, &args.of, &[]).await?;
        let own = [("from", args.from.as_ref()), ("to", args.to.as_ref())];
        for (name, value) in own.iter().chain(more) {
            if let Some(value) = value {
                log.url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(Self(log))
    }

    async fn page(&self, size: usize, token: Option<&str>) -> Result<AuditListReply, Failure> {
        self.0.page(&self.0.url, size, token).await
    }
}

async fn export(context: &Context, args: &ExportArgs) -> Result<(), Failure> {
    let chosen = Chosen::open(context, args, &[]).await?;
    let (mut token, mut is_pruned, mut pages) = (None, false, Pages::of_events());
    loop {
        let page = chosen.page(LARGEST_PAGE, token.as_deref()).await?;
        is_pruned |= page.checkpoint.is_some();
        let lines = page.events.iter().map(serde_json::to_string);
        let lines: Vec<String> = lines.collect::<Result<_, _>>().map_err(|c| unwritable(&c))?;
        if context.output.script(&lines.join("\n"))? == Reader::Gone {
            return Ok(());
        }
        token = pages.next(page.events.len(), page.next_page_token)?;
        if token.is_none() {
            break;
        }
    }
    if is_pruned {
        context.output.note(
            "old events were removed: keep the checkpoint beside it, `tikti audit head --checkpoint`",
        );
    }
    Ok(())
}

async fn head(context: &Context, args: &HeadArgs) -> Result<(), Failure> {
    let Log { session, url } = Log::open(context, &args.of, &["head"]).await?;
    let reply: AuditHeadReply = session.get(url).await?;
    if !args.checkpoint {
        context.output.note(&format!("the log up to event {}, {}", reply.seq, reply.signed_at));
        return context.output.answer(&reply, &reply.head, &reply.head);
    }
    let checkpoint = reply.checkpoint.ok_or_else(|| {
        Failure::refused(
            "there is no checkpoint: no event was removed, the log begins with event 1",
        )
    })?;
    let jws = checkpoint.checkpoint.clone();
    context.output.note(&format!("the log begins behind event {}", checkpoint.seq));
    context.output.answer(&checkpoint, &jws, &jws)
}

async fn list(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let filters = [("action", args.action.as_ref()), ("actor", args.actor.as_ref())];
    let chosen = Chosen::open(context, &args.chosen, &filters).await?;
    let mut pages = Pages::of_events();
    let (mut events, mut head, mut checkpoint, mut token) = (Vec::new(), None, None, None);
    while events.len() < args.limit {
        let page = chosen.page(args.limit - events.len(), token.as_deref()).await?;
        token = pages.next(page.events.len(), page.next_page_token)?;
        events.extend(page.events);
        (head, checkpoint) = (page.head, page.checkpoint);
        if token.is_none() {
            break;
        }
    }
    let seqs = Vec::from_iter(events.iter().map(|link| link.seq.to_string())).join("\n");
    let people = table(&events);
    let has_more = token.is_some();
    let reply = AuditListReply { events, head, checkpoint, next_page_token: token };
    // As a plain value, whose text every format can write.
    let reply = serde_json::to_value(reply).map_err(|cause| unwritable(&cause))?;
    context.output.answer(&reply, &people, &seqs)?;
    if has_more {
        context.output.note("there may be more: `--limit N`, or `--from TIME` for later ones");
    }
    Ok(())
}

fn table(events: &[AuditLinkReply]) -> String {
    if events.is_empty() {
        return "No event.".to_owned();
    }
    let rows = events.iter().map(|link| {
        let event: Value = serde_json::from_str(link.event.get()).unwrap_or_default();
        let text = |pointer: &str| {
            event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()
        };
        let actor = format!("{} {}", text("/actor/type"), text("/actor/id"));
        [link.seq.to_string(), text("/time"), text("/action"), text("/target"), actor]
    });
    output::table(&["SEQ", "TIME", "ACTION", "TARGET", "ACTOR"], rows)
}

fn unwritable(cause: &serde_json::Error) -> Failure {
    Failure::refused(format!("writing the events: {cause}"))
}
