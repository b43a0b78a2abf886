//! Who may do what: one table.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr};

use thalweg_access::{
    Account, Action, Class, Domain, Expiry, Key, Keys, Network, Policy, PolicyError, Profile,
    Purpose, Query, Reason, Request, Scheme, Schemes, SignedQuery, Subject, Token, UDP_VIEWERS_MAX,
    Verdict, Way, decide, explain,
};
use thalweg_testkit::corpus;

const NOW: u64 = 0x65a4_d380;
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn domain(action: Action, host: Option<&str>, main: &str, backup: Option<&str>) -> Domain {
    let keys = Keys { main: Key::new(main), backup: backup.map(Key::new) };
    let (auth, validity_s) = (action == Action::Push, 0);
    let (host, schemes) = (host.map(str::to_owned), Schemes::Any);
    Domain { action, host, keys, auth, validity_s, schemes }
}

fn account(bizid: &str, domains: Vec<Domain>) -> Account {
    Account::new(bizid, domains)
}

/// Account 1 owns every host nobody names; 8888 has domains of its own, and signs plays too.
fn policy() -> Policy {
    Policy::new(accounts()).unwrap()
}

fn accounts() -> Vec<Account> {
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
    vec![
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
    ]
}

fn signed(key: &str, stream: &str, expiry: u64) -> String {
    let tx_time = Expiry { unix_s: expiry }.to_hex();
    let secret = Key::new(key).sign(Scheme::Md5, stream, &tx_time);
    format!("txSecret={secret}&txTime={tx_time}")
}

fn request<'a>(
    action: Action,
    host: &'a str,
    app: &'a str,
    stream: &'a str,
    query: &'a str,
) -> Request<'a> {
    let (way, query, peer) = (Way::Tcp, Query::new(query), Some(PEER));
    Request { action, way, host, app, stream, query, peer, referer: None }
}

fn ask(action: Action, host: &str, app: &str, stream: &str, query: &str) -> Result<String, Reason> {
    let request = request(action, host, app, stream, query);
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
        (
            "a crowd over UDP",
            vec![Account {
                udp_viewers_max: UDP_VIEWERS_MAX + 1,
                ..account("1", both(None, "long enough"))
            }],
            PolicyError::UdpViewers("1".into()),
        ),
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
        (String::new(), "room", Verdict::Bad, "there is no txSecret, nor a tw"),
        (format!("bizid=bizid&{good}"), "room", Verdict::Odd, "never refuses"),
        (good.replace("txSecret", "txSerect"), "room", Verdict::Odd, "txSerect"),
        (signed("play key of 1", "room", NOW + 9), "room", Verdict::Bad, "with the play key"),
        (signed("push key of 1", "room.flv", NOW + 9), "room", Verdict::Bad, ".flv"),
        (signed("push key of 1", "live/room", NOW + 9), "room", Verdict::Bad, "only the stream"),
        (signed("push key of 1", "room", NOW + 9), "5_room", Verdict::Bad, "the whole name"),
        (signed("push key of 1", "room", NOW - 7200), "room", Verdict::Bad, "expired 2 hours ago"),
        (signed("push key of 1", "room", NOW * 1000), "room", Verdict::Odd, "milliseconds"),
    ] {
        let request = request(Action::Push, "h", "live", stream, &query);
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
    let vendors = request(Action::Push, "h", "live", "room", &query);
    let capped = token(Purpose::Play, |t| t.sessions_max = Some(2));
    let capped = strong("play key of 1", "1", &capped);
    let play = request(Action::Play, "h", "live", "room", &capped);
    let allow = decide(&policy(), &play, NOW).unwrap();
    let (_, sig) = capped.split_once("sig=").unwrap();
    assert_eq!(&*allow.session.as_ref().unwrap().id, sig);
    let shown = format!("{vendors:?} {play:?} {allow:?} {:?}", policy());
    assert!(!shown.contains("push key") && !shown.contains(&query[9..41]), "{shown}");
    assert!(!shown.contains(sig), "{shown}");
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
    let mut accounts = accounts();
    accounts[0].profile = Profile::Vendor;
    let policy = Policy::new(accounts).unwrap();
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
        let request = request(action, host, app, stream, &query);
        let allow = decide(&policy, &request, NOW).unwrap();
        assert_eq!(allow.class, want, "{name}");
        let is_signed = query.contains("txSecret") && name != "over";
        // A push key opens plays of this class only.
        assert_eq!(allow.credential.is_some(), is_signed, "{name}");
    }
}

fn token(purpose: Purpose, change: impl FnOnce(&mut Token)) -> Token {
    let mut token = Token {
        purpose,
        expires_unix_s: NOW + 60,
        not_before_unix_s: Some(NOW - 60),
        from: None,
        sessions_max: None,
    };
    change(&mut token);
    token
}

/// Signs `live/room` of an account.
fn strong(key: &str, account: &str, token: &Token) -> String {
    let subject = Subject { account, app: "live", stream: "room" };
    SignedQuery::strong(&Key::new(key), subject, token).unwrap().text
}

