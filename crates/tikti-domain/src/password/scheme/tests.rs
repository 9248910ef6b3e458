//! Published vectors, and hashes that Python's `hashlib` and `cryptography` made.

use super::*;

/// A password that is no ASCII.
const UMLAUT: &str = "pässwort";

fn matches(text: &str, password: &str) -> bool {
    let scheme = Scheme::parse(text).unwrap_or_else(|reason| panic!("{text} {reason}"));
    scheme.matches(password.as_bytes()).unwrap()
}

/// Each with its password and where it comes from.
const VECTORS: &[(&str, &str)] = &[
    // The README of https://github.com/firebase/scrypt.
    (
        "$firebase-scrypt$ln=14,r=8,k=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA,s=Bw$42xEC+ixf3L2lw$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ",
        "user1password",
    ),
    // Python: hashlib.scrypt, then AES-CTR of `cryptography` 48; no salt separator.
    (
        "$firebase-scrypt$ln=4,r=2,k=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw,s=$AAECAwQFBgcICQoLDA0ODw$04rRBybvxBmFaxEQRSFmd46u49YvsGHL+fjL/nL04IwiHTrMjTK2oMlC+hzdg3JLvwi+gKvPeMKDcgSWdB+AyQ",
        UMLAUT,
    ),
    // RFC 7914, section 12: N = 1024, r = 8, p = 16 and N = 16384, r = 8, p = 1.
    (
        "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA",
        "password",
    ),
    (
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
        "pleaseletmein",
    ),
    // Python: hashlib.scrypt.
    (
        "$scrypt$ln=10,r=8,p=2$AAECAwQFBgcICQoLDA0ODw$p65w9OpyZWMHKImz5HW0ZSf5xTE1gD1nt5QwgrTYou4",
        UMLAUT,
    ),
    // RFC 7914, section 11: PBKDF2-HMAC-SHA-256 with 1 and 80000 iterations.
    (
        "$pbkdf2-sha256$i=1,l=64$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw",
        "passwd",
    ),
    (
        "$pbkdf2-sha256$i=80000,l=64$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1ah1CWhIlgzVJrbhBtRybMXaicr3ruh0HhHj2Kzl/M8jQ",
        "Password",
    ),
    // The inputs of RFC 6070, with SHA-256 by Python's hashlib.pbkdf2_hmac.
    ("$pbkdf2-sha256$i=1,l=32$c2FsdA$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs", "password"),
    ("$pbkdf2-sha256$i=4096,l=32$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o", "password"),
    (
        "$pbkdf2-sha256$i=4096,l=40$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$NIyJ28vTKy8y2BS4EW6EzysXNH68GAAYHE4qH7jdU+HGNVGMfaxH6Q",
        "passwordPASSWORDpassword",
    ),
    // Python: hashlib.pbkdf2_hmac, written in the ways of PHC, passlib and Django.
    (
        "$pbkdf2-sha256$i=2000,l=32$AAECAwQFBgcICQoLDA0ODw$aw8BMW0/7tr31iK6LpCGq4Bd7EXAGgrwHgr4+kL5JcU",
        UMLAUT,
    ),
    (
        "$pbkdf2-sha256$i=2000$AAECAwQFBgcICQoLDA0ODw$aw8BMW0/7tr31iK6LpCGq4Bd7EXAGgrwHgr4+kL5JcU",
        UMLAUT,
    ),
    (
        "$pbkdf2-sha256$2000$AAECAwQFBgcICQoLDA0ODw$aw8BMW0/7tr31iK6LpCGq4Bd7EXAGgrwHgr4.kL5JcU",
        UMLAUT,
    ),
    ("pbkdf2_sha256$2000$seasalt2Tikti$2bgKYORAC/N8LOFMziAlEQFZfb9lFEj2q8M1WrjVoQ0=", UMLAUT),
    // src/test.c of https://github.com/P-H-C/phc-winner-argon2, version 0x13, Argon2id.
    (
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "password",
    ),
    (
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "password",
    ),
    (
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "password",
    ),
    // Python: Argon2id of `cryptography` 48, on OpenSSL.
    (
        "$argon2id$v=19$m=64,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$zs9OPb6dXdjvJ/7uymyr0w1K9h4bt4Xx4+pescUSLNA",
        UMLAUT,
    ),
    (
        "$argon2id$v=19$m=256,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$6TZDUU7sbrM4wbGOhowaBm4NTQhOaVN3zgL2UwWePpc",
        UMLAUT,
    ),
    // wrapper.c of Openwall's crypt_blowfish 1.3; `$2y$` and `$2b$` mean the same for these.
    ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
    // crypt(3) of libxcrypt, by Python.
    ("$2b$04$CCCCCCCCCCCCCCCCCCCCC.qQb9beWmTrExSTl1tmRCVvhY5TWRrcW", UMLAUT),
];

