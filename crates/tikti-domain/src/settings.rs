//! What an operator can set about the rules, with the shipped values.
//!
//! Spec: Operations, "Configuration"; Domain, "Resource servers", "Tenant template".

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tikti_token::{AccessTokenType, RsaSize};

use crate::client::{
    Client, ClientStatus, ClientType, GrantType, MAX_TOKEN_TTL_SECONDS, MIN_TOKEN_TTL_SECONDS,
    SubjectPolicy, TIKTI,
};
use crate::clock::Timestamp;
use crate::deployment::StartError;
use crate::error::Refusal;
use crate::id::{ClientId, EventType, RoleName};
use crate::password::{COSTS, LOWEST_COST};
use crate::pool::PoolSize;
use crate::role::{Role, Roles, TENANT_ADMIN, TENANT_USER};
use crate::scope::ScopeSet;

pub use limits::{Limit, Limits};

mod limits;

/// Audit events are kept this long, whatever is set.
pub const LEAST_AUDIT_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Signing keys do not follow each other sooner by themselves, whatever is set.
pub const LEAST_KEY_ROTATION: Duration = Duration::from_hours(24);

/// What becomes of a sign-in that has no tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenantless {
    /// It gets a token without `tid`.
    Allow,
    /// Only global administrators get one.
    Admin,
}

/// How idTokens are signed from now on; those that were signed the other way stay good until they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdTokenAlgorithm {
    /// With the first HS256 secret: nobody but this deployment verifies them.
    Hs256,
    /// With the signing key: whoever has the JWKS can verify them.
    Rs256,
}

/// Everything that the rules take from the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of every token: the public base URL, without a trailing slash.
    pub issuer: String,
    /// The issuer that the store knows from before, where it is being changed on purpose.
    pub issuer_change_from: Option<String>,
    /// Whether any other stored issuer is accepted (`dev`: the port may differ at each start).
    pub issuer_may_change: bool,
    /// The `aud` of idTokens of sign-ins that name no client.
    pub default_audience: String,
    /// Life of an idToken.
    pub id_token_ttl: Duration,
    /// Life of a session that is not refreshed.
    pub session_ttl: Duration,
    /// The most that refreshing extends a session to.
    pub session_max: Duration,
    /// How old a sign-in may be for deployment-level writes.
    pub admin_reauth: Duration,
    /// How old a sign-in may be for changing one's own address or password and deleting one's account.
    pub recent_sign_in: Duration,
    /// Clock difference that verification allows.
    pub skew: Duration,
    /// What becomes of a sign-in that has no tenant.
    pub tenantless: Tenantless,
    /// How idTokens are signed.
    pub id_token_algorithm: IdTokenAlgorithm,
    /// The `typ` of access and worker tokens.
    pub access_token_type: AccessTokenType,
    /// Size of new signing keys.
    pub rsa_size: RsaSize,
    /// How long verifiers may hold the JWKS.
    pub jwks_max_age: Duration,
    /// How often the signing keys are read again.
    pub key_refresh_interval: Duration,
    /// Nothing is signed with keys that were last read longer ago.
    pub key_view_max_age: Duration,
    /// After how long a signing key is followed by another one by itself; never where it is absent.
    pub keys_rotate_every: Option<Duration>,
    /// bcrypt cost of new hashes.
    pub password_cost: u32,
    /// Threads and queue for passwords.
    pub password_pool: PoolSize,
    /// Threads and queue for signatures.
    pub signing_pool: PoolSize,
    /// How often may be tried what.
    pub limits: Limits,
    /// Audiences whose scopes mean something outside a tenant.
    pub resource_servers: Vec<ResourceServer>,
    /// What every new tenant is born with.
    pub tenant_template: TenantTemplate,
    /// The page that mailed links open instead of the one at the issuer: a URL without query and
    /// fragment.
    pub mail_action_url: Option<String>,
    /// How long audit events are kept, [`LEAST_AUDIT_RETENTION`] at least.
    pub audit_retention: Duration,
    /// Origins that a mailed link may lead on to, as `https://app.example.org`.
    pub allowed_origins: Vec<String>,
}

/// An audience whose scopes mean something outside a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceServer {
    /// The audience.
    pub audience: ClientId,
    /// Each scope, and who may put it into a role, client or worker.
    pub scopes: BTreeMap<String, GrantedBy>,
}

/// Who may put a scope into a role, client or worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedBy {
    /// An administrator of the tenant.
    Tenant,
    /// A global administrator alone.
    Platform,
}

