//! Who may not stream at all is told so, over every way; and whoever does when that changes is sent
//! away.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::udp::{VIAS, to_the_end, until};
use common::{TestServer, exchange, policy, read, read_to_end, send};
use thalweg_access::{
    Account, Action, AddressList, CategoryTable, Gate, ListRule, Network, Policy, Reason,
    RefererList, RefererPattern, RemoteAsk, Standing,
};
use thalweg_client::rtc::{self, Via};
use thalweg_client::{Error, Player, Publisher, Trust};
use thalweg_hub::ViewerFilter;
use thalweg_server::{Question, RemoteAuth};
use thalweg_testkit::media::Recipe;

/// A policy of the tests' account, changed.
fn changed(gate: Gate, change: impl FnOnce(&mut Account)) -> Policy {
    let mut account = policy(false).default_account().clone();
    change(&mut account);
    Policy::with_gate(vec![account], gate).unwrap()
}

/// The word of a refusal, whatever way it came.
fn reason<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Refused(status)) => status.reason.unwrap_or_default().into_owned(),
        Err(Error::Http { status, body }) => {
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!([403, 503].contains(&status), "{body}");
            json["error"].as_str().unwrap().to_owned()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => "let in".to_owned(),
    }
}

/// What becomes of pushes, and of plays, over every way.
async fn outcomes(server: &TestServer) -> [Vec<(String, String)>; 2] {
    let (mut pushes, mut plays) = (Vec::new(), Vec::new());
    for (scheme, url) in server.push_urls("hall") {
        pushes.push((scheme.to_owned(), reason(Publisher::connect(&url).await)));
        server.until_vacant("hall").await;
    }
    for (scheme, url) in server.play_urls("room") {
        plays.push((scheme.to_owned(), reason(Player::connect(&url).await)));
    }
    for via in VIAS {
        let (options, trust) = (server.options(via).await, Trust::system());
        let push = rtc::Publisher::connect(&server.push_url("hall"), &trust, &options).await;
        pushes.push((format!("{via:?}"), reason(push)));
        server.until_vacant("hall").await;
        let play = rtc::Player::connect(&server.udp_url("room"), &trust, &options).await;
        plays.push((format!("{via:?}"), reason(play)));
    }
    [pushes, plays]
}

#[tokio::test]
async fn every_way_tells_who_may_not_why() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let off = || Gate::Off;
    let here = || vec![Network::parse("127.0.0.0/8").unwrap()];
    let open = Standing::eligible;
    let barred = AddressList { rule: ListRule::Except, networks: here() };
    let allowed = AddressList { rule: ListRule::Only, networks: here() };
    for (policy, push, play) in [
        (changed(Gate::Enforce(CategoryTable::default()), |_| {}), "not-eligible", "not-eligible"),
        (
            changed(off(), |a| a.standing = Standing { service: false, ..open() }),
            "service-closed",
            "service-closed",
        ),
        (
            changed(off(), |a| a.standing = Standing { live_pusher: false, ..open() }),
            "pusher-off",
            "let in",
        ),
        (
            changed(off(), |a| a.standing = Standing { live_player: false, ..open() }),
            "let in",
            "player-off",
        ),
        (changed(off(), |a| a.addresses = barred), "address-barred", "address-barred"),
        (changed(off(), |a| a.addresses = allowed), "let in", "let in"),
        // Nobody can be asked here: that opens nothing.
        (
            changed(off(), |a| a.remote = RemoteAsk { push: true, play: true }),
            "remote-unreachable",
            "remote-unreachable",
        ),
    ] {
        server.policy.replace(policy);
        let [pushes, plays] = outcomes(&server).await;
        for (way, got) in pushes {
            assert_eq!(got, push, "push {way}");
        }
        for (way, got) in plays {
            assert_eq!(got, play, "play {way}");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_not_listed_is_told_so() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let pattern = RefererPattern::parse("https://servicewechat.com/wx123/").unwrap();
    let (rule, patterns) = (ListRule::Only, vec![pattern]);
    let referers = RefererList { rule, allow_empty: false, patterns };
    server.policy.replace(changed(Gate::Off, |a| a.referers = referers));
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: a\r\n";
    for (header, want) in [
        ("Referer: https://servicewechat.com/wx123/0/page-frame.html\r\n", "200"),
        ("Referer: https://servicewechat.com.evil.com/wx123/\r\n", "403"),
        ("Referer: https://evil/?https://servicewechat.com/wx123/\r\n", "403"),
        ("", "403"),
    ] {
        let asked = format!("HEAD /live/room.flv HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        let answer = server.http(&asked).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {want} ")), "{header}: {answer}");
        if want == "403" {
            let asked = format!("GET /live/room.flv HTTP/1.1\r\nHost: x\r\n{upgrade}{header}\r\n");
            let answer = exchange(server.http, asked.as_bytes()).await;
            assert!(answer.contains("referer-barred"), "{header}: {answer}");
        }
    }
    // A page with a WebSocket says its origin, and is told in the socket.
    let asked = format!(
        "GET /live/room.flv HTTP/1.1\r\nHost: x\r\n{upgrade}Origin: https://evil.example\r\n\r\n"
    );
    let answer = exchange(server.http, asked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains("referer-barred"), "{answer}");
    // RTMP knows no pages, by TCP or by QUIC; WebTransport does.
    let mut player = Player::connect(&server.rtmp_url("room")).await.unwrap();
    read(&mut player, 3).await;
    for (via, want) in [(Via::Native, "let in"), (Via::WebTransport, "referer-barred")] {
        let options = server.options(via).await;
        let play = rtc::Player::connect(&server.udp_url("room"), &Trust::system(), &options).await;
        assert_eq!(reason(play), want);
    }
}

