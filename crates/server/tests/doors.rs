//! Who is let in, by both signatures and through every door: the answer is the same at all of them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Folder, PLAY_KEY, PUSH_KEY, TestServer, policy_with, read, send, signature, strong};
use thalweg_access::{Network, Purpose, Revoked};
use thalweg_client::{Error, Player, Publisher, Trust};
use thalweg_testkit::media::Recipe;

/// Why a URL is refused, whatever the door calls it.
fn reason(error: Error) -> String {
    match error {
        Error::Refused(status) => status.reason.unwrap_or_default().into_owned(),
        Error::Http { body, .. } => {
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            json["error"].as_str().unwrap().to_owned()
        }
        other => panic!("{other}"),
    }
}

/// One query, and what comes of it: for push, and for play.
struct Case {
    name: &'static str,
    query: fn(Side) -> String,
    want: [&'static str; 2],
}

/// What a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Push,
    Play,
}

impl Side {
    fn key(self) -> &'static str {
        if self == Side::Push { PUSH_KEY } else { PLAY_KEY }
    }

    fn purpose(self) -> Purpose {
        if self == Side::Push { Purpose::Push } else { Purpose::Play }
    }

    fn other(self) -> Side {
        if self == Side::Push { Side::Play } else { Side::Push }
    }

    fn strong(self, change: impl FnOnce(&mut thalweg_access::Token)) -> String {
        strong(self.key(), "room", self.purpose(), change)
    }
}

fn network(text: &str) -> Option<Network> {
    Some(Network::parse(text).unwrap())
}

const CASES: [Case; 17] = [
    Case { name: "unsigned", query: |_| String::new(), want: ["auth-missing"; 2] },
    Case { name: "vendor's", query: |side| signature(side.key(), "room", 60), want: ["let in"; 2] },
    Case {
        name: "vendor's, expired",
        query: |side| signature(side.key(), "room", -60),
        want: ["auth-expired"; 2],
    },
    Case {
        name: "vendor's, with the other key",
        query: |side| signature(side.other().key(), "room", 60),
        want: ["auth-bad"; 2],
    },
    Case {
        name: "vendor's, of another stream",
        query: |side| signature(side.key(), "other", 60),
        want: ["auth-bad"; 2],
    },
    Case {
        name: "vendor's, cut",
        query: |side| signature(side.key(), "room", 60).replacen("txSecret=", "txSecret=0", 1),
        want: ["auth-malformed"; 2],
    },
    Case { name: "strong", query: |side| side.strong(|_| {}), want: ["let in"; 2] },
    Case {
        name: "strong, its parameters turned round",
        query: |side| {
            let query = side.strong(|_| {});
            let (tw, sig) = query.split_once('&').unwrap();
            format!("{sig}&x=1&{tw}")
        },
        want: ["let in"; 2],
    },
    Case {
        name: "strong, twice",
        query: |side| {
            let query = side.strong(|_| {});
            format!("{query}&{query}")
        },
        want: ["auth-malformed"; 2],
    },
    Case {
        name: "strong, expired",
        query: |side| {
            side.strong(|t| (t.expires_unix_s, t.not_before_unix_s) = (1_000_000, Some(1_000_000)))
        },
        want: ["auth-expired"; 2],
    },
    Case {
        name: "strong, not yet",
        query: |side| side.strong(|t| t.not_before_unix_s = Some(t.expires_unix_s)),
        want: ["auth-not-yet"; 2],
    },
    Case {
        name: "strong, for the other action",
        query: |side| side.other().strong(|_| {}),
        want: ["wrong-action"; 2],
    },
    Case {
        name: "strong, of another stream",
        query: |side| strong(side.key(), "other", side.purpose(), |_| {}),
        want: ["auth-bad"; 2],
    },
    Case {
        name: "strong, with another key",
        query: |side| strong("the key of another account", "room", side.purpose(), |_| {}),
        want: ["auth-bad"; 2],
    },
    Case {
        name: "strong, from here",
        query: |side| side.strong(|t| t.from = network("127.0.0.0/8")),
        want: ["let in"; 2],
    },
    Case {
        name: "strong, from elsewhere",
        query: |side| side.strong(|t| t.from = network("192.0.2.0/24")),
        want: ["wrong-address"; 2],
    },
    Case {
        name: "strong, changed",
        query: |side| side.strong(|_| {}).replacen("tw=1.", "tw=2.", 1),
        want: ["auth-malformed"; 2],
    },
];

async fn push(url: &str, trust: &Trust) -> String {
    match Publisher::connect_with(url, trust).await {
        Ok(publisher) => {
            publisher.close().await.unwrap();
            "let in".to_owned()
        }
        Err(error) => reason(error),
    }
}

async fn play(url: &str, trust: &Trust) -> String {
    match Player::connect_with(url, trust).await {
        Ok(mut player) => {
            read(&mut player, 3).await;
            "let in".to_owned()
        }
        Err(error) => reason(error),
    }
}

#[tokio::test]
async fn both_signatures_through_every_door() {
    let folder = Folder::new("doors");
    let (server, trust) = TestServer::secure(&folder);
    server.policy.replace(policy_with(true, Revoked::default()));
    for case in &CASES {
        for (door, url) in server.push_doors("room") {
            let got = push(&format!("{url}?{}", (case.query)(Side::Push)), &trust).await;
            assert_eq!(got, case.want[0], "push by {door}: {}", case.name);
            server.until_vacant("room").await;
        }
    }
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    for case in &CASES {
        for (door, url) in server.play_urls("room") {
            let got = play(&format!("{url}?{}", (case.query)(Side::Play)), &trust).await;
            assert_eq!(got, case.want[1], "play by {door}: {}", case.name);
        }
    }
}

#[tokio::test]
async fn what_was_signed_before_a_revocation_is_no_use_at_any_door() {
    let folder = Folder::new("revoked");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let old = [
        signature(PLAY_KEY, "room", 60),
        Side::Play.strong(|t| {
            t.not_before_unix_s = t.not_before_unix_s.map(|s| s - 100);
        }),
    ];
    let new = Side::Play.strong(|_| {});
    let before = Side::Play.strong(|_| {});
    let made = thalweg_access::Token::of(thalweg_access::Query::new(&before)).unwrap();
    let revoked = Revoked { before_unix_s: made.not_before_unix_s, ..Revoked::default() };
    server.policy.replace(policy_with(true, revoked));
    for (door, url) in server.play_urls("room") {
        for query in &old {
            assert_eq!(play(&format!("{url}?{query}"), &trust).await, "revoked", "by {door}");
        }
        assert_eq!(play(&format!("{url}?{new}"), &trust).await, "let in", "by {door}");
    }
}

#[tokio::test]
async fn a_url_for_one_is_for_one_whatever_the_door() {
    let folder = Folder::new("one");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let query = Side::Play.strong(|t| t.sessions_max = Some(1));
    let urls = server.play_urls("room");
    for (first, url) in &urls {
        let mut one = loop {
            // Who has just left is noticed within a moment.
            match Player::connect_with(&format!("{url}?{query}"), &trust).await {
                Ok(player) => break player,
                Err(error) => assert_eq!(reason(error), "url-in-use"),
            }
        };
        read(&mut one, 3).await;
        for (second, url) in &urls {
            let got = play(&format!("{url}?{query}"), &trust).await;
            assert_eq!(got, "url-in-use", "{second} beside {first}");
        }
    }
}
