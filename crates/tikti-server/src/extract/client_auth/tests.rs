//! Every way to say who asks, and every two of them at once.

use axum::http::Request as HttpRequest;

use super::*;

fn parts(authorization: &str) -> Parts {
    let mut request = HttpRequest::builder().uri("/oauth2/token");
    if !authorization.is_empty() {
        request = request.header("Authorization", authorization);
    }
    request.body(()).unwrap().into_parts().0
}

fn header(id_and_secret: &str) -> String {
    format!("Basic {}", BASE64.encode(id_and_secret.as_bytes()))
}

/// What is read from a header, a form and an API key, in one line; or the refusal.
fn read(authorization: &str, body: &str, key: &str) -> String {
    let outcome = basic(&parts(authorization)).and_then(|basic| {
        let key = (!key.is_empty()).then(|| key.to_owned().into());
        shown(basic, &OAuthForm::of(body), key)
    });
    match outcome {
        Err(refusal) => refusal.message.into_owned(),
        Ok(Shown { api_key: Some(key), client: None }) => format!("key {}", key.expose_secret()),
        Ok(Shown { api_key: None, client: None }) => "nobody".to_owned(),
        Ok(Shown { api_key: None, client: Some(client) }) => match client {
            ClientAuth::Secret { client_id, secret } => {
                format!("secret {client_id} {}", secret.expose_secret())
            }
            ClientAuth::Assertion { client_id, assertion } => {
                format!("assertion {} {}", client_id.unwrap_or_default(), assertion.expose_secret())
            }
        },
        Ok(Shown { api_key: Some(_), client: Some(_) }) => "two at once".to_owned(),
    }
}

const ASSERTION: &str = "client_assertion=a.b.c&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[test]
fn each_way_is_read_alone() {
    for (basic, body, key, expected) in [
        ("", "", "", "nobody"),
        ("", "client_id=t.w", "", "nobody"),
        ("", "client_secret=&client_id=t.w", "", "nobody"),
        ("", "", "tk_abcd_x", "key tk_abcd_x"),
        ("abcd:x_y", "", "", "key tk_abcd_x_y"),
        ("deployment-key:whole_key", "", "", "key whole_key"),
        ("t.w:s", "", "", "secret t.w s"),
        ("t.w:s:t", "", "", "secret t.w s:t"),
        ("t.w:", "", "", "secret t.w "),
        // By the rules of a form (RFC 6749, section 2.3.1).
        ("t%2Ew:a%3Ab+c%25", "", "", "secret t.w a:b c%"),
        ("", "client_id=t.w&client_secret=s", "", "secret t.w s"),
        ("", "client_id=abcd&client_secret=s", "", "secret abcd s"),
        ("", ASSERTION, "", "assertion  a.b.c"),
        ("", &format!("{ASSERTION}&client_id=t.w"), "", "assertion t.w a.b.c"),
    ] {
        let authorization = if basic.is_empty() { String::new() } else { header(basic) };
        assert_eq!(read(&authorization, body, key), expected, "{basic} {body} {key}");
    }
}

#[test]
fn the_same_thing_said_twice_is_said_once() {
    assert_eq!(read(&header("abcd:x"), "", "tk_abcd_x"), "key tk_abcd_x");
    assert_eq!(read(&header("abcd:x"), "client_id=abcd", ""), "key tk_abcd_x");
    assert_eq!(read(&header("t.w:s"), "client_id=t.w", ""), "secret t.w s");
}

#[test]
fn two_ways_at_once_are_refused() {
    let posted = "client_id=t.w&client_secret=s";
    let both = format!("{posted}&{ASSERTION}");
    let two = "the request authenticates in two ways";
    for (basic, body, key, expected) in [
        ("t.w:s", posted, "", format!("Authorization: {two}")),
        ("t.w:s", ASSERTION, "", format!("Authorization: {two}")),
        ("t.w:s", "", "tk_abcd_x", format!("key: {two}")),
        ("abcd:x", ASSERTION, "", format!("Authorization: {two}")),
        ("", posted, "tk_abcd_x", format!("key: {two}")),
        ("", ASSERTION, "tk_abcd_x", format!("key: {two}")),
        ("", &both, "", format!("client_secret: {two}")),
        ("abcd:x", "", "tk_abcd_y", "key: the request names different API keys".to_owned()),
        (
            "t.w:s",
            "client_id=t.v",
            "",
            "client_id: the form and the header Authorization name different clients".to_owned(),
        ),
    ] {
        let authorization = if basic.is_empty() { String::new() } else { header(basic) };
        assert_eq!(read(&authorization, body, key), expected, "{basic} {body} {key}");
    }
}

#[test]
fn what_is_incomplete_is_refused_by_its_name() {
    for (body, expected) in [
        ("client_secret=s", "client_id: is missing beside client_secret"),
        ("client_assertion=a", "client_assertion_type: is missing"),
        (
            "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion: is missing",
        ),
        (
            "client_assertion=a&client_assertion_type=saml",
            "client_assertion_type: must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
    ] {
        assert_eq!(read("", body, ""), expected, "{body}");
    }
}

#[test]
fn a_basic_header_that_holds_no_id_and_secret_is_refused_and_other_schemes_are_not_seen() {
    let malformed = "Authorization: is not Basic with an id and a secret";
    for text in [
        "Basic",
        "Basic ",
        "Basic a",
        "basic !!!!",
        "Basic YWJjZA",
        "Basic YWJj ZA==",
        "Basic \u{e4}",
        // Not UTF-8 below the base64.
        "Basic /zpz",
    ] {
        assert_eq!(read(text, "", ""), malformed, "{text}");
        let refused = basic(&parts(text)).err().unwrap();
        assert_eq!(refused.code, Code::InvalidClientCredentials, "{text}");
    }
    for id_and_secret in ["no colon", ":s", "t.w:%", "t.w:%zz", "%ff:s"] {
        assert_eq!(read(&header(id_and_secret), "", ""), malformed, "{id_and_secret}");
    }
    assert_eq!(read(&format!("bASIC  {}", BASE64.encode(b"t.w:s")), "", ""), "secret t.w s");
    for text in ["Bearer a.b.c", "a.b.c", "Digest x", "Basicx dC53OnM="] {
        assert_eq!(read(text, "", ""), "nobody", "{text}");
    }
}
