//! Runs the hot path and nothing else, so that its instructions can be counted:
//! `scripts/instructions.sh` does, and compares them with what is kept.
//!
//!     hot_path MODE FRAMES VIEWERS
//!
//! `live` and `rtc` bring frames from a log to sockets that take everything, gathered for 100 ms or
//! not at all; `ingest` brings them from the bytes of a connection into the log.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use thalweg_hub::{
    Depth, Hub, InProcess, Lag, Limits, Protocol, Publication, Publisher, StreamKey,
};
use thalweg_server::egress::{Egress, Form, OnDone, Seat};
use thalweg_server::socket::Socket;
use thalweg_testkit::media::Recipe;
use thalweg_testkit::pair::Pair;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp::handshake::Style;
use thalweg_wire::rtmp::server::{self, Event, Output};

/// A socket that takes everything at once.
#[derive(Debug)]
struct Sink;

impl Socket for Sink {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn try_read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(bufs.iter().map(|b| b.len()).sum())
    }

    fn may_write(&self) -> bool {
        true
    }

    fn close_write(&self) -> io::Result<()> {
        Ok(())
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_default();
    let mut number = || args.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let (frames, viewers) = (number(), number());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return };
    let run: std::pin::Pin<Box<dyn Future<Output = ()>>> = match mode.as_str() {
        "live" => Box::pin(egress(frames, viewers, Duration::from_millis(100))),
        "rtc" => Box::pin(egress(frames, viewers, Duration::ZERO)),
        _ => Box::pin(async move { ingest(frames) }),
    };
    runtime.block_on(run);
}

fn publish(hub: &Hub, key: &StreamKey) -> Option<Publication> {
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    let publisher = Publisher { peer, credential: None, agent: String::new() };
    hub.publish(key, publisher, Instant::now()).ok()
}

async fn egress(frames: usize, viewers: usize, flush: Duration) {
    let hub = Hub::new(Limits::default(), InProcess::default());
    let key = StreamKey::new("1", "live", "room");
    let egress = Egress::start(1, 0);
    let Some(mut publication) = publish(&hub, &key) else { return };
    let recipe = Recipe::default();
    let mut source = recipe.frames();
    let opening = source.by_ref().take(100);
    opening.for_each(|f| _ = publication.append(f, Instant::now()));
    let mut handles = Vec::new();
    for _ in 0..viewers {
        let Ok(subscription) = hub.subscribe(&key, Protocol::HttpFlv, Lag::LIVE, Instant::now())
        else {
            return;
        };
        let seat = Seat {
            socket: Arc::new(Sink),
            subscription,
            form: Form::Flv,
            greeting: Vec::new(),
            depth: Depth::Newest,
            flush,
            watch_peer: true,
            orders: None,
            done: OnDone::new(|_| {}),
        };
        handles.push(egress.seat(seat).await);
    }
    for frame in source.take(frames) {
        let _ = publication.append(frame, tokio::time::Instant::now().into_std());
        tokio::time::sleep(FRAME).await;
    }
}

/// From the bytes of a connection into the log.
fn ingest(frames: usize) {
    let mut pair = Pair::new(Purpose::Publish, Style::Simple);
    pair.drive_accepting();
    let handshake = pair.sent.len();
    let hub = Hub::new(Limits::default(), InProcess::default());
    let Some(mut publication) = publish(&hub, &StreamKey::new("1", "live", "room")) else { return };
    let source = Recipe::default();
    source.frames().take(frames).for_each(|f| _ = pair.client.send(&f));
    let mut bytes = Vec::new();
    while let thalweg_wire::rtmp::client::Output::Transmit(part) = pair.client.poll_output() {
        bytes.extend_from_slice(&part);
    }
    let now = Instant::now();
    let mut session = server::Session::new(thalweg_wire::rtmp::Limits::default(), 1, now);
    for part in pair.sent[..handshake].chunks(READ_BYTES).chain(bytes.chunks(READ_BYTES)) {
        let _ = session.handle_bytes(now, part);
        loop {
            match session.poll_output() {
                Output::Event(Event::Frame(frame)) => _ = publication.append(frame, now),
                Output::Event(event) if event.is_question() => _ = session.accept(now),
                Output::Event(_) | Output::Transmit(_) => {}
                Output::Timeout(_) => break,
            }
        }
    }
}

/// Between two frames: 25 pictures and 31 frames of sound a second.
const FRAME: Duration = Duration::from_micros(17_857);
const READ_BYTES: usize = 64 << 10;
