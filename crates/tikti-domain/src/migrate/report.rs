//! What has become of everything that was there, and why was something left?
//!
//! Invariant: of each [`Thing`] what was found is what was taken, present, merged and left, together. A
//! [`Trouble`] names the place in the old layout, which may be an address: it is for the operator who asked,
//! and neither for a log nor for a `Debug`. It holds nothing of a value.
//!
//! Spec: Real clients, "reported, counted and, where a rule says how, merged".

use std::borrow::Cow;

/// Declares [`TroubleKind`] once: variant, wire name, whether something is lost, what it means.
macro_rules! troubles {
    ($($variant:ident $wire:literal $loses:literal $meaning:literal;)+) => {
        /// Why something was left, or taken otherwise than it stood there: a closed list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TroubleKind {
            $(#[doc = $meaning] $variant,)+
        }

        impl TroubleKind {
            /// Every kind.
            pub const ALL: &'static [TroubleKind] = &[$(TroubleKind::$variant,)+];

            /// The name for programs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// What it means, a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// Whether something is not here as it was there, or who is who needs a look: the exit code says so.
            #[must_use]
            pub const fn loses(self) -> bool {
                match self { $(Self::$variant => $loses,)+ }
            }
        }
    };
}

troubles! {
    WrongType "wrong_type" true "The name holds something of another type.";
    Unreadable "unreadable" true "It is no JSON object, or its name is no text.";
    WrongMember "wrong_member" true "A member that decides something has a type that says nothing.";
    BadId "bad_id" true "Its id does not fit what ids are made of.";
    ContradictsKey "contradicts_key" true "It names somebody or something else than the key that it stands under.";
    NoAddress "no_address" true "The user has no address, and no index names one.";
    BadAddress "bad_address" true "The address is none that can receive mail.";
    TwoAddresses "two_addresses" true "The user has another address in a newer record, which was taken.";
    AddressOfTwo "address_of_two" true "Another record has the same address, and it is not certain that it is his: he was not taken.";
    Password "password" true "The password hash is no bcrypt that can be checked: the user has to reset the password.";
    AddressCase "address_case" true "The address is written in several ways: the records are one user's.";
    WithoutId "without_id" true "The user has no id: the one of this very address was taken, or one that follows from it.";
    IdInDoubt "id_in_doubt" true "A newer record of this id, or the one that the index names, could not be taken.";
    IndexOfNobody "index_of_nobody" false "The index names a user who is not there by this address.";
    UserRole "user_role" true "The role is unknown: it became COMPANY_EMPLOYEE.";
    OlderAdmin "older_admin" true "Only an older record, or one without an id, says ADMIN: he is none here.";
    NotHisOwn "not_his_own" true "The record has no id: its password, role and verified address were not given to whom it was merged into.";
    UserStatus "user_status" true "The status is unknown: it became INACTIVE.";
    Date "date" false "The date cannot be read or lies in the future: it became that of the migration.";
    CompanyWithoutMembership "company_without_membership" true "The user's company is no tenant that he is a member of.";
    IdTwice "id_twice" true "Several tenants would get the same id: none of them was taken.";
    Slug "slug" true "The slug does not fit or is another tenant's: the id took its place.";
    TenantName "tenant_name" false "The name for people cannot be taken: the slug took its place.";
    TenantStatus "tenant_status" true "The status is unknown: it became SUSPENDED.";
    TenantMissing "tenant_missing" true "Its tenant is not there or was not taken.";
    BuiltInRole "built_in_role" true "Every tenant has this role, and with other permissions.";
    Permission "permission" true "A permission does not fit what scopes are made of, or there are too many: the role has the others.";
    PlatformScope "platform_scope" true "Only the deployment grants this scope: it was left out.";
    TemplateScope "template_scope" true "The deployment's template has no such scope in what has this name: it was left out.";
    ReservedClient "reserved_client" true "The id is kept for Tikti itself.";
    ClientType "client_type" true "The type is neither SERVICE nor APPLICATION.";
    ClientStatus "client_status" true "The status is unknown: it became DISABLED.";
    GrantType "grant_type" true "A grant type is unknown: the client has the others, and is left where there is no other.";
    ClientScope "client_scope" true "A default scope does not fit what scopes are made of: the client has the others.";
    ClientSecret "client_secret" true "The client's secret cannot be checked here: make the client anew to get one.";
    MemberMissing "member_missing" true "Its user is not there or was not taken.";
    MemberRole "member_role" true "A role is not there, was not taken or is in doubt: it was left out.";
    TooManyRoles "too_many_roles" true "It has more than 32 roles.";
    MembershipTwice "membership_twice" false "The user is a member of this tenant by a newer record, which was taken.";
    IndexWithoutMembership "index_without_membership" false "The index names a membership that is not there: it gave nothing.";
    Differs "differs" true "It is here already, and otherwise: nothing was changed.";
    Refused "refused" true "It could not be made.";
}

