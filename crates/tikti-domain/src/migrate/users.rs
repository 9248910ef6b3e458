//! Which users do the two hashes and the index of addresses mean?
//!
//! One address has one user, and one user one address. The rules, each with what it keeps:
//!
//! 1. Of two records of one id the newer one counts: `users_v2` before `users`, then the later date. The other
//!    fills what that one lacks if it has the same address, and is left if not.
//! 2. A record without an id belongs to whom the index names by its address, else to who has the address, else
//!    to a user whose id follows from the address: the same one in every run.
//! 3. Of two ids with one address the one that the index names is taken, else the newer one as in rule 1, else
//!    the first in the order of ids.
//!
//! Invariant: the order in which records are read is of no importance.
//!
//! Spec: Real clients, "Addresses that differ only in case, users without an id"; Domain, rule 1.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::document::{Date, Document};
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

/// Which ids the index names by an address.
type Index = BTreeMap<Email, BTreeSet<UserId>>;

/// One record of the old layout, as it was read.
struct OldUser {
    is_newer: bool,
    id: Option<UserId>,
    email: Email,
    /// As it was written.
    spelling: String,
    password_hash: Option<PasswordHash>,
    /// Where a hash stands that cannot be checked.
    unknown_hash: Option<Origin>,
    role: Option<GlobalRole>,
    status: Option<UserStatus>,
    company: Option<String>,
    display_name: Option<String>,
    email_verified: bool,
    created_at: Option<Timestamp>,
    origin: Origin,
}

