//! Keys of elsewhere: what is taken signs, and every other file is named for what it is.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use data_encoding::BASE64;
use tikti_token::{
    ImportKeyError, MAX_KEY_FILE_BYTES, RsaSize, SigningKey, generate_rsa, import_rsa_pem,
};

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Tag, content and rest of the first value.
fn split(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, start) = match der[1] {
        0x81 => (usize::from(der[2]), 3),
        0x82 => (usize::from(u16::from_be_bytes([der[2], der[3]])), 4),
        short => (usize::from(short), 2),
    };
    (der[0], &der[start..start + length], &der[start + length..])
}

fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = match length {
        0..=0x7f => vec![tag, u8::try_from(length).unwrap()],
        0x80..=0xff => vec![tag, 0x81, u8::try_from(length).unwrap()],
        _ => [vec![tag, 0x82], u16::try_from(length).unwrap().to_be_bytes().to_vec()].concat(),
    };
    der.extend_from_slice(content);
    der
}

/// The `RSAPrivateKey` in a PKCS#8.
fn pkcs1(pkcs8: &[u8]) -> Vec<u8> {
    let (_, outer, _) = split(pkcs8);
    let (_, _, rest) = split(outer);
    let (_, _, rest) = split(rest);
    let (tag, key, _) = split(rest);
    assert_eq!(tag, 4);
    key.to_vec()
}

/// version, n, e, d, p, q, dp, dq, qi.
fn numbers(pkcs1: &[u8]) -> Vec<Vec<u8>> {
    let (_, mut rest, _) = split(pkcs1);
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (_, number, next) = split(rest);
        numbers.push(number.to_vec());
        rest = next;
    }
    assert_eq!(numbers.len(), 9);
    numbers
}

fn with(numbers: &[Vec<u8>]) -> String {
    let inner: Vec<u8> = numbers.iter().flat_map(|number| wrap(2, number)).collect();
    pem("RSA PRIVATE KEY", &wrap(0x30, &inner))
}

fn refusal(file: impl AsRef<[u8]>) -> ImportKeyError {
    import_rsa_pem(file.as_ref()).unwrap_err()
}