/// Every way in which a URL can be wrong, for either action, where a signature is compulsory.
#[test]
fn strong_signatures() {
    for (action, host, account, key, other_key) in [
        (Action::Push, "push.example.com", "8888", "push key of 8888", "playkeymain2023"),
        (Action::Play, "play.example.com", "8888", "playkeymain2023", "push key of 8888"),
    ] {
        let (purpose, other) = match action {
            Action::Push => (Purpose::Push, Purpose::Play),
            Action::Play => (Purpose::Play, Purpose::Push),
        };
        let backup = if action == Action::Push { "the old one" } else { "playkeybackup2023" };
        let plain = token(purpose, |_| {});
        let sign = |change: &dyn Fn(&mut Token)| strong(key, account, &token(purpose, change));
        let subject = |account, app, stream| {
            let subject = Subject { account, app, stream };
            SignedQuery::strong(&Key::new(key), subject, &plain).unwrap().text
        };
        let good = strong(key, account, &plain);
        let (tw, sig) = good.split_once('&').unwrap();
        let vendors = signed(key, "room", NOW + 60);
        let net = |text: &str| Some(Network::parse(text).unwrap());
        let ok = Ok("8888 signed");
        for (name, query, want) in [
            ("signed", good.clone(), ok),
            ("backup key", strong(backup, account, &plain), ok),
            ("reordered", format!("a=1&{sig}&b=2&{tw}&txTime=0"), ok),
            ("last second", sign(&|t| t.expires_unix_s = NOW), ok),
            ("first second", sign(&|t| t.not_before_unix_s = Some(NOW)), ok),
            ("without a beginning", sign(&|t| t.not_before_unix_s = None), ok),
            ("from its network", sign(&|t| t.from = net("192.0.2.0/24")), ok),
            ("unsigned", String::new(), Err(Reason::AuthMissing)),
            // The domain's validity is the vendor's; a tw says all of it itself.
            ("expired", sign(&|t| t.expires_unix_s = NOW - 1), Err(Reason::AuthExpired)),
            ("not yet", sign(&|t| t.not_before_unix_s = Some(NOW + 1)), Err(Reason::AuthNotYet)),
            (
                "wrong action",
                strong(other_key, account, &token(other, |_| {})),
                Err(Reason::WrongAction),
            ),
            ("the other action's key", strong(other_key, account, &plain), Err(Reason::AuthBad)),
            ("wrong stream", subject(account, "live", "other"), Err(Reason::AuthBad)),
            ("wrong app", subject(account, "other", "room"), Err(Reason::AuthBad)),
            ("wrong account", subject("1", "live", "room"), Err(Reason::AuthBad)),
            ("a key of nobody's", strong("nobody's key", account, &plain), Err(Reason::AuthBad)),
            (
                "wrong and expired",
                strong("nobody's key", account, &token(purpose, |t| t.expires_unix_s = NOW - 1)),
                Err(Reason::AuthBad),
            ),
            ("wrong address", sign(&|t| t.from = net("192.0.2.8")), Err(Reason::WrongAddress)),
            (
                "another family of addresses",
                sign(&|t| t.from = net("::/0")),
                Err(Reason::WrongAddress),
            ),
            (
                "tampered, the end moved",
                good.replace(&(NOW + 60).to_string(), &(NOW + 61).to_string()),
                Err(Reason::AuthBad),
            ),
            ("tampered, a field more", format!("{tw}.a192-0-2-7&{sig}"), Err(Reason::AuthBad)),
            (
                "tampered, another purpose",
                good.replace(purpose.name(), other.name()),
                Err(Reason::AuthBad),
            ),
            ("the signature cut", good[..good.len() - 1].to_owned(), Err(Reason::AuthMalformed)),
            ("tw without sig", tw.to_owned(), Err(Reason::AuthMalformed)),
            ("sig without tw", sig.to_owned(), Err(Reason::AuthMalformed)),
            ("duplicated tw", format!("{good}&{tw}"), Err(Reason::AuthMalformed)),
            ("duplicated sig", format!("{good}&sig=x"), Err(Reason::AuthMalformed)),
            ("both schemes", format!("{good}&{vendors}"), Err(Reason::AuthMalformed)),
            (
                "both schemes, vendor's first",
                format!("{vendors}&{good}"),
                Err(Reason::AuthMalformed),
            ),
            // Somebody else's parameter may have that name.
            ("vendor's, and a sig", format!("{vendors}&sig=x&sig=y"), ok),
        ] {
            let got = ask(action, host, "live", "room", &query);
            assert_eq!(got, want.map(str::to_owned), "{} {name}", action.name());
            let seed = format!("{host}\nroom\n{query}");
            let file = format!("strong {}, {name}", action.name());
            corpus::holds("signed_url", &file, seed.as_bytes());
        }
    }
}

