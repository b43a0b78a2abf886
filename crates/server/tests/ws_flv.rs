//! FLV over WebSocket: what browsers and stock clients do, and what they should not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{PUSH_KEY, TestServer, exchange, read, send, signature};
use futures_util::{SinkExt, StreamExt};
use thalweg_client::{Error, Player, Publisher};
use thalweg_testkit::media::Recipe;
use thalweg_wire::flv;
use thalweg_wire::media::Frame;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WsFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{self, Message};

type Socket = WebSocketStream<TcpStream>;

/// A stock client: `page` makes it one in a browser, `publish` one that sends.
async fn open(
    server: &TestServer,
    path: &str,
    page: bool,
    publish: bool,
) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("ws://{}{path}", server.http).into_client_request()?;
    let headers = request.headers_mut();
    if page {
        headers.insert("Origin", HeaderValue::from_static("https://page.example"));
    }
    if publish {
        headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_static("flv-publish"));
    }
    let stream = TcpStream::connect(server.http).await.unwrap();
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

async fn next(socket: &mut Socket) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(10), socket.next());
    next.await.unwrap().unwrap().unwrap()
}

/// The code and the words that a socket is closed with.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket).await {
            let frame = frame.unwrap();
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

fn push_path(stream: &str) -> String {
    format!("/live/{stream}.flv?{}", signature(PUSH_KEY, stream, 3600))
}

fn tag(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    flv::write_tag(&mut out, frame);
    out
}

#[tokio::test]
async fn a_viewer_may_ask_whether_we_are_there_and_say_goodbye() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let mut socket = open(&server, "/live/room.flv", true, false).await.unwrap();
    assert!(matches!(next(&mut socket).await, Message::Binary(b) if b.starts_with(b"FLV\x01")));
    socket.send(Message::Ping("there?".into())).await.unwrap();
    loop {
        match next(&mut socket).await {
            Message::Pong(payload) => break assert_eq!(&payload[..], b"there?"),
            Message::Binary(_) => {}
            other => panic!("{other:?}"),
        }
    }
    socket.close(None).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1000);
    server.until("room", |s| s.viewers.iter().all(|(_, n)| *n == 0)).await;
}

#[tokio::test]
async fn a_stream_that_ends_closes_with_a_word() {
    let server = TestServer::with(|c| c.publish.republish_wait_s = 0);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let mut socket = open(&server, "/live/room.flv", true, false).await.unwrap();
    next(&mut socket).await;
    publisher.close().await.unwrap();
    assert_eq!(closed(&mut socket).await, (1000, "the stream has ended".to_owned()));
}

#[tokio::test]
async fn pages_are_told_no_in_the_socket_and_others_before_it() {
    let server = TestServer::with(|c| c.play.wait_s = 0);
    for (path, publish, status, word) in [
        ("/live/nobody.flv", false, 404, "not-found"),
        ("/live/room.flv", true, 403, "auth-missing"),
        ("/api/room.flv", false, 400, "reserved-app"),
    ] {
        let mut page = open(&server, path, true, publish).await.unwrap();
        let (code, reason) = closed(&mut page).await;
        assert_eq!(code, 4000 + status);
        assert!(reason.starts_with(word), "{reason}");
        match open(&server, path, false, publish).await {
            Err(tungstenite::Error::Http(response)) => {
                assert_eq!(response.status().as_u16(), status);
            }
            other => panic!("{other:?}"),
        }
    }
    let old = "GET /live/a.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: a\r\n\r\n";
    let answer = exchange(server.http, old.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 426") && answer.contains("Version: 13"), "{answer}");
}

#[tokio::test]
async fn what_a_viewer_sends_wrong_ends_it_with_a_reason() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let mut text = open(&server, "/live/room.flv", true, false).await.unwrap();
    text.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(closed(&mut text).await.0, 1003);
    let mut reserved = open(&server, "/live/room.flv", true, false).await.unwrap();
    let mut frame = WsFrame::message("x", OpCode::Data(Data::Binary), true);
    frame.header_mut().rsv2 = true;
    reserved.send(Message::Frame(frame)).await.unwrap();
    assert_eq!(closed(&mut reserved).await.0, 1002);
}

