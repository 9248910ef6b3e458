//! `tikti audit`: shows and exports who did what, and proves that an export is whole.
//!
//! Verifying asks nobody but, for a signed head, where its keys are to be had: with `--jwks FILE` it works
//! without any network. What is exported are the links as they are stored, one a line.
//!
//! Spec: Command line, `audit`; Authorization, "Audit".

use clap::{Args, Subcommand};
use serde_json::Value;
use tikti_server::api::{AuditLinkReply, AuditListReply};
use url::Url;

use super::audit_verify::{self, VerifyArgs};
use crate::context::{Context, Target};
use crate::exit::Failure;
use crate::http_client::{Credential, HttpClient};
use crate::output;

/// Most events of one page.
const LARGEST_PAGE: usize = 200;

/// Show, export and verify who did what
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
pub(crate) struct ExportArgs {
    /// Tenant whose events are meant [default: the one of the profile]
    #[arg(long, value_name = "REF", value_parser = super::tenant::reference)]
    tenant: Option<String>,
    /// The deployment's own events, instead of a tenant's
    #[arg(long, conflicts_with = "tenant")]
    deployment: bool,
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
        AuditCommand::Verify(args) => audit_verify::run(context, args).await,
    }
}

/// The events that are asked for, page by page.
struct Pages {
    client: HttpClient,
    target: Target,
    url: Url,
}

impl Pages {
    fn new(
        context: &Context,
        args: &ExportArgs,
        more: &[(&str, Option<&String>)],
    ) -> Result<Self, Failure> {
        let target = context.target()?;
        let client = context.client(&target.host)?;
        let mut url = if args.deployment {
            client.url(&["v1", "audit"])
        } else {
            let tenant = args.tenant.as_ref().or(target.tenant.as_ref()).ok_or_else(|| {
                Failure::usage("no tenant is named")
                    .next("name one: `--tenant REF`, or `--deployment` for what no tenant has")
            })?;
            client.url(&["v1", "tenants", tenant, "audit"])
        };
        let own = [("from", args.from.as_ref()), ("to", args.to.as_ref())];
        for (name, value) in own.iter().chain(more) {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(Self { client, target, url })
    }

    async fn page(&self, size: usize, token: Option<&str>) -> Result<AuditListReply, Failure> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("pageSize", &size.clamp(1, LARGEST_PAGE).to_string());
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("pageToken", token);
        }
        self.client.get(url, Credential::Bearer(self.target.id_token()?)).await
    }
}

async fn export(context: &Context, args: &ExportArgs) -> Result<(), Failure> {
    let pages = Pages::new(context, args, &[])?;
    let mut token = None;
    loop {
        let page = pages.page(LARGEST_PAGE, token.as_deref()).await?;
        let lines = page.events.iter().map(serde_json::to_string);
        let lines: Vec<String> = lines.collect::<Result<_, _>>().map_err(|c| unwritable(&c))?;
        context.output.script(&lines.join("\n"))?;
        token = page.next_page_token;
        if token.is_none() {
            return Ok(());
        }
    }
}

async fn list(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let filters = [("action", args.action.as_ref()), ("actor", args.actor.as_ref())];
    let pages = Pages::new(context, &args.chosen, &filters)?;
    let (mut events, mut head, mut token) = (Vec::new(), None, None);
    while events.len() < args.limit {
        let page = pages.page(args.limit - events.len(), token.as_deref()).await?;
        events.extend(page.events);
        head = page.head;
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    let seqs = Vec::from_iter(events.iter().map(|link| link.seq.to_string())).join("\n");
    let people = table(&events);
    let has_more = token.is_some();
    let reply = AuditListReply { events, head, next_page_token: token };
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
    output::table(["SEQ", "TIME", "ACTION", "TARGET", "ACTOR"], rows.collect())
}

fn unwritable(cause: &serde_json::Error) -> Failure {
    Failure::refused(format!("writing the events: {cause}"))
}