/// What `change` makes of the play domain of account 8888.
fn ask_changed(
    action: Action,
    query: &str,
    change: impl FnOnce(&mut Account),
) -> Result<Class, Reason> {
    let mut accounts = accounts();
    change(&mut accounts[1]);
    let policy = Policy::new(accounts).unwrap();
    let host = format!("{}.example.com", action.name());
    let request = request(action, &host, "live", "room", query);
    let decision = decide(&policy, &request, NOW);
    let refusals = explain(&policy, &request, NOW).iter().any(|f| f.verdict == Verdict::Bad);
    assert_eq!(refusals, decision.is_err());
    decision.map(|allow| {
        assert!(allow.credential.is_some());
        allow.class
    })
}

#[test]
fn what_was_made_before_a_moment_is_revoked() {
    let vendors = signed("playkeymain2023", "room", NOW + 60);
    let made = |at| {
        let token = token(Purpose::Play, |t| t.not_before_unix_s = at);
        strong("playkeymain2023", "8888", &token)
    };
    for (name, query, before, want) in [
        ("before", made(Some(NOW - 2)), NOW - 1, Err(Reason::Revoked)),
        ("at that moment", made(Some(NOW - 1)), NOW - 1, Ok(Class::Live)),
        ("nobody knows when", made(None), 1, Err(Reason::Revoked)),
        ("the vendor's", vendors.clone(), 1, Err(Reason::Revoked)),
        ("everything until a moment to come", made(Some(NOW)), NOW + 9, Err(Reason::Revoked)),
    ] {
        let of_account = |a: &mut Account| a.revoked.before_unix_s = Some(before);
        assert_eq!(ask_changed(Action::Play, &query, of_account), want, "account: {name}");
        let of = |stream: &'static str| {
            move |a: &mut Account| {
                a.revoked.streams.insert(stream.to_owned(), before);
            }
        };
        assert_eq!(ask_changed(Action::Play, &query, of("live/room")), want, "stream: {name}");
        let another = ask_changed(Action::Play, &query, of("live/other"));
        assert_eq!(another, Ok(Class::Live), "another stream: {name}");
        // Where no signature is compulsory it takes away what the signature gives, and no more.
        let open = |a: &mut Account| {
            a.revoked.before_unix_s = Some(before);
            a.domains[1].auth = false;
        };
        let mut accounts = accounts();
        open(&mut accounts[1]);
        let policy = Policy::new(accounts).unwrap();
        let request = request(Action::Play, "play.example.com", "live", "room", &query);
        let allow = decide(&policy, &request, NOW).unwrap();
        assert_eq!(allow.credential.is_some(), want.is_ok(), "open: {name}");
    }
}

#[test]
fn a_domain_may_take_only_strong_signatures() {
    let only = |a: &mut Account| a.domains.iter_mut().for_each(|d| d.schemes = Schemes::Strong);
    let bad = signed("nobody's key", "room", NOW + 60);
    for (action, key) in [(Action::Push, "push key of 8888"), (Action::Play, "playkeymain2023")] {
        let vendors = signed(key, "room", NOW + 60);
        assert_eq!(ask_changed(action, &vendors, |_| {}), Ok(Class::Live));
        assert_eq!(ask_changed(action, &vendors, only), Err(Reason::AuthWeak));
        assert_eq!(ask_changed(action, &bad, only), Err(Reason::AuthWeak));
        assert_eq!(ask_changed(action, "", only), Err(Reason::AuthMissing));
        let purpose = if action == Action::Push { Purpose::Push } else { Purpose::Play };
        let strong = strong(key, "8888", &token(purpose, |_| {}));
        assert_eq!(ask_changed(action, &strong, only), Ok(Class::Live));
    }
}

#[test]
fn a_token_says_how_its_plays_are_served_and_how_many_there_may_be() {
    let play = strong("play key of 1", "1", &token(Purpose::Play, |_| {}));
    let udp = strong("play key of 1", "1", &token(Purpose::Udp, |_| {}));
    let by_push_key = strong("push key of 1", "1", &token(Purpose::Udp, |_| {}));
    let capped = strong("play key of 1", "1", &token(Purpose::Udp, |t| t.sessions_max = Some(3)));
    for (name, query, class, max) in [
        ("play", play.clone(), Class::Live, None),
        ("play with a bizid", format!("bizid=1&{play}"), Class::Live, None),
        ("udp", udp.clone(), Class::Rtc, None),
        ("udp with a bizid", format!("{udp}&bizid=1"), Class::Rtc, None),
        ("udp with the push key", by_push_key, Class::Live, None),
        ("three at once", capped.clone(), Class::Rtc, Some(3)),
        ("three at once, tampered", capped.replace(".m3", ".m4"), Class::Live, None),
    ] {
        let request = request(Action::Play, "h", "live", "room", &query);
        let allow = decide(&policy(), &request, NOW).unwrap();
        assert_eq!((allow.class, allow.session.map(|s| s.max)), (class, max), "{name}");
    }
}

#[test]
fn a_push_of_either_scheme_has_the_same_credential() {
    let vendors = signed("push key of 1", "room", NOW + 60);
    let strong = strong("push key of 1", "1", &token(Purpose::Push, |_| {}));
    let [one, other] = [vendors, strong].map(|query| {
        let request = request(Action::Push, "h", "live", "room", &query);
        decide(&policy(), &request, NOW).unwrap().credential.unwrap()
    });
    assert_eq!(one, other);
}
