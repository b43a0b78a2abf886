//! Whose key signs a play over UDP, and what a play has shown is worth for a push.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use thalweg_access::{
    Account, Action, Allow, Class, Domain, Expiry, Key, Keys, Policy, Profile, Purpose, Query,
    Reason, Request, Scheme, Schemes, SignedQuery, Spent, Subject, Token, UDP_VIEWERS_MAX, Verdict,
    Way, decide, explain,
};
use thalweg_testkit::corpus;

const NOW: u64 = 0x65a4_d380;
const PROFILES: [Profile; 2] = [Profile::Strict, Profile::Vendor];
const WAYS: [Way; 2] = [Way::Tcp, Way::Udp];

/// An account whose pushes need a signature and whose plays do not.
fn account(profile: Profile) -> Account {
    let domain = |action: Action| Domain {
        action,
        host: None,
        keys: Keys {
            main: Key::new(format!("the {} key", action.name())),
            backup: Some(Key::new(format!("the old {} key", action.name()))),
        },
        auth: action == Action::Push,
        validity_s: 0,
        schemes: Schemes::Any,
    };
    let domains = vec![domain(Action::Push), domain(Action::Play)];
    Account { profile, ..Account::new("1", domains) }
}

fn policy(account: Account) -> Policy {
    Policy::new(vec![account]).unwrap()
}

fn request<'a>(action: Action, way: Way, stream: &'a str, query: &'a str) -> Request<'a> {
    let (query, peer, referer) = (Query::new(query), None, None);
    Request { action, way, host: "h", app: "live", stream, query, peer, referer }
}

/// Decides about `live/room`, and sees to it that `check-url` says the same.
fn ask(policy: &Policy, action: Action, way: Way, query: &str) -> Result<Allow, Reason> {
    let request = request(action, way, "room", query);
    let decision = decide(policy, &request, NOW);
    let findings = explain(policy, &request, NOW);
    let is_bad = findings.iter().any(|f| f.verdict == Verdict::Bad);
    assert_eq!(is_bad, decision.is_err(), "{findings:#?}");
    decision
}

fn md5(key: &str, stream: &str, unix_s: u64) -> String {
    SignedQuery::new(&Key::new(key), Scheme::Md5, stream, Expiry { unix_s }).text
}

fn sha(key: &str) -> String {
    SignedQuery::new(&Key::new(key), Scheme::Sha256, "room", Expiry { unix_s: NOW + 60 }).text
}

fn strong(key: &str, purpose: Purpose, expires_unix_s: u64) -> String {
    let (not_before_unix_s, from, sessions_max) = (None, None, None);
    let token = Token { purpose, expires_unix_s, not_before_unix_s, from, sessions_max };
    let subject = Subject { account: "1", app: "live", stream: "room" };
    SignedQuery::strong(&Key::new(key), subject, &token).unwrap().text
}

type Told = Result<(), Reason>;

