//! Body of the fuzz target for signed URLs.

use std::sync::Arc;

use crate::{
    Account, Action, Domain, Expiry, Key, Keys, Policy, Query, Request, Scheme, SignedQuery,
    decide, explain,
};

/// Three lines: host, stream, query. Nothing unsigned is ever let in where a signature is
/// compulsory, and what we sign always is.
pub fn signed_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, stream, query) = (line(), line(), line());
    let Some(policy) = policy() else { return };
    for action in [Action::Push, Action::Play] {
        let request = Request { action, host, app: "live", stream, query: Query::new(query) };
        let _ = explain(&policy, &request, NOW);
        if let Ok(allow) = decide(&policy, &request, NOW) {
            assert!(allow.credential.is_some() || action == Action::Play);
        }
    }
    let account = policy.account_of(host);
    let Some(domain) = account.signing_domain(Action::Push, host) else { return };
    let signed = SignedQuery::new(&domain.keys.main, Scheme::Md5, stream, Expiry { unix_s: NOW });
    let query = Query::new(&signed.text);
    let request = Request { action: Action::Push, host, app: "live", stream, query };
    let allowed = decide(&policy, &request, NOW).is_ok();
    assert!(allowed || stream.contains('_'), "only a foreign prefix refuses what we signed");
}

const NOW: u64 = 1_700_000_000;

fn policy() -> Option<Policy> {
    let domain = |action, host: Option<&str>, key: &str| Domain {
        action,
        host: host.map(str::to_owned),
        keys: Keys::new(Key::new(key)),
        auth: action == Action::Push,
        validity_s: 0,
    };
    let account = |bizid: &str, host: Option<&str>| Account {
        bizid: Arc::from(bizid),
        domains: vec![
            domain(Action::Push, host, "a key for pushing"),
            domain(Action::Play, None, "a key for playing"),
        ],
    };
    Policy::new(vec![account("1", None), account("8888", Some("push.example.com"))]).ok()
}
