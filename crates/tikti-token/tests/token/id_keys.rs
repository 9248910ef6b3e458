//! May an idToken be signed with a secret or with an RSA key, and be taken for nothing else?
//!
//! The tables of `attacks` run over both; here is what only the two together can get wrong.

use serde_json::json;
use tikti_token::*;

use crate::support::*;

/// Both of RS256 and of one key: a token that has everything which either class wants is still of the one
/// that `token_use` says, and then has what only the other may have.
#[test]
fn k1_a_token_of_both_classes_is_of_neither() {
    let mut claims = Kind::Access.claims();
    for (name, value) in Kind::IdRs256.claims().as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims["aud"] = json!(["tikti", "codeq-worker"]);
    for token_use in ["id", "access"] {
        let token =
            Kind::IdRs256.forge_claims(&with(claims.clone(), "token_use", json!(token_use)));
        for kind in Kind::ALL {
            assert_eq!(kind.step(&token), "class", "{kind:?} {token_use}");
        }
    }
}

#[test]
fn k1_one_kid_for_both_kinds_of_key_means_the_secret() {
    let secrets = HmacKeys::new(vec![HmacKey::new("rsa-1", SECRET).unwrap()]).unwrap();
    let keys = IdKeys { secrets: &secrets, public: Some(public_keys()) };
    let hs256 = mint_id(&secrets, &id_claims()).unwrap();
    assert!(verify_id(&hs256, keys, &ID, NOW).is_ok());
    let refusal = verify_id(&Kind::IdRs256.mint(), keys, &ID, NOW).unwrap_err();
    assert_eq!(refusal.step(), "algorithm");
}
