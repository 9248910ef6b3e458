//! Every fact that a code stands on, changed one by one; and the text, as people hand it in.

use std::collections::BTreeSet;

use super::*;
use crate::id::{RoleName, Slug};
use crate::membership::Membership;
use crate::random::Random;
use crate::secret::{NamedSecret, SecretBytes};
use crate::tenant::TenantStatus;
use crate::testing::{Fixture, START};
use crate::user::{GlobalRole, UserStatus};

/// A code, and everything that it names as it was when the code was made.
#[derive(Clone)]
struct World {
    code: OobCode,
    user: Option<User>,
    tenant: Option<Tenant>,
    membership: Option<Membership>,
    not_before: Option<Timestamp>,
    now: Timestamp,
}

fn world(kind: OobType) -> World {
    let (acme, ann) = (TenantId::parse("acme").unwrap(), UserId::parse("ann").unwrap());
    let email = Email::parse("ann@example.org").unwrap();
    let mut user = User::new(ann.clone(), email, GlobalRole::CompanyEmployee, START);
    user.email_claim = OperationId::parse("01JD000000000000000000000Z").unwrap();
    let now = START.plus_millis(10);
    let mut code = OobCode::about(&user, kind, now);
    code.tenant_id = Some(acme.clone());
    if kind == OobType::RecoverEmail {
        user.email_changes = 7;
        code.change = 7;
        code.email = Some(Email::parse("old@example.org").unwrap());
    }
    let tenant = Tenant {
        id: acme.clone(),
        slug: Slug::parse("acme").unwrap(),
        name: "Acme".to_owned(),
        status: TenantStatus::Active,
        self_sign_up: false,
        created_at: START,
    };
    let roles: BTreeSet<RoleName> = BTreeSet::new();
    let membership = Membership::new(acme, ann, roles, START);
    World {
        code,
        user: Some(user),
        tenant: Some(tenant),
        membership: Some(membership),
        not_before: None,
        now,
    }
}

impl World {
    fn is_good(&self, kind: OobType) -> bool {
        let facts = Facts {
            user: self.user.as_ref(),
            tenant: self.tenant.as_ref(),
            membership: self.membership.as_ref(),
            not_before: self.not_before,
        };
        self.code.is_good(kind, &facts, self.now)
    }

    fn user(&mut self) -> &mut User {
        self.user.as_mut().unwrap()
    }
}

type Change = fn(&mut World);

/// What makes every code worthless.
const ALWAYS: [(&str, Change); 14] = [
    ("no user", |world| world.user = None),
    ("another user", |world| world.user().id = UserId::parse("bob").unwrap()),
    ("suspended", |world| world.user().status = UserStatus::Suspended),
    ("inactive", |world| world.user().status = UserStatus::Inactive),
    ("no tenant", |world| world.tenant = None),
    ("another tenant", |world| {
        world.tenant.as_mut().unwrap().id = TenantId::parse("beta").unwrap();
    }),
    ("tenant suspended", |world| world.tenant.as_mut().unwrap().status = TenantStatus::Suspended),
    ("tenant deleting", |world| world.tenant.as_mut().unwrap().status = TenantStatus::Deleting),
    ("no membership", |world| world.membership = None),
    ("another's membership", |world| {
        world.membership.as_mut().unwrap().user_id = UserId::parse("bob").unwrap();
    }),
    ("a membership of another tenant", |world| {
        world.membership.as_mut().unwrap().tenant_id = TenantId::parse("beta").unwrap();
    }),
    ("a membership made again", |world| {
        world.membership.as_mut().unwrap().created_at = world.code.created_at.plus_millis(1);
    }),
    ("a membership revoked", |world| {
        world.membership.as_mut().unwrap().revoked_at = Some(world.code.created_at);
    }),
    ("restored from a backup", |world| {
        world.not_before = Some(world.code.created_at.plus_millis(1));
    }),
];

/// What makes worthless every code but the one that brings an old address back.
const BUT_RECOVERY: [(&str, Change); 4] = [
    ("revoked", |world| world.user().ver += 1),
    ("another address", |world| {
        world.user().email = Some(Email::parse("new@example.org").unwrap());
    }),
    ("no address", |world| world.user().email = None),
    ("an address left and taken again", |world| {
        world.user().email_claim = OperationId::parse("01JD0000000000000000000001").unwrap();
    }),
];

/// What makes worthless the code that brings an old address back.
const RECOVERY: [(&str, Change); 4] = [
    ("the address is there already", |world| {
        world.user().email = Some(Email::parse("old@example.org").unwrap());
    }),
    ("undone", |world| world.user().recoveries.add(7, 8, START)),
    ("undone with an earlier change", |world| world.user().recoveries.add(6, 9, START)),
    ("of before the numbers, and recovered since", |world| {
        world.code.change = 0;
        world.user().recovered_at = Some(world.code.created_at);
    }),
];

