//! A player that goes from stream to stream on one connection, as a set-top box does.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{TestServer, send};
use thalweg_testkit::media::Recipe;
use thalweg_wire::amf0::Value;
use thalweg_wire::rtmp::chunk::{Header, Reader};
use thalweg_wire::rtmp::command::Command;
use thalweg_wire::rtmp::message::types::{COMMAND_AMF0, VIDEO};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A command as a player writes it: one chunk of the usual 128 bytes, or several.
fn command(stream_id: u32, command: &Command) -> Vec<u8> {
    let body = command.encode();
    let header = Header {
        chunk_stream_id: 3,
        timestamp: 0,
        message_bytes: body.len().try_into().unwrap(),
        message_type: COMMAND_AMF0,
        stream_id,
    };
    let mut out = Vec::new();
    header.write(128, &body, &mut out);
    out
}

fn play(name: &str) -> Vec<u8> {
    command(1, &Command::new("play", 0.0, [Value::string(name)]))
}

fn close() -> Vec<u8> {
    command(1, &Command::new("closeStream", 0.0, []))
}

async fn connect(server: &TestServer) -> TcpStream {
    let app = Value::Object(vec![("app".into(), Value::string("live"))]);
    let connect = Command { name: "connect".into(), transaction: 1.0, values: vec![app] };
    let mut hello = vec![0; 1 + 2 * 1536];
    hello[0] = 3;
    hello.extend(command(0, &connect));
    hello.extend(command(0, &Command::new("createStream", 2.0, [])));
    let mut socket = TcpStream::connect(server.rtmp).await.unwrap();
    socket.write_all(&hello).await.unwrap();
    socket
}

fn viewers(n: u64) -> impl Fn(&thalweg_hub::StreamSnapshot) -> bool {
    move |s| s.viewers.iter().map(|(_, n)| n).sum::<u64>() == n
}

#[tokio::test]
async fn the_end_of_one_play_and_the_next_in_one_segment() {
    let server = TestServer::start();
    let sizes = [("a", 1111), ("b", 2222), ("c", 3333)];
    let mut publishers = Vec::new();
    for (name, video_bytes) in sizes {
        let mut publisher = server.publish(name).await;
        let recipe = Recipe { video_bytes, ..Recipe::default() };
        send(&mut publisher, &recipe.frames_for(1000)).await;
        publishers.push(publisher);
    }
    let mut player = connect(&server).await;
    player.write_all(&play("a")).await.unwrap();
    server.until("a", viewers(1)).await;
    player.write_all(&[close(), play("b")].concat()).await.unwrap();
    server.until("b", viewers(1)).await;
    server.until("a", viewers(0)).await;
    // And again, over a stream that is closed before it was ever seen.
    let at_once = [close(), play("a"), close(), play("c")].concat();
    player.write_all(&at_once).await.unwrap();
    server.until("c", viewers(1)).await;
    for name in ["a", "b"] {
        server.until(name, viewers(0)).await;
    }
    let seen = video_sizes(&mut player, 3333).await;
    let of = |size: usize| seen.iter().position(|s| *s == size);
    assert!(of(1111) < of(2222) && of(2222) < of(3333), "whole messages, in this order: {seen:?}");
}

/// Lengths of the video messages up to the first of such a stream.
async fn video_sizes(player: &mut TcpStream, last: usize) -> Vec<usize> {
    let mut answer = vec![0; 1 + 2 * 1536];
    player.read_exact(&mut answer).await.unwrap();
    let mut reader = Reader::new(1 << 20);
    let (mut seen, mut buf) = (Vec::new(), vec![0; 1 << 16]);
    while !seen.contains(&last) {
        let read = tokio::time::timeout(Duration::from_secs(5), player.read(&mut buf));
        let n = read.await.unwrap().unwrap();
        let mut rest = &buf[..n];
        assert!(!rest.is_empty(), "the server closed: {seen:?}");
        while let Some(message) = reader.read(&mut rest).unwrap() {
            if message.message_type == VIDEO {
                seen.push(message.payload.len());
            }
        }
    }
    seen
}
