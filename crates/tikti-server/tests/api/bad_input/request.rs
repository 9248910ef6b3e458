//! How does a good request with one bad field look on the wire?

use serde_json::Value;
use tikti_server::router::Route;

use super::bad::Bad;
use super::fields::{Field, Place};
use super::values;
use crate::support::{GoodRequest, Reply, Request, Server};

/// A good request with one bad field in it, as it goes over the wire.
pub(super) struct Written {
    path: String,
    body: Option<(&'static str, String)>,
}

impl Written {
    /// The good request with `more` in its body, and with one field spoilt where one is named.
    pub(super) fn with(
        route: &Route,
        good: &GoodRequest,
        more: &Value,
        spoilt: Option<(&Field, &Bad)>,
    ) -> Self {
        let is_at = |place| spoilt.filter(|(field, _)| field.place == place);
        let mut path = route.path.to_owned();
        for (name, value) in &good.path {
            let value = match is_at(Place::Path) {
                Some((field, Bad::Written(text))) if field.name == *name => text,
                _ => value,
            };
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let mut query = pairs(good.query.iter().map(|(name, value)| (*name, value.as_str())));
        if let Some((field, bad)) = is_at(Place::Query) {
            spoil(&mut query, &field.name, bad);
        }
        if !query.is_empty() {
            path = format!("{path}?{}", joined(&query));
        }
        let mut body = good.body.clone();
        let Some(members) = body.as_object_mut() else {
            return Self { path, body: None };
        };
        members.extend(more.as_object().unwrap().clone());
        let spoilt = is_at(Place::Form);
        // OAuth endpoints take nothing else.
        if spoilt.is_some() || route.path.starts_with("/oauth2/") {
            let members = members.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let mut form = pairs(members.map(|(name, value)| (name, value.unwrap())));
            if let Some((field, bad)) = spoilt {
                spoil(&mut form, &field.name, bad);
            }
            let form = joined(&form);
            return Self { path, body: Some(("application/x-www-form-urlencoded", form)) };
        }
        if let Some((field, bad)) = is_at(Place::Json) {
            field.put(
                &mut body,
                if let Bad::Json(value) = bad { Some(value.clone()) } else { None },
            );
        }
        let body = Some(("application/json", body.to_string()));
        Self { path, body }
    }

    pub(super) async fn send(self, server: &Server, route: &Route, token: &str) -> Reply {
        let request: Request<'_> = server.request(route.method, &self.path);
        let request = request.showing(route.needs, token);
        match self.body {
            Some((media_type, body)) => request.header("Content-Type", media_type).body(body),
            None => request,
        }
        .send()
        .await
    }
}

/// Names and values as they are written in a form or a query.
fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (values::written(name), values::written(value))).collect()
}

fn spoil(pairs: &mut Vec<(String, String)>, name: &str, bad: &Bad) {
    let found = pairs.iter().position(|(known, _)| known == name);
    let good = found.map(|found| pairs.remove(found).1);
    match bad {
        Bad::Missing => {}
        Bad::Twice => {
            let good = good.unwrap_or_else(|| "1".to_owned());
            pairs.extend([(name.to_owned(), good.clone()), (name.to_owned(), good)]);
        }
        Bad::Written(text) => pairs.push((name.to_owned(), text.clone())),
        Bad::Json(value) => panic!("{value} is not written"),
    }
}

fn joined(pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}
