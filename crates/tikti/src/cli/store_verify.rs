//! `tikti store verify`: does everything that is stored fit together?
//!
//! Spec: Operations, "Backup" (`store verify`).

use std::collections::BTreeMap;

use serde::Serialize;
use tikti_server::maintenance::{IntegrityReport, Rule, verify_store};

use super::store_args::{StoreArgs, not_done};
use crate::context::Context;
use crate::exit::Failure;
use crate::output;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    records: u64,
    kinds: BTreeMap<String, u64>,
    pending: u64,
    findings_total: u64,
    findings: Vec<FindingReply>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindingReply {
    rule: String,
    says: &'static str,
    key: String,
    detail: String,
}

pub(crate) async fn run(context: &Context, args: &StoreArgs) -> Result<(), Failure> {
    let store = args.store(context)?;
    let bar = context.output.progress();
    let report = verify_store(&store, &mut |at| bar.show("Verifying", at.done, at.total)).await;
    drop(bar);
    let report = report.map_err(not_done)?;
    let is_half = report.findings.iter().any(|finding| finding.rule == Rule::UnfinishedCopy);
    let reply = Reply::from(report);
    let output = &context.output;
    let total = reply.findings_total;
    output.answer(&reply, &people(&reply), &total.to_string())?;
    if is_half {
        let half = format!("the store is half a copy or half a restore ({total} broken rules)");
        return Err(Failure::refused(half)
            .next("run the same `tikti store copy` or `tikti restore` again, it goes on there"));
    }
    if total > 0 {
        let records = reply.records;
        return Err(Failure::refused(format!("{total} broken rules in {records} records")));
    }
    output.done(&format!("{} records, and every rule holds", reply.records));
    if reply.pending > 0 {
        output.note(&format!("{} operations are under way", reply.pending));
    }
    Ok(())
}

impl From<IntegrityReport> for Reply {
    fn from(report: IntegrityReport) -> Self {
        let findings = report.findings.into_iter().map(|finding| FindingReply {
            rule: format!("{:?}", finding.rule),
            says: finding.rule.as_str(),
            key: finding.key,
            detail: finding.detail,
        });
        Self {
            records: report.records,
            kinds: report.kinds,
            pending: report.pending,
            findings_total: report.findings_total,
            findings: findings.collect(),
        }
    }
}

fn people(reply: &Reply) -> String {
    if reply.findings.is_empty() {
        return String::new();
    }
    let rows = reply.findings.iter();
    let rows = rows.map(|found| [found.key.clone(), found.says.to_owned(), found.detail.clone()]);
    output::table(&["KEY", "FINDING", "DETAIL"], rows)
}
