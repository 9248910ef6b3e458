//! Which users do the two hashes and the index of addresses mean?
//!
//! One address has one user, and one user one address. The rules, each with what it keeps:
//!
//! 1. Of two records of one id the newer one counts: `users_v2` before `users`, then the later date. The other
//!    fills what that one lacks if it has the same address, and is left if not; but nothing makes an administrator
//!    of him, and no password takes the place of a newer one. Of two that are as new both have to say something.
//! 2. A record without an id belongs to whom the index names by this very spelling of its address, else to who has
//!    the address in this very spelling. Its password, role and verified address are given to nobody who has a
//!    record of his own. Where nobody has the address, it is a user whose id follows from it: the same in every run.
//! 3. Of two ids with one address the one that the index names is taken; where it names several, that of the address
//!    in lower case, else the oldest, else none. Where it names none: the newer one as in rule 1, else the first in
//!    the order of ids.
//! 4. Of an id whose newer record cannot be taken no record is.
//!
//! Invariant: the order in which records are read is of no importance.
//!
//! Spec: Real clients, "Addresses that differ only in case, users without an id"; Domain, rule 1.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::document::{Date, Document, Wrong};
use super::fold::{OldPassword, OldUser, fold, newest_first};
use super::layout::{OldLayout, USER_BY_EMAIL, USERS, USERS_V2};
use super::report::{Origin, Report, Thing, Trouble, TroubleKind};
use crate::account::ImportedUser;
use crate::clock::Timestamp;
use crate::email::Email;
use crate::id::UserId;
use crate::password::PasswordHash;
use crate::secret::sha256_hex;
use crate::user::{GlobalRole, UserStatus, parse_display_name};

/// A user to be taken over.
#[derive(Clone)]
pub(super) struct PlannedUser {
    /// His record, but for the role of an administrator.
    pub(super) user: ImportedUser,
    pub(super) is_admin: bool,
    /// The old id of the tenant that he belonged to before there were memberships.
    pub(super) company: Option<String>,
    pub(super) origin: Origin,
}

/// Whom the index names by an address, by each way to write it.
type Index = BTreeMap<Email, BTreeMap<String, UserId>>;

/// Ids of which a record could not be taken.
#[derive(Default)]
struct Doubted {
    /// Their record in `users_v2`.
    newer: BTreeSet<UserId>,
    /// Any record.
    any: BTreeSet<UserId>,
}

/// The users of the old layout, in the order of their ids.
pub(super) fn users(layout: &OldLayout, now: Timestamp, report: &mut Report) -> Vec<PlannedUser> {
    let index = index(layout, report);
    let (old, doubted) = parse(layout, &index, now, report);
    let (mut by_id, mut without_id) = (BTreeMap::<UserId, Vec<OldUser>>::new(), Vec::new());
    for user in old {
        let is_in_doubt =
            |id: &UserId| doubted.newer.contains(id) || !user.is_own && doubted.any.contains(id);
        match user.id.clone() {
            Some(id) if is_in_doubt(&id) => {
                report.leave(Thing::User, Trouble::new(TroubleKind::IdInDoubt, &user.origin));
            }
            Some(id) => by_id.entry(id).or_default().push(user),
            None => without_id.push(user),
        }
    }
    let mut by_email = BTreeMap::<Email, Vec<OldUser>>::new();
    for (_, records) in by_id {
        if let Some(user) = of_one_id(records, report) {
            by_email.entry(user.email.clone()).or_default().push(user);
        }
    }
    let mut orphans = BTreeMap::<Email, Vec<OldUser>>::new();
    for user in without_id {
        orphans.entry(user.email.clone()).or_default().push(user);
    }
    let mut planned = Vec::new();
    for (email, rivals) in by_email {
        let named = index.get(&email);
        let with = orphans.remove(&email).unwrap_or_default();
        planned.extend(of_one_address(rivals, (named, with), report));
    }
    for (email, records) in orphans {
        planned.extend(of_no_id((&email, index.get(&email)), records, report));
    }
    planned.sort_by(|a, b| a.user.id.cmp(&b.user.id));
    tell_of_strays(layout, &planned, report);
    planned
}

