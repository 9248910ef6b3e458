//! Moving within the set, one step at a time.

use super::*;
use crate::testing::Fixture;
use crate::user::UserStatus;

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn operation(number: u32) -> OperationId {
    OperationId::parse(&format!("01JD00000000000000000000{number:02}")).unwrap()
}

fn set(names: &[&str], moving: &[(&str, u32)]) -> Admins {
    Admins {
        user_ids: names.iter().map(|name| user(name)).collect(),
        moving: moving.iter().map(|(name, number)| (user(name), operation(*number))).collect(),
    }
}

#[test]
fn a_user_moves_by_one_operation_at_a_time_and_leaves_behind_one_who_stays() {
    let (ann, first) = (user("ann"), operation(1));
    let alone = set(&["ann"], &[]);
    let both = set(&["ann", "bob"], &[]);
    // The set; whom the look around found, in which set; the way; what comes of it, and the set then.
    let rows = [
        (&set(&[], &[]), None, Way::In, Some(Begun::Moving), set(&["ann"], &[("ann", 1)])),
        (&both, Some("bob"), Way::Out, Some(Begun::Moving), set(&["bob"], &[("ann", 1)])),
        // Carried on: nothing more to do.
        (
            &set(&["bob"], &[("ann", 1)]),
            None,
            Way::Out,
            Some(Begun::Moving),
            set(&["bob"], &[("ann", 1)]),
        ),
        (
            &set(&["bob"], &[("ann", 2)]),
            Some("bob"),
            Way::In,
            Some(Begun::Busy(operation(2))),
            set(&["bob"], &[("ann", 2)]),
        ),
        (&alone, None, Way::Out, Some(Begun::LastAdmin), alone.clone()),
        // Whoever was found has gone, is going or is coming back: look again.
        (&alone, Some("bob"), Way::Out, None, alone.clone()),
        (&set(&["ann"], &[("bob", 3)]), Some("bob"), Way::Out, None, set(&["ann"], &[("bob", 3)])),
        (
            &set(&["ann", "bob"], &[("bob", 3)]),
            Some("bob"),
            Way::Out,
            None,
            set(&["ann", "bob"], &[("bob", 3)]),
        ),
        // Nobody was found, and somebody has come meanwhile.
        (&both, None, Way::Out, None, both.clone()),
    ];
    for (number, (before, other, way, expected, after)) in rows.into_iter().enumerate() {
        let mut admins = before.clone();
        let seen = if number == 8 { &alone } else { before };
        let around = Around { admins: seen.clone(), other: other.map(user) };
        assert_eq!(step(&mut admins, &ann, (&first, way), &around), expected, "{number}");
        assert_eq!(admins, after, "{number}");
    }
}

#[tokio::test]
async fn one_who_is_coming_is_not_relied_on_before_he_has_come() {
    let fixture = Fixture::new().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let root = fixture.admin("root@corp.sys").await;
    let mut other = fixture.admin("other@corp.sys").await;
    let (leaves, comes) = (operation(1), operation(2));
    let out = begin(domain, &other.id, (&leaves, Way::Out), now).await.unwrap();
    assert_eq!(out, Begun::Moving);
    other.status = UserStatus::Suspended;
    fixture.put_user(&other).await;
    conclude(domain, &other.id, &leaves, now).await.unwrap();
    let back = begin(domain, &other.id, (&comes, Way::In), now).await.unwrap();
    assert_eq!(back, Begun::Moving);
    // His record says that he is active, and nobody knows yet whether that stays.
    other.status = UserStatus::Active;
    fixture.put_user(&other).await;
    let refused = look_first(domain, &root.id, now).await.unwrap_err();
    assert_eq!(refused.code(), Code::LastAdmin);
    let refused = begin(domain, &root.id, (&operation(3), Way::Out), now).await.unwrap();
    assert_eq!(refused, Begun::LastAdmin);
    conclude(domain, &other.id, &comes, now).await.unwrap();
    // Who was refused stays refused, and who is concluded never begins again.
    let again = begin(domain, &root.id, (&operation(3), Way::Out), now).await.unwrap();
    assert_eq!(again, Begun::Over);
    let late = begin(domain, &other.id, (&leaves, Way::Out), now).await.unwrap();
    assert_eq!(late, Begun::Over);
    let anew = begin(domain, &root.id, (&operation(4), Way::Out), now).await.unwrap();
    assert_eq!(anew, Begun::Moving);
}
