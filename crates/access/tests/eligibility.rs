//! Which accounts may stream at all, from where and on which pages.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use thalweg_access::{
    ADDRESSES_MAX, Account, Action, AddressList, Allow, Category, CategoryRow, CategoryTable,
    Domain, Expiry, Gate, Key, Keys, ListRule, Network, Policy, PolicyError, Preset, Query, Reason,
    RefererList, RefererPattern, RemoteAsk, Request, Scheme, Schemes, SignedQuery, Standing,
    SubjectType, Verdict, Way, decide, explain,
};

const NOW: u64 = 1_700_000_000;
const PUSH_KEY: &str = "the push key of all";
const SEED: fn() -> Gate = || Gate::Enforce(Preset::Seed.table());

/// An account with `{bizid}.push` and `{bizid}.play`; signatures are asked for pushes.
fn account(bizid: &str) -> Account {
    let domain = |action: Action| Domain {
        action,
        host: Some(format!("{bizid}.{}", action.name())),
        keys: Keys::new(Key::new(PUSH_KEY)),
        auth: action == Action::Push,
        validity_s: 0,
        schemes: Schemes::Any,
    };
    Account::new(bizid, vec![domain(Action::Push), domain(Action::Play)])
}

fn standing(main: &str, sub: Option<&str>) -> Standing {
    Standing { category: Category::new(main, sub), ..Standing::eligible() }
}

fn of(standing: Standing) -> Account {
    Account { standing, ..account("1") }
}

fn request<'a>(action: Action, host: &'a str, stream: &'a str, query: &'a str) -> Request<'a> {
    let (way, query, peer) = (Way::Tcp, Query::new(query), Some([192, 0, 2, 7].into()));
    Request { action, way, host, app: "live", stream, query, peer, referer: None }
}

/// Decides, and sees to it that `check-url` says the same.
fn ask(policy: &Policy, request: &Request<'_>) -> Result<Allow, Reason> {
    let decision = decide(policy, request, NOW);
    let findings = explain(policy, request, NOW);
    let is_bad = findings.iter().any(|f| f.verdict == Verdict::Bad);
    assert_eq!(is_bad, decision.is_err(), "{findings:#?}");
    decision
}

fn signed(stream: &str) -> String {
    let expiry = Expiry { unix_s: NOW + 60 };
    SignedQuery::new(&Key::new(PUSH_KEY), Scheme::Md5, stream, expiry).text
}

/// What a signed push and an open play of `room` come to.
fn both(account: Account, gate: Gate) -> [Option<Reason>; 2] {
    let policy = Policy::with_gate(vec![account], gate).unwrap();
    let signed = signed("room");
    [(Action::Push, "1.push"), (Action::Play, "1.play")]
        .map(|(action, host)| ask(&policy, &request(action, host, "room", &signed)).err())
}

#[test]
fn the_gate_looks_at_owner_and_category() {
    use SubjectType::{Enterprise, Government, Individual};
    for (preset, subject, main, sub, want) in [
        (Preset::Seed, Individual, "social", Some("live"), true),
        (Preset::Seed, Enterprise, "education", Some("online-education"), true),
        (Preset::Seed, Enterprise, "education", Some("kindergarten"), false),
        (Preset::Seed, Enterprise, "education", None, false),
        (Preset::Seed, Government, "government", Some("police"), true),
        (Preset::Seed, Individual, "government", None, true),
        (Preset::Seed, Government, "medical", Some("public-hospital"), true),
        (Preset::Seed, Enterprise, "finance", Some("micro-loans"), true),
        (Preset::Seed, Enterprise, "tools", Some("video-customer-service"), false),
        (Preset::Seed, Enterprise, "games", None, false),
        (Preset::Tencent2018, Individual, "social", Some("live"), false),
        (Preset::Tencent2018, Enterprise, "tools", Some("video-customer-service"), true),
        (Preset::Tencent2018, Enterprise, "car", Some("pre-sale"), true),
        (Preset::Tencent2018, Enterprise, "government", None, false),
        (Preset::Tencent2021, Enterprise, "finance", Some("private-funds"), true),
        (Preset::Tencent2021, Enterprise, "finance", Some("micro-loans"), false),
        (Preset::Wechat2022, Enterprise, "tools", Some("video-customer-service"), false),
        (Preset::Wechat2022, Enterprise, "real-estate", Some("marketing"), true),
        (Preset::Wechat2022, Government, "business", Some("notary"), true),
    ] {
        let category = Category::new(main, sub);
        let case = format!("{} {} {category}", preset.name(), subject.name());
        assert_eq!(preset.table().admits(subject, &category), want, "{case}");
        let account = of(Standing { subject, category, ..Standing::eligible() });
        let expected = if want { None } else { Some(Reason::NotEligible) };
        assert_eq!(both(account.clone(), Gate::Enforce(preset.table())), [expected; 2], "{case}");
        assert_eq!(both(account, Gate::Off), [None; 2], "{case}");
    }
    for preset in Preset::ALL {
        assert_eq!(
            both(account("1"), Gate::Enforce(preset.table())),
            [None; 2],
            "the first account"
        );
    }
}

