//! What is going on: counted where it happens, read when somebody asks.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use thalweg_wire::codec::{Codec, aac, avc};
use thalweg_wire::flv::body;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;

use crate::gaps::Gaps;
use crate::hub::StreamKey;

/// How a viewer watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    Rtmp,
    HttpFlv,
    WsFlv,
    RtmpUdp,
}

impl Protocol {
    /// All of them, in the order of their numbers.
    pub const ALL: [Protocol; 4] =
        [Protocol::Rtmp, Protocol::HttpFlv, Protocol::WsFlv, Protocol::RtmpUdp];

    /// The name in metrics and the API.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Rtmp => "rtmp",
            Protocol::HttpFlv => "http-flv",
            Protocol::WsFlv => "ws-flv",
            Protocol::RtmpUdp => "rtmp-udp",
        }
    }
}

/// Counts of one stream that its viewers add to.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    viewers: [AtomicU64; Protocol::ALL.len()],
    bytes_out: [AtomicU64; Protocol::ALL.len()],
    jumps: AtomicU64,
    frames_skipped: AtomicU64,
}

impl Counters {
    pub(crate) fn viewer_came(&self, protocol: Protocol) {
        self.viewers[protocol as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn viewer_left(&self, protocol: Protocol) {
        self.viewers[protocol as usize].fetch_sub(1, Relaxed);
    }

    pub(crate) fn jumped(&self, frames: u64) {
        self.jumps.fetch_add(1, Relaxed);
        self.skipped(frames);
    }

    pub(crate) fn skipped(&self, frames: u64) {
        self.frames_skipped.fetch_add(frames, Relaxed);
    }

    pub(crate) fn sent(&self, protocol: Protocol, bytes: u64) {
        self.bytes_out[protocol as usize].fetch_add(bytes, Relaxed);
    }

    pub(crate) fn viewers_all(&self) -> u64 {
        self.viewers.iter().map(|v| v.load(Relaxed)).sum()
    }
}

/// What the publisher sends, counted frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    sums: Sums,
    /// Sums of the last seconds, one a second, for rates.
    samples: VecDeque<(Instant, Sums)>,
    last_key: Option<Dts>,
    gop_ms: Option<u64>,
    video: Option<VideoInfo>,
    audio: Option<AudioInfo>,
    pictures: Gaps,
    sounds: Gaps,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    video_frames: u64,
    video_bytes: u64,
    audio_bytes: u64,
    bytes: u64,
}

impl Meter {
    pub(crate) fn count(&mut self, frame: &Frame, now: Instant) {
        let bytes = frame.payload.len() as u64;
        self.sums.bytes += bytes;
        match frame.kind {
            Kind::Video => {
                self.sums.video_frames += u64::from(frame.is_media());
                self.sums.video_bytes += bytes;
            }
            Kind::Audio => self.sums.audio_bytes += bytes,
            Kind::Data => {}
        }
        match frame.kind {
            Kind::Video if frame.is_media() => self.pictures.frame(now),
            Kind::Audio if frame.is_media() => self.sounds.frame(now),
            _ => {}
        }
        if frame.key {
            let last = self.last_key.replace(frame.dts);
            self.gop_ms = last.and_then(|l| u64::try_from(frame.dts - l).ok()).or(self.gop_ms);
        }
        if frame.config || self.is_new_kind(frame) {
            self.describe(frame);
        }
        if self.samples.back().is_none_or(|(t, _)| now.saturating_duration_since(*t) >= SAMPLE) {
            if self.samples.len() == SAMPLES {
                self.samples.pop_front();
            }
            self.samples.push_back((now, self.sums));
        }
    }

    /// A new publication: sums go on, what described the old one does not.
    pub(crate) fn restart(&mut self) {
        *self = Meter { sums: self.sums, ..Meter::default() };
    }

    fn is_new_kind(&self, frame: &Frame) -> bool {
        match frame.kind {
            Kind::Video => self.video.is_none(),
            Kind::Audio => self.audio.is_none(),
            Kind::Data => false,
        }
    }

    fn describe(&mut self, frame: &Frame) {
        let payload = &frame.payload;
        match frame.kind {
            Kind::Video => {
                let (codec, config) = (body::video(payload).codec, body::avc_config(payload));
                self.video = Some(VideoInfo { codec, config, ..VideoInfo::default() });
            }
            Kind::Audio => {
                let (codec, config) = (body::audio(payload).codec, body::aac_config(payload));
                self.audio = Some(AudioInfo { codec, config, ..AudioInfo::default() });
            }
            Kind::Data => {}
        }
    }

    pub(crate) fn video(&self, now: Instant) -> Option<VideoInfo> {
        let rate = self.rate(now, |s| s.video_bytes) * 8;
        let fps = self.rate_f64(now, |s| s.video_frames) as f32;
        self.video.map(|v| VideoInfo { bits_per_s: rate, fps, gop_ms: self.gop_ms, ..v })
    }

    pub(crate) fn audio(&self, now: Instant) -> Option<AudioInfo> {
        let rate = self.rate(now, |s| s.audio_bytes) * 8;
        self.audio.map(|a| AudioInfo { bits_per_s: rate, ..a })
    }

    /// The longest time of late without a picture, or without sound where there are no pictures.
    pub(crate) fn longest_gap(&self, now: Instant) -> Option<Duration> {
        self.pictures.longest(now).or_else(|| self.sounds.longest(now))
    }

    pub(crate) fn has_video(&self) -> bool {
        self.video.is_some()
    }

    pub(crate) fn has_audio(&self) -> bool {
        self.audio.is_some()
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.sums.bytes
    }

