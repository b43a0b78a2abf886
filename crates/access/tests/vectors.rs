//! Signing vectors, computed elsewhere.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use thalweg_access::{Expiry, Key, Scheme, TimeFormat};
use thalweg_testkit::corpus;

#[test]
fn every_vector() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert!(vectors.len() >= 12);
    for v in vectors {
        let text = |name: &str| v[name].as_str().unwrap().to_owned();
        let scheme = match text("scheme").as_str() {
            "md5" => Scheme::Md5,
            "sha256" => Scheme::Sha256,
            other => panic!("{other}"),
        };
        let (stream, tx_time) = (text("stream"), text("txTime"));
        let secret = Key::new(text("key")).sign(scheme, &stream, &tx_time);
        assert_eq!(secret, text("txSecret"), "{}", text("name"));
        let seed = format!("push.example.com\n{stream}\ntxSecret={secret}&txTime={tx_time}");
        corpus::holds("signed_url", &text("name"), seed.as_bytes());
    }
}

#[test]
fn times() {
    for (text, want) in [
        ("5C271099", Some((0x5c27_1099, TimeFormat::Hex))),
        ("5c271099", Some((0x5c27_1099, TimeFormat::Hex))),
        ("1705300864", Some((1_705_300_864, TimeFormat::Decimal))),
        ("65432100", Some((0x6543_2100, TimeFormat::Hex))),
        ("1", Some((1, TimeFormat::Hex))),
        ("ffffffffffffffff", Some((u64::MAX, TimeFormat::Hex))),
        ("fffffffffffffffff", None),
        ("", None),
        ("5C27109G", None),
        ("-5C27109", None),
        ("+1705300864", None),
    ] {
        let got = Expiry::parse(text).map(|e| e.unix_s).zip(Expiry::format_of(text));
        assert_eq!(got, want, "{text:?}");
    }
    assert_eq!(Expiry { unix_s: 0x65a4_d380 }.to_hex(), "65A4D380");
}
