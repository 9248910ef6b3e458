//! Row L5: a token without a claim that it must have, or with one of another type, opens no door; nor
//! does one that was cut.

use serde_json::{Value, json};

use super::{Slot, World, doors, forge};

/// Every claim of an idToken of the administrator in his tenant, and what it would be of another type.
fn forged_claims(claims: &Value) -> Vec<(String, Value)> {
    let mut forged = Vec::new();
    for (name, right) in claims.as_object().unwrap() {
        // Whoever has no address or tenant has a token without these.
        if !["email", "tid", "mver"].contains(&name.as_str()) {
            let mut without = claims.clone();
            without.as_object_mut().unwrap().remove(name);
            forged.push((format!("no {name}"), without));
        }
        for wrong in wrong_values(right) {
            let claims = forge::with(claims.clone(), name, wrong.clone());
            forged.push((format!("{name} = {wrong}"), claims));
        }
    }
    forged
}

/// One value of every JSON kind but that of `right`, and every number that is none here.
fn wrong_values(right: &Value) -> Vec<Value> {
    let numbers = [json!(-1), json!(1_u64 << 63), json!(1.5), json!(null), json!({})].into_iter();
    let others: Vec<Value> = match right {
        Value::Number(number) => vec![json!(number.to_string()), json!(true), json!([number])],
        Value::String(_) => vec![json!(7), json!(true), json!([7])],
        Value::Bool(_) => vec![json!("true"), json!(1), json!([true])],
        Value::Array(_) => vec![json!("pwd"), json!([7]), json!(true)],
        Value::Object(_) => vec![json!("x"), json!(7), json!([])],
        Value::Null => panic!("a claim that is null"),
    };
    numbers.chain(others).collect()
}

/// Spellings of `token` that end before it does, or miss a part.
fn cut(token: &str) -> Vec<String> {
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let ends = [1, 2, signature.len() / 2, signature.len() - 1, signature.len()];
    let mut cut: Vec<_> =
        ends.iter().map(|length| token[..token.len() - length].to_owned()).collect();
    cut.extend([
        header.to_owned(),
        format!("{header}."),
        format!("{header}.{payload}"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{}.{signature}", &payload[..payload.len() - 4]),
        format!("{token}.{signature}"),
        format!("{token}A"),
        "..".to_owned(),
    ]);
    cut
}

/// An alias leads to the same handler as its path; forgeries go by the path.
#[tokio::test]
async fn l5_a_required_claim_that_is_missing_or_of_another_type_opens_no_door() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = World::new().await;
    let (header, claims) = (forge::header(&world.admin), forge::claims(&world.admin));
    let secret = forge::secret(&world.server);
    // Signed without a change it is taken, so that it is the change which is refused below.
    let ask = json!({"idToken": forge::sign(&header, &claims, &secret)});
    let reply = world.server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let before = world.state().await;
    let forged: Vec<_> = forged_claims(&claims)
        .into_iter()
        .map(|(what, claims)| (what, forge::sign(&header, &claims, &secret)))
        .collect();
    assert!(forged.len() > 130, "{}", forged.len());
    for door in doors(&world.server).await.iter().filter(|door| door.takes_signed()) {
        for (what, token) in &forged {
            door.assert_refused(&world, door.route.path, (what, token)).await;
        }
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn l5_a_token_that_was_cut_opens_no_door() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = World::new().await;
    let before = world.state().await;
    for door in doors(&world.server).await.iter().filter(|door| door.takes_signed()) {
        for path in std::iter::once(&door.route.path).chain(door.route.aliases) {
            for token in cut(&world.admin) {
                door.assert_refused(&world, path, (&token, &token)).await;
            }
        }
    }
    assert_eq!(world.state().await, before);
}

/// A claim that has its type and is not true, by itself or by the records that it names.
#[tokio::test]
async fn l5_times_and_versions_that_do_not_fit_open_no_door() {
    let world = World::new().await;
    let (header, claims) = (forge::header(&world.admin), forge::claims(&world.admin));
    let secret = forge::secret(&world.server);
    let before = world.state().await;
    let far = json!(i64::MAX);
    let later = |name: &str, by: u64| json!(claims[name].as_u64().unwrap() + by);
    let by_itself = [
        ("expired", vec![("exp", json!(1)), ("iat", json!(0)), ("auth_time", json!(0))]),
        ("from tomorrow", vec![("iat", later("iat", 86_400)), ("exp", later("exp", 86_400))]),
        ("from the end of time", vec![("iat", far.clone()), ("exp", far)]),
        ("of another issuer", vec![("iss", json!("https://evil.example"))]),
    ];
    let by_records = [
        ("of a version to come", vec![("ver", later("ver", 1))]),
        ("of version 0", vec![("ver", json!(0))]),
        ("of no session", vec![("sid", json!("01JD0000000000000000000000"))]),
        ("of nobody", vec![("sub", json!("nobody"))]),
        ("of an unknown audience", vec![("aud", json!("nobodys-client"))]),
        ("of an unknown tenant", vec![("tid", json!("t-unknown"))]),
        ("of another membership", vec![("mver", later("mver", 1))]),
    ];
    let doors = doors(&world.server).await;
    for (number, (what, changes)) in by_itself.into_iter().chain(by_records).enumerate() {
        let mut claims = claims.clone();
        changes.into_iter().for_each(|(name, value)| claims[name] = value);
        let token = forge::sign(&header, &claims, &secret);
        for door in doors.iter().filter(|door| door.takes_signed()) {
            // Whoever signs out or denies a token may do so with what is over already.
            let path = door.route.path;
            let ends = ["/v1/accounts/signOut", "/v1/accounts/revokeJti"].contains(&path);
            if number >= 4 && ends && door.slot != Slot::Bearer {
                continue;
            }
            let reply = door.show(&world, path, &token).await;
            let status = match what {
                // An exchange goes by the tenant first.
                "of an unknown tenant" if path.ends_with("/exchange") => 404,
                "of another membership" if path.ends_with("/exchange") => 403,
                _ => 401,
            };
            assert_eq!(reply.status, status, "{what} at {}: {}", door.name(), reply.text());
        }
    }
    assert_eq!(world.state().await, before);
}