/// Every rule of a play over UDP: what it is told where the profile is strict, and where it is the
/// vendor's.
fn udp_plays() -> Vec<(&'static str, String, Told, Told)> {
    use Reason::{AuthBad, AuthExpired, AuthMalformed, AuthMissing, WrongAction};
    let soon = NOW + 60;
    let by_play = md5("the play key", "room", soon);
    let by_push = md5("the push key", "room", soon);
    let both = |name, query, want| (name, query, want, want);
    vec![
        both("not signed", String::new(), Err(AuthMissing)),
        both("a bizid alone", "bizid=1".to_owned(), Err(AuthMissing)),
        both("no time", by_play[..41].to_owned(), Err(AuthMissing)),
        both("malformed", "txSecret=12&txTime=65A4D3BC".to_owned(), Err(AuthMalformed)),
        both("the play key", format!("bizid=1&{by_play}"), Ok(())),
        both("the play key, no bizid", by_play.clone(), Ok(())),
        both("the old play key", md5("the old play key", "room", soon), Ok(())),
        both("the play key, SHA-256", sha("the play key"), Ok(())),
        both("the play key, over", md5("the play key", "room", NOW - 1), Err(AuthExpired)),
        both("another stream", md5("the play key", "other", soon), Err(AuthBad)),
        both("nobody's key", md5("nobody's key", "room", soon), Err(AuthBad)),
        ("the push key", format!("bizid=1&{by_push}"), Err(AuthBad), Ok(())),
        ("the push key, no bizid", by_push, Err(AuthBad), Ok(())),
        ("the old push key", md5("the old push key", "room", soon), Err(AuthBad), Ok(())),
        ("the push key, SHA-256", sha("the push key"), Err(AuthBad), Ok(())),
        (
            "the push key, over",
            md5("the push key", "room", NOW - 1),
            Err(AuthBad),
            Err(AuthExpired),
        ),
        both("the push key, another stream", md5("the push key", "other", soon), Err(AuthBad)),
        both("tw for udp", strong("the play key", Purpose::Udp, soon), Ok(())),
        both("tw for udp, the old key", strong("the old play key", Purpose::Udp, soon), Ok(())),
        both("tw for udp, over", strong("the play key", Purpose::Udp, NOW - 1), Err(AuthExpired)),
        both("tw for udp, the push key", strong("the push key", Purpose::Udp, soon), Err(AuthBad)),
        both("tw for play", strong("the play key", Purpose::Play, soon), Err(WrongAction)),
        both("tw for push", strong("the push key", Purpose::Push, soon), Err(WrongAction)),
    ]
}

#[test]
fn a_play_over_udp_takes_a_signature_wherever_plays_are_open() {
    for (name, query, strict, vendor) in udp_plays() {
        for (profile, want) in [(Profile::Strict, strict), (Profile::Vendor, vendor)] {
            // A domain that asks every play for one makes no difference.
            for auth in [false, true] {
                let mut account = account(profile);
                account.domains[1].auth = auth;
                let got = ask(&policy(account), Action::Play, Way::Udp, &query);
                let got = got.map(|allow| {
                    assert!(allow.credential.is_some());
                    assert_eq!((allow.class, allow.udp_viewers_max), (Class::Rtc, 10));
                });
                assert_eq!(got, want, "{name}, {profile:?}, {auth}");
            }
        }
    }
}

#[test]
fn over_tcp_the_push_key_counts_in_rtc_mode_of_the_vendors_profile_where_plays_are_open() {
    let push_key = md5("the push key", "room", NOW + 60);
    let rtc = format!("bizid=1&{push_key}");
    let nothing = Ok((Class::Live, false));
    let fast = Ok((Class::Rtc, true));
    for (name, query, profile, auth, want) in [
        ("vendor", &rtc, Profile::Vendor, false, fast),
        ("vendor, no bizid", &push_key, Profile::Vendor, false, nothing),
        ("vendor, asked", &rtc, Profile::Vendor, true, Err(Reason::AuthBad)),
        ("strict", &rtc, Profile::Strict, false, nothing),
        ("strict, asked", &rtc, Profile::Strict, true, Err(Reason::AuthBad)),
    ] {
        let mut account = account(profile);
        account.domains[1].auth = auth;
        let got = ask(&policy(account), Action::Play, Way::Tcp, query);
        assert_eq!(got.map(|a| (a.class, a.credential.is_some())), want, "{name}");
    }
    for profile in PROFILES {
        let by_play_key = format!("bizid=1&{}", md5("the play key", "room", NOW + 60));
        let got = ask(&policy(account(profile)), Action::Play, Way::Tcp, &by_play_key).unwrap();
        assert_eq!(got.class, Class::Rtc);
    }
}

