//! A back end is asked before somebody publishes or watches.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Reply::{After, Never, Status};
use common::{Receivers, START_MS, TestClock, account};
use serde_json::json;
use thalweg_access::{Action, Reason};
use thalweg_console::hooks::body;
use thalweg_console::model::Account;
use thalweg_console::remote::{Question, Remote};
use tokio::time::{Instant, sleep};

const HOST: &str = "b1.example.com";

fn world(accounts: &[Account]) -> (Remote, Arc<Receivers>) {
    let clock = TestClock::new();
    let receivers = Receivers::new(&clock);
    let post = Arc::<Receivers>::clone(&receivers);
    let remote = Remote::new(post, clock, "here");
    remote.set_accounts(accounts);
    (remote, receivers)
}

fn question(action: Action, stream: &str) -> Question {
    Question {
        action,
        account: "1".into(),
        app: "live".into(),
        stream: stream.into(),
        query: "txSecret=abc&user=7".into(),
        peer: "::ffff:203.0.113.9".parse().unwrap(),
        protocol: "http-flv",
    }
}

#[tokio::test(start_paused = true)]
async fn the_question_says_who_wants_what_and_is_signed() {
    let (remote, receivers) = world(&[account("1")]);
    assert_eq!(remote.ask(&question(Action::Play, "room")).await, Ok(()));
    let got = receivers.got();
    let t = START_MS / 1000 + 600;
    assert_eq!(
        got[0].body,
        json!({
            "action": "play", "appid": 1, "app": "live", "stream": "room",
            "client_ip": "203.0.113.9", "protocol": "http-flv",
            "stream_param": "txSecret=abc&user=7", "node": "here",
            "t": t, "sign": body::sign("callbackkey", t),
        })
    );
    assert!(got[0].signature.as_ref().unwrap().starts_with(&format!("t={t}, v1=")));
}

