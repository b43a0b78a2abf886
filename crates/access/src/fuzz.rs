//! Body of the fuzz target for signed URLs.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    Account, Action, Class, Domain, Expiry, Key, Keys, Network, Policy, Profile, Purpose, Query,
    Request, Scheme, Schemes, SignedQuery, Spent, Subject, Token, Verdict, Way, decide, explain,
};

/// Three lines: host, stream, query. Nothing unsigned is ever let in where a signature is
/// compulsory, and what we sign always is. A token that can be read can be written, and what it
/// forbids is refused however well it is signed. What has let watch does not let push.
pub fn signed_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, stream, query) = (line(), line(), line());
    let Some(policy) = policy() else { return };
    let (mut spent, mut has_watched) = (Spent::default(), false);
    for (action, way) in DOORS {
        let query = Query::new(query);
        let (peer, referer) = (Some(PEER), None);
        let request = Request { action, way, host, app: "live", stream, query, peer, referer };
        let _ = explain(&policy, &request, NOW);
        if let Ok(allow) = decide(&policy, &request, NOW) {
            let is_signed = allow.credential.is_some();
            assert!(is_signed || (action, way) == (Action::Play, Way::Tcp));
            assert!(is_signed || allow.session.is_none() && allow.mark.is_none());
            assert!(allow.class == Class::Rtc || (action, way) != (Action::Play, Way::Udp));
            let is_spent = allow.mark.is_some() && action == Action::Push && has_watched;
            has_watched |= allow.mark.is_some() && action == Action::Play;
            assert_eq!(spent.judge(action, allow, NOW).is_err(), is_spent);
        }
    }
    if let Some(tw) = Query::new(query).get("tw")
        && let Ok((kid, token)) = Token::parse(tw)
    {
        assert_eq!(Token::parse(&token.to_text(kid)), Ok((kid, token)));
        what_it_forbids_is_refused(&policy, host, stream, &token);
    }
    what_we_sign_is_let_in(&policy, host, stream);
}

fn what_it_forbids_is_refused(policy: &Policy, host: &str, stream: &str, token: &Token) {
    let account = policy.account_of(host);
    let subject = Subject { account: &account.bizid, app: "live", stream };
    let domain = account.signing_domain(token.purpose.action(), host);
    let signed = domain.map(|d| SignedQuery::strong(&d.keys.main, subject, token));
    let Some(Ok(signed)) = signed else { return };
    for (action, way) in DOORS {
        let (query, peer, referer) = (Query::new(&signed.text), Some(PEER), None);
        let request = Request { action, way, host, app: "live", stream, query, peer, referer };
        let is_signed = decide(policy, &request, NOW).is_ok_and(|a| a.credential.is_some());
        let is_udp = (action, way) == (Action::Play, Way::Udp);
        let holds = token.purpose.action() == action
            && (token.purpose == Purpose::Udp || !is_udp)
            && token.expires_unix_s >= NOW
            && token.not_before_unix_s.is_none_or(|n| n <= NOW)
            && token.from.is_none_or(|network| network.contains(PEER));
        assert!(holds || !is_signed);
        assert!(is_signed || !holds || stream.contains('_'));
        let findings = explain(policy, &request, NOW);
        let is_bad = findings.iter().any(|f| f.verdict == Verdict::Bad);
        assert_eq!(is_bad, decide(policy, &request, NOW).is_err());
    }
}

fn what_we_sign_is_let_in(policy: &Policy, host: &str, stream: &str) {
    let account = policy.account_of(host);
    let Some(domain) = account.signing_domain(Action::Push, host) else { return };
    let check = |action, way, signed: &SignedQuery| {
        let (query, peer, referer) = (Query::new(&signed.text), Some(PEER), None);
        let request = Request { action, way, host, app: "live", stream, query, peer, referer };
        let is_signed = decide(policy, &request, NOW).is_ok_and(|a| a.credential.is_some());
        assert!(is_signed || stream.contains('_'), "only a foreign prefix refuses what we signed");
    };
    let signed = SignedQuery::new(&domain.keys.main, Scheme::Md5, stream, Expiry { unix_s: NOW });
    check(Action::Push, Way::Tcp, &signed);
    if account.profile == Profile::Vendor {
        check(Action::Play, Way::Udp, &signed);
    }
    let subject = Subject { account: &account.bizid, app: "live", stream };
    for purpose in [Purpose::Push, Purpose::Play, Purpose::Udp] {
        let token = Token {
            purpose,
            expires_unix_s: NOW,
            not_before_unix_s: Some(NOW),
            from: Network::new(PEER, 32).ok(),
            sessions_max: (purpose != Purpose::Push).then_some(2),
        };
        let domain = account.signing_domain(purpose.action(), host);
        let signed = domain.map(|d| SignedQuery::strong(&d.keys.main, subject, &token));
        let Some(Ok(signed)) = signed else { continue };
        check(purpose.action(), Way::Tcp, &signed);
        if purpose != Purpose::Play {
            check(purpose.action(), Way::Udp, &signed);
        }
    }
}

/// Plays first.
const DOORS: [(Action, Way); 4] = [
    (Action::Play, Way::Tcp),
    (Action::Play, Way::Udp),
    (Action::Push, Way::Tcp),
    (Action::Push, Way::Udp),
];

const NOW: u64 = 1_700_000_000;
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn policy() -> Option<Policy> {
    let domain = |action, host: Option<&str>, key: &str| Domain {
        action,
        host: host.map(str::to_owned),
        keys: Keys::new(Key::new(key)),
        auth: action == Action::Push,
        validity_s: 0,
        schemes: Schemes::Any,
    };
    let account = |bizid: &str, host: Option<&str>, profile| Account {
        profile,
        ..Account::new(
            bizid,
            vec![
                domain(Action::Push, host, "a key for pushing"),
                domain(Action::Play, None, "a key for playing"),
            ],
        )
    };
    let ours = account("1", None, Profile::Strict);
    let vendors = account("8888", Some("push.example.com"), Profile::Vendor);
    Policy::new(vec![ours, vendors]).ok()
}