#[test]
fn an_operator_may_write_a_table_of_his_own() {
    let row = CategoryRow {
        main: "school".into(),
        main_zh: "学校".into(),
        main_en: "School".into(),
        subs: Vec::new(),
        subjects: vec![SubjectType::Individual],
    };
    let table = CategoryTable { rows: vec![row] };
    let individual =
        Standing { subject: SubjectType::Individual, ..standing("school", Some("evening")) };
    assert_eq!(both(of(individual), Gate::Enforce(table.clone())), [None; 2]);
    let enterprise = of(standing("school", None));
    assert_eq!(both(enterprise, Gate::Enforce(table)), [Some(Reason::NotEligible); 2]);
    let nobody = Gate::Enforce(CategoryTable::default());
    assert_eq!(both(account("1"), nobody), [Some(Reason::NotEligible); 2]);
}

#[test]
fn each_switch_closes_its_own() {
    let open = Standing::eligible;
    for (standing, want) in [
        (open(), [None; 2]),
        (Standing { service: false, ..open() }, [Some(Reason::ServiceClosed); 2]),
        (Standing { live_pusher: false, ..open() }, [Some(Reason::PusherOff), None]),
        (Standing { live_player: false, ..open() }, [None, Some(Reason::PlayerOff)]),
        // A switch is no help to who is not eligible.
        (
            Standing { service: false, live_pusher: false, ..standing("games", None) },
            [Some(Reason::NotEligible); 2],
        ),
    ] {
        assert_eq!(both(of(standing.clone()), SEED()), want, "{standing:?}");
    }
}

#[test]
fn nobody_borrows_the_eligibility_of_another() {
    let closed = Account { standing: standing("games", None), ..account("1") };
    let accounts = vec![closed, account("2")];
    let policy = Policy::with_gate(accounts, SEED()).unwrap();
    for (host, stream, query, want) in [
        ("2.push", "room", "", None),
        ("2.push", "2_room", "", None),
        ("2.PUSH", "room", "", None),
        ("1.push", "room", "", Some(Reason::NotEligible)),
        ("nobodys.host", "room", "", Some(Reason::NotEligible)),
        // Neither by the name of the stream, nor by a parameter that says nothing of whose it is.
        ("1.push", "2_room", "", Some(Reason::ForeignAccount)),
        ("nobodys.host", "2_room", "", Some(Reason::ForeignAccount)),
        ("1.push", "room", "&bizid=2", Some(Reason::NotEligible)),
        // Who names another's host streams there, as that account.
        ("1.push", "room", "&vhost=2.push", None),
        ("2.push", "room", "&vhost=1.push", Some(Reason::NotEligible)),
        ("2.push", "2_room", "&vhost=1.push", Some(Reason::ForeignAccount)),
    ] {
        let query = signed(stream) + query;
        let got = ask(&policy, &request(Action::Push, host, stream, &query));
        assert_eq!(got.as_ref().err(), want.as_ref(), "{host} {stream} {query}");
        assert!(got.is_err() || &*got.unwrap().account == "2");
    }
    let both = vec![account("1"), Account { bizid: Arc::from("2"), ..account("1") }];
    assert!(matches!(Policy::new(both), Err(PolicyError::HostTwice(_))));
    // One host cannot push for one account and play for another.
    let mut other = account("2");
    other.domains[0].host = Some("1.PLAY".to_owned());
    assert_eq!(
        Policy::new(vec![account("1"), other]).err(),
        Some(PolicyError::HostTwice("1.play".into()))
    );
}

#[test]
fn a_list_of_addresses_holds_for_every_way() {
    let networks = vec![Network::parse("192.0.2.0/24").unwrap()];
    for (rule, inside, outside) in [
        (ListRule::Off, true, true),
        (ListRule::Only, true, false),
        (ListRule::Except, false, true),
    ] {
        let addresses = AddressList { rule, networks: networks.clone() };
        let policy = Policy::new(vec![Account { addresses, ..account("1") }]).unwrap();
        let signed = signed("room");
        for (action, way) in [
            (Action::Push, Way::Tcp),
            (Action::Push, Way::Udp),
            (Action::Play, Way::Tcp),
            (Action::Play, Way::Udp),
        ] {
            let host = format!("1.{}", action.name());
            let from = |peer: [u8; 4]| {
                let peer = Some(peer.into());
                let request = Request { way, peer, ..request(action, &host, "room", &signed) };
                ask(&policy, &request).err()
            };
            let want = |is_in: bool| (!is_in).then_some(Reason::AddressBarred);
            assert_eq!(from([192, 0, 2, 7]), want(inside), "{rule:?} {action:?} {way:?}");
            assert_eq!(from([198, 51, 100, 7]), want(outside), "{rule:?} {action:?} {way:?}");
        }
    }
    let networks = vec![networks[0]; ADDRESSES_MAX + 1];
    let addresses = AddressList { rule: ListRule::Only, networks };
    let too_many = Policy::new(vec![Account { addresses, ..account("1") }]);
    assert_eq!(too_many.err(), Some(PolicyError::Addresses("1".into())));
}