#[test]
fn published_hashes_open_with_their_password_and_with_no_other() {
    for (text, password) in VECTORS {
        assert!(matches(text, password), "{text}");
        for other in [format!("{password}x"), String::new()] {
            assert!(!matches(text, &other), "{text}");
        }
    }
}

/// RFC 9106, section 5.3, has a secret and associated data, which no stored hash can name: it shows
/// that the computation below [`Scheme`] is the one of the RFC.
#[test]
fn argon2id_is_that_of_rfc_9106() {
    let data = argon2::AssociatedData::new(&[4; 12]).unwrap();
    let mut params = argon2::ParamsBuilder::new();
    params.m_cost(32).t_cost(3).p_cost(4).output_len(32).data(data);
    let (algorithm, version) = (argon2::Algorithm::Argon2id, argon2::Version::V0x13);
    let params = params.build().unwrap();
    let argon2 = Argon2::new_with_secret(&[3; 8], algorithm, version, params).unwrap();
    let mut tag = [0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
    let tag = data_encoding::HEXLOWER.encode(&tag);
    assert_eq!(tag, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

#[test]
fn a_hash_that_differs_in_one_bit_opens_to_nobody() {
    for (text, password) in VECTORS.iter().filter(|(text, _)| !text.contains("m=65536")) {
        // The first character of the hash: all of its bits count.
        let at = text.rfind('$').unwrap() + if text.starts_with("$2") { 30 } else { 1 };
        let mut changed = (*text).to_owned();
        let other = if changed.as_bytes()[at] == b'A' { "B" } else { "A" };
        changed.replace_range(at..=at, other);
        assert!(!matches(&changed, password), "{changed}");
    }
}

const SALT: &str = "AAECAwQFBgcICQoLDA0ODw";
const HASH: &str = "aw8BMW0/7tr31iK6LpCGq4Bd7EXAGgrwHgr4+kL5JcU";

fn refused(text: &str) -> Option<&'static str> {
    Scheme::parse(&text.replace("SALT", SALT).replace("HASH", HASH)).err()
}

#[test]
fn what_would_take_more_than_a_second_or_128_mib_is_refused() {
    for (text, taken) in [
        ("$argon2id$v=19$m=131072,t=8,p=16$SALT$HASH", true),
        ("$argon2id$v=19$m=131073,t=1,p=1$SALT$HASH", false),
        ("$argon2id$v=19$m=131072,t=9,p=1$SALT$HASH", false),
        ("$argon2id$v=19$m=8,t=131072,p=1$SALT$HASH", true),
        ("$argon2id$v=19$m=8,t=131073,p=1$SALT$HASH", false),
        ("$argon2id$v=19$m=4294967295,t=4294967295,p=1$SALT$HASH", false),
        ("$argon2id$v=19$m=1024,t=1,p=17$SALT$HASH", false),
        ("$pbkdf2-sha256$i=2000000,l=32$SALT$HASH", true),
        ("$pbkdf2-sha256$i=2000001,l=32$SALT$HASH", false),
        ("$pbkdf2-sha256$i=1000001,l=36$SALT$HASHAAAAA", false),
        ("$pbkdf2-sha256$4294967295$SALT$aw8BMW0/7tr31iK6LpCGq4Bd7EXAGgrwHgr4.kL5JcU", false),
        ("pbkdf2_sha256$2000001$salt$2bgKYORAC/N8LOFMziAlEQFZfb9lFEj2q8M1WrjVoQ0=", false),
        // What OWASP recommends (2024): 128 MiB.
        ("$scrypt$ln=17,r=8,p=1$SALT$HASH", true),
        ("$scrypt$ln=17,r=8,p=2$SALT$HASH", true),
        ("$scrypt$ln=17,r=8,p=3$SALT$HASH", false),
        ("$scrypt$ln=18,r=8,p=1$SALT$HASH", false),
        ("$scrypt$ln=1,r=33,p=1$SALT$HASH", false),
        ("$scrypt$ln=1,r=8,p=17$SALT$HASH", false),
        ("$scrypt$ln=300,r=8,p=1$SALT$HASH", false),
        ("$scrypt$ln=63,r=4294967295,p=4294967295$SALT$HASH", false),
        ("$2b$14$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.", true),
        ("$2b$15$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.", false),
        ("$2b$31$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.", false),
    ] {
        let expected = if taken { None } else { Some(TOO_DEAR) };
        assert_eq!(refused(text), expected, "{text}");
    }
    let firebase = VECTORS[0].0;
    assert_eq!(refused(firebase), None);
    assert_eq!(refused(&firebase.replace("ln=14", "ln=18")), Some(TOO_DEAR));
}

#[test]
fn a_text_that_is_no_whole_hash_of_a_known_kind_is_refused() {
    for text in [
        "",
        "$",
        "correct horse battery",
        "$1$salt$hash",
        "$6$SALT$HASH",
        "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        // The mark of a faulty bcrypt.
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$00$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n",
        "$2b$05$ÜCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$argon2i$v=19$m=64,t=2,p=1$SALT$HASH",
        "$argon2d$v=19$m=64,t=2,p=1$SALT$HASH",
        "$argon2id$v=16$m=64,t=2,p=1$SALT$HASH",
        "$argon2id$m=64,t=2,p=1$SALT$HASH",
        "$argon2id$v=19$m=64,t=2,p=1$SALT",
        "$argon2id$v=19$m=64,t=2,p=1$SALT$HASH$",
        "$argon2id$v=19$m=7,t=2,p=1$SALT$HASH",
        "$argon2id$v=19$m=64,t=2,p=16$SALT$HASH",
        "$argon2id$v=19$m=64,t=2,p=1$AAECAwQFBg$HASH",
        "$pbkdf2-sha256$i=2000,l=33$SALT$HASH",
        "$pbkdf2-sha256$i=0,l=32$SALT$HASH",
        "$pbkdf2-sha256$0$SALT$HASH",
        "$pbkdf2-sha256$2000$SALT$HASH",
        "$pbkdf2-sha256$i=2000,l=32$SALT$aw8BMW0/7tr31iK6LpCGq4Bd7EXAGgrwHgr4.kL5JcU",
        "$pbkdf2-sha512$i=2000,l=32$SALT$HASH",
        "pbkdf2_sha256$2000$$2bgKYORAC/N8LOFMziAlEQFZfb9lFEj2q8M1WrjVoQ0=",
        "pbkdf2_sha256$2000$salt$2bgKYORAC/N8LOFMziAlEQFZfb9lFEj2q8M1WrjVoQ0",
        "pbkdf2_sha256_x$2000$salt$2bgKYORAC/N8LOFMziAlEQFZfb9lFEj2q8M1WrjVoQ0=",
        // N must be below 2 to the power of 16 r (RFC 7914, section 6).
        "$scrypt$ln=16,r=1,p=1$SALT$HASH",
        "$scrypt$N=1024,r=8,p=1$SALT$HASH",
        "$firebase-scrypt$ln=14,r=8,k=AAECAw,s=Bw$SALT$HASH",
        "$firebase-scrypt$ln=14,r=8,k=HASHAAAAA,s=Bw$SALT$HASH",
        "$firebase-scrypt$ln=14,r=8,s=Bw,k=HASH$SALT$HASH",
        "$firebase-scrypt$ln=14,r=8,k=HASH,s=Bw$$HASH",
    ] {
        assert!(refused(text).is_some(), "{text}");
    }
}