#[test]
fn a_domain_that_takes_only_strong_signatures_does_so_over_udp() {
    let of_key = |key: &str| md5(key, "room", NOW + 60);
    let udp = strong("the play key", Purpose::Udp, NOW + 60);
    for profile in PROFILES {
        let only = |of: usize| {
            let mut account = account(profile);
            account.domains[of].schemes = Schemes::Strong;
            policy(account)
        };
        let play = |policy: &Policy, query: &str| {
            ask(policy, Action::Play, Way::Udp, query).map(|allow| allow.class)
        };
        assert_eq!(play(&only(1), &of_key("the play key")), Err(Reason::AuthWeak));
        assert_eq!(play(&only(1), &of_key("the push key")), Err(Reason::AuthWeak));
        assert_eq!(play(&only(1), &udp), Ok(Class::Rtc));
        // Of pushes: then the push key makes none of these signatures, and so none for a play.
        assert_eq!(play(&only(0), &of_key("the push key")), Err(Reason::AuthBad));
        assert_eq!(play(&only(0), &of_key("the play key")), Ok(Class::Rtc));
        assert_eq!(play(&only(0), &udp), Ok(Class::Rtc));
    }
}

#[test]
fn what_is_revoked_is_so_over_udp() {
    for profile in PROFILES {
        let mut account = account(profile);
        account.revoked.before_unix_s = Some(1);
        let policy = policy(account);
        for (key, strict) in [("the play key", Reason::Revoked), ("the push key", Reason::AuthBad)]
        {
            let want = if profile == Profile::Strict { strict } else { Reason::Revoked };
            let query = md5(key, "room", NOW + 60);
            assert_eq!(ask(&policy, Action::Play, Way::Udp, &query), Err(want));
        }
    }
}

#[test]
fn a_push_over_udp_is_a_push() {
    for profile in PROFILES {
        let policy = policy(account(profile));
        for (name, query, want) in [
            ("not signed", String::new(), Err(Reason::AuthMissing)),
            ("the push key", md5("the push key", "room", NOW), Ok(Class::Live)),
            ("over", md5("the push key", "room", NOW - 1), Err(Reason::AuthExpired)),
            ("the play key", md5("the play key", "room", NOW), Err(Reason::AuthBad)),
            ("tw for push", strong("the push key", Purpose::Push, NOW), Ok(Class::Live)),
            ("tw for udp", strong("the play key", Purpose::Udp, NOW), Err(Reason::WrongAction)),
        ] {
            for way in WAYS {
                let got = ask(&policy, Action::Push, way, &query);
                assert_eq!(got.map(|a| a.class), want, "{name}, {way:?}");
            }
        }
    }
}

#[test]
fn an_account_may_have_more_viewers_over_udp_or_none() {
    let query = format!("bizid=1&{}", md5("the play key", "room", NOW + 60));
    for profile in PROFILES {
        let with = |udp_viewers_max| policy(Account { udp_viewers_max, ..account(profile) });
        let most = ask(&with(UDP_VIEWERS_MAX), Action::Play, Way::Udp, &query).unwrap();
        assert_eq!(most.udp_viewers_max, UDP_VIEWERS_MAX);
        // No signature changes it, so nobody is sent for one.
        for query in [query.as_str(), ""] {
            let off = ask(&with(0), Action::Play, Way::Udp, query);
            assert_eq!(off, Err(Reason::NotAllowed));
        }
        assert_eq!(ask(&with(0), Action::Play, Way::Tcp, &query).unwrap().class, Class::Rtc);
        let push = md5("the push key", "room", NOW + 60);
        ask(&with(0), Action::Push, Way::Udp, &push).unwrap();
    }
}

/// A server that remembers what its plays have shown.
struct Server {
    policy: Policy,
    spent: Spent,
}

impl Server {
    fn new(account: Account) -> Server {
        Server { policy: policy(account), spent: Spent::default() }
    }

    fn ask(&mut self, request: &Request<'_>, now_unix_s: u64) -> Result<Allow, Reason> {
        let allow = decide(&self.policy, request, now_unix_s)?;
        self.spent.judge(request.action, allow, now_unix_s)
    }

    fn play(&mut self, way: Way, query: &str) -> Allow {
        self.ask(&request(Action::Play, way, "room", query), NOW).unwrap()
    }