fn index(layout: &OldLayout, report: &mut Report) -> Index {
    let mut index = Index::new();
    for (address, id) in &layout.user_by_email {
        let key = format!("{USER_BY_EMAIL}{address}");
        match (Email::parse(address), UserId::parse(id)) {
            (Ok(email), Ok(id)) => {
                index.entry(email).or_default().insert(address.clone(), id);
            }
            (Err(_), _) => report.note(Trouble::of_key(TroubleKind::BadAddress, key)),
            (_, Err(_)) => report.note(Trouble::of_key(TroubleKind::BadId, key)),
        }
    }
    index
}

/// What the index says of an address that no user has, or another one.
fn tell_of_strays(layout: &OldLayout, planned: &[PlannedUser], report: &mut Report) {
    let bearers: BTreeMap<&Email, &UserId> =
        planned.iter().map(|one| (&one.user.email, &one.user.id)).collect();
    for (address, id) in &layout.user_by_email {
        let (Ok(email), Ok(id)) = (Email::parse(address), UserId::parse(id)) else { continue };
        if bearers.get(&email) != Some(&&id) {
            let key = format!("{USER_BY_EMAIL}{address}");
            report.note(Trouble::of_key(TroubleKind::IndexOfNobody, key));
        }
    }
}

fn parse(
    layout: &OldLayout,
    index: &Index,
    now: Timestamp,
    report: &mut Report,
) -> (Vec<OldUser>, Doubted) {
    let mut addresses = BTreeMap::<&UserId, BTreeSet<&Email>>::new();
    for (email, named) in index {
        for id in named.values() {
            addresses.entry(id).or_default().insert(email);
        }
    }
    let older = layout.users.iter().map(|entry| (USERS, entry));
    let newer = layout.users_v2.iter().map(|entry| (USERS_V2, entry));
    let (mut old, mut doubted) = (Vec::new(), Doubted::default());
    for (key, (field, value)) in older.chain(newer) {
        report.counts(Thing::User).found += 1;
        let origin = Origin::new(key, String::from_utf8_lossy(field));
        let document = Document::parse(value);
        let named = std::str::from_utf8(field).ok().zip(document.as_ref());
        let read = named.ok_or(TroubleKind::Unreadable).and_then(|(field, document)| {
            let who = match key {
                USERS => of_address(field, document, index),
                _ => of_id(field, document, &addresses),
            };
            record(key == USERS_V2, who?, (document, &origin), (now, &mut *report))
        });
        match read {
            Ok(user) => old.push(user),
            Err(kind) => {
                doubted.add(key == USERS_V2, (&origin, document.as_ref()));
                report.leave(Thing::User, Trouble::new(kind, &origin));
            }
        }
    }
    (old, doubted)
}

impl Doubted {
    /// A record that was left: of the id that it stands under, or that it names.
    fn add(&mut self, is_newer: bool, (origin, document): (&Origin, Option<&Document>)) {
        let parse = |id: &str| UserId::parse(id).ok();
        let field = origin.field.as_deref().and_then(parse).filter(|_| is_newer);
        self.newer.extend(field.clone());
        let own = document.and_then(|document| document.text(&["localId", "id"]).ok().flatten());
        self.any.extend(field.into_iter().chain(own.as_deref().and_then(parse)));
    }
}

/// Who a record is about: his id and whether the record names it, his address, and that as it was written.
type Named = (Option<(UserId, bool)>, Email, String);

/// A record of `users`, which stands under its address.
fn of_address(field: &str, document: &Document, index: &Index) -> Result<Named, TroubleKind> {
    let email = Email::parse(field).map_err(|_| TroubleKind::BadAddress)?;
    // The address that its user signed in with is the field.
    if let Some(own) = document.text(&["email"])?
        && Email::parse(&own).as_ref() != Ok(&email)
    {
        return Err(TroubleKind::ContradictsKey);
    }
    let id = document.text(&["localId", "id"])?.map(|id| UserId::parse(&id)).transpose();
    let id = id.map_err(|_| TroubleKind::BadId)?.map(|id| (id, true));
    let named = || Some((index.get(&email)?.get(field)?.clone(), false));
    Ok((id.or_else(named), email, field.to_owned()))
}