/// A back end of an account.
#[derive(Debug, Default)]
struct BackEnd {
    asked: Mutex<Vec<Question>>,
    /// `None`: it does not answer.
    answer: Mutex<Option<Result<(), Reason>>>,
    /// Questions that wait for an answer.
    waiting: Arc<AtomicUsize>,
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RemoteAuth for BackEnd {
    fn ask(
        &self,
        question: Question,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Reason>> + Send>> {
        self.asked.lock().unwrap().push(question);
        let answer = *self.answer.lock().unwrap();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(Arc::clone(&self.waiting));
        Box::pin(async move {
            let _waiting = waiting;
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

fn asking() -> Policy {
    changed(Gate::Off, |a| a.remote = RemoteAsk { push: true, play: true })
}

#[tokio::test]
async fn the_accounts_own_back_end_has_a_word() {
    let back_end = Arc::new(BackEnd::default());
    let server = TestServer::with_remote(Arc::clone(&back_end) as Arc<dyn RemoteAuth>);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    assert!(back_end.asked.lock().unwrap().is_empty(), "nobody wants to be asked");
    server.policy.replace(asking());
    for (answer, want) in [
        (Ok(()), "let in"),
        (Err(Reason::RemoteRefused), "remote-refused"),
        (Err(Reason::RemoteUnreachable), "remote-unreachable"),
    ] {
        *back_end.answer.lock().unwrap() = Some(answer);
        let [pushes, plays] = outcomes(&server).await;
        for (way, got) in pushes.into_iter().chain(plays) {
            assert_eq!(got, want, "{way}");
        }
        let asked = std::mem::take(&mut *back_end.asked.lock().unwrap());
        let protocols: Vec<_> = asked.iter().map(|q| (q.action.name(), q.protocol)).collect();
        assert_eq!(
            protocols,
            [
                ("push", "rtmp"),
                ("push", "ws-flv"),
                ("play", "rtmp"),
                ("play", "http-flv"),
                ("play", "ws-flv"),
                ("push", "rtmp-udp"),
                ("play", "rtmp-udp"),
                ("push", "rtmp-udp"),
                ("play", "rtmp-udp"),
            ]
        );
        let first = &asked[0];
        assert_eq!((first.action, &*first.account, &*first.app), (Action::Push, "1", "live"));
        assert!(&*first.stream == "hall" && first.query.contains("txSecret="));
        assert!(first.peer.is_loopback() && !format!("{first:?}").contains("txSecret"));
    }
    // Who is refused already is not asked about.
    let unsigned = server.push_doors("hall").remove(0).1;
    assert_eq!(reason(Publisher::connect(&unsigned).await), "auth-missing");
    assert!(back_end.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_leaves_while_the_back_end_thinks_frees_everything() {
    let back_end = Arc::new(BackEnd::default());
    let mut server = TestServer::with_remote(Arc::clone(&back_end) as Arc<dyn RemoteAuth>);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    server.policy.replace(asking());
    let waiting = || back_end.waiting.load(Ordering::Relaxed);
    let mut tasks = Vec::new();
    for (_, url) in server.push_urls("hall") {
        tasks.push(tokio::spawn(async move { drop(Publisher::connect(&url).await) }));
    }
    for (_, url) in server.play_urls("room") {
        tasks.push(tokio::spawn(async move { drop(Player::connect(&url).await) }));
    }
    for via in VIAS {
        let (options, url) = (server.options(via).await, server.udp_url("room"));
        tasks.push(tokio::spawn(async move {
            drop(rtc::Player::connect(&url, &Trust::system(), &options).await);
        }));
    }
    until("seven questions", async || waiting() == 7).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    until("nobody waits", async || waiting() == 0).await;
    until("one connection", async || {
        server.metric("thalweg_connections").await == Some(1) && server.viewers("room") == 0
    })
    .await;
    // Nor does a stop wait for an answer.
    let url = server.rtmp_url("room");
    let asked = tokio::spawn(async move { Player::connect(&url).await.map(drop) });
    until("a question", async || waiting() == 1).await;
    let stopped = server.stop();
    assert_eq!(reason(asked.await.unwrap()), "stopping");
    drop(publisher);
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_viewer_is_sent_away_by_its_own_way_and_its_address_stays_away() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let log = common::log::Log::begin();
    let bar = Duration::from_secs(1);
    let kick = || {
        let viewers = server.hub.viewers(ViewerFilter::default());
        assert_eq!(viewers.len(), 1);
        let kicked = server.hub.kick_viewer(viewers[0].id, bar, Instant::now());
        assert_eq!(kicked.unwrap().unwrap().peer, viewers[0].peer);
    };
    for (scheme, url) in server.play_urls("room") {
        let mut player = Player::connect(&url).await.unwrap();
        read(&mut player, 3).await;
        until("a viewer", async || !server.hub.viewers(ViewerFilter::default()).is_empty()).await;
        kick();
        for (way, url) in server.play_urls("room") {
            assert_eq!(reason(Player::connect(&url).await), "viewer-barred", "{way}");
        }
        let (_, end) = read_to_end(&mut player).await;
        let words = end.to_string();
        match end {
            Error::Refused(_) | Error::Ended(_) if scheme == "rtmp" => {
                assert!(words.contains("an operator sent the viewer away"), "{words}");
            }
            Error::WebSocketClosed { code, reason } if scheme == "ws" => {
                assert!(code == 4403 && reason.starts_with("viewer-barred: "), "{code} {reason}");
            }
            _ => assert_eq!(scheme, "http", "{words}"),
        }
        until("nobody", async || server.hub.viewers(ViewerFilter::default()).is_empty()).await;
        tokio::time::sleep(bar).await;
    }
    for via in VIAS {
        let mut player = server.watch("room", via).await;
        kick();
        let words = to_the_end(&mut player).await.to_string();
        assert!(words.contains("an operator sent the viewer away"), "{words}");
        until("nobody", async || server.hub.viewers(ViewerFilter::default()).is_empty()).await;
        tokio::time::sleep(bar).await;
    }
    assert_eq!(log.with(&["play ends", "an operator sent the viewer away, for 1 s"]).len(), 5);
}

#[tokio::test]
async fn a_switch_that_closes_sends_away_who_is_there() {
    let server = TestServer::with(|c| c.play.wait_s = 10);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut players = Vec::new();
    for (_, url) in server.play_urls("room") {
        let mut player = Player::connect(&url).await.unwrap();
        read(&mut player, 3).await;
        players.push(player);
    }
    // One that waits was let in before, and comes too late all the same.
    let waits = server.rtmp_url("hall");
    let waiting = tokio::spawn(async move { Player::connect(&waits).await.map(drop) });
    server.until_viewers("hall", 1).await;
    let closed = Standing { live_player: false, ..Standing::eligible() };
    server.policy.replace(changed(Gate::Off, |a| a.standing = closed));
    let (published, watched) = server.hub.dismiss_account("1", false, true, Instant::now());
    assert_eq!((published, watched), (0, 3));
    for mut player in players {
        read_to_end(&mut player).await;
    }
    let mut hall = server.publish("hall").await;
    send(&mut hall, &Recipe::default().frames_for(500)).await;
    assert_eq!(reason(waiting.await.unwrap()), "service-closed");
    // Now the publishers: they are told, each in its way.
    let camera = server.film("attic", Via::Native).await;
    camera.send(&Recipe::default().frames_for(500));
    server.until("attic", |s| s.publisher.is_some()).await;
    let closed = Standing { service: false, ..Standing::eligible() };
    server.policy.replace(changed(Gate::Off, |a| a.standing = closed));
    assert_eq!(server.hub.dismiss_account("1", true, false, Instant::now()).0, 3);
    let error = hall.over().await;
    assert!(error.to_string().contains("closed for this account"), "{error}");
    server.until_vacant("attic").await;
    assert_eq!(reason(Publisher::connect(&server.push_url("room")).await), "service-closed");
}
