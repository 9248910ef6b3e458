//! What is a token told to be that is no access token, to whom, and by which name?

use tikti_domain::introspect::{Introspect, TokenUse, introspect};

use super::introspection::{ANN, Place, credentials};

/// Attacks, row A6: who looks at `active` alone, as every stock resource server does, takes no idToken and no
/// refresh token for an access token, whatever he asks with.
#[tokio::test]
async fn a6_what_is_no_access_token_is_active_only_to_who_names_its_kind() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let kinds = [TokenUse::Id, TokenUse::Access, TokenUse::Worker, TokenUse::Refresh];
    let named = || kinds.into_iter().map(Some).chain([None]);
    for (name, who, [expected, _]) in credentials(&place).await {
        for ((class, token), held_for) in
            tokens.each().into_iter().flat_map(|each| named().map(move |kind| (each, kind)))
        {
            let client = who.client.clone();
            let ask = Introspect { token: token.clone(), held_for, client };
            let found = introspect(place.domain(), &who.caller, &ask).await.unwrap();
            let is_meant = match class {
                "id" => held_for == Some(TokenUse::Id),
                "refresh" => held_for == Some(TokenUse::Refresh),
                _ => true,
            };
            let is_told = expected.contains(&class) && is_meant;
            assert_eq!(found.is_some(), is_told, "{name} {class} {held_for:?}");
        }
    }
}

#[test]
fn a_hint_is_a_short_name_or_a_urn() {
    for (hint, kind) in [
        ("id_token", Some(TokenUse::Id)),
        ("access_token", Some(TokenUse::Access)),
        ("refresh_token", Some(TokenUse::Refresh)),
        ("urn:ietf:params:oauth:token-type:id_token", Some(TokenUse::Id)),
        ("urn:ietf:params:oauth:token-type:access_token", Some(TokenUse::Access)),
        ("urn:ietf:params:oauth:token-type:refresh_token", Some(TokenUse::Refresh)),
        ("urn:ietf:params:oauth:token-type:jwt", None),
        ("ID_TOKEN", None),
        ("id_token ", None),
        ("saml", None),
        ("", None),
    ] {
        assert_eq!(TokenUse::of_hint(hint), kind, "{hint}");
    }
}
