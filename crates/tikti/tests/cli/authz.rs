//! `tikti authz explain` on a running server: the steps, and the one that refuses.

use serde_json::{Value, json};

use crate::support::{Dev, Home};

/// The id of the tenant is another one at each start.
fn masked(text: &str, tenant: &str) -> String {
    let lines = text.replace(tenant, "ID");
    let lines = lines.lines().map(str::trim_end);
    Vec::from_iter(lines).join("\n")
}

#[test]
fn a_decision_is_shown_step_by_step() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let tenant = home.run("tenant create --slug codecompany --quiet").done();
    let tenant = tenant.trim_end();
    let explain = |options: &str| {
        home.run(&format!("authz explain --aud backend-worker --tenant codecompany {options}"))
    };

    let allowed = explain("--scope jobs:read,jobs:write --sub worker-01");
    assert_eq!(allowed.stderr, "");
    assert_eq!(
        masked(&allowed.done(), tenant),
        "   \
   STEP  NAME            RESULT   LOOKED AT
   1     api key         assumed  -
   2     id token        assumed  -
   3     session         pass     session alive, user ACTIVE
   4     tenant context  pass     body codecompany, header -, token ID
   5     tenant          pass     ID ACTIVE
   6     membership      pass     roles CODEQ_ADMIN CODEQ_PRODUCER CODEQ_WORKER JOBS_OPERATOR TENANT_ADMIN
   7     audience        pass     backend-worker
   8     scopes          pass     jobs:read jobs:write of jobs:read jobs:write
   9     event types     pass     none of none
   10    subject         pass     worker-01, policy any
   11    lifetime        pass     default, at most 900

Allowed, with the scopes jobs:read jobs:write."
    );

    let refused = explain(&format!("--scope jobs:nope --user {}", dev.text("adminEmail")));
    let next = "  next: ask for fewer scopes, or for a role that has them; the client must allow them as well\n";
    assert_eq!(refused.stderr, next);
    let shown = masked(&refused.done(), tenant);
    let (steps, verdict) = shown.rsplit_once("\n\n").unwrap();
    assert_eq!(verdict, "Refused at step 8: SCOPE_NOT_PERMITTED.");
    let last = "✘  8     scopes          SCOPE_NOT_PERMITTED  jobs:nope of jobs:read jobs:write";
    assert_eq!(steps.lines().last(), Some(last));
    assert_eq!(steps.matches('✘').count(), 1);

    assert_eq!(explain("--quiet").done(), "ALLOW\n");
    assert_eq!(explain("--scope jobs:nope --quiet").done(), "SCOPE_NOT_PERMITTED\n");

    let mut reply = explain("--ttl 1 --output json").json();
    let trace = reply["trace"].take();
    assert_eq!(reply, json!({ "allow": false, "step": 11, "code": "INVALID_TTL", "trace": null }));
    let results = trace.as_array().unwrap().iter().map(|step| step["result"].clone());
    let passed = std::iter::repeat_n(json!("pass"), 8);
    let expected = [json!("assumed"), json!("assumed")].into_iter().chain(passed);
    let expected = Vec::from_iter(expected.chain([json!("INVALID_TTL")]));
    assert_eq!(Vec::from_iter(results), expected);
    let names = Vec::from_iter(trace.as_array().unwrap().iter().map(|step| &step["name"]));
    assert_eq!(names[7], &Value::from("scopes"));
}

#[test]
fn what_cannot_be_explained_is_told() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let line = "authz explain --aud backend-worker --tenant codecompany";
    let stderr = home.run(line).fails(2);
    assert!(stderr.contains("no session"), "{stderr}");
    home.sign_in(&dev).done();
    let stderr = home.run(line).fails(1);
    assert!(stderr.contains("(TENANT_NOT_FOUND)"), "{stderr}");
    home.run("tenant create --slug codecompany").done();
    let stderr = home.run(&format!("{line} --user nobody@example.org")).fails(1);
    assert!(stderr.contains("(USER_NOT_FOUND)"), "{stderr}");
    let stderr = home.run(&format!("{line} --scope ,")).fails(3);
    assert!(stderr.contains("--scope is empty"), "{stderr}");
    let stderr = home.run("authz explain --aud backend-worker").fails(3);
    assert!(stderr.contains("no tenant is named"), "{stderr}");
}