/// Something that was left, or taken otherwise than it stood there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// What kind.
    pub kind: TroubleKind,
    /// The key in the old layout. May hold an address.
    pub key: String,
    /// The field of the hash, or the member of the set. May be an address.
    pub field: Option<String>,
    /// More, such as a code or the name of a role.
    pub detail: Option<Cow<'static, str>>,
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, origin: &Origin) -> Self {
        let Origin { key, field } = origin.clone();
        Self { kind, key, field, detail: None }
    }

    pub(super) fn of_key(kind: TroubleKind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into(), field: None, detail: None }
    }

    pub(super) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Keys and fields may be addresses.
impl std::fmt::Debug for Trouble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Trouble({:?})", self.kind)
    }
}

/// Where something stands in the old layout.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) key: String,
    pub(super) field: Option<String>,
}

impl Origin {
    pub(super) fn new(key: impl Into<String>, field: impl Into<String>) -> Self {
        Self { key: key.into(), field: Some(field.into()) }
    }
}

/// What is taken over, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// Tenants.
    Tenant,
    /// Roles of tenants.
    Role,
    /// Clients of tenants.
    Client,
    /// Users.
    User,
    /// Memberships.
    Membership,
}

impl Thing {
    /// All of them, in their order.
    pub const ALL: [Self; 5] =
        [Self::Tenant, Self::Role, Self::Client, Self::User, Self::Membership];

    /// What several are called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenants",
            Self::Role => "roles",
            Self::Client => "clients",
            Self::User => "users",
            Self::Membership => "memberships",
        }
    }
}

/// What has become of the documents of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Documents that were there.
    pub found: u64,
    /// Things that were made, or would be.
    pub taken: u64,
    /// Things that were here already, the same.
    pub present: u64,
    /// Documents that are about a thing that another one stands for.
    pub merged: u64,
    /// Documents that were not taken.
    pub left: u64,
}

/// What has become of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub(super) counts: [Count; Thing::ALL.len()],
    /// In the order of their kinds, then of the places.
    pub troubles: Vec<Trouble>,
    /// Codes that were sent by mail: they are not taken over, since they live 15 minutes.
    pub oob_codes: u64,
}

impl Report {
    /// What has become of the documents of one kind.
    #[must_use]
    pub fn count(&self, thing: Thing) -> Count {
        self.counts.get(thing as usize).copied().unwrap_or_default()
    }

    /// How many troubles the exit code tells of.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.troubles.iter().filter(|trouble| trouble.kind.loses()).count() as u64
    }

    pub(super) fn counts(&mut self, thing: Thing) -> &mut Count {
        let [tenant, role, client, user, membership] = &mut self.counts;
        match thing {
            Thing::Tenant => tenant,
            Thing::Role => role,
            Thing::Client => client,
            Thing::User => user,
            Thing::Membership => membership,
        }
    }

    /// One document is left for this reason.
    pub(super) fn leave(&mut self, thing: Thing, trouble: Trouble) {
        self.counts(thing).left += 1;
        self.troubles.push(trouble);
    }

    /// A document is taken otherwise than it stood there, or not whole.
    pub(super) fn note(&mut self, trouble: Trouble) {
        self.troubles.push(trouble);
    }

    pub(super) fn sorted(mut self) -> Self {
        self.troubles.sort();
        self
    }
}