#[test]
fn a_list_of_pages_holds_where_there_are_pages() {
    let patterns = vec![RefererPattern::parse("https://servicewechat.com/wx123/").unwrap()];
    let referers = RefererList { rule: ListRule::Only, allow_empty: false, patterns };
    let policy = Policy::new(vec![Account { referers, ..account("1") }]).unwrap();
    for (referer, want) in [
        (None, None),
        (Some("https://servicewechat.com/wx123/0/page-frame.html"), None),
        (Some("https://servicewechat.com.evil.com/wx123/"), Some(Reason::RefererBarred)),
        (Some("https://evil/?https://servicewechat.com/wx123/"), Some(Reason::RefererBarred)),
        (Some(""), Some(Reason::RefererBarred)),
    ] {
        let request = Request { referer, ..request(Action::Play, "1.play", "room", "") };
        assert_eq!(ask(&policy, &request).err(), want, "{referer:?}");
    }
}

#[test]
fn names_come_first_then_standing_then_lists_then_signatures() {
    let networks = vec![Network::parse("203.0.113.0/24").unwrap()];
    let addresses = AddressList { rule: ListRule::Only, networks };
    let closed = Standing { service: false, ..Standing::eligible() };
    let both = Account { addresses, standing: closed, ..account("1") };
    let listed = Account { standing: Standing::eligible(), ..both.clone() };
    let push = |account: &Account, app: &'static str, stream: &'static str| {
        let policy = Policy::new(vec![account.clone(), account_two()]).unwrap();
        let request = Request { app, ..request(Action::Push, "1.push", stream, "") };
        ask(&policy, &request).unwrap_err()
    };
    assert_eq!(push(&both, "console", "room"), Reason::ReservedApp);
    assert_eq!(push(&both, "live", "2_room"), Reason::ForeignAccount);
    assert_eq!(push(&both, "live", "room"), Reason::ServiceClosed);
    assert_eq!(push(&listed, "live", "room"), Reason::AddressBarred);
    assert_eq!(push(&account("1"), "live", "room"), Reason::AuthMissing);
}

fn account_two() -> Account {
    account("2")
}

#[test]
fn the_back_end_is_asked_about_what_it_wants_to_be_asked() {
    for (remote, want) in [
        (RemoteAsk::default(), [false, false]),
        (RemoteAsk { push: true, play: false }, [true, false]),
        (RemoteAsk { push: false, play: true }, [false, true]),
    ] {
        let policy = Policy::new(vec![Account { remote, ..account("1") }]).unwrap();
        let signed = signed("room");
        let got = [(Action::Push, "1.push"), (Action::Play, "1.play")].map(|(action, host)| {
            ask(&policy, &request(action, host, "room", &signed)).unwrap().ask_remote
        });
        assert_eq!(got, want, "{remote:?}");
    }
}

#[test]
fn a_thousand_accounts_are_found_by_number_and_by_host() {
    let accounts: Vec<_> = (1..=1000).map(|n| account(&n.to_string())).collect();
    let policy = Policy::new(accounts).unwrap();
    for n in [1, 2, 500, 1000] {
        let bizid = n.to_string();
        assert_eq!(&*policy.account(&bizid).unwrap().bizid, bizid);
        assert_eq!(&*policy.account_of(&format!("{n}.Play")).bizid, bizid);
    }
    assert!(policy.account("1001").is_none());
    assert_eq!(&*policy.account_of("1001.play").bizid, "1", "hosts nobody names are the first's");
}

#[test]
fn ids_of_categories_are_ids() {
    for (main, sub) in [("Education", None), ("", None), ("a/b", None), ("a", Some("直播"))] {
        let got = Policy::new(vec![of(standing(main, sub))]).err();
        assert_eq!(got, Some(PolicyError::Category("1".into())), "{main} {sub:?}");
    }
}

#[test]
fn check_url_says_at_length_what_stands_in_the_way() {
    let referers = RefererList {
        rule: ListRule::Except,
        allow_empty: true,
        patterns: vec![RefererPattern::parse("evil.example").unwrap()],
    };
    let standing = Standing { live_player: false, ..standing("games", Some("chess")) };
    let remote = RemoteAsk { push: false, play: true };
    let account = Account { standing, referers, remote, ..account("1") };
    let policy = Policy::with_gate(vec![account], SEED()).unwrap();
    let request = request(Action::Play, "1.play", "room", "");
    let words: Vec<_> = explain(&policy, &request, NOW).into_iter().map(|f| f.text).collect();
    for part in
        ["games/chess", "live-player is off", "all but 1 pages", "own back end", "not-eligible"]
    {
        assert!(words.iter().any(|w| w.contains(part)), "{part}: {words:#?}");
    }
}
