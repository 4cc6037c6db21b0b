//! Every form in which a secret could come out, and whether it did.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// As it is, in base64 wherever it stands among other bytes, coded for URLs, and as JSON and Rust quote it.
pub fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), in_url(secret), format!("{secret:?}")];
    forms.push(serde_json::to_string(secret).expect("text is JSON"));
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        let coded = STANDARD_NO_PAD.encode(&bytes);
        // The first and the last digits depend on what stands around it.
        let begin = [0, 2, 3][before];
        let end = coded.len() - usize::from(bytes.len() % 3 != 0);
        let core = &coded[begin..end];
        forms.push(core.replace('+', "-").replace('/', "_"));
        forms.push(core.to_owned());
    }
    forms
}

fn in_url(secret: &str) -> String {
    let coded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    secret.bytes().map(coded).collect()
}

/// Panics with where it was found.
#[track_caller]
pub fn assert_nowhere(secret: &str, place: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for form in forms(secret) {
        assert!(
            !text.contains(&form) && !text.contains(&form.to_lowercase()),
            "{place} holds the secret, as {form:?}: {text}"
        );
    }
}
