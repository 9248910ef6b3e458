//! What holds for every token, every change to one, and every string?

use proptest::{prelude::*, sample::select};
use tikti_token::*;

use crate::support::*;

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

/// Of whom there is one: a tenant, a subject.
fn name() -> impl Strategy<Value = String> {
    text().prop_filter("nobody has an empty name", |text| !text.is_empty())
}

fn number() -> impl Strategy<Value = u64> {
    0..=i64::MAX.unsigned_abs()
}

fn scope() -> impl Strategy<Value = String> {
    proptest::collection::vec("[!#-\\[\\]-~]{1,12}", 1..6).prop_map(|scopes| scopes.join(" "))
}

prop_compose! {
    fn any_id()(
        (aud, sub, role, sid, jti, user_id) in (text(), text(), text(), text(), text(), text()),
        (tid, email, tenant) in (
            proptest::option::of(text()),
            proptest::option::of(text()),
            proptest::option::of(text()),
        ),
        (amr, emails) in (
            proptest::collection::vec(text(), 0..3),
            proptest::collection::vec(text(), 0..3),
        ),
        (auth_time, ver, mver) in (number(), number(), proptest::option::of(number())),
        (provider, email_verified) in (text(), any::<bool>()),
    ) -> IdClaims {
        IdClaims {
            aud, sub, tid, email, role, auth_time, amr, sid, ver, mver, jti, user_id,
            email_verified,
            firebase: Firebase {
                sign_in_provider: provider,
                identities: FirebaseIdentities { email: emails },
                tenant,
            },
            ..id_claims()
        }
    }
}

prop_compose! {
    fn any_worker()(
        (aud, sub, tid, client_id, jti) in (text(), name(), name(), text(), text()),
        (sid, actor) in (proptest::option::of(text()), proptest::option::of(text())),
        (ver, mver, wver) in (
            proptest::option::of(number()),
            proptest::option::of(number()),
            proptest::option::of(number()),
        ),
        (scope, event_types) in (scope(), proptest::collection::vec(text(), 1..4)),
    ) -> WorkerClaims {
        let act = actor.map(|sub| Actor { sub });
        let access = AccessClaims {
            aud, sub, tid, scope, sid, ver, mver, wver, client_id, act, jti,
            ..access_claims()
        };
        WorkerClaims { access, event_types }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn id_tokens_come_back(claims in any_id()) {
        let token = mint_id(secrets(), &claims).unwrap();
        let audience = [claims.aud.as_str()];
        let verified = verify_id(&token, secrets(), &policy(&audience), NOW).unwrap();
        prop_assert_eq!(verified.into_claims(), claims);
    }

    #[test]
    fn access_and_worker_tokens_come_back(claims in any_worker()) {
        let audience = [claims.access.aud.as_str()];
        let policy = policy(&audience);
        let token = mint_access(rsa_key(), AccessTokenType::AtJwt, &claims.access).unwrap();
        let verified = verify_access(&token, public_keys(), &policy, NOW).unwrap();
        prop_assert_eq!(verified.claims(), &claims.access);
        let token = mint_worker(rsa_key(), AccessTokenType::Jwt, &claims).unwrap();
        let verified = verify_worker(&token, public_keys(), &policy, NOW).unwrap();
        prop_assert_eq!(verified.into_claims(), claims);
    }

    #[test]
    fn any_changed_byte_is_refused(
        kind in select(Kind::ALL.to_vec()),
        position in any::<prop::sample::Index>(),
        replacement in 0_u8..128,
    ) {
        let mut bytes = kind.mint().into_bytes();
        let position = position.index(bytes.len());
        prop_assume!(bytes[position] != replacement);
        bytes[position] = replacement;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(kind.verify(&changed).is_err());
    }

    #[test]
    fn any_shortened_token_is_refused(
        kind in select(Kind::ALL.to_vec()),
        length in any::<prop::sample::Index>(),
    ) {
        let mut token = kind.mint();
        token.truncate(length.index(token.len()));
        prop_assert!(kind.verify(&token).is_err());
    }

    #[test]
    fn no_string_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        let lossy = String::from_utf8_lossy(&bytes);
        for token in [text.as_str(), &lossy, &format!("{text}.{lossy}.{text}")] {
            prop_assert!(Kind::ALL.iter().all(|kind| kind.verify(token).is_err()));
            let _ = peek(token);
        }
    }

    #[test]
    fn no_signed_payload_panics(
        kind in select(Kind::ALL.to_vec()),
        payload in "[\\PC\\n]{0,80}|(\\{(\"[a-z]{1,3}\":([0-9]{1,20}|null|\\[\\]|\"[a-z]\"),?){0,5}\\})",
    ) {
        prop_assert!(kind.verify(&kind.forge(&kind.header().to_string(), &payload)).is_err());
    }
}

/// The property above samples; the end of a signature, where base64url has spare bits, is done
/// whole.
#[test]
fn every_other_last_character_is_refused() {
    for kind in Kind::ALL {
        let token = kind.mint();
        let (start, last) = token.split_at(token.len() - 1);
        for other in (0_u8..128).map(char::from).filter(|other| !last.starts_with(*other)) {
            assert!(kind.verify(&format!("{start}{other}")).is_err(), "{kind:?} {other:?}");
        }
    }
}
