//! How a session fares: what the vendor's tags tell in `bindnetstatus`, and what they do not.

use std::time::Duration;

/// How a session fares, for the last second or so.
///
/// The first group has the names and units of the vendor's `netstatus`; the second is ours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NetStatus {
    /// Pictures, kbit/s.
    pub video_bitrate: u32,
    /// Sound, kbit/s.
    pub audio_bitrate: u32,
    /// Pictures a second.
    pub video_fps: f32,
    /// Seconds between key frames.
    pub video_gop: f32,
    /// What comes or goes, kbit/s.
    pub net_speed: u32,
    /// How unevenly frames come, ms: 0 is evenly.
    pub net_jitter: u32,
    /// 1 best, 2 good, 3 fair, 4 bad, 5 very bad, 6 unusable; 0 while nothing is known.
    pub net_quality_level: u8,
    /// Pixels.
    pub video_width: u32,
    /// Pixels.
    pub video_height: u32,
    /// Pictures that wait: of a player ms, of a publisher frames.
    pub video_cache: u32,
    /// Sound that waits: of a player ms, of a publisher frames.
    pub audio_cache: u32,
    /// Frames that wait for the decoder: a player that decodes says so itself.
    pub v_dec_cache_size: u32,
    /// Frames that wait in all.
    pub v_sum_cache_size: u32,
    /// Pictures ahead of sound when played, ms.
    pub av_play_interval: i32,
    /// Pictures ahead of sound when received, ms.
    pub av_recv_interval: i32,
    /// Above so much buffer, ms, the player runs faster.
    pub audio_cache_threshold: u32,

    /// From the server's ingest to the moment of showing, if the clocks are known.
    pub delay: Option<Duration>,
    /// What to add to our clock for the server's, microseconds.
    pub clock_offset_us: Option<i64>,
    /// Smoothed round trip.
    pub round_trip: Duration,
    /// How fast the media clock runs.
    pub rate: f64,
    /// Frames that came, and that were given up.
    pub received: u64,
    /// Frames that did not come, or not in time.
    pub lost: u64,
    /// Frames that came and could not be decoded for want of others.
    pub undecodable: u64,
    /// Packets that had to be sent again, of those the server sent; or that we sent.
    pub repairs: u64,
    /// Times that the picture stood still.
    pub freezes: u32,
    /// Frames that the sender gave up.
    pub dropped: u64,
    /// Whether the sender holds pictures back until a key frame.
    pub gated: bool,
}

/// The vendor's six grades: by what does not arrive in time, in thousandths, and by jitter.
pub(super) fn quality(lost: u64, received: u64, jitter_ms: u32) -> u8 {
    let all = lost + received;
    if all == 0 {
        return 0;
    }
    let per_mille = lost * 1000 / all;
    match (per_mille, jitter_ms) {
        (0, 0..=30) => 1,
        (0..=5, 0..=80) => 2,
        (0..=20, 0..=150) => 3,
        (0..=50, 0..=250) => 4,
        (0..=200, _) => 5,
        _ => 6,
    }
}
