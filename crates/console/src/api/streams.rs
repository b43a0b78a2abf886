//! `GET /api/v1/streams`: what is live. `docs/ref/api.md` is its manual.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use thalweg_hub::{AudioInfo, Hub, Protocol, PublisherSnapshot, StreamSnapshot, VideoInfo};

/// Every stream of this server, in the order of their names.
pub(crate) async fn list(State(hub): State<Hub>) -> Json<List> {
    let snapshot = hub.snapshot(Instant::now());
    Json(List { streams: snapshot.streams.into_iter().map(Stream::from).collect() })
}

#[derive(Debug, Serialize)]
pub(crate) struct List {
    streams: Vec<Stream>,
}

#[derive(Debug, Serialize)]
struct Stream {
    account: String,
    app: String,
    name: String,
    live: bool,
    publisher: Option<Publisher>,
    video: Option<Video>,
    audio: Option<Audio>,
    viewers: BTreeMap<&'static str, u64>,
    bytes_in: u64,
    bytes_out: BTreeMap<&'static str, u64>,
    jumps: u64,
    frames_skipped: u64,
    log: Log,
}

#[derive(Debug, Serialize)]
struct Publisher {
    address: String,
    agent: String,
    epoch: u64,
    uptime_s: u64,
    silent_ms: u64,
}

#[derive(Debug, Serialize)]
struct Video {
    codec: Option<&'static str>,
    profile: Option<&'static str>,
    level: Option<f32>,
    width: Option<u32>,
    height: Option<u32>,
    fps: f32,
    bits_per_s: u64,
    gop_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Audio {
    codec: Option<&'static str>,
    profile: Option<&'static str>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    bits_per_s: u64,
}

#[derive(Debug, Serialize)]
struct Log {
    bytes: u64,
    frames: usize,
    ms: u64,
}

impl From<StreamSnapshot> for Stream {
    fn from(s: StreamSnapshot) -> Self {
        Stream {
            account: s.key.account.to_string(),
            app: s.key.app.to_string(),
            name: s.key.name.to_string(),
            live: s.publisher.is_some(),
            publisher: s.publisher.map(Publisher::from),
            video: s.video.map(Video::from),
            audio: s.audio.map(Audio::from),
            viewers: by_name(s.viewers),
            bytes_in: s.bytes_in,
            bytes_out: by_name(s.bytes_out),
            jumps: s.jumps,
            frames_skipped: s.frames_skipped,
            log: Log { bytes: s.kept_bytes, frames: s.kept_frames, ms: s.kept_ms },
        }
    }
}

impl From<PublisherSnapshot> for Publisher {
    fn from(p: PublisherSnapshot) -> Self {
        Publisher {
            address: p.peer.to_string(),
            agent: p.agent,
            epoch: p.epoch,
            uptime_s: p.uptime.as_secs(),
            silent_ms: p.silent.as_millis() as u64,
        }
    }
}

impl From<VideoInfo> for Video {
    fn from(v: VideoInfo) -> Self {
        Video {
            codec: v.codec_name(),
            profile: v.config.map(|c| c.profile_name()),
            level: v.config.map(|c| f32::from(c.level) / 10.0),
            width: v.config.map(|c| c.width),
            height: v.config.map(|c| c.height),
            fps: (v.fps * 100.0).round() / 100.0,
            bits_per_s: v.bits_per_s,
            gop_ms: v.gop_ms,
        }
    }
}

impl From<AudioInfo> for Audio {
    fn from(a: AudioInfo) -> Self {
        Audio {
            codec: a.codec_name(),
            profile: a.config.map(|c| c.profile_name()),
            sample_rate: a.config.map(|c| c.sample_rate),
            channels: a.config.map(|c| c.channels),
            bits_per_s: a.bits_per_s,
        }
    }
}

fn by_name(counts: Vec<(Protocol, u64)>) -> BTreeMap<&'static str, u64> {
    counts.into_iter().map(|(protocol, n)| (protocol.name(), n)).collect()
}
