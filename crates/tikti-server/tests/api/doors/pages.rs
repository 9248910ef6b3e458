//! Row E5: a page token that this server did not make, or made for another list or another user, reads
//! nothing.

use serde_json::{Value, json};

use super::kinds::page_token_of;
use super::{Slot, World, doors};

/// What somebody could make of a good page token.
fn forged(good: &str) -> Vec<String> {
    let mut forged: Vec<String> = (0..good.len())
        .map(|place| {
            let other = if good.as_bytes()[place] == b'A' { "B" } else { "A" };
            format!("{}{other}{}", &good[..place], &good[place + 1..])
        })
        .collect();
    forged.extend([
        good[..good.len() - 1].to_owned(),
        good[1..].to_owned(),
        good[..good.len() / 2].to_owned(),
        format!("{good}A"),
        format!("{good}{good}"),
        good.to_ascii_uppercase(),
        good.to_ascii_lowercase(),
        format!("{good}%3D"),
        format!("{good}%00"),
        "AAAA".repeat(4_000),
        "%ff".to_owned(),
        "..%2f..%2f".to_owned(),
        "0".to_owned(),
        "-1".to_owned(),
    ]);
    forged
}

#[tokio::test]
async fn e5_a_page_token_that_was_changed_or_is_of_another_list_reads_nothing() {
    let world = World::new().await;
    let doors = doors(&world.server).await;
    let lists = doors.iter().filter(|door| door.slot == Slot::Query("pageToken".to_owned()));
    let lists: Vec<_> = lists.collect();
    assert!(lists.len() >= 3);
    let mut tokens = Vec::new();
    for list in &lists {
        tokens.push(page_token_of(&world, list.route.path).await);
    }
    for (number, list) in lists.iter().enumerate() {
        let path = list.route.path;
        let good = list.show(&world, path, &tokens[number]).await;
        assert_eq!(good.status, 200, "{path} {}", good.text());
        let mut bad = forged(&tokens[number]);
        bad.extend(
            tokens
                .iter()
                .enumerate()
                .filter(|(of, _)| *of != number)
                .map(|(_, other)| other.clone()),
        );
        for token in bad.iter().filter(|token| **token != tokens[number]) {
            list.assert_refused(&world, path, (token, token)).await;
        }
    }
}

/// The list of one's own sessions is another list for each user.
#[tokio::test]
async fn e5_a_page_token_of_another_user_reads_nothing() {
    let world = World::new().await;
    let server = &world.server;
    let token = page_token_of(&world, "/v1/accounts/sessions").await;
    let ann: Value = server.sign_in(super::ANN, super::PASSWORD).await.json();
    let path = format!("/v1/accounts/sessions?pageToken={token}");
    let reply = server.get(&path).bearer(ann["idToken"].as_str().unwrap()).send().await;
    reply.assert_refusal(400, "INVALID_ARGUMENT");
    let details = json!({"pageToken": "is not one that this server made for this list"});
    assert_eq!(reply.json()["details"], details);
}
