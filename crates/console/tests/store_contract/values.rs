//! Things to remember.

use std::collections::BTreeMap;

use thalweg_console::model::{
    Account, Action, AddressRules, Audit, Callback, Category, Delivery, DeliveryState, Domain,
    ListRule, Minute, Page, Profile, Publication, PublicationEnd, RefererRules, Remote, Role,
    Schemes, Secret, StreamId, SubjectType, Token, User,
};

/// An account in which nothing is as it is by default.
pub(crate) fn account(bizid: &str) -> Account {
    Account {
        bizid: bizid.to_owned(),
        name: "学校 \"A\" & 'B'".to_owned(),
        subject: SubjectType::Government,
        category: Category { main: "education".to_owned(), sub: Some("online".to_owned()) },
        service: true,
        live_pusher: true,
        live_player: false,
        profile: Profile::Vendor,
        udp: true,
        udp_viewers_max: u32::MAX,
        api_key: secret("api", bizid),
        old_api: true,
        addresses: AddressRules {
            rule: ListRule::Only,
            networks: vec!["203.0.113.7".to_owned(), "2001:db8::/32".to_owned()],
        },
        referers: RefererRules {
            rule: ListRule::Except,
            allow_empty: true,
            patterns: vec!["*.example.com".to_owned()],
        },
        callback: Callback {
            url: Some("https://example.com/told?secret=sesame-told".to_owned()),
            key: secret("callback", bizid),
            anomalies: true,
        },
        remote: Remote {
            url: Some("https://example.com/may?secret=sesame-may".to_owned()),
            push: true,
            play: true,
            play_if_unreachable: true,
        },
        revoked_before: Some(1_700_000_000),
        revoked_streams: BTreeMap::from([("live/a".to_owned(), 7), ("live/b".to_owned(), 8)]),
        domains: vec![
            domain(bizid, 1, Action::Push, "push.example.com"),
            Domain {
                backup: None,
                auth: false,
                schemes: Schemes::Any,
                ..domain(bizid, 4, Action::Play, "play.example.com")
            },
        ],
        created: 1_700_000_001,
        version: 0,
    }
}

fn domain(bizid: &str, number: u32, action: Action, host: &str) -> Domain {
    Domain {
        number,
        action,
        host: Some(host.to_owned()),
        main: secret("main", bizid),
        backup: Some(secret("backup", bizid)),
        auth: true,
        validity_s: 86_400,
        schemes: Schemes::Strong,
        rotated: 1_700_000_002,
    }
}

pub(crate) fn secret(of: &str, whose: &str) -> Secret {
    Secret::new(format!("sesame-{of}-{whose}"))
}

pub(crate) fn user(login: &str) -> User {
    User {
        login: login.to_owned(),
        password_hash: secret("password", login),
        role: Role::Operator,
        account: Some("7".to_owned()),
        created: 5,
        last_login: Some(6),
    }
}

pub(crate) fn token(hash: u8) -> Token {
    Token {
        id: 0,
        hash: [hash; 32],
        name: "for the back end".to_owned(),
        role: Role::ReadOnly,
        account: Some("7".to_owned()),
        created: 5,
        expires: Some(1000),
        last_used: None,
    }
}

pub(crate) fn stream(account: &str, name: &str) -> StreamId {
    StreamId { account: account.to_owned(), app: "live/x".to_owned(), name: name.to_owned() }
}

pub(crate) fn publication(sequence: &str, stream: &StreamId, began_ms: u64) -> Publication {
    Publication {
        sequence: sequence.to_owned(),
        stream: stream.clone(),
        peer: "2001:db8::7".to_owned(),
        host: "push.example.com".to_owned(),
        agent: "encoder/1".to_owned(),
        protocol: "rtmp".to_owned(),
        params: Some(secret("params", sequence)),
        began_ms,
        end: None,
    }
}

pub(crate) fn end(at_ms: u64) -> PublicationEnd {
    PublicationEnd { at_ms, errcode: 3, cause: "it was over".to_owned(), bytes_in: Some(1 << 40) }
}

pub(crate) fn delivery(account: &str, made_ms: u64) -> Delivery {
    Delivery {
        id: 0,
        account: account.to_owned(),
        event: 321,
        stream: "live/x/a".to_owned(),
        body: Some(secret("body", account)),
        state: DeliveryState::Pending,
        tries: 0,
        due_ms: made_ms,
        outcome: String::new(),
        made_ms,
    }
}

pub(crate) fn minute(stream: &StreamId, at: u64, viewers_max: u64) -> Minute {
    Minute { at, stream: stream.clone(), bytes_in: 10, bytes_out: 100, viewers_max, live_s: 30 }
}

pub(crate) fn audit(at: u64, account: Option<&str>) -> Audit {
    Audit {
        id: 0,
        at,
        who: "user:anna".to_owned(),
        peer: "192.0.2.1".to_owned(),
        account: account.map(str::to_owned),
        what: "domain.rotate".to_owned(),
        detail: "push.example.com".to_owned(),
    }
}

pub(crate) const ALL: Page = Page { offset: 0, limit: 300 };