/// A record of `users_v2`, which stands under its id.
fn of_id(
    field: &str,
    document: &Document,
    addresses: &BTreeMap<&UserId, BTreeSet<&Email>>,
) -> Result<Named, TroubleKind> {
    let id = UserId::parse(field).map_err(|_| TroubleKind::BadId)?;
    if document.text(&["localId", "id"])?.is_some_and(|own| own != field) {
        return Err(TroubleKind::ContradictsKey);
    }
    if let Some(own) = document.text(&["email"])? {
        let email = Email::parse(&own).map_err(|_| TroubleKind::BadAddress)?;
        return Ok((Some((id, true)), email, own));
    }
    let only = addresses.get(&id).filter(|emails| emails.len() == 1);
    let email = only.and_then(|emails| emails.first()).ok_or(TroubleKind::NoAddress)?;
    Ok((Some((id, true)), (*email).clone(), email.as_str().to_owned()))
}

fn record(
    is_newer: bool,
    (id, email, spelling): Named,
    (document, origin): (&Document, &Origin),
    (now, report): (Timestamp, &mut Report),
) -> Result<OldUser, TroubleKind> {
    let (role, status) = (document.text(&["role"])?, document.text(&["status"])?);
    let mut note = |kind| report.note(Trouble::new(kind, origin));
    let role = role.map(|role| {
        GlobalRole::parse(&role).unwrap_or_else(|_| {
            note(TroubleKind::UserRole);
            GlobalRole::CompanyEmployee
        })
    });
    let status = status.map(|status| {
        UserStatus::parse(&status.to_ascii_uppercase()).unwrap_or_else(|_| {
            note(TroubleKind::UserStatus);
            UserStatus::Inactive
        })
    });
    let created_at = document.created_at(now);
    if created_at == Date::Wrong {
        note(TroubleKind::Date);
    }
    let is_own = id.as_ref().is_some_and(|(_, is_own)| *is_own);
    if !is_own {
        note(TroubleKind::WithoutId);
    }
    // What these say opens nothing by itself: the user is taken without.
    let mut text = |name| {
        document.text(&[name]).unwrap_or_else(|Wrong| {
            note(TroubleKind::WrongMember);
            None
        })
    };
    let (company, display_name) = (text("companyId"), text("displayName"));
    Ok(OldUser {
        is_newer,
        id: id.map(|(id, _)| id),
        is_own,
        email,
        spelling,
        password: password(document, origin),
        role,
        status,
        company,
        display_name: display_name.and_then(|name| parse_display_name("displayName", &name).ok()),
        email_verified: document.truth("emailVerified"),
        created_at: created_at.known(),
        origin: origin.clone(),
    })
}

/// Other kinds of hashes could be checked, but no older Tikti made them: what this is nobody knows.
fn password(document: &Document, origin: &Origin) -> OldPassword {
    match document.text(&["password", "passwordHash"]) {
        Ok(None) => OldPassword::Absent,
        Ok(Some(text)) if text.starts_with("$2") => PasswordHash::parse(&text)
            .map_or_else(|_| OldPassword::Unknown(origin.clone()), OldPassword::Hash),
        Ok(Some(_)) | Err(Wrong) => OldPassword::Unknown(origin.clone()),
    }
}

/// Rule 1.
fn of_one_id(records: Vec<OldUser>, report: &mut Report) -> Option<OldUser> {
    let mut records = newest_first(records).into_iter();
    let mut user = records.next()?;
    for other in records {
        if other.email == user.email {
            fold(&mut user, other, report);
        } else {
            report.leave(Thing::User, Trouble::new(TroubleKind::TwoAddresses, &other.origin));
        }
    }
    Some(user)
}

/// Rule 3, and rule 2 for those who have this address and no id.
fn of_one_address(
    rivals: Vec<OldUser>,
    (named, without_id): (Option<&BTreeMap<String, UserId>>, Vec<OldUser>),
    report: &mut Report,
) -> Option<PlannedUser> {
    let (chosen, others) = choose(rivals, named);
    for other in others {
        report.leave(Thing::User, Trouble::new(TroubleKind::AddressOfTwo, &other.origin));
    }
    let (same, doubtful): (Vec<_>, Vec<_>) = without_id
        .into_iter()
        .partition(|other| chosen.as_ref().is_some_and(|user| user.spelling == other.spelling));
    for other in doubtful {
        report.leave(Thing::User, Trouble::new(TroubleKind::AddressOfTwo, &other.origin));
    }
    let mut user = chosen?;
    for other in newest_first(same) {
        fold(&mut user, other, report);
    }
    let id = user.id.clone()?;
    Some(planned(id, user, report))
}