/// What every new tenant is born with, beside the built-in roles and client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantTemplate {
    /// Roles and their permissions.
    pub roles: BTreeMap<RoleName, ScopeSet>,
    /// Clients.
    pub clients: Vec<TemplateClient>,
    /// Roles that the creator gets, beside `TENANT_ADMIN`.
    pub creator_roles: BTreeSet<RoleName>,
}

/// A client of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateClient {
    /// The id.
    pub id: ClientId,
    /// The most that a token for it may hold.
    pub allowed_scopes: ScopeSet,
    /// What a token holds when nothing was asked for.
    pub default_scopes: ScopeSet,
    /// The event types of its worker tokens.
    pub event_types: BTreeSet<EventType>,
    /// For whom tokens may be made.
    pub subject_policy: SubjectPolicy,
    /// Life of its tokens in seconds.
    pub token_ttl_seconds: u64,
}

impl Settings {
    /// Where tokens are asked for, as the discovery documents say.
    pub(crate) fn token_endpoint(&self) -> String {
        format!("{}/oauth2/token", self.issuer)
    }

    /// The shipped values for this issuer.
    ///
    /// # Errors
    /// None in practice: the shipped names fit their grammars (a test reads them all).
    pub fn shipped(issuer: &str) -> Result<Self, Refusal> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            issuer: issuer.to_owned(),
            issuer_change_from: None,
            issuer_may_change: false,
            default_audience: "tikti-identity".to_owned(),
            id_token_ttl: Duration::from_secs(3600),
            session_ttl: Duration::from_hours(30 * 24),
            session_max: Duration::from_hours(90 * 24),
            admin_reauth: Duration::from_hours(12),
            recent_sign_in: Duration::from_secs(15 * 60),
            skew: Duration::from_secs(tikti_token::DEFAULT_SKEW_SECONDS),
            tenantless: Tenantless::Allow,
            id_token_algorithm: IdTokenAlgorithm::Hs256,
            access_token_type: AccessTokenType::Jwt,
            rsa_size: RsaSize::Bits2048,
            jwks_max_age: Duration::from_secs(300),
            key_refresh_interval: Duration::from_secs(30),
            key_view_max_age: Duration::from_secs(300),
            keys_rotate_every: Some(Duration::from_hours(90 * 24)),
            password_cost: 12,
            password_pool: PoolSize {
                // One core is left to everything else: a rank alone does not wake a lookup in time.
                threads: cores.saturating_sub(1).max(1),
                queue: 64,
                longest_wait: Duration::from_secs(10),
                niceness: 10,
            },
            signing_pool: PoolSize {
                threads: cores,
                queue: 1024,
                longest_wait: Duration::from_secs(5),
                niceness: 0,
            },
            limits: Limits::shipped(),
            resource_servers: shipped_resource_servers()?,
            tenant_template: TenantTemplate::shipped()?,
            mail_action_url: None,
            audit_retention: Duration::from_hours(400 * 24),
            allowed_origins: Vec::new(),
        })
    }
}

