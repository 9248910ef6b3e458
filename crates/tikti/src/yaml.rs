//! How is YAML written? Every string on the line of its key, however long: a token is found by `grep`.

use serde::Serialize;

pub(crate) fn to_yaml(value: &impl Serialize) -> Result<String, serde_saphyr::ser_error::Error> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_token_stays_on_one_line() {
        let token = "eyJhbGciOiJSUzI1NiJ9.".repeat(100);
        let yaml = to_yaml(&BTreeMap::from([("idToken", &token)])).unwrap();
        assert_eq!(yaml, format!("idToken: {token}\n"));
    }
}