    fn rate(&self, now: Instant, sum: impl Fn(&Sums) -> u64) -> u64 {
        self.rate_f64(now, sum) as u64
    }

    /// Growth a second since the oldest sample.
    fn rate_f64(&self, now: Instant, sum: impl Fn(&Sums) -> u64) -> f64 {
        let Some((since, then)) = self.samples.front() else {
            return 0.0;
        };
        let time = now.saturating_duration_since(*since).max(SAMPLE).as_secs_f64();
        (sum(&self.sums) - sum(then)) as f64 / time
    }
}

const SAMPLE: Duration = Duration::from_secs(1);
/// Rates are means over about as many seconds.
const SAMPLES: usize = 6;

/// Pictures of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct VideoInfo {
    /// `None` for a codec we cannot name.
    pub codec: Option<Codec>,
    /// H.264 only: size, profile and rate as configured.
    pub config: Option<avc::Config>,
    /// Bits a second, mean of the last seconds.
    pub bits_per_s: u64,
    /// Frames a second, likewise.
    pub fps: f32,
    /// Media time between the last two key frames, ms.
    pub gop_ms: Option<u64>,
}

impl VideoInfo {
    /// The codec's name, if we know it.
    pub fn codec_name(&self) -> Option<&'static str> {
        self.codec.map(Codec::name)
    }
}

/// Sound of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AudioInfo {
    /// `None` for a codec we cannot name.
    pub codec: Option<Codec>,
    /// AAC only: rate and channels as configured.
    pub config: Option<aac::Config>,
    /// Bits a second, mean of the last seconds.
    pub bits_per_s: u64,
}

/// Everything the hub knows at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// By key, in order.
    pub streams: Vec<StreamSnapshot>,
    /// Sums over these and all streams before them.
    pub totals: Totals,
}

/// Sums that never shrink.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Bytes sent to viewers, in the order of [`Protocol::ALL`].
    pub bytes_out: [u64; Protocol::ALL.len()],
    /// Times a viewer was late and jumped.
    pub jumps: u64,
    /// Frames lost by that.
    pub frames_skipped: u64,
}

impl Totals {
    /// Adds what one stream came to.
    pub(crate) fn add(&mut self, stream: &StreamSnapshot) {
        self.bytes_in += stream.bytes_in;
        self.jumps += stream.jumps;
        self.frames_skipped += stream.frames_skipped;
        for (protocol, bytes) in &stream.bytes_out {
            self.bytes_out[*protocol as usize] += bytes;
        }
    }
}

impl AudioInfo {
    /// The codec's name, if we know it.
    pub fn codec_name(&self) -> Option<&'static str> {
        self.codec.map(Codec::name)
    }
}

/// One stream at one moment.
#[derive(Debug, Clone)]
pub struct StreamSnapshot {
    /// What it is called.
    pub key: StreamKey,
    /// Who publishes, if anyone does.
    pub publisher: Option<PublisherSnapshot>,
    /// Pictures.
    pub video: Option<VideoInfo>,
    /// Sound.
    pub audio: Option<AudioInfo>,
    /// Viewers, by protocol.
    pub viewers: Vec<(Protocol, u64)>,
    /// Payload bytes received since the stream began.
    pub bytes_in: u64,
    /// Bytes sent to viewers, by protocol.
    pub bytes_out: Vec<(Protocol, u64)>,
    /// Times a viewer was late and jumped.
    pub jumps: u64,
    /// Frames lost by that.
    pub frames_skipped: u64,
    /// What the log keeps: payload bytes.
    pub kept_bytes: u64,
    /// What the log keeps: frames.
    pub kept_frames: usize,
    /// What the log keeps: media ms.
    pub kept_ms: u64,
}

/// A publisher at one moment.
#[derive(Debug, Clone)]
pub struct PublisherSnapshot {
    /// Where from.
    pub peer: SocketAddr,
    /// What it calls itself.
    pub agent: String,
    /// Which publication of the stream this is.
    pub epoch: u64,
    /// How long it has published.
    pub uptime: Duration,
    /// How long since its last frame.
    pub silent: Duration,
    /// The longest time without a picture in the last second at least and two at most, or without sound where there are
    /// no pictures. One that lasts counts. `None` before the first.
    pub longest_gap: Option<Duration>,
}

impl crate::Stream {
    /// Counts bytes sent to viewers of a protocol.
    pub fn count_sent(&self, protocol: Protocol, bytes: u64) {
        self.counters.sent(protocol, bytes);
    }

    /// This stream at this moment.
    pub fn snapshot(&self, now: Instant) -> StreamSnapshot {
        let state = self.lock();
        let (kept_bytes, kept_frames, kept_ms) = state.log.kept();
        let by_protocol = |counts: &[AtomicU64]| {
            Protocol::ALL.iter().map(|&p| (p, counts[p as usize].load(Relaxed))).collect()
        };
        StreamSnapshot {
            key: self.key().clone(),
            publisher: state.publisher.as_ref().map(|p| PublisherSnapshot {
                peer: p.publisher.peer,
                agent: p.publisher.agent.clone(),
                epoch: p.epoch,
                uptime: now.saturating_duration_since(p.since),
                silent: now.saturating_duration_since(p.last_frame),
                longest_gap: state.meter.longest_gap(now),
            }),
            video: state.meter.video(now),
            audio: state.meter.audio(now),
            viewers: by_protocol(&self.counters.viewers),
            bytes_in: state.meter.bytes_in(),
            bytes_out: by_protocol(&self.counters.bytes_out),
            jumps: self.counters.jumps.load(Relaxed),
            frames_skipped: self.counters.frames_skipped.load(Relaxed),
            kept_bytes,
            kept_frames,
            kept_ms,
        }
    }
}
