//! Do the vectors of RFC 7515, appendices A.1 and A.2, hold below the token classes?
//!
//! Their payload ("joe") has none of Tikti's claims and no `kid`, so they are checked as JWS: the
//! bytes that are signed, the signature, and the contents as `peek` shows them.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_token::*;

use crate::support::*;

// RFC 7515, appendix A.1.1.
const HS256_TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
    .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
    .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS256_SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgU\
    uTwjAzZr1Z9CAow";

// RFC 7515, appendix A.2.1.
const RS256_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9\
    .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
    .cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju\
    jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Q\
    e7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI\
    8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1\
    Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z\
    5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX\
    FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwV\
    ol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_\
    V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3c\
    cPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0H\
    w_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7T\
    jeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLd\
    hrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9\
    U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26\
    F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";

fn split(token: &str) -> (&[u8], Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.as_bytes(), BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap())
}

fn assert_says_joe(token: &str) {
    assert_eq!(
        Value::Object(peek(token).unwrap().claims().clone()),
        json!({ "iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true })
    );
}

#[test]
fn a_1_hs256() {
    let secret = BASE64URL_NOPAD.decode(HS256_SECRET.as_bytes()).unwrap();
    let key = HmacKey::new("a-1", &secret).unwrap();
    let (input, mut signature) = split(HS256_TOKEN);

    assert_eq!(key.sign_raw(input).as_ref(), signature);
    assert_eq!(key.verify_raw(input, &signature), Ok(()));
    assert_eq!(key.verify_raw(input, &signature[..31]), Err(VerifyError::Signature));
    signature[0] ^= 1;
    assert_eq!(key.verify_raw(input, &signature), Err(VerifyError::Signature));
    assert_says_joe(HS256_TOKEN);
}

#[test]
fn a_2_rs256() {
    let key = SigningKey::from_pkcs8("a-2", &pkcs8_from_jwk([N, "AQAB", D, P, Q, DP, DQ, QI]));
    let key = key.unwrap();
    let jwk = json!({ "kty": "RSA", "kid": "a-2", "n": N, "e": "AQAB" });
    let public_key = PublicKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap();
    let (input, mut signature) = split(RS256_TOKEN);

    assert_eq!(key.public_key().to_jwk(), public_key.to_jwk());
    assert_eq!(key.sign_raw(input).unwrap(), signature);
    assert_eq!(public_key.verify_raw(input, &signature), Ok(()));
    assert_eq!(public_key.verify_raw(input, &signature[1..]), Err(VerifyError::Signature));
    signature[255] ^= 1;
    assert_eq!(public_key.verify_raw(input, &signature), Err(VerifyError::Signature));
    assert_says_joe(RS256_TOKEN);
}

/// RFC 7515, appendix A.5: an unsecured JWS, well-formed and never taken.
#[test]
fn a_5_none_is_never_taken() {
    let token = "eyJhbGciOiJub25lIn0\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn\
        VlfQ.";
    assert_says_joe(token);
    for kind in Kind::ALL {
        assert_eq!(kind.verify(token), Err(VerifyError::Algorithm));
    }
}
