//! The two ends of a measurement, each in a process of its own.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thalweg_client::{Player, Publisher, Trust, rtc};
use thalweg_wire::media::{Frame, Kind};

use super::schedule::{Schedule, Window};
use super::score::{Came, Figures, Score};
use crate::process::monotonic_ns;
use crate::stamp;

/// Why an end could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused, or the network failed.
    #[error(transparent)]
    Client(#[from] thalweg_client::Error),
}

/// What a publisher has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Frames of all kinds.
    pub frames: u64,
    /// The latest that one was sent after it was due, ms: the machine was busy, or the server.
    pub late_ms_max: f64,
}

/// Which transport a viewer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// RTMP over TCP.
    Tcp,
    /// RTMP-UDP, and nothing else if that fails.
    Udp,
}

/// Publishes the made stream until it is to stop: `schedule` begins when the server has let it in, and
/// `ready` is told.
///
/// # Errors
/// When the server refuses or ends it.
pub async fn publish(
    url: &str,
    schedule: Schedule,
    ready: impl FnOnce(&Schedule),
    stop: impl Future<Output = ()>,
) -> Result<Sent, Error> {
    let mut publisher = Publisher::connect(url).await?;
    for header in Schedule::headers() {
        publisher.send(&header).await?;
    }
    let schedule = Schedule { began_ns: monotonic_ns(), ..schedule };
    ready(&schedule);
    let mut sent = Sent::default();
    tokio::select! {
        failed = send(&mut publisher, schedule, &mut sent) => failed?,
        () = stop => {}
    }
    publisher.close().await?;
    Ok(sent)
}

/// Sends frames at their time, without end.
async fn send(publisher: &mut Publisher, schedule: Schedule, sent: &mut Sent) -> Result<(), Error> {
    for due in schedule.frames() {
        let early = Duration::from_nanos(due.ns.saturating_sub(monotonic_ns()));
        tokio::time::sleep(early).await;
        let now_ns = monotonic_ns();
        publisher.send(&schedule.frame(due, now_ns)).await?;
        sent.frames += 1;
        sent.late_ms_max = sent.late_ms_max.max(now_ns.saturating_sub(due.ns) as f64 / 1e6);
    }
    Ok(())
}

/// Watches a window of the stream, until all of it has come or can be given up.
///
/// What ends it before its time is one of the figures.
pub async fn view(transport: Transport, url: &str, window: &Window) -> Figures {
    let over = Duration::from_nanos(window.ns.end.saturating_sub(monotonic_ns())) + GRACE;
    let mut score = Score::new(window.clone());
    let mut first_picture_ms = None;
    let watching = watch(transport, url, &mut score, &mut first_picture_ms);
    // Until it is over: that is not an error.
    let ended = match tokio::time::timeout(over, watching).await {
        Ok(Err(error)) => Some(error.to_string()),
        Ok(Ok(())) | Err(_) => None,
    };
    Figures { first_picture_ms, ended, ..score.figures() }
}

/// Watches until nothing is missing.
async fn watch(
    transport: Transport,
    url: &str,
    score: &mut Score,
    first_picture_ms: &mut Option<f64>,
) -> Result<(), Error> {
    let began = Instant::now();
    let mut watching = Watching::open(transport, url).await?;
    while !score.is_complete() {
        let frame = watching.next_frame().await?;
        let now_ns = monotonic_ns();
        if frame.kind == Kind::Video && frame.is_media() {
            first_picture_ms.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1000.0);
        }
        if let Some(stamp) = stamp::read(&frame) {
            score.arrive(Came {
                kind: frame.kind,
                number: stamp.number,
                after_ns: now_ns.saturating_sub(stamp.ns),
                is_whole: stamp.is_whole(&frame),
                bytes: frame.payload.len(),
            });
        }
    }
    Ok(())
}

/// A play, by one of the transports.
enum Watching {
    Rtmp(Box<Player>),
    RtmpUdp(Box<rtc::Player>),
}

impl Watching {
    async fn open(transport: Transport, url: &str) -> Result<Watching, Error> {
        match transport {
            Transport::Tcp => Ok(Watching::Rtmp(Box::new(Player::connect(url).await?))),
            Transport::Udp => {
                let options = rtc::Options::default();
                let player = rtc::Player::connect(url, &Trust::system(), &options).await?;
                Ok(Watching::RtmpUdp(Box::new(player)))
            }
        }
    }

    /// The next frame in decode order.
    async fn next_frame(&mut self) -> Result<Frame, Error> {
        match self {
            Watching::Rtmp(player) => Ok(player.next_frame().await?),
            // Without the jitter buffer, which decides when a frame is shown and not when it is there.
            Watching::RtmpUdp(player) => Ok(player.next_arrived().await?.frame),
        }
    }
}

/// How long after its window a viewer waits for what is missing. What is later is lost.
const GRACE: Duration = Duration::from_secs(5);
