//! Who may do what: one table.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use thalweg_access::{
    Account, Action, Class, Domain, Expiry, Key, Keys, Policy, PolicyError, Query, Reason, Request,
    Scheme, Verdict, decide, explain,
};
use thalweg_testkit::corpus;

const NOW: u64 = 0x65a4_d380;

fn domain(action: Action, host: Option<&str>, main: &str, backup: Option<&str>) -> Domain {
    let keys = Keys { main: Key::new(main), backup: backup.map(Key::new) };
    let (auth, validity_s) = (action == Action::Push, 0);
    Domain { action, host: host.map(str::to_owned), keys, auth, validity_s }
}

fn account(bizid: &str, domains: Vec<Domain>) -> Account {
    Account { bizid: Arc::from(bizid), domains }
}

/// Account 1 owns every host nobody names; 8888 has domains of its own, and signs plays too.
fn policy() -> Policy {
    let signed_play = Domain {
        auth: true,
        validity_s: 300,
        ..domain(
            Action::Play,
            Some("play.example.com"),
            "playkeymain2023",
            Some("playkeybackup2023"),
        )
    };
    Policy::new(vec![
        account(
            "1",
            vec![
                domain(Action::Push, None, "push key of 1", None),
                domain(Action::Play, None, "play key of 1", None),
            ],
        ),
        account(
            "8888",
            vec![
                domain(
                    Action::Push,
                    Some("push.example.com"),
                    "push key of 8888",
                    Some("the old one"),
                ),
                signed_play,
            ],
        ),
    ])
    .unwrap()
}

fn signed(key: &str, stream: &str, expiry: u64) -> String {
    let tx_time = Expiry { unix_s: expiry }.to_hex();
    let secret = Key::new(key).sign(Scheme::Md5, stream, &tx_time);
    format!("txSecret={secret}&txTime={tx_time}")
}

fn ask(action: Action, host: &str, app: &str, stream: &str, query: &str) -> Result<String, Reason> {
    let request = Request { action, host, app, stream, query: Query::new(query) };
    decide(&policy(), &request, NOW).map(|allow| {
        let signed = if allow.credential.is_some() { "signed" } else { "open" };
        format!("{} {signed}", allow.account)
    })
}

#[test]
fn pushes() {
    let push = |host, stream, query: &str| ask(Action::Push, host, "live", stream, query);
    let good = signed("push key of 1", "room", NOW + 60);
    let good_8888 = signed("push key of 8888", "room", NOW + 60);
    let secret = &good[9..41];
    for (name, host, stream, query, want) in [
        ("signed", "192.0.2.7", "room", good.clone(), Ok("1 signed")),
        ("last second", "x", "room", signed("push key of 1", "room", NOW), Ok("1 signed")),
        ("other order", "x", "room", format!("a=b&{}", reversed(&good)), Ok("1 signed")),
        ("wrong bizid", "x", "room", format!("bizid=bizid&{good}"), Ok("1 signed")),
        ("misspelt", "x", "room", good.replace("txSecret", "txSerect"), Ok("1 signed")),
        ("upper case", "x", "room", good.replace(secret, &secret.to_uppercase()), Ok("1 signed")),
        ("named host", "push.example.com", "room", good_8888.clone(), Ok("8888 signed")),
        ("host in capitals", "PUSH.Example.COM", "room", good_8888.clone(), Ok("8888 signed")),
        (
            "host as a parameter",
            "192.0.2.7",
            "room",
            format!("{good_8888}&vhost=push.example.com"),
            Ok("8888 signed"),
        ),
        (
            "backup key",
            "push.example.com",
            "room",
            signed("the old one", "room", NOW + 60),
            Ok("8888 signed"),
        ),
        (
            "the account's own number in the name",
            "push.example.com",
            "8888_room",
            signed("push key of 8888", "8888_room", NOW + 60),
            Ok("8888 signed"),
        ),
        (
            "a number that is no account",
            "x",
            "777_room",
            signed("push key of 1", "777_room", NOW + 60),
            Ok("1 signed"),
        ),
        ("not signed", "x", "room", String::new(), Err(Reason::AuthMissing)),
        ("no time", "x", "room", format!("txSecret={secret}"), Err(Reason::AuthMissing)),
        ("no secret", "x", "room", "txTime=65A4D380".to_owned(), Err(Reason::AuthMissing)),
        ("short secret", "x", "room", good.replace(secret, "abc"), Err(Reason::AuthMalformed)),
        (
            "secret not hex",
            "x",
            "room",
            good.replace(secret, &"z".repeat(32)),
            Err(Reason::AuthMalformed),
        ),
        (
            "time not a time",
            "x",
            "room",
            format!("txSecret={secret}&txTime=soon"),
            Err(Reason::AuthMalformed),
        ),
        ("another stream", "x", "room2", good.clone(), Err(Reason::AuthBad)),
        ("another account's host", "push.example.com", "room", good.clone(), Err(Reason::AuthBad)),
        (
            "the play key",
            "x",
            "room",
            signed("play key of 1", "room", NOW + 60),
            Err(Reason::AuthBad),
        ),
        (
            "the time moved",
            "x",
            "room",
            good.replace("txTime=65A4D3BC", "txTime=75A4D3BC"),
            Err(Reason::AuthBad),
        ),
        (
            "the time in another case",
            "x",
            "room",
            good.replace("65A4D3BC", "65a4d3bc"),
            Err(Reason::AuthBad),
        ),
        (
            "expired",
            "x",
            "room",
            signed("push key of 1", "room", NOW - 1),
            Err(Reason::AuthExpired),
        ),
        (
            "wrong and expired",
            "x",
            "room",
            signed("nobody's key", "room", NOW - 1),
            Err(Reason::AuthBad),
        ),
        (
            "another account's number in the name",
            "x",
            "8888_room",
            signed("push key of 1", "8888_room", NOW + 60),
            Err(Reason::ForeignAccount),
        ),
        (
            "the secret twice, the first counts",
            "x",
            "room",
            format!("txSecret={}&{good}", "0".repeat(32)),
            Err(Reason::AuthBad),
        ),
    ] {
        assert_eq!(push(host, stream, &query), want.map(str::to_owned), "{name}");
        corpus::holds("signed_url", name, format!("{host}\n{stream}\n{query}").as_bytes());
    }
}

