//! Is `docs/authorization.md` what the route table of this build says?
//!
//! Spec: Authorization; attacks, row T3.

use std::fmt::Write as _;
use std::path::Path;

use tikti_server::router::{Needs, ROUTES, Route};

const HEAD: &str = "# Who may call what

Generated from the table of routes in `crates/tikti-server/src/router.rs`, from which the router is built: a
route cannot exist without a row. A test compares this page with it, and others call every row without
what it needs.

What a caller needs is shown, never believed: a role, a membership, a key's scopes are read from the store
at every request. *Tenant from* says which part of the request names the tenant; any other part that names
one must name the same.

| method | path | API key | bearer token | tenant from |
|---|---|---|---|---|
";

/// The cells of a row: key, bearer token, where the tenant is named.
fn cells(route: &Route) -> [String; 3] {
    let dash = || "-".to_owned();
    let id_token = "idToken";
    let (key, bearer) = match route.needs {
        Needs::Nothing if route.path == "/oauth2/token" => {
            ("`token:exchange`, for an exchange".to_owned(), dash())
        }
        Needs::Nothing => (dash(), dash()),
        Needs::ApiKey(scope) => (format!("`{}`", scope.as_str()), dash()),
        Needs::ApiKeyOrClient(scope) => {
            (format!("`{}`, or a client's secret", scope.as_str()), dash())
        }
        Needs::Bearer => (dash(), id_token.to_owned()),
        Needs::AdminBearer => (dash(), "idToken of a platform administrator".to_owned()),
        Needs::Scope(scope) | Needs::ScopeOfBody(scope) => {
            (dash(), format!("idToken or access token for `tikti`, of a holder of `{scope}`"))
        }
        Needs::ApiKeyAndAdmin(scope) => {
            let key = format!("`{}`, of the deployment", scope.as_str());
            (key, "idToken of a platform administrator".to_owned())
        }
    };
    let tenant = match route.needs {
        Needs::ScopeOfBody(_) => "body".to_owned(),
        _ if route.path.contains("{t}") => "path".to_owned(),
        _ => dash(),
    };
    [key, bearer, tenant]
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for route in ROUTES {
        let [key, bearer, tenant] = cells(route);
        for path in std::iter::once(&route.path).chain(route.aliases) {
            let Route { method, .. } = route;
            writeln!(page, "| {method} | `{path}` | {key} | {bearer} | {tenant} |").unwrap();
        }
    }
    page
}

#[test]
fn the_committed_page_is_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/authorization.md");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authorization.md");
    if std::fs::read_to_string(&committed).unwrap_or_default() != page() {
        std::fs::write(&fresh, page()).unwrap();
        let fresh = fresh.display();
        panic!("the routes have changed: compare and copy {fresh} to docs/authorization.md");
    }
}

/// What the deployment alone does to a tenant: its administrators hold every scope there.
const OF_DEPLOYMENT: [(&str, &str); 1] = [("DELETE", "/v1/tenants/{t}")];

/// A management scope is held in a tenant, and there is no tenant but the one of the path.
#[test]
fn t3_every_route_that_needs_a_management_scope_names_its_tenant_in_the_path() {
    for route in ROUTES {
        let of_deployment = OF_DEPLOYMENT.contains(&(route.method, route.path));
        let needs_of_tenant = match route.needs {
            Needs::Scope(_) => !of_deployment,
            Needs::AdminBearer => of_deployment,
            _ => false,
        };
        assert_eq!(needs_of_tenant, route.path.contains("{t}"), "{} {}", route.method, route.path);
    }
}
