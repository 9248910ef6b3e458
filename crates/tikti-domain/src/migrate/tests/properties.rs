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
            prop_assert!(plan.tenants.iter().any(|tenant| tenant.tenant.id == *id));
        }
        // Of each user one membership is the first.
        let first = plan.memberships.iter().filter(|one| one.is_first).count();
        let members: BTreeSet<_> = plan.memberships.iter().map(|one| &one.membership.user_id).collect();
        prop_assert_eq!(first, members.len());
    }

    #[test]
    fn the_order_of_what_is_read_changes_nothing(
        (pieces, shuffled) in pieces().prop_flat_map(|pieces| {
            (Just(pieces.clone()), Just(pieces).prop_shuffle())
        })
    ) {
        prop_assert_eq!(told(&build(&pieces).plan()), told(&build(&shuffled).plan()));
    }

    /// Fields of a hash come in the order of their bytes, so a field that is written otherwise comes in
    /// another order: who is who must not hang on that.
    #[test]
    fn how_an_address_is_written_decides_nothing(pieces in pieces()) {
        let swapped = |text: &str| -> String {
            text.chars().map(|one| match one {
                'a'..='z' => one.to_ascii_uppercase(),
                'A'..='Z' => one.to_ascii_lowercase(),
                other => other,
            }).collect()
        };
        let other: Vec<_> = pieces.iter().map(|piece| match piece {
            Piece::Index(email, id) => Piece::Index(swapped(email), id.clone()),
            other => other.clone(),
        }).collect();
        let of = |pieces: &[Piece]| {
            let plan = build(pieces).plan();
            plan.users.iter().map(|one| one.user.id.clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(of(&pieces), of(&other));
    }
}