#[tokio::test]
async fn a_publisher_may_cut_its_file_into_messages_as_it_likes() {
    let server = TestServer::start();
    let frames = Recipe::default().frames_for(1000);
    let mut file = flv::file_header(true, true).to_vec();
    frames.iter().for_each(|f| flv::write_tag(&mut file, f));
    for (n, part) in [1, 7, 1000, file.len()].into_iter().enumerate() {
        let room = format!("room{n}");
        let mut socket = open(&server, &push_path(&room), true, true).await.unwrap();
        for piece in file.chunks(part) {
            socket.feed(Message::Binary(piece.to_vec().into())).await.unwrap();
        }
        socket.flush().await.unwrap();
        server.until(&room, |s| s.kept_frames == frames.len()).await;
        socket.close(None).await.unwrap();
        assert_eq!(closed(&mut socket).await.0, 1000);
        server.until(&room, |s| s.publisher.is_none()).await;
    }
}

#[tokio::test]
async fn each_mistake_of_a_publisher_has_its_code_and_its_words() {
    let server = TestServer::with(|c| c.limits.message_bytes_max = 0x1_0000);
    let header = flv::file_header(true, true).to_vec();
    let frames = Recipe::default().frames_for(200);
    let good: Vec<u8> = frames.iter().flat_map(tag).collect();
    let begun = |rest: &[u8]| Message::Binary([&header, rest].concat().into());
    let long = flv::TagHeader { tag_type: 9, body_bytes: 0x1_0001, timestamp: 0 }.encode();
    for (n, (message, code, words)) in [
        (Message::Text("hello".into()), 1003, "text"),
        (Message::Binary("GIF89a and so on".into()), 1007, "not FLV"),
        (begun(&header), 1007, "second FLV header"),
        (begun(&[good.clone(), header.clone()].concat()), 1007, "second FLV header"),
        (begun(&[0xa5; 64]), 1007, "damaged"),
        (begun(&long), 1009, "65537"),
    ]
    .into_iter()
    .enumerate()
    {
        let room = format!("room{n}");
        let mut socket = open(&server, &push_path(&room), true, true).await.unwrap();
        socket.send(message).await.unwrap();
        let (got, reason) = closed(&mut socket).await;
        assert_eq!(got, code, "{reason}");
        assert!(reason.contains(words), "{reason}");
        server.until(&room, |s| s.publisher.is_none()).await;
    }
}

#[tokio::test]
async fn a_publisher_that_says_nothing_is_cut_with_a_word() {
    let server = TestServer::with(|c| c.publish.first_media_max_s = 1);
    let mut socket = open(&server, &push_path("room"), true, true).await.unwrap();
    let (code, reason) = closed(&mut socket).await;
    assert!(code == 1008 && reason.contains("no media in time"), "{code} {reason}");
}

#[tokio::test]
async fn a_kick_lasts_for_its_time() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let mut viewer = Player::connect(&server.flv_url("room")).await.unwrap();
    read(&mut viewer, 3).await;
    let key = server.stream("room").key;
    let now = std::time::Instant::now();
    assert_eq!(server.hub.kick(&key, Duration::from_secs(2), now), Ok(true));
    let error = publisher.over().await;
    assert!(error.to_string().contains("an operator closed this stream"), "{error}");
    for (scheme, url) in server.push_urls("room") {
        let error = Publisher::connect(&url).await.unwrap_err();
        assert!(error.to_string().contains("barred"), "{scheme}: {error}");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut again = server.publish("room").await;
    send(&mut again, &Recipe::default().frames_for(200)).await;
    read(&mut viewer, 3).await;
}

#[tokio::test]
async fn a_stop_is_told_to_both_sides() {
    let mut server = TestServer::start();
    let mut socket = open(&server, &push_path("room"), true, true).await.unwrap();
    let mut file = flv::file_header(true, true).to_vec();
    Recipe::default().frames_for(1000).iter().for_each(|f| flv::write_tag(&mut file, f));
    socket.send(Message::Binary(file.into())).await.unwrap();
    let mut viewer = Player::connect(&server.play_urls("room")[2].1).await.unwrap();
    read(&mut viewer, 3).await;
    let stopped = server.stop();
    assert_eq!(closed(&mut socket).await, (1001, "the server is stopping".to_owned()));
    let (_, end) = common::read_to_end(&mut viewer).await;
    assert!(matches!(&end, Error::WebSocketClosed { code: 1001, .. }), "{end}");
    stopped.await.unwrap();
}