    /// Whether a push takes the stream over, if it may at all.
    fn push(&mut self, query: &str) -> Result<bool, Reason> {
        self.ask(&request(Action::Push, Way::Tcp, "room", query), NOW).map(|a| a.takes_over)
    }
}

#[test]
fn what_let_watch_once_lets_nobody_push() {
    for way in WAYS {
        let mut server = Server::new(account(Profile::Vendor));
        let shown = md5("the push key", "room", NOW + 60);
        let other = md5("the push key", "room", NOW + 61);
        assert_eq!(server.push(&shown), Ok(true), "not before anyone has watched with it");
        server.play(way, &format!("bizid=1&{shown}"));
        assert_eq!(server.push(&shown), Err(Reason::WrongAction));
        assert_eq!(server.push(&format!("a=b&{shown}")), Err(Reason::WrongAction));
        let secret = &shown[9..41];
        let louder = shown.replace(secret, &secret.to_uppercase());
        assert_eq!(server.push(&louder), Err(Reason::WrongAction), "the same digits");
        // Nor over UDP, nor under another app, which is not signed.
        let over_udp = request(Action::Push, Way::Udp, "room", &shown);
        assert_eq!(server.ask(&over_udp, NOW), Err(Reason::WrongAction));
        let elsewhere = Request { app: "other", ..request(Action::Push, Way::Tcp, "room", &shown) };
        assert_eq!(server.ask(&elsewhere, NOW), Err(Reason::WrongAction));
        // Another of these may push, and disturb nobody; a tw may.
        assert_eq!(server.push(&other), Ok(false));
        assert_eq!(server.push(&sha("the push key")), Ok(false));
        assert_eq!(server.push(&strong("the push key", Purpose::Push, NOW)), Ok(true));
        // Watching goes on.
        server.play(way, &format!("bizid=1&{shown}"));
    }
}

#[test]
fn it_is_remembered_until_it_expires() {
    let mut vendors = account(Profile::Vendor);
    vendors.domains[0].validity_s = 300;
    let mut server = Server::new(vendors);
    let (shown, other) =
        (md5("the push key", "room", NOW + 60), md5("the push key", "room", NOW * 2));
    server.play(Way::Udp, &shown);
    for (query, at, want) in [
        (&shown, NOW + 360, Err(Reason::WrongAction)),
        (&other, NOW + 360, Ok(false)),
        (&shown, NOW + 361, Err(Reason::AuthExpired)),
        (&other, NOW + 361, Ok(true)),
    ] {
        let push = request(Action::Push, Way::Tcp, "room", query);
        assert_eq!(server.ask(&push, at).map(|a| a.takes_over), want, "{}", at - NOW);
    }
}

/// `room1` until `65A4D3BC` and `room` until `165A4D3BC` are one text and one signature.
#[test]
fn a_name_that_ends_in_a_digit_lends_it_to_no_time() {
    let mut server = Server::new(account(Profile::Vendor));
    let shown = md5("the push key", "room1", NOW + 60);
    let moved = shown.replace("txTime=", "txTime=1");
    server.ask(&request(Action::Play, Way::Udp, "room1", &shown), NOW).unwrap();
    assert_eq!(server.push(&moved), Err(Reason::WrongAction));
}

#[test]
fn nothing_is_remembered_of_what_lets_nobody_push() {
    let by_push = md5("the push key", "room", NOW + 60);
    for (name, profile, way, query) in [
        ("the play key", Profile::Vendor, Way::Udp, md5("the play key", "room", NOW + 60)),
        ("a tw", Profile::Vendor, Way::Udp, strong("the play key", Purpose::Udp, NOW + 60)),
        ("what counts for nothing", Profile::Vendor, Way::Tcp, by_push.clone()),
        ("strict", Profile::Strict, Way::Tcp, format!("bizid=1&{by_push}")),
    ] {
        let mut server = Server::new(account(profile));
        server.play(way, &query);
        assert_eq!(server.push(&by_push), Ok(true), "{name}");
    }
    // Where the push key is the play key too, what lets watch lets push.
    let mut one_key = account(Profile::Vendor);
    one_key.domains[1].keys = one_key.domains[0].keys.clone();
    let mut server = Server::new(one_key);
    server.play(Way::Tcp, &by_push);
    assert_eq!(server.push(&by_push), Err(Reason::WrongAction));
}

