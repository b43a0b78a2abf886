//! The grammar of tokens, and what is said about them.
#![allow(clippy::unwrap_used, clippy::panic)]

use thalweg_access::{
    Account, Action, BadToken, Domain, Key, Keys, Network, Policy, Purpose, Query, Request,
    Schemes, SignedQuery, Subject, Token, Verdict, Way, decide, explain,
};

const NOW: u64 = 1_732_290_000;

#[test]
fn tokens_that_can_be_read() {
    let plain = Token {
        purpose: Purpose::Play,
        expires_unix_s: 1_732_320_000,
        not_before_unix_s: None,
        from: None,
        sessions_max: None,
    };
    let net = |text| Some(Network::parse(text).unwrap());
    for (tw, want) in [
        ("1.01234abc.play.1732320000", plain),
        ("1.01234abc.push.1732320000", Token { purpose: Purpose::Push, ..plain }),
        ("1.01234abc.udp.1732320000", Token { purpose: Purpose::Udp, ..plain }),
        ("1.01234abc.play.0", Token { expires_unix_s: 0, ..plain }),
        (
            "1.01234abc.play.1732320000.n1732320000",
            Token { not_before_unix_s: Some(1_732_320_000), ..plain },
        ),
        ("1.01234abc.play.1732320000.a192-0-2-0_24", Token { from: net("192.0.2.0/24"), ..plain }),
        ("1.01234abc.play.1732320000.m10000", Token { sessions_max: Some(10_000), ..plain }),
        (
            "1.01234abc.play.1732320000.n5.a2001:db8::_32.m1",
            Token {
                not_before_unix_s: Some(5),
                from: net("2001:db8::/32"),
                sessions_max: Some(1),
                ..plain
            },
        ),
    ] {
        assert_eq!(Token::parse(tw), Ok(("01234abc", want)), "{tw}");
        assert_eq!(want.to_text("01234abc"), tw);
    }
}

#[test]
fn tokens_that_cannot() {
    let network = |tw: &str| matches!(Token::parse(tw), Err(BadToken::Network(_)));
    for tw in ["a", "a192.0.2.7", "a192-0-2-7_24", "a192-0-2-0_024", "aFE80::_10", "a::ffff:0:0_96"]
    {
        assert!(network(&format!("1.01234abc.play.9.{tw}")), "{tw}");
    }
    let long = format!("1.01234abc.play.9.n{}", "1".repeat(160));
    for (tw, want) in [
        ("", BadToken::Version),
        ("2.01234abc.play.9", BadToken::Version),
        ("01.01234abc.play.9", BadToken::Version),
        ("1", BadToken::KeyId),
        ("1.01234ab.play.9", BadToken::KeyId),
        ("1.01234ABC.play.9", BadToken::KeyId),
        ("1.01234abg.play.9", BadToken::KeyId),
        ("1.01234abc", BadToken::Purpose),
        ("1.01234abc.Play.9", BadToken::Purpose),
        ("1.01234abc.watch.9", BadToken::Purpose),
        ("1.01234abc.play", BadToken::Time),
        ("1.01234abc.play.", BadToken::Time),
        ("1.01234abc.play.09", BadToken::Time),
        ("1.01234abc.play.+9", BadToken::Time),
        ("1.01234abc.play.12345678901", BadToken::Time),
        ("1.01234abc.play.9.n", BadToken::Time),
        ("1.01234abc.play.9.n-1", BadToken::Time),
        ("1.01234abc.play.9.n10", BadToken::EndsFirst),
        ("1.01234abc.play.9.m0", BadToken::Sessions),
        ("1.01234abc.play.9.m01", BadToken::Sessions),
        ("1.01234abc.play.9.m10001", BadToken::Sessions),
        ("1.01234abc.play.9.m", BadToken::Sessions),
        ("1.01234abc.push.9.m1", BadToken::PushSessions),
        ("1.01234abc.play.9.", BadToken::Field),
        ("1.01234abc.play.9.x1", BadToken::Field),
        ("1.01234abc.play.9.n1.n1", BadToken::Field),
        ("1.01234abc.play.9.m1.n1", BadToken::Field),
        ("1.01234abc.play.9.m1.a192-0-2-7", BadToken::Field),
        ("1.01234abc.play.9..m1", BadToken::Field),
        (long.as_str(), BadToken::TooLong),
    ] {
        assert_eq!(Token::parse(tw), Err(want), "{tw}");
    }
}