/// The one of these who keeps the address, and the others.
fn choose(
    mut rivals: Vec<OldUser>,
    named: Option<&BTreeMap<String, UserId>>,
) -> (Option<OldUser>, Vec<OldUser>) {
    rivals.sort_by_key(|user| (Reverse(user.is_newer), Reverse(user.created_at), user.id.clone()));
    let is_named = |user: &OldUser| {
        let mut ids = named.iter().flat_map(|named| named.values());
        ids.any(|id| user.id.as_ref() == Some(id))
    };
    let by_index = Vec::from_iter((0..).zip(&rivals).filter(|(_, user)| is_named(user)));
    let place = match by_index.as_slice() {
        [] => Some(0),
        [(only, _)] => Some(*only),
        several => {
            let by_key = several.iter().find(|(_, user)| {
                let key = named.and_then(|named| named.get(user.email.as_str()));
                key.is_some() && key == user.id.as_ref()
            });
            by_key.map(|(place, _)| *place).or_else(|| oldest(several))
        }
    };
    let chosen = place.filter(|place| *place < rivals.len()).map(|place| rivals.remove(place));
    (chosen, rivals)
}

/// The one who was there before all others, where that is certain.
fn oldest(several: &[(usize, &OldUser)]) -> Option<usize> {
    let mut dated = several
        .iter()
        .map(|(place, user)| Some((user.created_at?, *place)))
        .collect::<Option<Vec<_>>>()?;
    dated.sort_unstable();
    match dated.as_slice() {
        [(first, place), (second, _), ..] if first < second => Some(*place),
        _ => None,
    }
}

/// Rule 2, where nobody has the address. Whom the index names by another spelling may be the one of the record, and
/// of several records in several spellings only that in lower case is certain.
fn of_no_id(
    (email, named): (&Email, Option<&BTreeMap<String, UserId>>),
    records: Vec<OldUser>,
    report: &mut Report,
) -> Option<PlannedUser> {
    let is_only = records.len() == 1;
    let is_certain =
        |user: &OldUser| named.is_none() && (is_only || user.spelling == email.as_str());
    let (mut certain, others): (Vec<_>, Vec<_>) = records.into_iter().partition(is_certain);
    for other in others {
        report.leave(Thing::User, Trouble::new(TroubleKind::AddressOfTwo, &other.origin));
    }
    Some(planned(id_from(email)?, certain.pop()?, report))
}

/// The id of a user who has none: a UUID of version 8 (RFC 9562, section 5.8) from his address, so that every run
/// finds him again.
fn id_from(email: &Email) -> Option<UserId> {
    let hash = sha256_hex(format!("tikti user without an id\0{}", email.as_str()).as_bytes());
    let bytes = u128::from_str_radix(hash.get(..32)?, 16).ok()?.to_be_bytes();
    let id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    UserId::parse(&id.to_string()).ok()
}

fn planned(id: UserId, old: OldUser, report: &mut Report) -> PlannedUser {
    let password_hash = match old.password {
        OldPassword::Hash(hash) => Some(hash),
        OldPassword::Absent => None,
        OldPassword::Unknown(origin) => {
            report.note(Trouble::new(TroubleKind::Password, &origin));
            None
        }
    };
    let role = old.role.unwrap_or(GlobalRole::CompanyEmployee);
    let is_admin = role == GlobalRole::Admin;
    let user = ImportedUser {
        email_verified: old.email_verified == Some(true),
        display_name: old.display_name,
        password_hash,
        role: if is_admin { GlobalRole::CompanyEmployee } else { role },
        status: old.status.unwrap_or(UserStatus::Active),
        created_at: old.created_at,
        is_to_rise: is_admin,
        ..ImportedUser::new(id, old.email)
    };
    PlannedUser { user, is_admin, company: old.company, origin: old.origin }
}