#[test]
fn another_stream_and_another_account_are_not_concerned() {
    let domains = |host: &str| {
        let mut account = account(Profile::Vendor);
        account.domains.iter_mut().for_each(|d| d.host = Some(host.to_owned()));
        account.domains
    };
    let other =
        Account { bizid: Arc::from("2"), domains: domains("two"), ..account(Profile::Vendor) };
    let accounts = vec![account(Profile::Vendor), other];
    let mut server = Server { policy: Policy::new(accounts).unwrap(), spent: Spent::default() };
    let shown = md5("the push key", "room", NOW + 60);
    server.play(Way::Udp, &shown);
    let another = md5("the push key", "hall", NOW + 60);
    let push = request(Action::Push, Way::Tcp, "hall", &another);
    assert!(server.ask(&push, NOW).unwrap().takes_over);
    // With the same keys, even.
    let push = Request { host: "two", ..request(Action::Push, Way::Tcp, "room", &shown) };
    assert!(server.ask(&push, NOW).unwrap().takes_over);
}

#[test]
fn check_url_says_whose_key_it_was_and_what_becomes_of_it_over_udp() {
    use Verdict::{Good, Odd};
    let soon = NOW + 60;
    let by_push = format!("bizid=1&{}", md5("the push key", "room", soon));
    let by_play = format!("bizid=1&{}", md5("the play key", "room", soon));
    for (profile, query, verdict, words) in [
        (Profile::Vendor, &by_push, Good, "fits the push key of account 1"),
        (Profile::Vendor, &by_push, Odd, "could push with it as well"),
        (Profile::Vendor, &by_push, Good, "over UDP it is good, for 10 viewers"),
        (Profile::Vendor, &by_play, Good, "fits the play key of account 1"),
        (Profile::Vendor, &by_play, Good, "over UDP it is good"),
        (Profile::Strict, &by_play, Good, "over UDP it is good"),
        (
            Profile::Strict,
            &by_push,
            Odd,
            "with the push key, not the play key; the account's profile",
        ),
        (Profile::Strict, &by_push, Odd, "over UDP it would be refused, auth-bad"),
        (Profile::Strict, &String::new(), Odd, "over UDP it would be refused, auth-missing"),
        (
            Profile::Strict,
            &strong("the play key", Purpose::Play, soon),
            Odd,
            "over UDP it would be refused, wrong-action",
        ),
        (
            Profile::Strict,
            &strong("the play key", Purpose::Udp, NOW - 1),
            Odd,
            "over UDP it would be refused, auth-expired",
        ),
    ] {
        let policy = policy(account(profile));
        let findings = explain(&policy, &request(Action::Play, Way::Tcp, "room", query), NOW);
        let is_said = findings.iter().any(|f| f.verdict == verdict && f.text.contains(words));
        assert!(is_said, "{words}: {findings:#?}");
    }
    let for_play = strong("the play key", Purpose::Play, soon);
    let request = request(Action::Play, Way::Udp, "room", &for_play);
    let findings = explain(&policy(account(Profile::Strict)), &request, NOW);
    let is_said = |f: &thalweg_access::Finding| f.text.contains("over UDP, tw says udp");
    assert!(findings.iter().any(is_said), "{findings:#?}");
}

/// With the account, the key and the time of the fuzz target, so that it gets as far.
#[test]
fn the_corpus_knows_the_vendors_profile() {
    let signed = md5("a key for pushing", "room", 1_700_000_060);
    let seed = format!("push.example.com\nroom\nbizid=8888&{signed}");
    corpus::holds("signed_url", "vendor, udp, the push key", seed.as_bytes());
}
