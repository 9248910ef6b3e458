//! Tokens: shown, inspected and verified.

use super::*;

/// Of an access token, with the names in order.
const CLAIMS: &str = "{\"aud\":\"backend-worker\",\"client_id\":\"backend-worker\",\"exp\":NUMBER,\
    \"iat\":NUMBER,\"iss\":\"http://HOST\",\"jti\":\"ID\",\"mver\":NUMBER,\"scope\":\"jobs:read\",\
    \"sid\":\"ID\",\"sub\":\"ID\",\"tid\":\"ID\",\"token_use\":\"access\",\"ver\":NUMBER}";

const REASON: &str = "only the server can verify an idToken; `tikti auth status` asks it";

/// A profile with an access token, and what its tokens and their key are called.
fn with_tokens(home: &Home) -> Forms<'_> {
    let mut forms = Forms::new(home);
    let exchange = "token exchange --aud backend-worker --scope jobs:read --tenant codecompany";
    forms.knows(&home.run(&format!("{exchange} --quiet")).done(), "ACCESS.JWT");
    forms.knows(&home.run("token show --type id").done(), "ID.JWT");
    forms.knows(&home.run("keys jwks --quiet").done(), "KID");
    forms
}

#[test]
fn tokens_of_the_profile_are_shown() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let mut forms = with_tokens(&home);
    for line in ["token show --type worker", "token show --type worker --output json"] {
        fails(
            &home,
            line,
            2,
            "error: profile `dev` holds no worker token\n  \
             next: get one: `tikti token exchange --aud CLIENT --event-types TYPES`\n",
        );
    }
    let exchange = "token exchange --aud codeq-worker --event-types render_video --quiet";
    let worker = home.run(&format!("{exchange} --tenant codecompany")).done();
    forms.knows(&worker, "WORKER.JWT");
    for (kind, token) in [("access", "ACCESS.JWT"), ("id", "ID.JWT"), ("worker", "WORKER.JWT")] {
        let line = format!("token show --type {kind}");
        forms.prints(&line, &format!("{token}\n"), "");
        forms.prints(&format!("{line} --quiet"), &format!("{token}\n"), "");
        let told = format!("{{\"type\":\"{kind}\",\"token\":\"{token}\"}}\n");
        forms.prints(&format!("{line} --output json"), &told, "");
    }
}

#[test]
fn what_a_token_holds_is_told() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let forms = with_tokens(&home);
    forms.prints(
        "token inspect",
        "HEADER\nalg  RS256\nkid  KID\ntyp  JWT\n\nCLAIMS\naud  backend-worker\n\
         client_id  backend-worker\nexp  TIME (SPAN)\niat  TIME (SPAN)\niss  http://HOST\njti  ID\n\
         mver  NUMBER\nscope  jobs:read\nsid  ID\nsub  ID\ntid  ID\ntoken_use  access\nver  NUMBER\n\n\
         VERIFIED  yes, by the public keys of the profile's server\n",
        "",
    );
    let header = "{\"alg\":\"RS256\",\"kid\":\"KID\",\"typ\":\"JWT\"}";
    let told = format!("{{\"header\":{header},\"claims\":{CLAIMS},\"verified\":true}}\n");
    forms.prints("token inspect --output json", &told, "");
    forms.prints("token inspect --quiet", &format!("{CLAIMS}\n"), "");

    // One that is only the server's to verify is decoded all the same.
    let id_token = home.run("token show --type id").done();
    let line = format!("token inspect {}", id_token.trim_end());
    forms.prints(
        &line,
        &format!(
            "HEADER\nalg  HS256\nkid  dev\ntyp  JWT\n\nCLAIMS\namr  [\"pwd\"]\naud  tikti-identity\n\
             auth_time  TIME (SPAN)\nemail  root@corp.sys\nemail_verified  false\nexp  TIME (SPAN)\n\
             firebase  {{\"identities\":{{\"email\":[\"root@corp.sys\"]}},\
             \"sign_in_provider\":\"password\"}}\n\
             iat  TIME (SPAN)\niss  http://HOST\njti  ID\nrole  ADMIN\nsid  ID\nsub  ID\n\
             token_use  id\nuser_id  ID\nver  NUMBER\n\nVERIFIED  no: {REASON}\n"
        ),
        "",
    );
    let told = home.run(&format!("{line} --output json")).done();
    let end = format!(",\"ver\":NUMBER}},\"verified\":false,\"reason\":\"{REASON}\"}}\n");
    let told = forms.masked(&told);
    assert!(told.ends_with(&end), "{told}");
}

#[test]
fn whether_a_token_is_good_is_told() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let forms = with_tokens(&home);
    let verify = "token verify --aud backend-worker";
    forms.prints(
        verify,
        "subject  ID\ntenant  ID\naudience  backend-worker\nscope  jobs:read\nuntil  TIME (SPAN)\n",
        "✔ Token verified.\n",
    );
    let told = format!("{{\"valid\":true,\"claims\":{CLAIMS}}}\n");
    forms.prints(&format!("{verify} --output json"), &told, "");
    forms.prints(&format!("{verify} --quiet"), "ID\n", "");

    let reason = "the header's alg is not the one of this token class";
    let refused = format!(
        "error: refused at step algorithm: {reason}\n  \
         next: see what the token holds: `tikti token inspect TOKEN`\n"
    );
    let id_token = home.run("token show --type id").done();
    let line = format!("{verify} {}", id_token.trim_end());
    fails(&home, &line, 1, &refused);
    let outcome = home.run(&format!("{line} --output json"));
    let told = format!("{{\"valid\":false,\"step\":\"algorithm\",\"reason\":\"{reason}\"}}\n");
    assert_eq!((outcome.code, outcome.stdout, outcome.stderr), (Some(1), told, refused));
}
