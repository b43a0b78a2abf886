//! Body of the fuzz target for the head of an HTTP request.

use crate::http_head::{HEAD_BYTES_MAX, Parsed, parse, percent_decode};

/// A head is judged the same whether it comes whole or in parts, and its path decodes to names.
pub fn http_head(data: &[u8]) {
    let whole = parse(data);
    if let Parsed::Complete(head) = &whole {
        assert!(head.bytes <= data.len());
        assert_eq!(parse(&data[..head.bytes]), whole);
        assert!(!matches!(parse(&data[..head.bytes - 1]), Parsed::Bad));
        let _ = percent_decode(&head.path);
    }
    if whole == Parsed::Partial {
        assert!(data.len() < HEAD_BYTES_MAX);
    }
}
