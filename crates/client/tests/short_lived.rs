//! A server that lets a publisher in and sends it away in one breath.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Instant;

use thalweg_client::{Error, Publisher};
use thalweg_testkit::media::Recipe;
use thalweg_wire::rtmp::Limits;
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp::server::{Event, Output, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Accepts whatever is asked; what it says to a publish goes out together with the end.
async fn serve_shortly(listener: TcpListener) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut session = Session::new(Limits::default(), 1, Instant::now());
    let (mut buffer, mut is_over) = (vec![0; 4096], false);
    while !is_over {
        let n = socket.read(&mut buffer).await.unwrap();
        session.handle_bytes(Instant::now(), &buffer[..n]).unwrap();
        let mut out = Vec::new();
        loop {
            match session.poll_output() {
                Output::Transmit(bytes) => out.extend_from_slice(&bytes),
                Output::Event(event) => {
                    is_over |= matches!(event, Event::Publish(_));
                    if event.is_question() {
                        session.accept(Instant::now()).unwrap();
                    }
                    if is_over {
                        let why = Status::error(code::CONNECT_APP_SHUTDOWN, "good night");
                        session.end(Instant::now(), &why);
                    }
                }
                Output::Timeout(_) => break,
            }
        }
        socket.write_all(&out).await.unwrap();
    }
    // Until the publisher has heard it.
    let _ = socket.read_to_end(&mut buffer).await;
}

#[tokio::test]
async fn its_reason_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtmp://{}/live/room", listener.local_addr().unwrap());
    let server = tokio::spawn(serve_shortly(listener));
    let told = match Publisher::connect(&url).await {
        Ok(mut publisher) => publisher.send(&Recipe::default().frames().next().unwrap()).await,
        Err(error) => Err(error),
    };
    match told {
        Err(Error::Ended(status)) => assert_eq!(status.description, "good night"),
        other => panic!("{other:?}"),
    }
    server.await.unwrap();
}