#[test]
fn nobody_signs_what_nobody_takes() {
    let token = Token {
        purpose: Purpose::Push,
        expires_unix_s: NOW,
        not_before_unix_s: None,
        from: None,
        sessions_max: Some(1),
    };
    let subject = Subject { account: "1", app: "live", stream: "room" };
    let signed = SignedQuery::strong(&Key::new("a key for pushing"), subject, &token);
    assert_eq!(signed.err(), Some(BadToken::PushSessions));
}

/// One digest has one text: whoever could write it in another way would have the sessions of a URL
/// as often as there are ways.
#[test]
fn a_signature_is_written_in_one_way() {
    let (policy, token) = (policy(), token(Purpose::Play));
    let good = sign("play key of 1", "1", "live", "room", &token);
    let ask = |query: &str| {
        let request = request(Action::Play, "room", query);
        decide(&policy, &request, NOW).unwrap().credential.is_some()
    };
    assert!(ask(&good));
    let (start, last) = good.split_at(good.len() - 1);
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=";
    for digit in digits.chars().filter(|d| !last.contains(*d)) {
        assert!(!ask(&format!("{start}{digit}")), "{digit}");
    }
    assert!(!ask(&format!("{good}=")));
}

fn token(purpose: Purpose) -> Token {
    Token {
        purpose,
        expires_unix_s: NOW + 3600,
        not_before_unix_s: Some(NOW - 60),
        from: None,
        sessions_max: None,
    }
}

fn sign(key: &str, account: &str, app: &str, stream: &str, token: &Token) -> String {
    SignedQuery::strong(&Key::new(key), Subject { account, app, stream }, token).unwrap().text
}

fn request<'a>(action: Action, stream: &'a str, query: &'a str) -> Request<'a> {
    let peer = Some([192, 0, 2, 7].into());
    let (way, query, referer) = (Way::Tcp, Query::new(query), None);
    Request { action, way, host: "h", app: "live", stream, query, peer, referer }
}

/// Pushes need a signature, plays do not. Account 2 has a host of its own.
fn policy() -> Policy {
    let account = |bizid: &str, host: Option<&str>, validity_s| {
        let domain = |action: Action, host: Option<&str>| Domain {
            action,
            host: host.map(str::to_owned),
            keys: Keys {
                main: Key::new(format!("{} key of {bizid}", action.name())),
                backup: Some(Key::new(format!("old {} key of {bizid}", action.name()))),
            },
            auth: action == Action::Push,
            validity_s,
            schemes: Schemes::Any,
        };
        let mut domains = vec![domain(Action::Push, host), domain(Action::Play, host)];
        if host.is_none() {
            let mut other = domain(Action::Push, Some("other.example"));
            other.keys = Keys::new(Key::new("key of the other domain"));
            domains.push(other);
        }
        Account::new(bizid, domains)
    };
    let mut accounts = vec![account("1", None, 300), account("2", Some("two.example"), 0)];
    accounts[0].revoked.streams.insert("live/leaked".to_owned(), NOW - 600);
    Policy::new(accounts).unwrap()
}

