//! What is kept in memory or stored shows no private key, in any form that a careless line could give it.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

use super::*;

/// Bytes that are looked for: as many as no accident brings together.
const PIECE: usize = 24;

/// What stands in every text that holds these bytes, alone or within others: as base64, as hexadecimal, or as the
/// numbers that `Debug` prints.
fn forms(bytes: &[u8]) -> Vec<String> {
    let piece = &bytes[..PIECE];
    let mut forms = vec![HEXLOWER.encode(piece), HEXUPPER.encode(piece)];
    let numbers: Vec<_> = piece.iter().map(u8::to_string).collect();
    forms.extend([numbers.join(", "), numbers.join(",")]);
    // Three bytes are four characters: where they begin depends on what stands before.
    for begin in 0..3 {
        let piece = &bytes[begin..begin + PIECE];
        forms.extend([BASE64.encode(piece), BASE64URL_NOPAD.encode(piece)]);
    }
    forms
}

fn shows(text: &str, der: &[u8]) -> bool {
    // Behind the public numbers, where a text of all of it would show the same.
    let private = der[304..].windows(PIECE + 2).step_by(PIECE);
    private.flat_map(forms).any(|form| text.contains(&form))
}

async fn private_keys(fixture: &Fixture) -> Vec<Vec<u8>> {
    let keys = stored(fixture.store()).await.keys.into_iter().map(|record| {
        let (sealed, context) = (record.private.unwrap(), sealing_context(&record.kid));
        crate::secret::open(&config().secrets.master_key, &context, &sealed).unwrap().to_vec()
    });
    keys.collect()
}

/// Attacks, row K2.
#[tokio::test]
async fn k2_neither_the_record_nor_any_debug_output_shows_a_private_key() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    rotate(&fixture.domain, &root, &Rotate::default()).await.unwrap();
    let keys = stored(fixture.store()).await;
    let (ring, signer) = (&fixture.domain.key_ring, fixture.domain.signer(START).unwrap());
    let shown = format!("{ring:?} {signer:?} {keys:?}");
    let bytes = keys.encode().unwrap();
    let text = format!("{shown} {}", String::from_utf8_lossy(&bytes));
    for member in ["\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\"", "PRIVATE KEY"] {
        assert!(!text.contains(member), "{member}");
    }
    let private = private_keys(&fixture).await;
    assert_eq!(private.len(), 2);
    assert!(private.iter().all(|der| !shows(&text, der)));
}

#[tokio::test]
async fn k2_a_private_key_would_be_found_in_any_form() {
    let fixture = Fixture::new().await;
    let der = private_keys(&fixture).await.remove(0);
    for bytes in [&der[..], &der[1..], &der[2..], &der[der.len() / 2..]] {
        for text in [
            BASE64.encode(bytes),
            BASE64URL_NOPAD.encode(bytes),
            HEXLOWER.encode(bytes),
            HEXUPPER.encode(bytes),
            format!("{bytes:?}"),
            serde_json::to_string(bytes).unwrap(),
        ] {
            assert!(shows(&text, &der), "{text}");
        }
    }
    assert!(!shows(&BASE64.encode(&der[..300]), &der));
}