impl Settings {
    /// Refuses what contradicts the rules.
    ///
    /// # Errors
    /// [`StartError::Setting`], naming the first setting that does not fit.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let refuse = |setting, reason: String| Err(StartError::Setting { setting, reason });
        if !(LOWEST_COST..=*COSTS.end()).contains(&self.password_cost) {
            let (low, high, cost) = (COSTS.start(), COSTS.end(), self.password_cost);
            return refuse("passwords.cost", format!("must be {low} to {high}, not {cost}"));
        }
        if self.audit_retention < LEAST_AUDIT_RETENTION {
            return refuse("audit.retention", "must be at least 30 days".to_owned());
        }
        self.check_keys()?;
        let template = &self.tenant_template;
        let built_in = |name: &RoleName| [TENANT_ADMIN, TENANT_USER].contains(&name.as_str());
        if let Some(name) = template.roles.keys().find(|name| built_in(name)) {
            return refuse("tenantTemplate.roles", format!("{name} is built in"));
        }
        let unknown = |name: &&RoleName| !built_in(name) && !template.roles.contains_key(*name);
        if let Some(name) = template.creator_roles.iter().find(unknown) {
            return refuse("tenantTemplate.creatorRoles", format!("there is no role {name}"));
        }
        template.clients.iter().try_for_each(|client| self.check_client(client))
    }

    /// The times of signing keys fit each other.
    fn check_keys(&self) -> Result<(), StartError> {
        let refuse =
            |setting, reason: &str| Err(StartError::Setting { setting, reason: reason.to_owned() });
        let (interval, max_age) = (self.key_refresh_interval, self.key_view_max_age);
        if self.jwks_max_age < Duration::from_secs(1) {
            return refuse("keys.jwksMaxAge", "must be at least a second");
        }
        if interval < Duration::from_secs(1) {
            return refuse("keys.refreshInterval", "must be at least a second");
        }
        if max_age < interval * 2 {
            return refuse("keys.viewMaxAge", "must be at least twice keys.refreshInterval");
        }
        if self.keys_rotate_every.is_some_and(|every| every < LEAST_KEY_ROTATION) {
            return refuse("keys.rotateEvery", "must be at least a day");
        }
        Ok(())
    }

    /// Whether only administrators of the deployment put this scope into a role, client or worker.
    #[must_use]
    pub fn keeps(&self, scope: &str) -> bool {
        let granted_by = self.resource_servers.iter().filter_map(|server| server.scopes.get(scope));
        granted_by.into_iter().any(|by| *by == GrantedBy::Platform)
    }

    /// Whether this audience means something outside a tenant: no tenant declares it by itself.
    #[must_use]
    pub fn lists(&self, audience: &ClientId) -> bool {
        self.resource_servers.iter().any(|server| server.audience == *audience)
    }

    /// Whether no tenant may have a client of this id: idTokens or Tikti's own tokens have it as
    /// their audience.
    #[must_use]
    pub fn reserves(&self, client: &ClientId) -> bool {
        [TIKTI, &self.issuer, &self.default_audience].contains(&client.as_str())
    }

    /// Whether resource servers of the whole deployment serve this id: an audience of `resourceServers`, or a
    /// client that the template gives to every tenant. They know their audience and no tenant's clients.
    pub(crate) fn is_served_everywhere(&self, client: &ClientId) -> bool {
        self.resource_servers.iter().any(|server| server.audience == *client)
            || self.tenant_template.clients.iter().any(|template| template.id == *client)
    }

    fn check_client(&self, client: &TemplateClient) -> Result<(), StartError> {
        let refuse = |reason: &str| {
            let reason = format!("{} {reason}", client.id);
            Err(StartError::Setting { setting: "tenantTemplate.clients", reason })
        };
        if self.reserves(&client.id) {
            return refuse("is reserved");
        }
        if self.tenant_template.clients.iter().filter(|other| other.id == client.id).count() > 1 {
            return refuse("stands twice");
        }
        if !client.default_scopes.is_subset(&client.allowed_scopes) {
            return refuse("has default scopes that it does not allow");
        }
        if !(MIN_TOKEN_TTL_SECONDS..=MAX_TOKEN_TTL_SECONDS).contains(&client.token_ttl_seconds) {
            return refuse("must have a token life of 900 to 3600 seconds");
        }
        Ok(())
    }
}

/// The scopes of a codeQ worker.
const CODEQ_WORKER_SCOPES: &str =
    "codeq:abandon codeq:claim codeq:heartbeat codeq:nack codeq:result codeq:subscribe";

fn shipped_resource_servers() -> Result<Vec<ResourceServer>, Refusal> {
    let server = |audience: &str, by_tenant: &str, by_platform: &str| {
        let scopes = |text: &str, granted_by| {
            let set = ScopeSet::parse(text)?;
            Ok(set.iter().map(|scope| (scope.to_owned(), granted_by)).collect::<Vec<_>>())
        };
        let tenant: Vec<_> = scopes(by_tenant, GrantedBy::Tenant)?;
        let platform: Vec<_> = scopes(by_platform, GrantedBy::Platform)?;
        Ok(ResourceServer {
            audience: ClientId::parse(audience)?,
            scopes: tenant.into_iter().chain(platform).collect(),
        })
    };
    Ok(vec![
        server("codeq-worker", CODEQ_WORKER_SCOPES, "")?,
        server("codeq-producer", "codeq:publish", "codeq:admin")?,
        server("backend-worker", "jobs:read jobs:write", "")?,
    ])
}

