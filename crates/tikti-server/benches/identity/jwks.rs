//! What do the public keys cost? They are served from memory, so nearly nothing beyond a bare reply.
//!
//! Spec: Performance, "JWKS".

use tikti_load::Connection;

use crate::report::{self, Pair, Ratio, Row};
use crate::server::JWKS;
use crate::{Failure, Plan, Subject, Target, tell};

impl Subject<'_> {
    /// The JWKS as fast as it is answered, and the bare echo of the same payload.
    pub(crate) fn jwks(&self, plan: &Plan) -> Result<Row, Failure> {
        let ready = &self.server.ready;
        let request = crate::request("GET", JWKS, &[], b"");
        let payload = Connection::open(ready.address)?.ask(&request)?.body.to_vec();
        tell(ready.echo, JWKS, &payload)?;
        let target = |address| Target { address, requests: vec![request.clone()] };
        let (keys, echoes) = (target(ready.address), target(ready.echo));
        // Once beforehand, for caches and connections that begin.
        self.fast(&echoes, plan.closed / 4)?;
        self.fast(&keys, plan.closed / 4)?;
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let (baseline, _) = self.fast(&echoes, plan.closed)?;
            let (ours, _) = self.fast(&keys, plan.closed)?;
            rounds.push(Pair { ours: ours.rate(), baseline: baseline.rate() });
        }
        Ok(Row {
            what: "JWKS throughput",
            beside: "bare echo",
            unit: "/s",
            ratio: Ratio::Of,
            target: report::Target::AtLeast(0.9),
            rounds,
        })
    }
}
