//! Everyone who is refused is told why, in the words of the protocol.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{PLAY_KEY, PUSH_KEY, TestServer, exchange, policy, signature};
use thalweg_client::{Error, Player, Publisher};
use thalweg_testkit::media::Recipe;

/// Code and reason of an RTMP refusal.
fn refusal(result: Result<impl Sized, Error>) -> (String, String) {
    match result {
        Err(Error::Refused(status)) => {
            assert!(!status.description.is_empty());
            (status.code.into_owned(), status.reason.unwrap_or_default().into_owned())
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

#[tokio::test]
async fn pushes() {
    let server = TestServer::start();
    let base = format!("rtmp://{}", server.rtmp);
    let good = signature(PUSH_KEY, "room", 60);
    let swap = |from: &str, to: &str| good.replacen(from, to, 1);
    for (name, path, code, reason) in [
        ("not signed", "/live/room".into(), "Denied", "auth-missing"),
        ("half signed", "/live/room?txTime=7FFFFFFF".into(), "Denied", "auth-missing"),
        ("malformed", "/live/room?txSecret=12&txTime=7FFFFFFF".into(), "Denied", "auth-malformed"),
        ("wrong", format!("/live/room?{}", swap("txTime=", "txTime=0")), "Denied", "auth-bad"),
        ("another stream", format!("/live/other?{good}"), "Denied", "auth-bad"),
        (
            "the play key",
            format!("/live/room?{}", signature(PLAY_KEY, "room", 60)),
            "Denied",
            "auth-bad",
        ),
        (
            "expired",
            format!("/live/room?{}", signature(PUSH_KEY, "room", -5)),
            "Denied",
            "auth-expired",
        ),
        ("reserved", format!("/api/room?{good}"), "Denied", "reserved-app"),
    ] {
        let got = refusal(Publisher::connect(&format!("{base}{path}")).await);
        assert_eq!(got, (format!("NetStream.Publish.{code}"), reason.to_owned()), "{name}");
    }
    let metrics =
        exchange(server.operator, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
    let counted = r#"thalweg_refused_total{action="push",reason="auth-bad"} 3"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn plays_where_a_signature_is_compulsory() {
    let server = TestServer::start();
    server.policy.replace(policy(true));
    let mut publisher = server.publish("room").await;
    common::send(&mut publisher, &Recipe::default().frames_for(500)).await;
    for (name, query, reason) in [
        ("not signed", String::new(), "auth-missing"),
        ("the push key", signature(PUSH_KEY, "room", 60), "auth-bad"),
        ("expired", signature(PLAY_KEY, "room", -5), "auth-expired"),
    ] {
        let rtmp = Player::connect(&format!("{}?{query}", server.rtmp_url("room"))).await;
        let want = ("NetStream.Play.Failed".to_owned(), reason.to_owned());
        assert_eq!(refusal(rtmp), want, "{name}");
        match Player::connect(&format!("{}?{query}", server.flv_url("room"))).await {
            Err(Error::Http { status: 403, body }) => assert!(body.contains(reason), "{body}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let query = signature(PLAY_KEY, "room", 60);
    for url in [server.rtmp_url("room"), server.flv_url("room")] {
        let mut player = Player::connect(&format!("{url}?{query}")).await.unwrap();
        common::read(&mut player, 5).await;
    }
}

#[tokio::test]
async fn a_play_goes_on_past_expiry_and_a_new_one_is_refused() {
    let server = TestServer::start();
    server.policy.replace(policy(true));
    let mut publisher = server.publish("room").await;
    let recipe = Recipe::default();
    common::send(&mut publisher, &recipe.frames_for(500)).await;
    let query = signature(PLAY_KEY, "room", 1);
    let mut rtmp = Player::connect(&format!("{}?{query}", server.rtmp_url("room"))).await.unwrap();
    let mut flv = Player::connect(&format!("{}?{query}", server.flv_url("room"))).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    common::send(&mut publisher, &recipe.frames_for(2000)).await;
    common::read(&mut rtmp, 100).await;
    common::read(&mut flv, 100).await;
    let late = Player::connect(&format!("{}?{query}", server.rtmp_url("room"))).await;
    assert_eq!(refusal(late).1, "auth-expired");
}

#[tokio::test]
async fn nobody_publishes() {
    let server = TestServer::with(|c| c.play.wait_s = 1);
    let began = std::time::Instant::now();
    let got = refusal(Player::connect(&server.rtmp_url("nobody")).await);
    assert_eq!(got, ("NetStream.Play.StreamNotFound".to_owned(), "not-found".to_owned()));
    assert!(began.elapsed().as_millis() >= 1000, "it waited first");
    match Player::connect(&server.flv_url("nobody")).await {
        Err(Error::Http { status: 404, body }) => assert!(body.contains("not-found"), "{body}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_in_use_is_named_with_its_user() {
    let server = TestServer::with(|c| c.publish.takeover = thalweg_server::config::TakeOver::Never);
    let _first = server.publish("room").await;
    match Publisher::connect(&server.push_url("room")).await {
        Err(Error::Refused(status)) => {
            assert_eq!(status.code, "NetStream.Publish.BadName");
            assert!(status.description.starts_with("in use by 127.0.0.1:"), "{status:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn too_many_strangers_from_one_address() {
    let server = TestServer::with(|c| c.limits.strangers_per_address_max = 2);
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(tokio::net::TcpStream::connect(server.rtmp).await.unwrap());
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let got = refusal(Publisher::connect(&server.push_url("room")).await);
    assert_eq!(got, ("NetConnection.Connect.Rejected".to_owned(), "too-many".to_owned()));
    let answer = server.http("GET /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    drop(idle);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    server.publish("room").await;
}

#[tokio::test]
async fn a_school_is_one_address() {
    let server = TestServer::with(|c| c.limits.strangers_per_address_max = 4);
    let mut publisher = server.publish("room").await;
    common::send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut pupils = Vec::new();
    for i in 0..40 {
        let url = if i % 2 == 0 { server.rtmp_url("room") } else { server.flv_url("room") };
        pupils.push(Player::connect(&url).await.unwrap());
    }
    assert_eq!(server.stream("room").viewers.iter().map(|(_, n)| n).sum::<u64>(), 40);
}

#[tokio::test]
async fn a_class_that_waits_for_its_teacher() {
    let server = TestServer::with(|c| {
        c.limits.strangers_per_address_max = 41;
        c.play.wait_s = 20;
    });
    let mut pupils = Vec::new();
    for i in 1..=40u64 {
        let url = if i > 20 { server.rtmp_url("room") } else { server.flv_url("room") };
        pupils.push(tokio::spawn(async move { Player::connect(&url).await.map(|_| ()) }));
        server.until("room", |s| s.viewers.iter().map(|(_, n)| n).sum::<u64>() == i).await;
    }
    let mut teacher = server.publish("room").await;
    common::send(&mut teacher, &Recipe::default().frames_for(500)).await;
    for pupil in pupils {
        pupil.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn strangers_with_unfinished_messages_fill_no_memory() {
    use tokio::io::AsyncWriteExt;
    let server = TestServer::with(|c| {
        c.limits.strangers_bytes_max = 256 << 10;
        c.limits.strangers_per_address_max = 100;
    });
    let mut begun = vec![0; 1 + 2 * 1536];
    begun[0] = 3;
    // Chunks as long as a message, then 40 KB of a command of 60 KB, and no more.
    begun.extend_from_slice(b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\x01\0\0");
    begun.extend_from_slice(b"\x03\0\0\0\0\xea\x60\x14\0\0\0\0");
    begun.extend_from_slice(&[2; 40_000]);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stranger = tokio::net::TcpStream::connect(server.rtmp).await.unwrap();
        stranger.write_all(&begun).await.unwrap();
        held.push(stranger);
    }
    let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let cut = r#"thalweg_refused_total{action="connect",reason="server-full"} 2"#;
    for _ in 0..200 {
        if exchange(server.operator, ask).await.contains(cut) {
            return drop(held);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{}", exchange(server.operator, ask).await);
}

#[tokio::test]
async fn a_full_server_says_so_and_still_takes_publishers() {
    let server = TestServer::with(|c| c.limits.connections_max = 1);
    let mut publisher = server.publish("room").await;
    common::send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let got = refusal(Player::connect(&server.rtmp_url("room")).await);
    assert_eq!(got, ("NetStream.Play.Failed".to_owned(), "server-full".to_owned()));
    let answer = server.http("GET /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // A crowd of viewers must not keep out what they came to see.
    let other = server.publish("other").await;
    let unsigned = format!("rtmp://{}/live/third", server.rtmp);
    assert_eq!(refusal(Publisher::connect(&unsigned).await).1, "auth-missing");
    drop(other);
}

#[tokio::test]
async fn our_words_are_the_sessions_words() {
    use thalweg_access::{Action, Reason};
    use thalweg_wire::rtmp::command::code;
    for (reason, action, want) in [
        (Reason::AuthBad, Action::Push, code::PUBLISH_DENIED),
        (Reason::InUse, Action::Push, code::PUBLISH_BAD_NAME),
        (Reason::Full, Action::Push, code::PUBLISH_FAILED),
        (Reason::AuthBad, Action::Play, code::PLAY_FAILED),
        (Reason::NotFound, Action::Play, code::PLAY_STREAM_NOT_FOUND),
    ] {
        assert_eq!(reason.rtmp_code(action), want);
    }
}