#[test]
fn both_forms_of_each_size_give_the_same_key_which_signs() {
    for size in [RsaSize::Bits2048, RsaSize::Bits3072, RsaSize::Bits4096] {
        let der = generate_rsa(size).unwrap();
        let plain = pem("PRIVATE KEY", &der);
        let old = pem("RSA PRIVATE KEY", &pkcs1(&der));
        let windows = plain.replace('\n', "\r\n");
        let told = format!("Bag Attributes\n    friendlyName: mine\n{plain}\n");
        for file in [&plain, &old, &windows, &told] {
            let taken = import_rsa_pem(file.as_bytes()).unwrap();
            let (taken, made) =
                (SigningKey::from_pkcs8("k", &taken), SigningKey::from_pkcs8("k", &der));
            assert_eq!(taken.unwrap().public_key().to_jwk(), made.unwrap().public_key().to_jwk());
        }
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    use ImportKeyError as E;
    let der = generate_rsa(RsaSize::Bits2048).unwrap();
    let good = pem("PRIVATE KEY", &der);
    #[expect(clippy::disallowed_methods, reason = "keys of other algorithms, for a test")]
    let random = SystemRandom::new();
    let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
                  AAAA\n-----END RSA PRIVATE KEY-----\n";
    let certificate = pem("CERTIFICATE", b"0");
    let rows: Vec<(Vec<u8>, E)> = vec![
        (vec![], E::Empty),
        (b" \n\t\n".to_vec(), E::Empty),
        (vec![b'a'; MAX_KEY_FILE_BYTES + 1], E::TooLarge),
        (der.to_vec(), E::Binary),
        (vec![0xff, 0xfe, 0], E::Binary),
        (br#"{"kty":"RSA","d":"AQ"}"#.to_vec(), E::Json),
        (b"garbage".to_vec(), E::NotPem),
        (pem("SOMETHING", b"0").into_bytes(), E::NotPem),
        (good.replace("END PRIVATE", "END RSA PRIVATE").into_bytes(), E::NotPem),
        (good.as_bytes()[..good.len() / 2].to_vec(), E::NotPem),
        (good.replacen('M', "*", 1).into_bytes(), E::NotPem),
        (format!("{good}{good}").into_bytes(), E::Several),
        (format!("{certificate}{good}").into_bytes(), E::Several),
        (pem("PUBLIC KEY", b"0").into_bytes(), E::Public),
        (pem("RSA PUBLIC KEY", b"0").into_bytes(), E::Public),
        (certificate.into_bytes(), E::Certificate),
        (pem("CERTIFICATE REQUEST", b"0").into_bytes(), E::Certificate),
        (pem("ENCRYPTED PRIVATE KEY", b"0").into_bytes(), E::Encrypted),
        (legacy.into(), E::Encrypted),
        (pem("OPENSSH PRIVATE KEY", b"0").into_bytes(), E::OpenSsh),
        (pem("EC PRIVATE KEY", b"0").into_bytes(), E::Ec),
        (pem("PRIVATE KEY", ec.as_ref()).into_bytes(), E::Ec),
        (pem("PRIVATE KEY", ed.as_ref()).into_bytes(), E::Edwards),
        (pem("DSA PRIVATE KEY", b"0").into_bytes(), E::OtherAlgorithm),
        (pem("PRIVATE KEY", b"0").into_bytes(), E::Malformed),
        (pem("PRIVATE KEY", &der[..der.len() - 1]).into_bytes(), E::Malformed),
        (pem("RSA PRIVATE KEY", &der).into_bytes(), E::Malformed),
    ];
    for (file, refused) in rows {
        assert_eq!(refusal(&file), refused);
    }
}

#[test]
fn numbers_that_are_no_good_key_are_named() {
    use ImportKeyError as E;
    type Change = fn(&mut Vec<Vec<u8>>);
    let good = numbers(&pkcs1(&generate_rsa(RsaSize::Bits2048).unwrap()));
    import_rsa_pem(with(&good).as_bytes()).unwrap();
    let rows: [(Change, E); 18] = [
        (|n| n[0] = vec![1], E::MultiPrime),
        (|n| n[1] = [&[0][..], &n[1][129..]].concat(), E::TooShort),
        (|n| n[1] = [&[0x7f][..], &n[1][2..]].concat(), E::TooShort),
        (|n| n[1] = [&[1][..], &n[1][1..]].concat(), E::OddSize),
        (|n| n[1] = [&n[1][..], &n[1][1..], &[1]].concat(), E::TooLong),
        (|n| n[2] = vec![1], E::Exponent),
        (|n| n[2] = vec![3], E::Exponent),
        (|n| n[2] = vec![1, 0, 0], E::Exponent),
        (|n| n[2] = vec![2, 0, 0, 0, 1], E::Exponent),
        (|n| n[5] = n[4].clone(), E::EqualPrimes),
        (|n| n[2] = vec![1, 0, 3], E::Inconsistent),
        (|n| n[1][100] ^= 1, E::Inconsistent),
        (|n| n[3][20] ^= 1, E::Inconsistent),
        (|n| n[4][20] ^= 1, E::Inconsistent),
        (|n| n[6][20] ^= 1, E::Inconsistent),
        (|n| n[7][20] ^= 1, E::Inconsistent),
        (|n| n[8][20] ^= 1, E::Inconsistent),
        (|n| n.truncate(5), E::Malformed),
    ];
    for (number, (change, refused)) in rows.into_iter().enumerate() {
        let mut changed = good.clone();
        change(&mut changed);
        assert_eq!(refusal(with(&changed)), refused, "row {number}");
    }
}

#[test]
fn no_refusal_repeats_anything_of_the_file() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
    for file in [
        secret.to_owned(),
        format!("-----BEGIN {secret}-----\n{secret}\n-----END {secret}-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"),
        format!("{{\"d\":\"{secret}\"}}"),
    ] {
        let refused = refusal(&file);
        assert!(!format!("{refused} {refused:?}").contains("secret"));
        assert!(!refused.to_string().contains(secret));
    }
}