fn reversed(query: &str) -> String {
    query.split('&').rev().collect::<Vec<_>>().join("&")
}

#[test]
fn plays() {
    let play = |host, query: &str| ask(Action::Play, host, "live", "room", query);
    let main = |t| signed("playkeymain2023", "room", t);
    for (name, host, query, want) in [
        ("open by default", "192.0.2.7", String::new(), Ok("1 open")),
        (
            "open, signed all the same",
            "x",
            signed("play key of 1", "room", NOW + 9),
            Ok("1 signed"),
        ),
        ("open, badly signed", "x", main(NOW + 9), Ok("1 open")),
        ("closed domain, signed", "play.example.com", main(NOW + 9), Ok("8888 signed")),
        (
            "closed domain, backup key",
            "play.example.com",
            signed("playkeybackup2023", "room", NOW + 9),
            Ok("8888 signed"),
        ),
        ("within its validity", "play.example.com", main(NOW - 300), Ok("8888 signed")),
        ("after its validity", "play.example.com", main(NOW - 301), Err(Reason::AuthExpired)),
        ("closed domain, not signed", "play.example.com", String::new(), Err(Reason::AuthMissing)),
        // The account's push host is no way around the rules of its play host.
        ("its push host", "push.example.com", String::new(), Err(Reason::AuthMissing)),
        ("its push host, signed", "push.example.com", main(NOW + 9), Ok("8888 signed")),
    ] {
        assert_eq!(play(host, &query), want.map(str::to_owned), "{name}");
    }
}

#[test]
fn reserved_apps_are_nobodys() {
    for app in ["api", "metrics", "demo/x", "healthz"] {
        assert_eq!(ask(Action::Play, "x", app, "room", ""), Err(Reason::ReservedApp), "{app}");
    }
    assert!(ask(Action::Play, "x", "apis", "room", "").is_ok());
}

#[test]
fn policies_that_contradict_themselves() {
    let both = |host: Option<&str>, key: &str| {
        vec![domain(Action::Push, host, key, None), domain(Action::Play, None, key, None)]
    };
    for (name, accounts, want) in [
        ("none", vec![], PolicyError::NoAccount),
        (
            "not a number",
            vec![account("abc", both(None, "long enough"))],
            PolicyError::BizidMalformed("abc".into()),
        ),
        (
            "twice",
            vec![account("1", both(None, "long enough")), account("1", both(None, "long enough"))],
            PolicyError::BizidTwice("1".into()),
        ),
        (
            "one host for two",
            vec![
                account("1", both(Some("h"), "long enough")),
                account("2", both(Some("h"), "long enough")),
            ],
            PolicyError::HostTwice("h".into()),
        ),
        (
            "no play",
            vec![account("1", vec![domain(Action::Push, None, "long enough", None)])],
            PolicyError::NoDomain("1".into(), "play"),
        ),
        (
            "key out of the manual",
            vec![account("1", both(None, "e12c46f2612d5106e2034781ab261ca3"))],
            PolicyError::KnownKey("1".into()),
        ),
        ("short key", vec![account("1", both(None, "1234567"))], PolicyError::ShortKey("1".into())),
    ] {
        assert_eq!(Policy::new(accounts).err(), Some(want), "{name}");
    }
}

