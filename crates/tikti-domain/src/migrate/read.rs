//! How is the old layout read from its server?
//!
//! Whole, and page by page: what is decided about one user depends on others. Nothing is written there. The
//! old Tikti should not be running: what it changes meanwhile is seen or not.
//!
//! Spec: Operations, "migrate legacy".

use std::collections::BTreeSet;

use tikti_store::{Fields, Foreign, Found, StoreError};

use super::layout::{
    ByTenant, CLIENTS, MEMBERSHIPS, MEMBERSHIPS_BY_USER, OOB, OOBS, OldLayout, ROLES, TENANTS,
    USER_BY_EMAIL, USERS, USERS_V2,
};
use super::report::{Trouble, TroubleKind};
use crate::integrity::Progress;

/// How many small values are read between two words about how far it is.
const AT_ONCE: usize = 1000;

/// Reads everything that an older Tikti has stored on this server; `listener` hears how many documents.
///
/// # Errors
/// `Unavailable`.
pub async fn read(
    server: &Foreign,
    listener: &mut (dyn FnMut(Progress) + Send),
) -> Result<OldLayout, StoreError> {
    let mut reader = Reader { server, listener, done: 0, troubles: Vec::new() };
    let mut layout = OldLayout {
        tenants: reader.hash(TENANTS).await?,
        roles: reader.of_tenants(ROLES).await?,
        clients: reader.of_tenants(CLIENTS).await?,
        users: reader.hash(USERS).await?,
        users_v2: reader.hash(USERS_V2).await?,
        memberships: reader.of_tenants(MEMBERSHIPS).await?,
        ..OldLayout::default()
    };
    reader.addresses(&mut layout).await?;
    reader.tenants_of_users(&mut layout).await?;
    let in_hash = match server.size(OOBS.as_bytes()).await? {
        Found::Is(number) => number,
        Found::OtherType => 0,
    };
    layout.oob_codes = in_hash + server.names(OOB).await?.len() as u64;
    layout.troubles = reader.troubles;
    Ok(layout)
}

struct Reader<'a> {
    server: &'a Foreign,
    listener: &'a mut (dyn FnMut(Progress) + Send),
    done: u64,
    troubles: Vec<Trouble>,
}

impl Reader<'_> {
    fn tell(&mut self, more: usize) {
        self.done += more as u64;
        (self.listener)(Progress { done: self.done, total: None });
    }

    fn is_wrong(&mut self, kind: TroubleKind, name: &[u8]) {
        self.troubles.push(Trouble::of_key(kind, String::from_utf8_lossy(name)));
    }

    async fn hash(&mut self, name: &str) -> Result<Fields, StoreError> {
        self.fields(name.as_bytes()).await
    }

    async fn fields(&mut self, name: &[u8]) -> Result<Fields, StoreError> {
        match self.server.hash(name).await? {
            Found::Is(fields) => {
                self.tell(fields.len());
                Ok(fields)
            }
            Found::OtherType => {
                self.is_wrong(TroubleKind::WrongType, name);
                Ok(Fields::new())
            }
        }
    }

    async fn of_tenants(&mut self, prefix: &str) -> Result<ByTenant, StoreError> {
        let mut found = ByTenant::new();
        for name in self.server.names(prefix).await? {
            let Some(tenant) = behind(prefix, &name) else {
                self.is_wrong(TroubleKind::Unreadable, &name);
                continue;
            };
            let fields = self.fields(&name).await?;
            if !fields.is_empty() {
                found.insert(tenant, fields);
            }
        }
        Ok(found)
    }

    async fn addresses(&mut self, layout: &mut OldLayout) -> Result<(), StoreError> {
        let names = Vec::from_iter(self.server.names(USER_BY_EMAIL).await?);
        for some in names.chunks(AT_ONCE) {
            let values = self.server.strings(some).await?;
            for (name, value) in some.iter().zip(values) {
                match (behind(USER_BY_EMAIL, name), value) {
                    // It has expired since it was listed.
                    (_, Found::Is(None)) => {}
                    (_, Found::OtherType) => self.is_wrong(TroubleKind::WrongType, name),
                    (Some(email), Found::Is(Some(id))) if id.is_ascii() => {
                        let id = String::from_utf8_lossy(&id).trim_matches('"').to_owned();
                        layout.user_by_email.insert(email, id);
                    }
                    _ => self.is_wrong(TroubleKind::Unreadable, name),
                }
            }
            self.tell(some.len());
        }
        Ok(())
    }

    async fn tenants_of_users(&mut self, layout: &mut OldLayout) -> Result<(), StoreError> {
        let names = Vec::from_iter(self.server.names(MEMBERSHIPS_BY_USER).await?);
        for some in names.chunks(AT_ONCE) {
            let values = self.server.sets(some).await?;
            for (name, value) in some.iter().zip(values) {
                match (behind(MEMBERSHIPS_BY_USER, name), value) {
                    (_, Found::OtherType) => self.is_wrong(TroubleKind::WrongType, name),
                    (None, _) => self.is_wrong(TroubleKind::Unreadable, name),
                    (Some(user), Found::Is(tenants)) => {
                        let tenants = tenants.iter().map(|id| String::from_utf8_lossy(id).into());
                        let tenants = BTreeSet::from_iter(tenants);
                        layout.memberships_by_user.insert(user, tenants);
                    }
                }
            }
            self.tell(some.len());
        }
        Ok(())
    }
}

/// What follows the prefix of a name, where that is text.
fn behind(prefix: &str, name: &[u8]) -> Option<String> {
    let rest = name.strip_prefix(prefix.as_bytes())?;
    std::str::from_utf8(rest).ok().map(str::to_owned)
}
