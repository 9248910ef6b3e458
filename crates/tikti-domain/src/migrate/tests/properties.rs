//! What holds of whatever an old layout says.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::report::Thing;
use super::{Build, told};

/// One document of the old layout.
#[derive(Clone, Debug)]
enum Piece {
    User(String, String),
    Newer(String, String),
    Index(String, String),
    Tenant(String, String),
    Role(String, String),
    Member(String, String, String),
}

const ADDRESSES: [&str; 6] = ["a@x.org", "A@x.org", "a@X.ORG", "b@x.org", "B@x.org", "no address"];
const IDS: [&str; 5] = ["u-1", "u-2", "u-3", "u 4", ""];
const TENANTS: [&str; 5] = ["acme", "1acme", "t-1acme", "Beta", ""];

fn document() -> impl Strategy<Value = String> {
    let id = prop::sample::select(&IDS[..]);
    let email = prop::option::of(prop::sample::select(&ADDRESSES[..]));
    let rest = prop::sample::select(
        &[
            "",
            r#","role":"ADMIN""#,
            r#","status":"SUSPENDED","createdAt":1700000000"#,
            r#","slug":"acme","createdAt":1600000000"#,
            r#","slug":"1acme","name":"x""#,
            r#","roles":["TENANT_ADMIN","R"],"permissions":["a","b c"]"#,
        ][..],
    );
    (id, email, rest).prop_map(|(id, email, rest)| {
        let email = email.map(|email| format!(",\"email\":\"{email}\"")).unwrap_or_default();
        format!("{{\"localId\":\"{id}\"{email}{rest}}}")
    })
}

fn piece() -> impl Strategy<Value = Piece> {
    let address = || prop::sample::select(&ADDRESSES[..]).prop_map(str::to_owned);
    let id = || prop::sample::select(&IDS[..]).prop_map(str::to_owned);
    let tenant = || prop::sample::select(&TENANTS[..]).prop_map(str::to_owned);
    prop_oneof![
        (address(), document()).prop_map(|(field, json)| Piece::User(field, json)),
        (id(), document()).prop_map(|(field, json)| Piece::Newer(field, json)),
        (address(), id()).prop_map(|(address, id)| Piece::Index(address, id)),
        (tenant(), Just("{}".to_owned())).prop_map(|(id, json)| Piece::Tenant(id, json)),
        (tenant(), document())
            .prop_map(|(id, json)| Piece::Tenant(id, json.replace("localId", "x"))),
        (tenant(), document()).prop_map(|(tenant, json)| Piece::Role(tenant, json)),
        (tenant(), id(), document())
            .prop_map(|(tenant, user, json)| Piece::Member(tenant, user, json)),
    ]
}

fn build(pieces: &[Piece]) -> Build {
    pieces.iter().fold(Build::default(), |build, piece| match piece {
        Piece::User(email, json) => build.user(email, json),
        Piece::Newer(id, json) => build.newer_user(id, json),
        Piece::Index(email, id) => build.index(email, id),
        Piece::Tenant(id, json) => build.tenant(id, json),
        Piece::Role(tenant, json) => build.role(tenant, "R", json),
        Piece::Member(tenant, user, json) => build.member(tenant, user, json),
    })
}

/// Pieces that stand in one place each, so that no order of them loses one.
fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| {
        let mut places = BTreeSet::new();
        let place = |piece: &Piece| match piece {
            Piece::User(field, _) => format!("user {field}"),
            Piece::Newer(field, _) => format!("newer {field}"),
            Piece::Index(field, _) => format!("index {field}"),
            Piece::Tenant(field, _) => format!("tenant {field}"),
            Piece::Role(field, _) => format!("role {field}"),
            Piece::Member(tenant, field, _) => format!("member {tenant} {field}"),
        };
        pieces.into_iter().filter(|piece| places.insert(place(piece))).collect()
    })
}

