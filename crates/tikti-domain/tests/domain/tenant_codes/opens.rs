//! Whom a code is sent to, whom it invites, and what it opens for how long.

use super::*;

#[tokio::test]
async fn a_member_is_mailed_a_link_by_which_he_sets_a_password_or_signs_in() {
    let world = World::new().await;
    let reset = world.mailed(RESET, ANN).await.unwrap();
    assert!(world.resets(&keyed(), &reset).await);
    let sign_in = world.mailed(SIGN_IN, ANN).await.unwrap();
    let session = world.signs_in(ANN, &sign_in).await.unwrap();
    assert_eq!(session.tenant_id.as_ref(), Some(&world.acme.id));
    // He keeps what he had.
    let held = get_member(&world.fixture.domain, &world.root, (&acme(), &world.ann.id)).await;
    let roles = held.unwrap().membership.roles;
    assert_eq!(roles.iter().map(ToString::to_string).collect::<Vec<_>>(), ["JOBS_OPERATOR"]);
    assert!(world.events(Action::MemberAdd).await.is_empty());
}

#[tokio::test]
async fn an_invitation_makes_user_and_membership_where_they_are_missing() {
    let world = World::new().await;
    for (to, added) in [(EVE, 1), (NOBODY, 2), (NOBODY, 2)] {
        let invited = world.mailed(SIGN_IN, to).await.unwrap();
        let session = world.signs_in(to, &invited).await.unwrap();
        assert_eq!(session.tenant_id.as_ref(), Some(&world.acme.id), "{to}");
        let members = world.members().await;
        assert!(members.contains(&(to.to_owned(), vec!["TENANT_USER".to_owned()])), "{members:?}");
        assert_eq!(world.events(Action::MemberAdd).await.len(), added, "{to}");
    }
    assert_eq!(world.events(Action::OobSend).await.len(), 3);
    assert_eq!(world.members().await.len(), 5);
}

#[tokio::test]
async fn invitations_at_once_make_one_user_and_one_membership_and_all_are_good() {
    let world = World::new().await;
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let replica = world.fixture.replica(5, &plan).await;
    let ask =
        || SendCode { kind: SIGN_IN, email: email(NOBODY), continue_url: None, language: None };
    let tenant = acme();
    let sends = (0..8).map(|number| {
        let domain = if number % 2 == 0 { &world.fixture.domain } else { &replica };
        let (bob, tenant, ask) = (&world.bob, &tenant, ask());
        async move { send_code(domain, bob, (tenant, &ask)).await }
    });
    for sent in all(sends).await {
        sent.unwrap();
    }
    assert_eq!(world.members().await.len(), 4);
    assert_eq!(world.events(Action::MemberAdd).await.len(), 1);
    let mails = world.fixture.mails().await;
    assert_eq!(mails.len(), 8);
    let mut users = std::collections::BTreeSet::new();
    for mail in mails {
        users.insert(world.signs_in(NOBODY, &mail.code).await.unwrap().user_id);
    }
    assert_eq!(users.len(), 1);
}

/// Administration needs a plain sign-in, and an exchange elsewhere another one.
#[tokio::test]
async fn e8_the_session_of_a_code_is_bound_to_its_tenant_and_never_administers() {
    let world = World::new().await;
    world.fixture.member(&world.acme.id, &world.ann, &["TENANT_ADMIN"]).await;
    world.fixture.member(&world.other.id, &world.ann, &["TENANT_ADMIN"]).await;
    let invited = world.mailed(SIGN_IN, ANN).await.unwrap();
    let session = world.signs_in(ANN, &invited).await.unwrap();
    let ask = PageRequest::new(None, None).unwrap();
    let by_code = bearing(&session.id_token);
    let refused = list_members(&world.fixture.domain, &by_code, (&acme(), &ask)).await;
    assert_eq!(code(refused), Some(Code::Unauthenticated));
    assert_eq!(code(world.send(&by_code, RESET, ANN).await), Some(Code::Unauthenticated));
    for (audience, tenant, refusal) in [
        ("backend-worker", "other", Code::TenantConflict),
        ("tikti", "acme", Code::GrantNotAllowed),
    ] {
        let ask = Exchange {
            id_token: session.id_token.clone(),
            audience: ClientId::parse(audience).unwrap(),
            scopes: None,
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: Some(TenantRef::parse(tenant).unwrap()),
            tenant_header: None,
        };
        let exchanged = exchange(&world.fixture.domain, &keyed(), &ask).await;
        assert_eq!(code(exchanged), Some(refusal), "{audience}");
    }
}