#[tokio::test(start_paused = true)]
async fn only_200_is_a_yes() {
    for (status, want) in [
        (200, Ok(())),
        (201, Err(Reason::RemoteRefused)),
        (302, Err(Reason::RemoteRefused)),
        (403, Err(Reason::RemoteRefused)),
        (500, Err(Reason::RemoteRefused)),
    ] {
        let (remote, receivers) = world(&[account("1")]);
        receivers.script(HOST, [Status(status)]);
        assert_eq!(remote.ask(&question(Action::Push, "room")).await, want, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_asked_has_not_agreed() {
    let mut lenient = account("1");
    lenient.remote.play_if_unreachable = true;
    let unreachable = Err(Reason::RemoteUnreachable);
    for (account, push, play) in
        [(account("1"), unreachable, unreachable), (lenient, unreachable, Ok(()))]
    {
        let (remote, receivers) = world(&[account]);
        receivers.script(HOST, [Never, After(Duration::from_millis(3100), 200)]);
        let began = Instant::now();
        assert_eq!(remote.ask(&question(Action::Push, "room")).await, push);
        assert_eq!(began.elapsed().as_millis(), 3000);
        assert_eq!(remote.ask(&question(Action::Play, "room")).await, play);
        // That nobody answered is not remembered.
        assert_eq!(remote.ask(&question(Action::Push, "room")).await, Ok(()));
    }
    let mut broken = account("1");
    broken.remote.url = Some("ftp://b1.example.com/".to_owned());
    let (remote, _) = world(&[broken]);
    assert_eq!(remote.ask(&question(Action::Push, "room")).await, unreachable);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_without_need() {
    let mut pushes_only = account("1");
    pushes_only.remote.play = false;
    let (remote, receivers) = world(&[pushes_only]);
    assert_eq!(remote.ask(&question(Action::Play, "room")).await, Ok(()));
    let stranger = Question { account: "9".into(), ..question(Action::Push, "room") };
    assert_eq!(remote.ask(&stranger).await, Ok(()));
    assert_eq!(receivers.got().len(), 0);
    remote.ask(&question(Action::Push, "room")).await.unwrap();
    assert_eq!(receivers.got().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_good_for_five_seconds_and_one_question() {
    let (remote, receivers) = world(&[account("1")]);
    receivers.script(HOST, [Status(403)]);
    for _ in 0..3 {
        let answer = remote.ask(&question(Action::Play, "room")).await;
        assert_eq!(answer, Err(Reason::RemoteRefused));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(receivers.got().len(), 1);
    let other_url = Question { query: "user=8".into(), ..question(Action::Play, "room") };
    assert_eq!(remote.ask(&other_url).await, Ok(()));
    let other_peer =
        Question { peer: "203.0.113.8".parse().unwrap(), ..question(Action::Play, "room") };
    assert_eq!(remote.ask(&other_peer).await, Ok(()));
    assert_eq!(remote.ask(&question(Action::Push, "room")).await, Ok(()));
    assert_eq!(receivers.got().len(), 4);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(remote.ask(&question(Action::Play, "room")).await, Ok(()));
    assert_eq!(receivers.got().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_asks_once() {
    let (remote, receivers) = world(&[account("1")]);
    receivers.script(HOST, [After(Duration::from_secs(2), 200)]);
    let crowd = (0..1000).map(|_| remote.ask(&question(Action::Play, "room")));
    let answers = futures_util::future::join_all(crowd).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(receivers.got().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_outlives_whoever_asked_it_first() {
    let (remote, receivers) = world(&[account("1")]);
    receivers.script(HOST, [After(Duration::from_secs(2), 403)]);
    let first = tokio::spawn(remote.ask(&question(Action::Play, "room")));
    sleep(Duration::from_secs(1)).await;
    let second = tokio::spawn(remote.ask(&question(Action::Play, "room")));
    sleep(Duration::from_millis(1)).await;
    first.abort();
    assert_eq!(second.await.unwrap(), Err(Reason::RemoteRefused));
    assert_eq!(receivers.got().len(), 1);
    // One that nobody waits for is forgotten, and the next asks anew.
    receivers.script(HOST, [Never]);
    let third = tokio::spawn(remote.ask(&question(Action::Play, "hall")));
    sleep(Duration::from_secs(1)).await;
    third.abort();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(remote.ask(&question(Action::Play, "hall")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_dead_back_end_takes_a_quarter_and_no_other_account_waits_behind_it() {
    let accounts: Vec<Account> = (1..=6).map(|n| account(&n.to_string())).collect();
    let (remote, receivers) = world(&accounts);
    for n in 1..=6 {
        receivers.script(&format!("b{n}.example.com"), vec![Never; 100]);
    }
    let ask = |n: u32, i: u32| {
        let stream = format!("s{i}");
        let question =
            Question { account: n.to_string().into(), ..question(Action::Push, &stream) };
        tokio::spawn(remote.ask(&question))
    };
    let first: Vec<_> = (0..100).map(|i| ask(1, i)).collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receivers.most(), 16);
    let quick = Question { account: "2".into(), ..question(Action::Push, "quick") };
    receivers.script("b2.example.com", [Status(200)]);
    let asked = Instant::now();
    assert_eq!(remote.ask(&quick).await, Ok(()));
    assert_eq!(asked.elapsed(), Duration::ZERO);
    receivers.script("b2.example.com", vec![Never; 100]);
    let _rest: Vec<_> =
        (2..=6).flat_map(|n| (0..20).map(move |i| (n, i))).map(|(n, i)| ask(n, i)).collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receivers.most(), 64);
    sleep(Duration::from_millis(1100)).await;
    for push in first {
        assert_eq!(push.await.unwrap(), Err(Reason::RemoteUnreachable), "three seconds are over");
    }
    sleep(Duration::from_secs(4)).await;
    receivers.script(HOST, []);
    assert_eq!(remote.ask(&question(Action::Push, "later")).await, Ok(()), "slots come back");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_comes_at_once_waits_its_turn() {
    let (remote, receivers) = world(&[account("1")]);
    receivers.script(HOST, vec![After(Duration::from_millis(50), 200); 400]);
    let began = Instant::now();
    let crowd: Vec<_> = (0..400)
        .map(|i| tokio::spawn(remote.ask(&question(Action::Play, &format!("s{i}")))))
        .collect();
    for viewer in crowd {
        assert_eq!(viewer.await.unwrap(), Ok(()));
    }
    assert_eq!(receivers.most(), 16);
    assert_eq!(began.elapsed(), Duration::from_millis(50) * (400 / 16));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_at_once() {
    let (remote, receivers) = world(&[account("1")]);
    receivers.script(HOST, vec![Never; 2000]);
    let crowd: Vec<_> = (0..1030)
        .map(|i| tokio::spawn(remote.ask(&question(Action::Play, &format!("s{i}")))))
        .collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(crowd.iter().filter(|viewer| viewer.is_finished()).count(), 1030 - 1024);
}

#[tokio::test(start_paused = true)]
async fn a_change_counts_at_once() {
    let (remote, receivers) = world(&[account("1")]);
    receivers.script(HOST, [Status(403)]);
    assert!(remote.ask(&question(Action::Play, "room")).await.is_err());
    remote.set_accounts(&[account("1")]);
    assert_eq!(remote.ask(&question(Action::Play, "room")).await, Ok(()));
    remote.set_accounts(&[]);
    receivers.script(HOST, [Status(403)]);
    assert_eq!(remote.ask(&question(Action::Play, "room")).await, Ok(()));
    assert_eq!(receivers.got().len(), 2);
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let (remote, _) = world(&[account("1")]);
    let shown = format!("{:?} {:?}", question(Action::Play, "room"), remote);
    assert!(!shown.contains("txSecret") && !shown.contains("callbackkey"), "{shown}");
}
