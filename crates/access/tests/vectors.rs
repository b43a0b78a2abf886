//! Signing vectors, computed elsewhere.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use thalweg_access::{Expiry, Key, Scheme, Subject, TimeFormat, Token};
use thalweg_testkit::corpus;

/// Those of the vendor's signature, or of the strong one.
fn vectors(are_strong: bool) -> Vec<Value> {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let of_kind: Vec<_> =
        vectors.into_iter().filter(|v| (v["scheme"] == "tw") == are_strong).collect();
    assert!(of_kind.len() >= 12);
    of_kind
}

#[test]
fn every_vector() {
    for v in vectors(false) {
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
fn every_strong_vector() {
    for v in vectors(true) {
        let text = |name: &str| v[name].as_str().unwrap();
        let (name, key, tw) = (text("name"), Key::new(text("key")), text("tw"));
        let (account, app, stream) = (text("account"), text("app"), text("stream"));
        let (kid, token) = Token::parse(tw).unwrap();
        assert_eq!(key.id(), kid, "{name}");
        assert_eq!(token.to_text(kid), tw, "{name}");
        let sig = key.sign_strong(Subject { account, app, stream }, tw);
        assert_eq!(sig, text("sig"), "{name}");
        let seed = format!("push.example.com\n{stream}\ntw={tw}&sig={sig}");
        corpus::holds("signed_url", name, seed.as_bytes());
    }
}

/// The tables of the manual have no row that is not a vector, and every strong vector.
#[test]
fn the_manual_shows_them() {
    let manual = include_str!("../../../docs/ref/signing.md");
    let row = |v: &Value, names: &[&str]| {
        let cells: Vec<String> =
            names.iter().map(|name| format!("`{}`", v[*name].as_str().unwrap())).collect();
        format!("| {} |", cells.join(" | "))
    };
    let vendors = |v: &Value| row(v, &["key", "stream", "txTime", "txSecret"]);
    let strong = |v: &Value| row(v, &["key", "account", "app", "stream", "tw", "sig"]);
    let of_strong: Vec<String> = vectors(true).iter().map(strong).collect();
    let of_vendors: Vec<String> = vectors(false).iter().map(vendors).collect();
    for row in &of_strong {
        assert!(manual.contains(row.as_str()), "the manual lacks {row}");
    }
    let section = manual.split("## Vectors").nth(1).unwrap();
    for line in section.lines().filter(|l| l.starts_with("| `")) {
        let is_vector = of_strong.iter().chain(&of_vendors).any(|row| row == line);
        assert!(is_vector, "the manual shows {line}, which is no vector");
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