#[tokio::test]
async fn e8_no_tenant_has_a_sign_in_sent_to_an_administrator_of_the_deployment() {
    let world = World::new().await;
    world.fixture.admin("boss@corp.sys").await;
    let mut gone = world.fixture.user("gone@example.org", GlobalRole::CompanyEmployee).await;
    gone.status = UserStatus::Suspended;
    world.fixture.put_user(&gone).await;
    let before = world.members().await;
    // A member of the tenant, one who is none, and somebody who may not sign in.
    for to in [ROOT, "boss@corp.sys", "gone@example.org"] {
        assert!(world.mailed(SIGN_IN, to).await.is_none(), "{to}");
        let sent = world.send(&world.root, SIGN_IN, to).await.unwrap();
        assert_eq!((sent.email, sent.expires_in_seconds), (email(to), 900));
        assert!(world.fixture.mails().await.is_empty(), "{to}");
    }
    assert_eq!(world.members().await, before);
    assert_eq!(world.events(Action::OobSend).await.len(), 6);
}

#[tokio::test]
async fn t6_a_code_is_bound_to_its_tenant_address_and_type() {
    let world = World::new().await;
    let own = world.fixture.api_key("ofacme", &[KeyScope::OobSend], |key: &mut ApiKey| {
        key.tenant_id = Some(world.acme.id.clone());
    });
    let own = with(&Caller::default(), &own.await);
    let foreign = world.fixture.api_key("ofother", &[KeyScope::OobSend], |key: &mut ApiKey| {
        key.tenant_id = Some(world.other.id.clone());
    });
    let foreign = with(&Caller::default(), &foreign.await);
    let (reset, sign_in) =
        (world.mailed(RESET, ANN).await.unwrap(), world.mailed(SIGN_IN, ANN).await.unwrap());
    assert!(!world.resets(&foreign, &reset).await);
    assert!(world.resets(&own, &reset).await);
    assert!(!world.resets(&own, &sign_in).await);
    for (address, shown) in [(ANN, &reset), (EVE, &sign_in), (BOB, &sign_in)] {
        let refused = world.signs_in(address, shown).await;
        assert_eq!(code(refused), Some(Code::InvalidOobCode), "{address}");
    }
    world.signs_in(ANN, &sign_in).await.unwrap();
    // Once.
    assert_eq!(code(world.signs_in(ANN, &sign_in).await), Some(Code::InvalidOobCode));
}

/// What becomes of tenant and membership after a code was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Nothing,
    TenantSuspended,
    TenantDeleted,
    MemberRemoved,
    MemberRemovedAndAddedAgain,
    MemberRevoked,
    FifteenMinutes,
}

#[tokio::test]
async fn t6_a_code_is_refused_once_its_tenant_or_membership_is_gone() {
    for since in [
        Since::Nothing,
        Since::TenantSuspended,
        Since::TenantDeleted,
        Since::MemberRemoved,
        Since::MemberRemovedAndAddedAgain,
        Since::MemberRevoked,
        Since::FifteenMinutes,
    ] {
        let world = World::new().await;
        let (domain, clock) = (&world.fixture.domain, &world.fixture.clock);
        let (reset, sign_in) =
            (world.mailed(RESET, ANN).await.unwrap(), world.mailed(SIGN_IN, ANN).await.unwrap());
        clock.advance(1);
        let (acme_id, ann) = (&world.acme.id, &world.ann.id);
        match since {
            Since::Nothing => {}
            Since::TenantSuspended => {
                let status = TenantStatus::Suspended;
                world.fixture.put_tenant(&Tenant { status, ..world.acme.clone() }).await;
            }
            Since::TenantDeleted => delete_tenant(domain, acme_id, clock.now()).await.unwrap(),
            Since::MemberRemoved => remove_member(domain, acme_id, ann, clock.now()).await.unwrap(),
            Since::MemberRemovedAndAddedAgain => {
                remove_member(domain, acme_id, ann, clock.now()).await.unwrap();
                clock.advance(1);
                world.fixture.member(acme_id, &world.ann, &["TENANT_USER"]).await;
            }
            Since::MemberRevoked => {
                revoke_member(domain, &world.root, (&acme(), ann)).await.unwrap();
            }
            Since::FifteenMinutes => {
                clock.advance(15 * 60 * 1000);
            }
        }
        let good = since == Since::Nothing;
        assert_eq!(world.resets(&keyed(), &reset).await, good, "{since:?}");
        let signed_in = code(world.signs_in(ANN, &sign_in).await);
        assert_eq!(signed_in, (!good).then_some(Code::InvalidOobCode), "{since:?}");
    }
}
