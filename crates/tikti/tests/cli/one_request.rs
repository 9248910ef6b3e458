//! How often does a command ask the server? Once, wherever once suffices.
//!
//! Not here: what verifies a token, which asks where the keys are and then for them, and does so at the issuer.

use std::fs;

use crate::lossy_road::LossyRoad;
use crate::support::{Dev, Home};

/// Commands, and how many requests each makes.
const COMMANDS: [(&str, usize); 34] = [
    ("auth status", 1),
    ("tenant list", 1),
    ("tenant get codecompany", 1),
    ("tenant update codecompany --name Code", 1),
    ("tenant use codecompany", 1),
    ("user list", 1),
    ("user get ann@example.org", 1),
    ("user suspend ann@example.org", 1),
    ("user activate ann@example.org", 1),
    // Whose address that is comes first.
    ("user reset-password ann@example.org", 2),
    ("member add ann@example.org --roles TENANT_ADMIN", 1),
    ("member list", 1),
    ("member remove ann@example.org --yes", 1),
    ("role create CLERK --permissions a:b", 1),
    ("role list", 1),
    ("role get CLERK", 1),
    ("role update CLERK --permissions a:c", 1),
    ("role delete CLERK --yes", 1),
    ("client list", 1),
    ("client get backend-worker", 1),
    ("apikey list", 1),
    ("worker create worker-02 --clients backend-worker --scopes jobs:read", 1),
    ("worker list", 1),
    ("worker get worker-02", 1),
    ("worker rotate-secret worker-02", 1),
    ("session list", 1),
    ("session list --user root@corp.sys", 2),
    ("keys list", 1),
    ("keys jwks", 1),
    ("token exchange --aud backend-worker --scope jobs:read", 1),
    ("token show --type access", 0),
    ("authz explain --aud backend-worker --sub root@corp.sys", 1),
    ("profile list", 0),
    ("auth logout", 1),
];

#[test]
fn a_command_asks_once_wherever_once_suffices() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    home.run("tenant use codecompany").done();
    home.run_with_input("user create ann@example.org --password-stdin", "a long and quiet river")
        .done();
    let road = LossyRoad::watching("", &dev);
    let config = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), config.replace(dev.text("url"), &road.url)).unwrap();
    let mut asked = 0;
    for (line, requests) in COMMANDS {
        home.run(line).done();
        let now = road.names().len();
        assert_eq!(now - asked, requests, "{line}");
        asked = now;
    }
}