impl TenantTemplate {
    /// The shipped template: what the first session of a new user needs.
    ///
    /// # Errors
    /// None in practice, as [`Settings::shipped`].
    pub fn shipped() -> Result<Self, Refusal> {
        let client = |id: &str, allowed: &str, default: &str, events: &[&str], policy| {
            Ok(TemplateClient {
                id: ClientId::parse(id)?,
                allowed_scopes: ScopeSet::parse(allowed)?,
                default_scopes: ScopeSet::parse(default)?,
                event_types: events
                    .iter()
                    .map(|t| EventType::parse(t))
                    .collect::<Result<_, _>>()?,
                subject_policy: policy,
                token_ttl_seconds: MIN_TOKEN_TTL_SECONDS,
            })
        };
        let jobs = "jobs:read jobs:write";
        let producer = "codeq:publish codeq:admin";
        let any = SubjectPolicy::Any;
        let roles = [
            ("JOBS_OPERATOR", jobs),
            ("CODEQ_PRODUCER", "codeq:publish"),
            ("CODEQ_WORKER", CODEQ_WORKER_SCOPES),
            ("CODEQ_ADMIN", "codeq:admin"),
        ]
        .into_iter()
        .map(|(name, scopes)| Ok((RoleName::parse(name)?, ScopeSet::parse(scopes)?)))
        .collect::<Result<BTreeMap<_, _>, Refusal>>()?;
        Ok(Self {
            creator_roles: roles.keys().cloned().collect(),
            roles,
            clients: vec![
                client("backend-worker", jobs, jobs, &[], any)?,
                client("codeq-worker", CODEQ_WORKER_SCOPES, CODEQ_WORKER_SCOPES, &["*"], any)?,
                client("codeq-producer", producer, "codeq:publish", &[], SubjectPolicy::User)?,
            ],
        })
    }

    /// All roles of a new tenant.
    pub(crate) fn roles(&self) -> Roles {
        let mut roles = Roles::built_in();
        for (name, permissions) in &self.roles {
            let role = Role { permissions: permissions.clone(), built_in: false, managed: true };
            roles.insert(name.clone(), role);
        }
        roles
    }

    /// All clients of a tenant that is made at `now`.
    pub(crate) fn clients(&self, now: Timestamp) -> Result<Vec<Client>, Refusal> {
        let built_in = Client::built_in(ClientId::parse(TIKTI)?, now);
        let templated = self.clients.iter().map(|template| Client {
            id: template.id.clone(),
            kind: ClientType::Service,
            status: ClientStatus::Active,
            allowed_grant_types: [GrantType::TokenExchange, GrantType::ClientCredentials].into(),
            allowed_scopes: template.allowed_scopes.clone(),
            default_scopes: template.default_scopes.clone(),
            event_types: template.event_types.clone(),
            subject_policy: template.subject_policy,
            token_ttl_seconds: template.token_ttl_seconds,
            managed: true,
            created_at: now,
            secret: None,
        });
        Ok(std::iter::once(built_in).chain(templated).collect())
    }

    /// The roles of a tenant's creator.
    pub(crate) fn creator_roles(&self) -> Result<BTreeSet<RoleName>, Refusal> {
        let mut roles = self.creator_roles.clone();
        roles.insert(RoleName::parse(TENANT_ADMIN)?);
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_values_fit_their_grammars() {
        let settings = Settings::shipped("https://api.tikti.io").unwrap();
        let template = &settings.tenant_template;
        assert_eq!(template.roles().expand(template.roles.keys()).len(), 10);
        let clients = template.clients(Timestamp::from_millis(0)).unwrap();
        let ids: Vec<_> = clients.iter().map(|client| client.id.as_str()).collect();
        assert_eq!(ids, ["tikti", "backend-worker", "codeq-worker", "codeq-producer"]);
        assert!(
            template.creator_roles().unwrap().iter().any(|role| role.as_str() == "CODEQ_ADMIN")
        );
    }

    #[test]
    fn a_template_that_contradicts_the_rules_is_named() {
        type Change = fn(&mut Settings);
        let rows: [(&str, Change); 8] = [
            ("audit.retention", |s| s.audit_retention -= Duration::from_hours(371 * 24)),
            ("passwords.cost", |s| s.password_cost = 15),
            ("tenantTemplate.roles", |s| {
                let name = RoleName::parse(TENANT_ADMIN).unwrap();
                s.tenant_template.roles.insert(name, ScopeSet::default());
            }),
            ("tenantTemplate.creatorRoles", |s| {
                s.tenant_template.creator_roles.insert(RoleName::parse("GONE").unwrap());
            }),
            ("tenantTemplate.clients", |s| {
                s.tenant_template.clients[0].id = ClientId::parse(TIKTI).unwrap();
            }),
            ("tenantTemplate.clients", |s| {
                s.tenant_template.clients[0].id = ClientId::parse("tikti-identity").unwrap();
            }),
            ("tenantTemplate.clients", |s| {
                s.tenant_template.clients[0].id = s.tenant_template.clients[1].id.clone();
            }),
            ("tenantTemplate.clients", |s| s.tenant_template.clients[0].token_ttl_seconds = 899),
        ];
        for (named, change) in rows {
            let mut settings = Settings::shipped("https://api.tikti.io").unwrap();
            settings.check().unwrap();
            change(&mut settings);
            let refused = settings.check().unwrap_err();
            assert!(matches!(refused, StartError::Setting { setting, .. } if setting == named));
        }
    }
}
