//! How is a plan carried out? One change after another, and what was done is never done back.
//!
//! A refusal stops what depends on it ([`plan::depends`]) and nothing else. Where the server does not answer, or
//! no longer knows who asks, everything that is left stays as it is: the same command, run again, goes on there.
//!
//! Spec: Command line, `apply`. Why: docs/decisions/0043.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::env_files::{EnvFile, EnvFiles, has_secret};
use super::found::{self, collection};
use super::plan::{self, Action, Change, Kind, Prune, WantedTenant};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::session::Session;

/// Refusals of a server that is not well: the next change would meet the same one.
const NOT_WELL: [&str; 4] = ["RATE_LIMITED", "OVERLOADED", "STORE_UNAVAILABLE", "INTERNAL"];

/// What is to be done in one tenant, as it was shown.
pub(super) struct Plan {
    pub(super) wanted: WantedTenant,
    /// Of a tenant that is there.
    pub(super) tenant_id: Option<String>,
    pub(super) changes: Vec<Change>,
}

/// What became of a change.
pub(super) enum Outcome {
    Done,
    Failed(Failure),
    /// It was not tried.
    Left,
}

/// Carries plans out.
pub(super) struct Run<'a> {
    session: &'a Session<'a>,
    env_files: Option<&'a EnvFiles>,
    /// Id of the tenant that is at work.
    tenant_id: String,
    progress: &'a Progress,
    total: usize,
    done: usize,
    is_stopped: bool,
    /// How many workers and clients have a secret that nobody was given.
    pub(super) unknown_secrets: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        env_files: Option<&'a EnvFiles>,
        (progress, total): (&'a Progress, usize),
    ) -> Self {
        let tenant_id = String::new();
        let (done, is_stopped, unknown_secrets) = (0, false, 0);
        Self { session, env_files, tenant_id, progress, total, done, is_stopped, unknown_secrets }
    }

    /// Carries out what is to be done in one tenant: what became of each of its changes, in their order.
    pub(super) async fn carry_out(&mut self, plan: &Plan) -> Vec<Outcome> {
        self.tenant_id = plan.tenant_id.clone().unwrap_or_default();
        let [first, rest @ ..] = plan.changes.as_slice() else {
            return Vec::new();
        };
        if (first.kind, first.action) != (Kind::Tenant, Action::Create) {
            return self.all(&plan.changes).await;
        }
        let made = self.step(first, &[]).await;
        let mut outcomes = vec![made];
        outcomes.append(&mut match &outcomes[..] {
            [Outcome::Done] => self.fill(plan, rest).await,
            _ => rest.iter().map(|_| Outcome::Left).collect(),
        });
        outcomes
    }

    /// Fills a tenant that was just made. It was born from the server's template, so that some of what was to
    /// be made is there: what is left to do is looked at once more. Nothing is pruned, since nobody was shown it.
    async fn fill(&mut self, plan: &Plan, shown: &[Change]) -> Vec<Outcome> {
        let found = match found::read(self.session, &plan.wanted).await {
            Ok(found) => found,
            Err(failure) => {
                let mut outcomes = Vec::from_iter(shown.iter().map(|_| Outcome::Left));
                if let Some(first) = outcomes.first_mut() {
                    *first = Outcome::Failed(failure);
                }
                self.is_stopped = true;
                return outcomes;
            }
        };
        self.tenant_id = found.as_ref().map(|found| found.id.clone()).unwrap_or_default();
        let changes = plan::plan(&plan.wanted, found.as_ref(), Prune::No);
        let outcomes = self.all(&changes).await;
        let key = |change: &Change| (change.kind, change.name.clone());
        let mut became = BTreeMap::from_iter(changes.iter().map(key).zip(outcomes));
        // What has no change any more is as it should be.
        shown.iter().map(|change| became.remove(&key(change)).unwrap_or(Outcome::Done)).collect()
    }

    async fn all(&mut self, changes: &[Change]) -> Vec<Outcome> {
        let mut failed: Vec<&Change> = Vec::new();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            let outcome = self.step(change, &failed).await;
            if !matches!(outcome, Outcome::Done) {
                failed.push(change);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn step(&mut self, change: &Change, failed: &[&Change]) -> Outcome {
        self.done += 1;
        self.progress.show("Applying", self.done as u64, Some(self.total as u64));
        if self.is_stopped || failed.iter().any(|failed| plan::depends(change, failed)) {
            return Outcome::Left;
        }
        match Box::pin(self.make(change)).await {
            Ok(()) => Outcome::Done,
            Err(failure) => {
                self.is_stopped = ends_everything(&failure);
                Outcome::Failed(failure)
            }
        }
    }

    async fn make(&mut self, change: &Change) -> Result<(), Failure> {
        let has_secret = has_secret(change);
        // Made before anything else: a secret that cannot be kept is not asked for.
        let env_file = match self.env_files.filter(|_| has_secret) {
            Some(files) => Some(files.prepare(change)?),
            None => None,
        };
        let mut reply = self.send(change).await?;
        let secret = reply.get_mut("secret").map(Value::take);
        if let Some(Value::String(secret)) = secret.filter(|_| has_secret) {
            self.keep(change, env_file, &SecretString::from(secret))?;
        }
        self.finish(change).await
    }

    fn keep(
        &mut self,
        change: &Change,
        file: Option<EnvFile>,
        secret: &SecretString,
    ) -> Result<(), Failure> {
        let Some(file) = file else {
            self.unknown_secrets += 1;
            return Ok(());
        };
        let target = &self.session.target;
        let place = (target.host.to_string(), self.tenant_id.clone());
        file.write(&place, change, secret).map_err(|failure| {
            let (kind, name, tenant) = (change.kind.word(), &change.name, &change.tenant);
            let next = match change.kind {
                Kind::Worker => format!(
                    "the worker is there, its secret is lost: `tikti worker rotate-secret {name} --tenant {tenant}`"
                ),
                _ => format!(
                    "the {kind} is there, its secret is lost: `tikti {kind} delete {name} --tenant {tenant}`, then \
                     run the same again"
                ),
            };
            failure.next(next)
        })
    }

    /// What a new thing cannot be made with is set afterwards.
    async fn finish(&self, change: &Change) -> Result<(), Failure> {
        let is_new = change.action == Action::Create;
        let later =
            change.fields.iter().filter(|field| is_new && is_set_later(change, &field.name));
        let body: Map<String, Value> =
            later.map(|field| (field.name.clone(), field.to.clone())).collect();
        if body.is_empty() {
            return Ok(());
        }
        let _changed: Value = self.session.patch(self.url(change), &body).await?;
        Ok(())
    }

    async fn send(&self, change: &Change) -> Result<Value, Failure> {
        let session = self.session;
        let url = self.url(change);
        match (change.action, change.kind) {
            (Action::Create, Kind::Tenant) => {
                session.post(session.url(&["v1", "tenants"]), &body(change)).await
            }
            // Nothing that somebody else has made meanwhile is replaced unseen.
            (Action::Create, kind) => {
                let url = session.tenant_url(&change.tenant, &[collection(kind)]);
                session.post(url, &body(change)).await
            }
            (Action::Update, Kind::Worker) => self.change_worker(url, body(change)).await,
            (Action::Update, Kind::Role) => session.replace(url, &body(change)).await,
            (Action::Update, _) => session.patch(url, &body(change)).await,
            (Action::Delete, _) => session.delete(url).await,
        }
    }

    /// The public keys of a worker lie at an address of their own.
    async fn change_worker(
        &self,
        url: url::Url,
        mut body: Map<String, Value>,
    ) -> Result<Value, Failure> {
        if let Some(keys) = body.remove("jwks") {
            let mut place = url.clone();
            if let Ok(mut path) = place.path_segments_mut() {
                path.push("jwks");
            }
            let changed: Value = self.session.put(place, &keys).await?;
            if body.is_empty() {
                return Ok(changed);
            }
        }
        self.session.patch(url, &body).await
    }

    /// The address of the thing itself.
    fn url(&self, change: &Change) -> url::Url {
        match change.kind {
            Kind::Tenant => self.session.tenant_url(&change.tenant, &[]),
            kind => self.session.tenant_url(&change.tenant, &[collection(kind), &change.id]),
        }
    }
}

/// Whether what comes after would fail alike: nobody answers, or nobody knows who asks.
fn ends_everything(failure: &Failure) -> bool {
    match &failure.reply {
        Some(reply) => {
            failure.exit == Exit::Authentication || NOT_WELL.contains(&reply.code.as_str())
        }
        None => failure.exit != Exit::Usage,
    }
}

/// A new tenant, client or worker is made without these, whatever the request says.
fn is_set_later(change: &Change, field: &str) -> bool {
    matches!(
        (change.kind, field),
        (Kind::Tenant, "selfSignUp" | "status") | (Kind::Client | Kind::Worker, "status")
    )
}

/// What is sent: the fields, and of a new thing its name.
fn body(change: &Change) -> Map<String, Value> {
    let is_new = change.action == Action::Create;
    let fields = change.fields.iter().filter(|field| !is_new || !is_set_later(change, &field.name));
    let mut body: Map<String, Value> =
        fields.map(|field| (field.name.clone(), field.to.clone())).collect();
    let name = match change.kind {
        Kind::Tenant => "slug",
        Kind::Role => "name",
        Kind::Client => "clientId",
        Kind::Worker => "id",
        Kind::Member => "email",
    };
    if is_new {
        body.insert(name.to_owned(), Value::String(change.name.clone()));
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::plan::{FieldChange, Fields};
    use super::*;

    fn made(kind: Kind, fields: Value) -> Change {
        let fields: Fields = serde_json::from_value(fields).unwrap();
        let field = |(name, to)| FieldChange { name, from: Value::Null, to };
        let fields = fields.into_iter().map(field).collect();
        let [tenant, name, id] = ["codecompany", "n", "id"].map(str::to_owned);
        Change { action: Action::Create, kind, tenant, name, id, fields }
    }

    #[test]
    fn a_new_thing_is_sent_with_its_name_and_without_what_is_set_later() {
        for (kind, fields, sent) in [
            (
                Kind::Tenant,
                json!({"name": "N", "selfSignUp": true, "status": "ACTIVE"}),
                json!({"slug": "n", "name": "N"}),
            ),
            (Kind::Role, json!({"permissions": []}), json!({"name": "n", "permissions": []})),
            (
                Kind::Client,
                json!({"status": "DISABLED", "type": "SERVICE"}),
                json!({"clientId": "n", "type": "SERVICE"}),
            ),
            (
                Kind::Worker,
                json!({"status": "ACTIVE", "scopes": ["a"]}),
                json!({"id": "n", "scopes": ["a"]}),
            ),
            (
                Kind::Member,
                json!({"roles": ["A"], "create": true}),
                json!({"email": "n", "roles": ["A"], "create": true}),
            ),
        ] {
            assert_eq!(Value::from(body(&made(kind, fields))), sent);
        }
        let changed =
            Change { action: Action::Update, ..made(Kind::Client, json!({"status": "DISABLED"})) };
        assert_eq!(Value::from(body(&changed)), json!({"status": "DISABLED"}));
    }

    #[test]
    fn a_server_that_is_away_or_knows_nobody_ends_everything() {
        let refusal = |status, code: &str| {
            let reply = json!({"error": "no", "code": code});
            Failure::from_reply(status, serde_json::from_value(reply).unwrap())
        };
        assert!(ends_everything(&Failure::refused("cannot reach it")));
        assert!(ends_everything(&refusal(401, "TOKEN_EXPIRED")));
        assert!(ends_everything(&refusal(503, "STORE_UNAVAILABLE")));
        assert!(!ends_everything(&refusal(409, "LAST_ADMIN")));
        assert!(!ends_everything(&Failure::usage("a file that cannot be written")));
    }
}
