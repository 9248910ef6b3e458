//! Plans against a server that is a value: what it has, changed as it would change it.

use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Few names, so that what is wanted and what is there often meet.
const NAMES: [&str; 4] = ["A", "B", "C", "TENANT_ADMIN"];

const SECTIONS: [Kind; 4] = [Kind::Role, Kind::Client, Kind::Worker, Kind::Member];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.as_slice()).prop_map(str::to_owned)
}

fn value(field: &'static str) -> BoxedStrategy<Value> {
    match field {
        "name" | "type" | "subjectPolicy" => name().prop_map(Value::from).boxed(),
        "status" => {
            prop::sample::select(["ACTIVE", "B", "C"].as_slice()).prop_map(Value::from).boxed()
        }
        "selfSignUp" | "customTokens" => any::<bool>().prop_map(Value::from).boxed(),
        "tokenTtlSeconds" => (900_u64..903).prop_map(Value::from).boxed(),
        _ => btree_set(name(), 0..3).prop_map(|words| json!(words)).boxed(),
    }
}

/// Each field of a kind, or some of them.
fn fields(kind: Kind, is_whole: bool) -> BoxedStrategy<Fields> {
    let field = move |name: &&'static str| {
        let value = value(name).prop_map(Some).boxed();
        let value =
            if is_whole { value } else { option::of(value).prop_map(Option::flatten).boxed() };
        (Just((*name).to_owned()), value)
    };
    let all = Vec::from_iter(kind.fields().iter().map(field));
    let present = |all: Vec<(String, Option<Value>)>| {
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    };
    all.prop_map(present).boxed()
}

fn wanted() -> impl Strategy<Value = WantedTenant> {
    let section = |kind: Kind| {
        let things = btree_map(name(), fields(kind, kind == Kind::Member), 0..4);
        option::of(things).prop_map(move |things| Some((kind, things?)))
    };
    let sections = Vec::from_iter(SECTIONS.map(section));
    (fields(Kind::Tenant, false), sections).prop_map(|(fields, sections)| WantedTenant {
        slug: "codecompany".to_owned(),
        fields,
        sections: sections.into_iter().flatten().collect(),
    })
}

fn found() -> impl Strategy<Value = FoundTenant> {
    let standing =
        prop::sample::select(vec![Standing::Ordinary, Standing::Ordinary, Standing::Given]);
    let thing = move |kind: Kind| {
        (fields(kind, true), standing.clone()).prop_map(|(fields, standing)| Found {
            id: "id".to_owned(),
            fields,
            standing,
        })
    };
    let section = move |kind: Kind| (Just(kind), btree_map(name(), thing(kind), 0..5));
    let sections = Vec::from_iter(SECTIONS.map(section));
    (fields(Kind::Tenant, true), sections, option::of(name())).prop_map(
        |(fields, sections, own)| {
            let mut sections = BTreeMap::from_iter(sections);
            let members = sections.get_mut(&Kind::Member).unwrap();
            if let Some(member) = own.and_then(|own| members.get_mut(&own)) {
                member.standing = Standing::Own;
            }
            FoundTenant { id: "t-1".to_owned(), fields, sections }
        },
    )
}

fn prune() -> impl Strategy<Value = Prune> {
    prop::sample::select(vec![Prune::No, Prune::Yes])
}

/// What the server has after `changes`: each must be one that can be made there.
fn applied(found: Option<&FoundTenant>, changes: &[Change]) -> Option<FoundTenant> {
    let mut server = found.cloned();
    for change in changes {
        let set = |fields: &mut Fields| {
            for field in change.fields.iter().filter(|field| field.name != "create") {
                fields.insert(field.name.clone(), field.to.clone());
            }
        };
        if (change.kind, change.action) == (Kind::Tenant, Action::Create) {
            assert!(server.is_none());
            server = Some(FoundTenant::default());
        }
        let there = server.as_mut().unwrap();
        if change.kind == Kind::Tenant {
            set(&mut there.fields);
            continue;
        }
        let things = there.sections.entry(change.kind).or_default();
        match change.action {
            Action::Create => {
                assert!(!things.contains_key(&change.name), "{change:?}");
                let (id, standing) = (change.name.clone(), Standing::Ordinary);
                let mut thing = Found { id, fields: Fields::new(), standing };
                set(&mut thing.fields);
                things.insert(change.name.clone(), thing);
            }
            Action::Update => {
                let thing = things.get_mut(&change.name).unwrap();
                assert_eq!(thing.id, change.id);
                for field in &change.fields {
                    assert_eq!(thing.fields[&field.name], field.from);
                    assert_ne!(field.from, field.to);
                }
                set(&mut thing.fields);
            }
            Action::Delete => {
                assert_eq!(things.remove(&change.name).unwrap().id, change.id);
            }
        }
    }
    server
}

