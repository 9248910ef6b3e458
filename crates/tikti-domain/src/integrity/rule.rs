//! Which rules does a sound store keep? The closed list that `store verify` reports from.
//!
//! Invariant: a rule is broken or it is not, by what is stored alone; whether an operation under way
//! explains it is said elsewhere.
//!
//! Spec: Domain, "Rules that always hold"; Storage; Operations, "Backup" (`store verify`).

/// Declares [`Rule`] once: variant, what is wrong when it is broken, the section that it stands for.
macro_rules! rules {
    ($($variant:ident $sentence:literal $spec:literal;)+) => {
        /// A rule that a sound store keeps, named by what is wrong where it is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $sentence] $variant,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Rule] = &[$(Rule::$variant,)+];

            /// What is wrong, a sentence.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Rule::$variant => $sentence,)+ }
            }

            /// The section of the specification that the rule stands for.
            #[must_use]
            pub const fn spec(self) -> &'static str {
                match self { $(Rule::$variant => $spec,)+ }
            }
        }
    };
}

rules! {
    Damaged "A record is damaged." "Storage, \"damage is named\"";
    ForeignKey "A key was written by another program." "Storage, \"keys are byte strings\"";
    UnknownKey "A key is of no kind that this version knows." "Storage, \"keys are byte strings\"";
    Unreadable "A record cannot be read as what its key says." "Storage, \"Records are compact\"";
    OtherId "A record holds another id than its key." "Storage, \"keys are byte strings\"";
    UnfinishedCopy "A copy into this store was not finished." "Operations, \"Backup\"";
    NoDeployment "There is no record of the deployment." "Operations, \"Configuration\"";
    NoSigningKeys "There are no signing keys." "Tokens and keys, \"Signing keys\"";
    OperationUnfinished "An operation has not been finished." "Storage, \"what crosses partitions\"";
    EmailClaimWithoutUser "An address is claimed for a user who does not bear it." "Domain, rule 1";
    UserWithoutEmailClaim "A user bears an address that is not claimed for him." "Domain, rule 1";
    EmailClaimDiffers "A user's address stands on another claim than the one that is stored." "Domain, rule 1";
    UserNotListed "A user is missing from the directory of users." "HTTP API, \"Lists\"";
    UserEntryWithoutUser "The directory of users names one who does not live." "Domain, rule 4";
    NameClaimWithoutTenant "A name is claimed for a tenant that does not bear it." "Domain, \"Tenant\"";
    TenantWithoutNameClaim "A tenant bears a name that is not claimed for it." "Domain, \"Tenant\"";
    TenantEntryWithoutTenant "The list of tenants names one that does not live." "Domain, rule 4";
    TenantNotListed "A tenant is missing from the list of tenants." "Domain, \"Tenant\"";
    DeletionAbandoned "A tenant is being deleted and nobody finishes it." "Domain, rule 4";
    MemberNotListed "A membership is missing from its user's list." "Domain, rule 4";
    MemberTokenDiffers "A membership stands on another entry than the one in its user's list." "Domain, rule 4";
    EntryWithoutMember "A user's list names a membership that does not exist." "Domain, rule 4";
    MemberWithoutUser "A membership is of a user who does not live." "Domain, rule 4";
    RecordWithoutTenant "Something is left of a tenant that does not live." "Domain, rule 4";
    RecordWithoutUser "Something is left of a user who does not live." "Domain, rule 4";
    BuiltInRolesMissing "A tenant lacks a built-in role." "Domain, \"Built-in management scopes\"";
    BuiltInClientMissing "A tenant lacks the built-in client." "Domain, \"Built-in management scopes\"";
    ApiKeyNotListed "An API key is missing from the list of its tenant, or of the deployment." "Domain, rule 4";
    ApiKeyEntryWithoutKey "A list names an API key that there is not." "Domain, rule 4";
    ApiKeyDiffers "An API key is not as its list says." "HTTP API, \"API key\"";
    RecordWithoutApiKey "Something is left of an API key that there is not." "Domain, rule 4";
    ApiKeyWithoutTenant "An API key is of a tenant that does not live." "Domain, rule 4";
    AuditLinkDiffers "An audit event was not written behind the one before it, or that one is missing." "Authorization, \"Audit\"";
    AuditHeadDiffers "A chain of audit events does not end as its head says." "Authorization, \"Audit\"";
    AuditCheckpointDiffers "A chain of audit events does not begin as its checkpoint says." "Authorization, \"Audit\"";
    AdminNotListed "An administrator is missing from the set of administrators." "Domain, \"Global roles\"";
    TenantAdminNotListed "A member who administers a tenant does not count as one who does." "Authorization, \"Administrative endpoints\"";
    GhostTenantAdmin "A tenant counts somebody among those who administer it who is no active one." "Authorization, \"Administrative endpoints\"";
    GhostAdmin "The set of administrators names somebody who is no active one." "Domain, \"Global roles\"";
}