#[test]
fn a_token_is_explained_in_words() {
    use Verdict::{Bad, Good, Odd};
    let push = token(Purpose::Push);
    let good = |key: &str| sign(key, "1", "live", "room", &push);
    let with = |change: &dyn Fn(&mut Token)| {
        let mut token = push;
        change(&mut token);
        sign("push key of 1", "1", "live", "room", &token)
    };
    let of = |account, app, stream| sign("push key of 1", account, app, stream, &push);
    let net = |text: &str| Some(Network::parse(text).unwrap());
    let (tw, sig) =
        good("push key of 1").split_once('&').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for (query, stream, verdict, words) in [
        (good("push key of 1"), "room", Good, "fits the push key of account 1"),
        (good("old push key of 1"), "room", Good, "fits the backup push key"),
        (good("push key of 1"), "room", Good, "good for 60 minutes more"),
        (good("push key of 1"), "rooms", Bad, "another app or stream name"),
        (good("play key of 1"), "room", Bad, "takes the push key; it was made with the play key"),
        (good("push key of 2"), "room", Bad, "a push key of account 2, and the host is 1's"),
        (good("key of the other domain"), "room", Bad, "another of the account's domains"),
        (good("nobody's key"), "room", Bad, "this server has no key whose id is"),
        (of("1", "live", "room.flv"), "room", Bad, ".flv; the suffix is not signed"),
        (of("1", "live", "room"), "5_room", Bad, "the whole name is signed"),
        (of("1", "", "room"), "room", Bad, "it was made for app \"\", and this is \"live\""),
        (of("2", "live", "room"), "room", Bad, "made for account \"2\", and the host is 1's"),
        (of("bizid", "live", "room") + "&bizid=bizid", "room", Bad, "made for account \"bizid\""),
        (
            sign("play key of 1", "1", "live", "room", &token(Purpose::Udp)),
            "room",
            Bad,
            "it is signed for udp, and this is a push",
        ),
        (
            with(&|t| t.not_before_unix_s = Some(NOW + 600)),
            "room",
            Bad,
            "begins to be good in 10 minutes",
        ),
        (with(&|t| t.expires_unix_s = NOW - 10), "room", Bad, "expired 10 s ago; the domain's"),
        (with(&|t| t.expires_unix_s = NOW - 40), "room", Bad, "expired 40 s ago"),
        (with(&|t| t.from = net("192.0.2.0/24")), "room", Good, "192.0.2.0/24: 192.0.2.7 is there"),
        (with(&|t| t.from = net("2001:db8::/32")), "room", Bad, "192.0.2.7 is not there"),
        (of("1", "live", "leaked"), "leaked", Good, "revoked; this one was made at"),
        (format!("{tw}&{tw}&{sig}"), "room", Bad, "there twice"),
        (tw.clone(), "room", Bad, "one of them is missing"),
        (format!("{tw}&{sig}="), "room", Bad, "leave the = out"),
        (format!("{tw}&sig={}", "0a".repeat(32)), "room", Bad, "it is hexadecimal"),
        (format!("{tw}&sig={}/", &sig[5..]), "room", Bad, "base64url has - and _"),
        (format!("{tw}.m2&{sig}"), "room", Bad, "a stream has one publisher"),
        (format!("{tw}&{sig}&txSecret=0"), "room", Bad, "signed one way"),
        (good("push key of 1") + "&bizid=1", "room", Good, "allowed"),
        (String::new(), "room", Bad, "nor a tw"),
    ] {
        check(Action::Push, stream, &query, verdict, words);
    }
    let play = |purpose, change: &dyn Fn(&mut Token)| {
        let mut token = token(purpose);
        change(&mut token);
        sign("play key of 1", "1", "live", "room", &token)
    };
    for (query, verdict, words) in [
        (play(Purpose::Udp, &|_| {}), Good, "udp: RTC mode"),
        (play(Purpose::Play, &|_| {}), Good, "play: live mode"),
        (play(Purpose::Play, &|_| {}) + "&bizid=1", Odd, "would say udp"),
        (play(Purpose::Play, &|t| t.sessions_max = Some(3)), Good, "may be used 3 times at once"),
        // Nobody is refused where no signature is compulsory.
        (play(Purpose::Play, &|t| t.expires_unix_s = NOW - 9), Odd, "expired 9 s ago"),
    ] {
        check(Action::Play, "room", &query, verdict, words);
    }
}

fn check(action: Action, stream: &str, query: &str, verdict: Verdict, words: &str) {
    let (policy, request) = (policy(), request(action, stream, query));
    let findings = explain(&policy, &request, NOW);
    assert!(
        findings.iter().any(|f| f.verdict == verdict && f.text.contains(words)),
        "{words}: {findings:#?}"
    );
    let refused = decide(&policy, &request, NOW).is_err();
    assert_eq!(findings.iter().any(|f| f.verdict == Verdict::Bad), refused, "{findings:#?}");
}

#[test]
fn a_network_is_not_held_against_somebody_nobody_knows() {
    let mut token = token(Purpose::Push);
    token.from = Some(Network::parse("192.0.2.0/24").unwrap());
    let query = sign("push key of 1", "1", "live", "room", &token);
    let request = Request { peer: None, ..request(Action::Push, "room", &query) };
    assert!(decide(&policy(), &request, NOW).is_ok());
    let findings = explain(&policy(), &request, NOW);
    let said = findings.iter().find(|f| f.text.contains("192.0.2.0/24")).unwrap();
    assert_eq!(said.verdict, Verdict::Odd);
}
