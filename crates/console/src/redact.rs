//! What may be shown of what is secret.

use serde_json::Value;

/// A URL's parameters without what lets somebody use it.
pub(crate) fn params(query: &str) -> String {
    let one = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRETS.iter().any(|s| s.eq_ignore_ascii_case(name)) => {
            format!("{name}=...")
        }
        _ => pair.to_owned(),
    };
    query.split('&').map(one).collect::<Vec<_>>().join("&")
}

/// A back end's URL without its query, where customers keep secrets.
pub(crate) fn target(url: &str) -> String {
    url.split_once('?').map_or_else(|| url.to_owned(), |(url, _)| format!("{url}?..."))
}

/// The same in the body of a callback.
pub(crate) fn params_in(body: &mut Value) {
    if let Some(Value::String(query)) = body.get_mut("stream_param") {
        *query = params(query);
    }
}

/// Parameters that are signatures.
const SECRETS: [&str; 3] = ["txSecret", "txSerect", "sig"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_left_out_and_nothing_else() {
        assert_eq!(
            params("bizid=1&txSecret=abc&txTime=5C271099&room=7&SIG=x"),
            "bizid=1&txSecret=...&txTime=5C271099&room=7&SIG=..."
        );
        assert_eq!(params(""), "");
        let mut body = serde_json::json!({ "stream_param": "sig=a&b=c", "node": "n" });
        params_in(&mut body);
        assert_eq!(body, serde_json::json!({ "stream_param": "sig=...&b=c", "node": "n" }));
    }
}