fn holds(wanted: &Fields, found: &Fields) -> bool {
    wanted.iter().all(|(name, value)| name == ONLY_WHEN_MADE || found.get(name) == Some(value))
}

proptest! {
    #[test]
    fn what_was_planned_makes_it_as_wanted_and_then_there_is_nothing_to_plan(
        wanted in wanted(), found in option::of(found()), prune in prune(),
    ) {
        let changes = plan(&wanted, found.as_ref(), prune);
        let server = applied(found.as_ref(), &changes);
        let server = server.as_ref().unwrap();
        prop_assert!(holds(&wanted.fields, &server.fields));
        for (kind, things) in &wanted.sections {
            for (name, fields) in things {
                prop_assert!(holds(fields, &server.find(*kind, name).unwrap().fields));
            }
        }
        prop_assert_eq!(plan(&wanted, Some(server), prune), vec![]);
    }

    #[test]
    fn without_prune_nothing_is_touched_that_the_file_does_not_name(
        wanted in wanted(), found in found(),
    ) {
        let changes = plan(&wanted, Some(&found), Prune::No);
        for change in &changes {
            prop_assert!(change.action != Action::Delete);
            let named = match change.kind {
                Kind::Tenant => &wanted.fields,
                kind => &wanted.sections[&kind][&change.name],
            };
            for field in &change.fields {
                prop_assert_eq!(named.get(&field.name), Some(&field.to));
            }
        }
        let server = applied(Some(&found), &changes).unwrap();
        for (kind, things) in &found.sections {
            let named = wanted.sections.get(kind);
            for (name, thing) in things {
                if named.is_none_or(|named| !named.contains_key(name)) {
                    prop_assert_eq!(server.find(*kind, name), Some(thing));
                }
            }
        }
    }

    #[test]
    fn pruning_leaves_what_the_file_names_and_whatever_must_stay(
        wanted in wanted(), found in found(),
    ) {
        let changes = plan(&wanted, Some(&found), Prune::Yes);
        for change in changes.iter().filter(|change| change.action == Action::Delete) {
            // Only in a section of the file, and never a tenant.
            prop_assert!(!wanted.sections[&change.kind].contains_key(&change.name));
            let standing = found.find(change.kind, &change.name).unwrap().standing;
            prop_assert!(standing != Standing::Given);
        }
        let server = applied(Some(&found), &changes).unwrap();
        for (kind, named) in &wanted.sections {
            for (name, thing) in &server.sections[kind] {
                let stays = thing.standing == Standing::Given || administers(&thing.fields);
                prop_assert!(named.contains_key(name) || stays, "{kind:?} {name}");
            }
        }
        let holders = |tenant: &FoundTenant| {
            let members = tenant.sections[&Kind::Member].values();
            members.filter(|member| administers(&member.fields)).count()
        };
        let members = wanted.sections.get(&Kind::Member);
        let is_taken = |(name, fields): (&String, &Fields)| {
            found.find(Kind::Member, name).is_some_and(|there| administers(&there.fields))
                && !administers(fields)
        };
        // Unless the file itself takes the role from somebody.
        if holders(&found) > 0 && !members.into_iter().flatten().any(is_taken) {
            prop_assert!(holders(&server) > 0);
        }
    }

    #[test]
    fn what_stands_on_something_comes_after_it_and_goes_before_it(
        wanted in wanted(), found in option::of(found()),
    ) {
        let changes = plan(&wanted, found.as_ref(), Prune::Yes);
        let own = |change: &Change| {
            let there = found.as_ref().and_then(|found| found.find(change.kind, &change.name));
            there.is_some_and(|there| there.standing == Standing::Own)
        };
        let place = |change: &Change| match change.action {
            _ if change.kind == Kind::Tenant && change.fields.iter().any(suspends) => (3, 0),
            _ if own(change) => (2, 0),
            Action::Create | Action::Update => (0, change.kind as i32),
            Action::Delete => (1, -(change.kind as i32)),
        };
        prop_assert!(changes.iter().map(place).is_sorted());
    }
}

fn tenant(sections: &Value) -> WantedTenant {
    let mut wanted =
        WantedTenant { slug: "s".into(), fields: Fields::new(), sections: BTreeMap::new() };
    let kinds = [("roles", Kind::Role), ("clients", Kind::Client), ("workers", Kind::Worker)];
    for (name, kind) in kinds.into_iter().chain([("members", Kind::Member)]) {
        if let Some(things) = sections.get(name) {
            wanted.sections.insert(kind, serde_json::from_value(things.clone()).unwrap());
        }
    }
    wanted
}

