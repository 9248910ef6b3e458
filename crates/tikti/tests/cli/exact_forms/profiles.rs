//! Profiles: listed, chosen and deleted.

use super::*;

#[test]
fn profiles_are_listed_and_chosen() {
    let home = Home::new();
    prints(&home, "profile list", "No profile yet: `tikti init --host URL` makes one.\n", "");
    prints(&home, "profile list --output json", "[]\n", "");
    let dev = Dev::signed_in(&home);
    home.run(&format!("init --host {} --profile bare", dev.text("url"))).done();
    prints(
        &home,
        "profile list",
        "  NAME  SERVER  TENANT  API KEY  SESSION\n*  bare  http://HOST  -  -  -\n  \
         dev  http://HOST  -  yes  yes\n",
        "",
    );
    prints(
        &home,
        "profile list --output json",
        "[{\"name\":\"bare\",\"current\":true,\"baseUrl\":\"http://HOST\",\"tenantId\":null,\
         \"hasApiKey\":false,\"hasSession\":false},{\"name\":\"dev\",\"current\":false,\
         \"baseUrl\":\"http://HOST\",\"tenantId\":null,\"hasApiKey\":true,\"hasSession\":true}]\n",
        "",
    );
    prints(&home, "profile list --quiet", "bare\ndev\n", "");
    prints(&home, "profile use dev", "", "✔ Profile `dev` is current.\n");
    prints(&home, "profile use bare --output json", "{\"currentProfile\":\"bare\"}\n", "");
    prints(&home, "profile use dev --quiet", "dev\n", "");
    let unknown = "error: there is no profile `nobody`\n  next: see `tikti profile list`\n";
    for line in ["profile use nobody", "profile delete nobody --yes"] {
        fails(&home, line, 3, unknown);
    }
}

#[test]
fn profiles_are_deleted() {
    let home = Home::new();
    let dev = Dev::start(&home);
    for name in ["one", "two", "three"] {
        home.run(&format!("init --host {} --profile {name}", dev.text("url"))).done();
    }
    home.run("profile use dev").done();
    home.sign_in(&dev).done();
    fails(
        &home,
        "profile delete dev",
        3,
        "warning: profile `dev` of http://HOST with its API key and session will be deleted; \
         that cannot be undone\nerror: nobody is there to be asked whether this is meant\n  \
         next: say so with --yes\n",
    );
    prints(&home, "profile delete one --yes", "", "✔ Profile `one` deleted.\n");
    let delete_two = "profile delete two --yes --output json";
    prints(&home, delete_two, "{\"profile\":\"two\",\"currentProfile\":\"dev\"}\n", "");
    prints(
        &home,
        "profile delete dev --yes",
        "",
        "✔ Profile `dev` deleted.\n  \
         Its session goes on until its expiry: a copy of its tokens stays good\n  \
         No profile is current now: `tikti profile use NAME` chooses one\n",
    );
    prints(&home, "profile delete three --yes --quiet", "three\n", "");
    prints(&home, "profile list --output json", "[]\n", "");
}