/// What does not take the way back from the owner of the old address.
const NOT_RECOVERY: [(&str, Change); 3] = [
    ("a later change undone", |world| world.user().recoveries.add(8, 9, START)),
    ("undone at this very moment by the clock", |world| {
        world.user().recovered_at = Some(world.code.created_at);
    }),
    ("of before the numbers, and recovered before", |world| {
        world.code.change = 0;
        world.user().recovered_at = Some(START);
    }),
];

#[test]
fn a_code_is_good_while_all_that_it_names_is_as_it_was() {
    for kind in OobType::ALL {
        assert!(world(kind).is_good(kind), "{kind:?}");
        let (bad, good) = match kind {
            OobType::RecoverEmail => {
                (RECOVERY.to_vec(), [&BUT_RECOVERY[..], &NOT_RECOVERY].concat())
            }
            _ => (BUT_RECOVERY.to_vec(), vec![]),
        };
        for (what, change) in ALWAYS.into_iter().chain(bad) {
            let mut world = world(kind);
            change(&mut world);
            assert!(!world.is_good(kind), "{kind:?}: {what}");
        }
        for (what, change) in good {
            let mut world = world(kind);
            change(&mut world);
            assert!(world.is_good(kind), "{kind:?}: {what}");
        }
    }
}

#[test]
fn a_code_ends_to_the_millisecond() {
    for kind in OobType::ALL {
        let minutes = if kind == OobType::RecoverEmail { 7 * 24 * 60 } else { 15 };
        let mut world = world(kind);
        world.now = world.code.created_at.plus_millis(minutes * 60 * 1000 - 1);
        assert!(world.is_good(kind), "{kind:?}");
        world.now = world.now.plus_millis(1);
        assert!(!world.is_good(kind), "{kind:?}");
    }
}

#[test]
fn l4_a_record_of_one_type_is_none_of_another() {
    for kind in OobType::ALL {
        for other in OobType::ALL.into_iter().filter(|other| *other != kind) {
            assert!(!world(kind).is_good(other), "{kind:?} as {other:?}");
        }
    }
}

#[test]
fn l4_the_same_characters_have_another_hash_in_each_type() {
    let random = Random::seeded(1);
    let text = BASE32_NOPAD.encode(&random.bytes::<CODE_BYTES>().unwrap()).into();
    let secret = NamedSecret { kid: "p1".to_owned(), secret: SecretBytes::new(vec![2; 32]) };
    let peppers = Peppers::new(&[secret]).unwrap();
    let hashes: BTreeSet<String> = OobType::ALL
        .into_iter()
        .flat_map(|kind| keys(&peppers, kind, &text))
        .map(|key| key.partition().as_str().split_once('.').unwrap().1.to_owned())
        .collect();
    assert_eq!(hashes.len(), OobType::ALL.len());
}

#[tokio::test]
async fn a_code_is_found_as_people_type_it_and_after_the_pepper_was_rotated() {
    let fixture = Fixture::new().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let code = world(OobType::EmailSignIn).code;
    let text = put(domain, code, now).await.unwrap();
    let exposed = text.expose_secret();
    assert_eq!(exposed.len(), 32);
    let found = async |peppers: &Peppers, text: &str| {
        let places = keys(peppers, OobType::EmailSignIn, &text.to_owned().into());
        let stored = domain.store.get_many(&places, now).await.unwrap();
        stored.into_iter().flatten().count()
    };
    let lower = format!(" {} ", exposed.to_lowercase());
    for text in [exposed, &lower] {
        assert_eq!(found(&domain.peppers, text).await, 1, "{text}");
    }
    let named = |kid: &str, byte| NamedSecret {
        kid: kid.to_owned(),
        secret: SecretBytes::new(vec![byte; 32]),
    };
    // The fixture's pepper is p1, of twos.
    let rotated = Peppers::new(&[named("p2", 9), named("p1", 2)]).unwrap();
    assert_eq!(found(&rotated, exposed).await, 1);
    let other = Peppers::new(&[named("p2", 9)]).unwrap();
    assert_eq!(found(&other, exposed).await, 0);
    let shorter = exposed.strip_prefix(|_| true).unwrap();
    for bad in ["", "A", shorter, &format!("{exposed}A"), "\0", "é", &"1".repeat(32)] {
        assert!(keys(&domain.peppers, OobType::EmailSignIn, &bad.to_owned().into()).is_empty());
    }
}

#[test]
fn every_type_has_a_name_of_its_own_in_links() {
    for kind in OobType::ALL {
        assert_eq!(OobType::of_mode(kind.mode()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!(OobType::of_mode("PASSWORD_RESET"), None);
}
