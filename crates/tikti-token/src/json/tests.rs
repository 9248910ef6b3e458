//! Does the strict reader take what it should, refuse the rest, and never differ from `serde_json`?

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn accepts(text: &str) -> bool {
    Object::parse(text.as_bytes()).is_ok()
}

#[test]
fn takes_objects_only() {
    assert!(accepts("{}"));
    assert!(accepts(" {\"a\":[1,-1,1.5,true,null,\"x\",{\"a\":{}}]}\r\n"));
    for text in ["", "[]", "null", "1", "\"{}\"", "{}{}", "{},", "\u{feff}{}", "{\"a\":}"] {
        assert!(!accepts(text), "{text}");
    }
}

#[test]
fn refuses_repeated_members_at_any_depth() {
    assert!(!accepts(r#"{"a":1,"a":1}"#));
    assert!(!accepts(r#"{"x":[{"y":{"a":1,"b":2,"a":3}}]}"#));
    assert!(accepts(r#"{"a":{"a":{"a":1}}}"#), "the same name in different objects");
}

#[test]
fn sees_through_escapes_when_it_compares_names() {
    assert!(!accepts(r#"{"exp":1,"\u0065xp":2}"#));
}

#[test]
fn refuses_repeated_members_in_large_objects() {
    let many: Vec<String> = (0..500).map(|n| format!("\"m{n}\":{n}")).collect();
    assert!(accepts(&format!("{{{}}}", many.join(","))));
    assert!(!accepts(&format!("{{{},\"m250\":0}}", many.join(","))));
}

#[test]
fn bounds_nesting() {
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    assert!(accepts(&nested(16)));
    assert!(!accepts(&nested(17)));
    assert!(!accepts(&nested(1_600)));
    assert!(!accepts(&format!("{{\"a\":{}{}}}", "[".repeat(16), "]".repeat(16))));
}

#[test]
fn refuses_bytes_that_are_not_text() {
    assert_eq!(Object::parse(b"{\"a\":\"\xff\"}"), Err(NotStrict));
    assert_eq!(Object::parse(b"{\"\xc0\x80\":1}"), Err(NotStrict), "overlong NUL");
    assert!(!accepts(r#"{"a":"\ud800"}"#), "half a surrogate pair");
    assert!(!accepts("{\"a\":\"\u{1}\"}"), "bare control character");
}

#[test]
fn keeps_strings_and_numbers_as_they_are_written() {
    let object = Object::parse(br#"{ "a" : "x" , "\u0062":"\"\\\u00e9", "c":[ 1, -0.5e3 ,""]}"#);
    let object = object.unwrap();
    assert_eq!(object.find("a"), Some(&Value::Text("x")));
    assert_eq!(object.find("b").unwrap().text().unwrap(), "\"\\\u{e9}");
    let items = vec![Value::Word("1"), Value::Word("-0.5e3"), Value::Text("")];
    assert_eq!(object.find("c"), Some(&Value::Array(items)));
    assert_eq!(object.find("d"), None);
}

#[test]
fn has_the_grammar_of_json_for_words_and_numbers() {
    for word in ["0", "-0", "10", "18446744073709551616", "0.5", "-1e9", "1E+9", "true", "null"] {
        assert!(accepts(&format!("{{\"a\":{word}}}")), "{word}");
    }
    let wrong = [
        "00",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "--1",
        "1-1",
        "1e400",
        "NaN",
        "tru",
        "True",
        "truefalse",
        "nul",
        "undefined",
        "'a'",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "[1,]",
        "[,]",
        "[1 2]",
        "[",
        "]",
        "{\"b\"}",
        "{\"b\":1,}",
        "{,}",
        "{b:1}",
        "{\"b\":1",
        "1,",
        "/**/1",
    ];
    for word in wrong {
        assert!(!accepts(&format!("{{\"a\":{word}}}")), "{word}");
    }
}

#[test]
fn takes_no_number_that_serde_json_refuses() {
    let digits = "1".repeat(400);
    assert!(serde_json::from_str::<Json>(&digits).is_err());
    assert!(!accepts(&format!("{{\"a\":{digits}}}")));
    assert!(accepts("{\"a\":12345678901234567890123}"));
}

#[test]
fn numbers_are_plain_integers_only() {
    let number = |word: &'static str| Value::Word(word).number();
    assert_eq!(number("18446744073709551615"), Some(u64::MAX));
    assert_eq!(number("0"), Some(0));
    for word in ["18446744073709551616", "-0", "-1", "1.0", "1e3", "true", "null"] {
        assert_eq!(number(word), None, "{word}");
    }
    assert_eq!(Value::Text("1").number(), None);
}

/// The value that `serde_json` gives to what was kept as it is written.
fn as_json(value: &Value<'_>) -> Json {
    match value {
        Value::Text(text) => Json::from(*text),
        Value::EscapedText(_) => Json::from(value.text().unwrap()),
        Value::Word(word) => serde_json::from_str(word).unwrap(),
        Value::Array(items) => items.iter().map(as_json).collect(),
        Value::Object(object) => object_as_json(object),
    }
}

fn object_as_json(object: &Object<'_>) -> Json {
    let members = object.members().iter();
    Json::Object(members.map(|(name, value)| (name.to_string(), as_json(value))).collect())
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_every_object_as_serde_json_does(value in any_json(), name in any::<String>()) {
        let value = Json::Object([(name, value)].into_iter().collect());
        for text in [value.to_string(), format!("{value:#}")] {
            let read = Object::parse(text.as_bytes()).unwrap();
            let expected: Json = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(object_as_json(&read), expected);
        }
    }

    #[test]
    fn never_takes_what_serde_json_refuses(
        value in any_json(),
        place in any::<prop::sample::Index>(),
        removed in 0_usize..3,
        inserted in "[\\[\\]{}:,\"\\\\0-9eE.+\\- tfnu\u{0}\u{e9}]{0,3}",
    ) {
        let mut bytes = format!("{{\"a\":{value}}}").into_bytes();
        let start = place.index(bytes.len());
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, inserted.bytes());
        if let Ok(read) = Object::parse(&bytes) {
            let expected: Json = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(object_as_json(&read), expected);
        }
    }

    #[test]
    fn finds_the_end_of_plain_text_at_every_offset(bytes in any::<Vec<u8>>()) {
        let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let expected = bytes.iter().position(is_stop).unwrap_or(bytes.len());
        prop_assert_eq!(plain_length(&bytes), expected);
    }
}
