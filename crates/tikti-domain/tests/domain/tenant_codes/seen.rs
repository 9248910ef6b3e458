//! Who is shown a code, and what anybody learns of the address.

use super::*;

#[tokio::test]
async fn e3_e8_only_an_administrator_of_the_deployment_with_its_key_is_shown_a_code() {
    let world = World::new().await;
    let (fixture, acme) = (&world.fixture, world.acme.id.clone());
    let returning = [KeyScope::OobSend, KeyScope::OobReturn];
    let other = world.other.id.clone();
    let all_but: Vec<_> =
        KeyScope::ALL.into_iter().filter(|scope| *scope != KeyScope::OobReturn).collect();
    let now = fixture.now();
    let keys = [
        (fixture.api_key("returning", &[KeyScope::OobReturn], |_| ()).await, true),
        (keyed().api_key.unwrap(), true),
        (fixture.api_key("browser", &KeyScope::BROWSER, |_| ()).await, false),
        (fixture.api_key("allbut", &all_but, |_| ()).await, false),
        // No such record is ever made; it would give nothing away if there were one.
        (
            fixture
                .api_key("ofacme", &returning, |key: &mut ApiKey| key.tenant_id = Some(acme))
                .await,
            false,
        ),
        (fixture.api_key("ofother", &returning, |key| key.tenant_id = Some(other)).await, false),
        (
            fixture
                .api_key("disabled", &returning, |key| key.status = ApiKeyStatus::Disabled)
                .await,
            false,
        ),
        (fixture.api_key("expired", &returning, |key| key.expires_at = Some(now)).await, false),
        ("tk_unknown_abcdefghijklmnopqrstuvwxyz012345".to_owned().into(), false),
        ("no key at all".to_owned().into(), false),
    ];
    let bearers = [
        (world.root.clone(), true),
        (world.by_access_token(&world.root, None).await, true),
        // It carries less than all of what he may do.
        (world.by_access_token(&world.root, Some("users:write")).await, false),
        (world.bob.clone(), false),
        (world.by_access_token(&world.bob, None).await, false),
    ];
    let mut shown = 0;
    for (number, (bearer, may_see)) in bearers.iter().enumerate() {
        for kind in [RESET, SIGN_IN] {
            for to in [ANN, EVE, NOBODY, ROOT] {
                let sent = world.send(bearer, kind, to).await.unwrap();
                assert!(sent.code.is_none(), "{number} without a key");
                for (key, gives) in &keys {
                    let sent = world.send(&with(bearer, key), kind, to).await.unwrap();
                    let what = format!("{number} {kind:?} {to}");
                    assert_eq!(sent.code.is_some(), *may_see && *gives, "{what}");
                    shown += usize::from(sent.code.is_some());
                }
            }
        }
    }
    assert_eq!(shown, 2 * 2 * 2 * 4);
    // A key alone has nothing sent, whichever it is.
    for (key, _) in &keys {
        let refused = world.send(&with(&Caller::default(), key), RESET, ANN).await;
        assert_eq!(code(refused), Some(Code::Unauthenticated));
    }
}

/// What is shown for an address that gets no mail opens nothing.
#[tokio::test]
async fn e8_a_code_that_is_shown_for_a_stranger_or_another_administrator_opens_nothing() {
    let world = World::new().await;
    world.fixture.admin("other-root@corp.sys").await;
    let keyed_root = with(&world.root, &keyed().api_key.unwrap());
    for (kind, to, opens) in [
        (RESET, ANN, true),
        (RESET, EVE, false),
        (RESET, NOBODY, false),
        (RESET, "other-root@corp.sys", false),
        (SIGN_IN, ANN, true),
        (SIGN_IN, ROOT, false),
        (SIGN_IN, "other-root@corp.sys", false),
    ] {
        let shown = world.send(&keyed_root, kind, to).await.unwrap().code.unwrap();
        assert_eq!(shown.expose_secret().len(), 32);
        let opened = match kind {
            TenantCode::PasswordReset => world.resets(&keyed(), &shown).await,
            TenantCode::EmailSignIn => world.signs_in(to, &shown).await.is_ok(),
        };
        assert_eq!(opened, opens, "{kind:?} {to}");
        assert_eq!(world.fixture.mails().await.len(), usize::from(opens), "{kind:?} {to}");
    }
}

#[tokio::test]
async fn e6_of_a_reset_nobody_learns_whether_it_went_to_a_member() {
    let world = World::new().await;
    let mut gone = world.fixture.user("gone@example.org", GlobalRole::CompanyEmployee).await;
    world.fixture.member(&world.acme.id, &gone, &["TENANT_USER"]).await;
    gone.status = UserStatus::Suspended;
    world.fixture.put_user(&gone).await;
    let before = world.members().await;
    let mut calls = Vec::new();
    let cases = [(ANN, true), (EVE, false), (NOBODY, false), ("gone@example.org", false)];
    for (seed, (to, is_mailed)) in (2..).zip(cases) {
        let plan = FaultPlan::crash_after(u64::MAX - 1);
        let replica = world.fixture.replica(seed, &plan).await;
        let ask = SendCode { kind: RESET, email: email(to), continue_url: None, language: None };
        let sent = send_code(&replica, &world.bob, (&acme(), &ask)).await.unwrap();
        assert_eq!((sent.email, sent.kind), (email(to), RESET));
        assert_eq!((sent.expires_in_seconds, sent.code.is_none()), (900, true));
        calls.push(plan.calls());
        assert_eq!(world.fixture.mails().await.len(), usize::from(is_mailed), "{to}");
    }
    let (least, most) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
    assert!(most - least <= 1, "{calls:?}");
    assert_eq!(world.members().await, before);

    let mut events = world.events(Action::OobSend).await;
    assert_eq!(events.len(), cases.len());
    let mut targets = std::collections::BTreeSet::new();
    for event in &mut events {
        let target = event.as_object_mut().unwrap().remove("target").unwrap();
        assert_eq!(target.as_str().unwrap().len(), 22);
        targets.insert(target.to_string());
        let text = event.to_string();
        assert!(!text.contains("example.org") && !text.contains(world.ann.id.as_str()), "{text}");
    }
    assert_eq!(targets.len(), cases.len());
    assert!(events.windows(2).all(|two| two[0] == two[1]), "{events:?}");
    assert_eq!(events[0]["outcome"], "success");
    assert_eq!(events[0]["details"], serde_json::json!({"requestType": "PASSWORD_RESET"}));
}
