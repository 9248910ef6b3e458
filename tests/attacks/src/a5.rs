//! Row A5: an audience that is not registered, of another tenant, disabled, or looks like one that is, gives
//! no token.

use serde_json::json;
use tikti_domain::testing;

use crate::world::{World, client};

/// Names that a person, a proxy or a careless comparison takes for `name`.
fn look_alikes(name: &str) -> Vec<String> {
    let mut alike = vec![
        name.to_ascii_uppercase(),
        format!("{}{}", name[..1].to_ascii_uppercase(), &name[1..]),
        format!("{name}/"),
        format!("/{name}"),
        format!("{name}//"),
        format!("{name}/."),
        format!("{name}."),
        format!("{name} "),
        format!(" {name}"),
        format!("{name}\t"),
        format!("{name}\u{0}"),
        format!("{name}\u{200b}"),
        format!("\u{feff}{name}"),
        format!("{name}\u{202e}"),
        format!("{name},{name}"),
        format!("{name} {name}"),
        format!("{name}#x"),
        format!("{name}?x"),
        format!("{name}*"),
        "*".to_owned(),
        String::new(),
        name[..name.len() - 1].to_owned(),
        name.replace('-', "_"),
        name.replace('-', "%2d"),
        name.replace('-', "\u{2010}"),
        name.replace('-', "\u{2011}"),
        name.replace('e', "\u{0435}"),
        name.replace('o', "\u{043e}"),
        name.replace('a', "a\u{0301}"),
        name.replace('k', "\u{212a}"),
    ];
    // Fullwidth forms, which a compatible normal form makes the same.
    let wide = |letter: char| char::from_u32(u32::from(letter) + 0xfee0).unwrap();
    alike.push(name.chars().map(wide).collect());
    alike.retain(|other| other != name);
    alike
}

#[tokio::test]
async fn a5_no_audience_but_a_registered_active_one_of_the_tenant_gives_a_token() {
    let world = Box::pin(World::new()).await;
    let company = &world.company;
    let disabled = client("disabled", &json!({"status": "DISABLED"}));
    testing::put_client(&world.domain, &company.tenant(), &disabled).await;
    let mut audiences = vec![
        "nobodys-client".to_owned(),
        world.other.client.clone(),
        world.other.application.clone(),
        company.application.clone(),
        "disabled".to_owned(),
        "tikti-identity".to_owned(),
        world.server.url(),
        format!("{}/", world.server.url()),
        company.id.clone(),
        company.slug.clone(),
    ];
    for name in ["backend-worker", "codeq-worker", company.client.as_str()] {
        audiences.extend(look_alikes(name));
    }
    let mut tried = 0;
    for audience in &audiences {
        for scopes in [json!(null), json!(["jobs:read"]), json!([])] {
            let ask = json!({"audience": audience, "scopes": scopes, "eventTypes": null});
            let reply = world.exchange(&company.member.id_token, ask).await;
            assert!([400, 403].contains(&reply.status), "{audience:?}: {}", reply.text());
            let code = reply.code();
            let codes =
                ["UNKNOWN_AUDIENCE", "INVALID_ARGUMENT", "CLIENT_DISABLED", "GRANT_NOT_ALLOWED"];
            assert!(codes.contains(&&*code), "{audience:?}: {code}");
            tried += 1;
        }
    }
    println!("{tried} exchanges for {} audiences", audiences.len());
    assert!(tried >= 250, "{tried}");
    for audience in ["backend-worker", &company.client] {
        let reply = world.exchange(&company.member.id_token, json!({"audience": audience})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}