#[test]
fn a_failure_stops_what_depends_on_it_and_nothing_else() {
    let changes = plan(
        &tenant(&json!({
            "roles": {"A": {"permissions": []}, "B": {"permissions": []}},
            "clients": {"c": {"status": "ACTIVE"}, "d": {}},
            "workers": {"w": {"clients": ["c"], "mintableBy": ["A"]}, "v": {"clients": ["d"]}},
            "members": {"a@b.c": {"roles": ["A", "B"]}, "b@b.c": {"roles": ["B"]}},
        })),
        Some(&FoundTenant::default()),
        Prune::No,
    );
    let find = |name: &str| changes.iter().find(|change| change.name == name).unwrap();
    let left = |failed: &Change| {
        let depends = changes.iter().filter(|change| depends(change, failed));
        Vec::from_iter(depends.map(|change| change.name.as_str()))
    };
    assert_eq!(left(find("A")), ["w", "a@b.c"]);
    assert_eq!(left(find("B")), ["a@b.c", "b@b.c"]);
    assert_eq!(left(find("c")), ["w"]);
    assert_eq!(left(find("w")), Vec::<&str>::new());
    let made = Change { kind: Kind::Tenant, ..find("A").clone() };
    assert_eq!(left(&made).len(), changes.len());
    let renamed = Change { action: Action::Update, ..made };
    assert_eq!(left(&renamed), Vec::<&str>::new());
    // Of a tenant that is still suspended nothing changes, and none is suspended before all else is done.
    let status = |to: &str| {
        let (name, from, to) = (STATUS.to_owned(), Value::Null, Value::from(to));
        Change { fields: vec![FieldChange { name, from, to }], ..renamed.clone() }
    };
    assert_eq!(left(&status("ACTIVE")).len(), changes.len());
    assert!(depends(&status("SUSPENDED"), find("w")));
    assert!(!depends(&status("ACTIVE"), &renamed));
    // Nothing goes where what should take its place is missing.
    let deletion = Change { action: Action::Delete, ..find("v").clone() };
    assert!(depends(&deletion, find("B")) && depends(&deletion, &renamed));
}

#[test]
fn the_caller_is_changed_last_and_stays_where_nobody_else_administers() {
    let member = |roles: Value, standing| Found {
        id: "u".into(),
        fields: Fields::from([("roles".to_owned(), roles)]),
        standing,
    };
    let admin = json!(["TENANT_ADMIN"]);
    let members = BTreeMap::from([
        ("a@b.c".to_owned(), member(admin.clone(), Standing::Own)),
        ("old@b.c".to_owned(), member(json!([]), Standing::Ordinary)),
    ]);
    let found = FoundTenant {
        sections: BTreeMap::from([(Kind::Member, members)]),
        ..FoundTenant::default()
    };
    let names = |wanted: Value| {
        let changes = plan(&tenant(&json!({ "members": wanted })), Some(&found), Prune::Yes);
        Vec::from_iter(changes.into_iter().map(|change| (change.action, change.name)))
    };
    let delete = |name: &str| (Action::Delete, name.to_owned());
    assert_eq!(names(json!({"b@b.c": {"roles": []}}))[1..], [delete("old@b.c")]);
    assert_eq!(
        names(json!({"b@b.c": {"roles": admin}}))[1..],
        [delete("old@b.c"), delete("a@b.c")]
    );
}

#[test]
fn a_worker_that_asks_is_changed_last_and_never_pruned() {
    let worker = |id: &str, standing| {
        let fields = Fields::from([("scopes".to_owned(), json!([]))]);
        (id.to_owned(), Found { id: id.to_owned(), fields, standing })
    };
    let workers =
        [worker("pipeline", Standing::Own), worker("worker-01", Standing::Ordinary)].into();
    let found = FoundTenant {
        sections: BTreeMap::from([(Kind::Worker, workers)]),
        ..FoundTenant::default()
    };
    let names = |wanted: Value| {
        let changes = plan(&tenant(&json!({ "workers": wanted })), Some(&found), Prune::Yes);
        Vec::from_iter(changes.into_iter().map(|change| change.name))
    };
    assert_eq!(names(json!({})), ["worker-01"]);
    assert_eq!(names(json!({"pipeline": {"scopes": ["a"]}})), ["worker-01", "pipeline"]);
}