proptest! {
    #[test]
    fn every_document_is_counted_once_and_no_rule_is_broken(pieces in pieces()) {
        let plan = build(&pieces).plan();
        let sizes = [
            (Thing::Tenant, plan.tenants.len()),
            (Thing::Role, plan.tenants.iter().map(|one| one.roles.len()).sum()),
            (Thing::User, plan.users.len()),
            (Thing::Membership, plan.memberships.len()),
        ];
        for (thing, planned) in sizes {
            let count = plan.report.count(thing);
            let told = planned as u64 + count.present + count.merged + count.left;
            prop_assert_eq!(count.found, told, "{:?}: {:?}", thing, count);
        }
        let ids: BTreeSet<_> = plan.users.iter().map(|one| &one.user.id).collect();
        let emails: BTreeSet<_> = plan.users.iter().map(|one| &one.user.email).collect();
        prop_assert_eq!((ids.len(), emails.len()), (plan.users.len(), plan.users.len()));
        let names: BTreeSet<_> = plan.tenants.iter().map(|one| one.tenant.slug.as_str()).collect();
        prop_assert_eq!(names.len(), plan.tenants.len());
        for one in &plan.memberships {
            prop_assert!(ids.contains(&one.membership.user_id));
            let id = &one.membership.tenant_id;
            let tenant = plan.tenants.iter().find(|tenant| tenant.tenant.id == *id).unwrap();
            // Whose it was over there it is here.
            let old = tenant.origin.field.as_deref().unwrap_or_default();
            prop_assert_eq!(&one.origin.key, &format!("memberships:{old}"));
        }
        // Of each user one membership is the first.
        let first = plan.memberships.iter().filter(|one| one.is_first).count();
        let members: BTreeSet<_> = plan.memberships.iter().map(|one| &one.membership.user_id).collect();
        prop_assert_eq!(first, members.len());
    }

    /// Fields are read in the order of their bytes, so what stands under another field is read in another order.
    #[test]
    fn the_order_of_what_is_read_changes_nothing(
        (pieces, shuffled) in pieces().prop_flat_map(|pieces| {
            (Just(pieces.clone()), Just(pieces).prop_shuffle())
        })
    ) {
        prop_assert_eq!(gist(&numbered(&pieces)), gist(&numbered(&shuffled)));
    }

    /// Who is who hangs on how an address is written only where a record has no id, or the index names two.
    #[test]
    fn how_an_address_is_written_decides_nothing(pieces in pieces()) {
        let mut named = BTreeSet::new();
        let certain: Vec<_> = pieces.into_iter().filter(|piece| match piece {
            Piece::User(_, json) => !json.contains("\"localId\":\"\""),
            Piece::Index(email, _) => named.insert(email.to_lowercase()),
            _ => true,
        }).collect();
        let other: Vec<_> = certain.iter().map(|piece| match piece {
            Piece::User(email, json) => Piece::User(swapped(email), readdressed(json)),
            Piece::Newer(id, json) => Piece::Newer(id.clone(), readdressed(json)),
            Piece::Index(email, id) => Piece::Index(swapped(email), id.clone()),
            other => other.clone(),
        }).collect();
        // A record that names no address has that of the index, which is in lower case.
        let [one, two] = [&certain, &other].map(|pieces| {
            let (things, mut kinds) = gist(&build(pieces));
            kinds.remove("address_case");
            (things, kinds)
        });
        prop_assert_eq!(one, two);
    }
}

/// What becomes of everything, and which kinds of troubles there are.
fn gist(build: &Build) -> (Vec<String>, BTreeSet<String>) {
    let text = told(&build.plan());
    let (troubles, things): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.starts_with(['!', '~']));
    let kinds = troubles.iter().filter_map(|line| line.split(' ').nth(1));
    (things.into_iter().map(str::to_owned).collect(), kinds.map(str::to_owned).collect())
}

/// Tenants and memberships under the numbers of their places, which say nothing.
fn numbered(pieces: &[Piece]) -> Build {
    let behind = |json: &str, member: &str, id: &str| {
        let rest = json.strip_prefix('{').unwrap();
        let comma = if rest == "}" { "" } else { "," };
        format!("{{\"{member}\":\"{id}\"{comma}{rest}")
    };
    pieces.iter().enumerate().fold(Build::default(), |build, (number, piece)| match piece {
        Piece::Tenant(id, json) if id.is_empty() => build.tenant(id, json),
        Piece::Tenant(id, json) => build.tenant(&format!("f-{number}"), &behind(json, "id", id)),
        Piece::Member(tenant, user, json) => {
            build.member(tenant, &format!("f-{number}"), &behind(json, "userId", user))
        }
        Piece::User(email, json) => build.user(email, json),
        Piece::Newer(id, json) => build.newer_user(id, json),
        Piece::Index(email, id) => build.index(email, id),
        Piece::Role(tenant, json) => build.role(tenant, "R", json),
    })
}

fn swapped(text: &str) -> String {
    let swap = |one: char| match one {
        'a'..='z' => one.to_ascii_uppercase(),
        'A'..='Z' => one.to_ascii_lowercase(),
        other => other,
    };
    text.chars().map(swap).collect()
}

/// The document with its address in the other case.
fn readdressed(json: &str) -> String {
    let Some((before, rest)) = json.split_once("\"email\":\"") else { return json.to_owned() };
    let (email, after) = rest.split_once('"').unwrap();
    format!("{before}\"email\":\"{}\"{after}", swapped(email))
}