/// The users of the old layout, in the order of their ids.
pub(super) fn users(layout: &OldLayout, now: Timestamp, report: &mut Report) -> Vec<PlannedUser> {
    let index = index(layout, report);
    let old = parse(layout, &index, now, report);
    let (mut by_id, mut without_id) = (BTreeMap::<UserId, Vec<OldUser>>::new(), Vec::new());
    for user in old {
        match user.id.clone() {
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
        planned.extend(of_no_id(&email, records, report));
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
            (Ok(email), Ok(id)) => drop(index.entry(email).or_default().insert(id)),
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

fn parse(layout: &OldLayout, index: &Index, now: Timestamp, report: &mut Report) -> Vec<OldUser> {
    let mut addresses = BTreeMap::<&UserId, BTreeSet<&Email>>::new();
    for (email, ids) in index {
        for id in ids {
            addresses.entry(id).or_default().insert(email);
        }
    }
    let older = layout.users.iter().map(|entry| (USERS, entry));
    let newer = layout.users_v2.iter().map(|entry| (USERS_V2, entry));
    let mut old = Vec::new();
    for (key, (field, value)) in older.chain(newer) {
        report.counts(Thing::User).found += 1;
        let origin = Origin::new(key, String::from_utf8_lossy(field));
        let named = || std::str::from_utf8(field).ok().zip(Document::parse(value));
        let parsed = named().ok_or(TroubleKind::Unreadable).and_then(|(field, document)| {
            let who = match key {
                USERS => of_address(field, &document, index),
                _ => of_id(field, &document, &addresses),
            };
            Ok((who?, document))
        });
        match parsed {
            Ok((who, document)) => {
                old.push(record(key == USERS_V2, who, (&document, &origin), (now, &mut *report)));
            }
            Err(kind) => report.leave(Thing::User, Trouble::new(kind, &origin)),
        }
    }
    old
}

/// Who a record is about: his id, his address, and that as it was written.
type Named = (Option<UserId>, Email, String);

/// A record of `users`, which stands under its address.
fn of_address(field: &str, document: &Document, index: &Index) -> Result<Named, TroubleKind> {
    let email = Email::parse(field).map_err(|_| TroubleKind::BadAddress)?;
    // The address that its user signed in with is the field.
    if let Some(own) = document.text(&["email"])
        && Email::parse(&own).as_ref() != Ok(&email)
    {
        return Err(TroubleKind::ContradictsKey);
    }
    let id = document.text(&["localId", "id"]).map(|id| UserId::parse(&id)).transpose();
    let id = id.map_err(|_| TroubleKind::BadId)?;
    let only = || index.get(&email).filter(|ids| ids.len() == 1)?.first().cloned();
    Ok((id.or_else(only), email, field.to_owned()))
}

/// A record of `users_v2`, which stands under its id.
fn of_id(
    field: &str,
    document: &Document,
    addresses: &BTreeMap<&UserId, BTreeSet<&Email>>,
) -> Result<Named, TroubleKind> {
    let id = UserId::parse(field).map_err(|_| TroubleKind::BadId)?;
    if document.text(&["localId", "id"]).is_some_and(|own| own != field) {
        return Err(TroubleKind::ContradictsKey);
    }
    if let Some(own) = document.text(&["email"]) {
        let email = Email::parse(&own).map_err(|_| TroubleKind::BadAddress)?;
        return Ok((Some(id), email, own));
    }
    let only = addresses.get(&id).filter(|emails| emails.len() == 1);
    let email = only.and_then(|emails| emails.first()).ok_or(TroubleKind::NoAddress)?;
    Ok((Some(id), (*email).clone(), email.as_str().to_owned()))
}

fn record(
    is_newer: bool,
    (id, email, spelling): Named,
    (document, origin): (&Document, &Origin),
    (now, report): (Timestamp, &mut Report),
) -> OldUser {
    let mut note = |kind| report.note(Trouble::new(kind, origin));
    // Other kinds of hashes could be checked, but no older Tikti made them: what this is nobody knows.
    let hash = document.text(&["password", "passwordHash"]);
    let bcrypt = hash.as_ref().filter(|text| text.starts_with("$2"));
    let password_hash = bcrypt.and_then(|text| PasswordHash::parse(text).ok());
    let is_unknown = hash.is_some() && password_hash.is_none();
    let role = document.text(&["role"]).map(|role| {
        GlobalRole::parse(&role).unwrap_or_else(|_| {
            note(TroubleKind::UserRole);
            GlobalRole::CompanyEmployee
        })
    });
    let status = document.text(&["status"]).map(|status| {
        UserStatus::parse(&status).unwrap_or_else(|_| {
            note(TroubleKind::UserStatus);
            UserStatus::Inactive
        })
    });
    let created_at = document.created_at(now);
    if created_at == Date::Wrong {
        note(TroubleKind::Date);
    }
    // A record of `users_v2` stands under its id.
    if !is_newer && document.text(&["localId", "id"]).is_none() {
        note(TroubleKind::WithoutId);
    }
    let display_name = document.text(&["displayName"]);
    OldUser {
        is_newer,
        id,
        email,
        spelling,
        password_hash,
        unknown_hash: is_unknown.then(|| origin.clone()),
        role,
        status,
        company: document.text(&["companyId"]),
        display_name: display_name.and_then(|name| parse_display_name("displayName", &name).ok()),
        email_verified: document.is_true("emailVerified"),
        created_at: created_at.known(),
        origin: origin.clone(),
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
    mut rivals: Vec<OldUser>,
    (named, without_id): (Option<&BTreeSet<UserId>>, Vec<OldUser>),
    report: &mut Report,
) -> Option<PlannedUser> {
    rivals.sort_by_key(|user| {
        let id = user.id.clone();
        let is_named = named.zip(id.as_ref()).is_some_and(|(ids, id)| ids.contains(id));
        (Reverse(is_named), Reverse(user.is_newer), Reverse(user.created_at), id)
    });
    let mut rivals = rivals.into_iter();
    let mut user = rivals.next()?;
    for other in rivals {
        report.leave(Thing::User, Trouble::new(TroubleKind::AddressOfTwo, &other.origin));
    }
    for other in newest_first(without_id) {
        fold(&mut user, other, report);
    }
    let id = user.id.clone()?;
    Some(planned(id, user, report))
}

/// Rule 2, where nobody has the address.
fn of_no_id(email: &Email, records: Vec<OldUser>, report: &mut Report) -> Option<PlannedUser> {
    let mut records = newest_first(records).into_iter();
    let mut user = records.next()?;
    for other in records {
        fold(&mut user, other, report);
    }
    Some(planned(id_from(email)?, user, report))
}

/// The id of a user who has none: a UUID of version 8 (RFC 9562, section 5.8) from his address, so that every run
/// finds him again.
fn id_from(email: &Email) -> Option<UserId> {
    let hash = sha256_hex(format!("tikti user without an id\0{}", email.as_str()).as_bytes());
    let bytes = u128::from_str_radix(hash.get(..32)?, 16).ok()?.to_be_bytes();
    let id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    UserId::parse(&id.to_string()).ok()
}

fn newest_first(mut records: Vec<OldUser>) -> Vec<OldUser> {
    records.sort_by_key(|user| {
        (Reverse(user.is_newer), Reverse(user.created_at), user.origin.clone())
    });
    records
}

/// Fills what `user` lacks from an older record about him.
fn fold(user: &mut OldUser, other: OldUser, report: &mut Report) {
    report.counts(Thing::User).merged += 1;
    if other.spelling != user.spelling {
        report.note(Trouble::new(TroubleKind::AddressCase, &other.origin));
    }
    user.password_hash = user.password_hash.take().or(other.password_hash);
    user.unknown_hash = user.unknown_hash.take().or(other.unknown_hash);
    user.role = user.role.or(other.role);
    user.status = user.status.or(other.status);
    user.company = user.company.take().or(other.company);
    user.display_name = user.display_name.take().or(other.display_name);
    user.email_verified |= other.email_verified;
    user.created_at = user.created_at.or(other.created_at);
}

fn planned(id: UserId, old: OldUser, report: &mut Report) -> PlannedUser {
    if let (None, Some(origin)) = (&old.password_hash, &old.unknown_hash) {
        report.note(Trouble::new(TroubleKind::Password, origin));
    }
    let role = old.role.unwrap_or(GlobalRole::CompanyEmployee);
    let is_admin = role == GlobalRole::Admin;
    let user = ImportedUser {
        email_verified: old.email_verified,
        display_name: old.display_name,
        password_hash: old.password_hash,
        role: if is_admin { GlobalRole::CompanyEmployee } else { role },
        status: old.status.unwrap_or(UserStatus::Active),
        created_at: old.created_at,
        ..ImportedUser::new(id, old.email)
    };
    PlannedUser { user, is_admin, company: old.company, origin: old.origin }
}
