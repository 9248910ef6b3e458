//! `tikti tenant`: makes, lists, shows and chooses tenants.
//!
//! Spec: Command line, `tenant`; HTTP API, "Tenant administration".

use clap::{Args, Subcommand};
use tikti_server::api::{CreateTenantRequest, TenantListReply, TenantReply};

use crate::context::{Context, Remembered, Target};
use crate::exit::Failure;
use crate::http_client::{Credential, HttpClient};
use crate::output;

/// Make, list, show and choose tenants
#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant, with the roles and clients of the template
    #[command(after_help = "Example:\n  tikti tenant create --slug codecompany")]
    Create(CreateArgs),
    /// List all tenants for a global ADMIN, one's own otherwise
    #[command(after_help = "Example:\n  tikti tenant list --output json")]
    List,
    /// Show a tenant
    #[command(after_help = "Example:\n  tikti tenant get codecompany")]
    Get(Reference),
    /// Make a tenant the one that commands mean where none is named
    #[command(after_help = "Example:\n  tikti tenant use codecompany")]
    Use(Reference),
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Name in references, fixed for ever: 2 to 63 of a-z, 0-9 and -
    #[arg(long)]
    slug: String,
    /// Name for people [default: the slug]
    #[arg(long)]
    name: Option<String>,
    /// Tenant id, where it must be a given one [default: made by the server]
    #[arg(long)]
    id: Option<String>,
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id or slug of the tenant
    #[arg(value_name = "REF", value_parser = reference)]
    tenant: String,
}

/// Refuses what cannot be one segment of a path; everything else is judged by the server.
pub(super) fn reference(text: &str) -> Result<String, &'static str> {
    match text {
        "" | "." | ".." => Err("not an id or slug"),
        _ => Ok(text.to_owned()),
    }
}

pub(crate) async fn run(context: &Context, command: &TenantCommand) -> Result<(), Failure> {
    let target = context.target()?;
    let administration =
        Administration { context, target: &target, client: context.client(&target.host)? };
    match command {
        TenantCommand::Create(args) => administration.create(args).await,
        TenantCommand::List => administration.list().await,
        TenantCommand::Get(reference) => administration.show(&reference.tenant).await,
        TenantCommand::Use(reference) => administration.choose(&reference.tenant).await,
    }
}

/// The tenants of one server, as the signed-in user sees them.
struct Administration<'a> {
    context: &'a Context,
    target: &'a Target,
    client: HttpClient,
}

impl Administration<'_> {
    async fn create(&self, args: &CreateArgs) -> Result<(), Failure> {
        let request = CreateTenantRequest {
            slug: args.slug.clone(),
            name: args.name.clone(),
            id: args.id.clone(),
        };
        let url = self.client.url(&["v1", "tenants"]);
        let bearer = Credential::Bearer(self.target.id_token()?);
        let tenant: TenantReply = self.client.post(url, bearer, &request).await?;
        let output = &self.context.output;
        output.done(&format!("Tenant {} created ({})", tenant.slug, tenant.id));
        output.answer(&tenant, "", &tenant.id)
    }

    async fn list(&self) -> Result<(), Failure> {
        let mut tenants = Vec::new();
        let mut page_token = None;
        loop {
            let page = self.page(page_token.as_deref()).await?;
            tenants.extend(page.tenants);
            page_token = page.next_page_token;
            if page_token.is_none() {
                break;
            }
        }
        let ids = tenants.iter().map(|tenant| tenant.id.as_str());
        let ids = Vec::from_iter(ids).join("\n");
        let people = table(&tenants);
        let all = TenantListReply { tenants, next_page_token: None };
        self.context.output.answer(&all, &people, &ids)
    }

    async fn page(&self, token: Option<&str>) -> Result<TenantListReply, Failure> {
        let mut url = self.client.url(&["v1", "tenants"]);
        url.query_pairs_mut().append_pair("pageSize", "200");
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("pageToken", token);
        }
        let bearer = Credential::Bearer(self.target.id_token()?);
        self.client.get(url, bearer).await
    }

    async fn show(&self, reference: &str) -> Result<(), Failure> {
        let tenant = self.find(reference).await?;
        let people = output::fields(vec![
            ("id", tenant.id.clone()),
            ("slug", tenant.slug.clone()),
            ("name", tenant.name.clone()),
            ("status", tenant.status.clone()),
            ("created", tenant.created_at.clone()),
        ]);
        self.context.output.answer(&tenant, &people, &tenant.id)
    }

    async fn choose(&self, reference: &str) -> Result<(), Failure> {
        let tenant = self.find(reference).await?;
        let remembered = self.context.remember(self.target, |profile| {
            profile.tenant_id = Some(tenant.id.clone());
        })?;
        if remembered == Remembered::Nowhere {
            let host = &self.target.host;
            return Err(Failure::usage(format!("no profile of {host} is in use"))
                .next(format!("make one: `tikti init --host {host}`")));
        }
        let output = &self.context.output;
        output.done(&format!(
            "Tenant {} is the one of profile `{}` now ({})",
            tenant.slug, self.target.profile_name, tenant.id
        ));
        output.answer(&tenant, "", &tenant.id)
    }

    async fn find(&self, reference: &str) -> Result<TenantReply, Failure> {
        let url = self.client.url(&["v1", "tenants", reference]);
        let bearer = Credential::Bearer(self.target.id_token()?);
        self.client.get(url, bearer).await
    }
}

fn table(tenants: &[TenantReply]) -> String {
    if tenants.is_empty() {
        return "No tenant yet: `tikti tenant create --slug SLUG` makes one.".to_owned();
    }
    let rows = tenants.iter().map(|tenant| {
        [
            tenant.id.clone(),
            tenant.slug.clone(),
            tenant.name.clone(),
            tenant.status.clone(),
            tenant.created_at.clone(),
        ]
    });
    output::table(["ID", "SLUG", "NAME", "STATUS", "CREATED"], rows.collect())
}