#[test]
fn a_url_is_explained_in_words() {
    let good = signed("push key of 1", "room", NOW + 3600);
    for (query, stream, verdict, words) in [
        (good.clone(), "room", Verdict::Good, "good for 60 minutes more"),
        (good.clone(), "room", Verdict::Good, "allowed"),
        (good.clone(), "rooms", Verdict::Bad, "a changed character"),
        (String::new(), "room", Verdict::Bad, "there is no txSecret"),
        (format!("bizid=bizid&{good}"), "room", Verdict::Odd, "never refuses"),
        (good.replace("txSecret", "txSerect"), "room", Verdict::Odd, "txSerect"),
        (signed("play key of 1", "room", NOW + 9), "room", Verdict::Bad, "with the play key"),
        (signed("push key of 1", "room.flv", NOW + 9), "room", Verdict::Bad, ".flv"),
        (signed("push key of 1", "live/room", NOW + 9), "room", Verdict::Bad, "only the stream"),
        (signed("push key of 1", "room", NOW + 9), "5_room", Verdict::Bad, "the whole name"),
        (signed("push key of 1", "room", NOW - 7200), "room", Verdict::Bad, "expired 2 hours ago"),
        (signed("push key of 1", "room", NOW * 1000), "room", Verdict::Odd, "milliseconds"),
    ] {
        let query = Query::new(&query);
        let request = Request { action: Action::Push, host: "h", app: "live", stream, query };
        let findings = explain(&policy(), &request, NOW);
        assert!(
            findings.iter().any(|f| f.verdict == verdict && f.text.contains(words)),
            "{words}: {findings:#?}"
        );
        let refused = decide(&policy(), &request, NOW).is_err();
        assert_eq!(findings.iter().any(|f| f.verdict == Verdict::Bad), refused, "{findings:#?}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let query = signed("push key of 1", "room", NOW);
    let request = Request {
        action: Action::Push,
        host: "h",
        app: "live",
        stream: "room",
        query: Query::new(&query),
    };
    let shown = format!("{request:?} {:?}", policy());
    assert!(!shown.contains("push key") && !shown.contains(&query[9..41]), "{shown}");
}

#[test]
fn every_reason_has_its_own_word() {
    let mut words: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Reason::ALL.len());
    for reason in Reason::ALL {
        assert!((400..600).contains(&reason.http_status()));
        for action in [Action::Push, Action::Play] {
            assert!(reason.rtmp_code(action).starts_with("NetStream."));
        }
    }
}

#[test]
fn rtc_mode_is_for_plays_with_an_account_number_and_a_valid_signature() {
    let play_key = signed("play key of 1", "room", NOW + 60);
    let push_key = signed("push key of 1", "room", NOW + 60);
    let expired = signed("play key of 1", "room", NOW - 60);
    for (name, action, query, want) in [
        ("nothing", Action::Play, String::new(), Class::Live),
        ("signed, as any play may be", Action::Play, play_key.clone(), Class::Live),
        ("a number alone", Action::Play, "bizid=1".to_owned(), Class::Live),
        ("an empty number", Action::Play, format!("{play_key}&bizid="), Class::Live),
        ("both", Action::Play, format!("{play_key}&bizid=1"), Class::Rtc),
        (
            "as the vendor's sample has it",
            Action::Play,
            format!("{play_key}&bizid=bizid"),
            Class::Rtc,
        ),
        ("signed with the push key", Action::Play, format!("bizid=1&{push_key}"), Class::Rtc),
        ("over", Action::Play, format!("bizid=1&{expired}"), Class::Live),
        ("a push", Action::Push, format!("bizid=1&{push_key}"), Class::Live),
    ] {
        let (host, app, stream) = ("h", "live", "room");
        let request = Request { action, host, app, stream, query: Query::new(&query) };
        let allow = decide(&policy(), &request, NOW).unwrap();
        assert_eq!(allow.class, want, "{name}");
        let is_signed = query.contains("txSecret") && name != "over";
        // A push key opens plays of this class only.
        assert_eq!(allow.credential.is_some(), is_signed, "{name}");
    }
}
