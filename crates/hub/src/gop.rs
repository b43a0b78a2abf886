//! What a newcomer gets: configuration, and where it starts.

use thalweg_wire::media::Frame;

use crate::log::{Log, Seq};

/// How far behind the head a newcomer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At the newest key frame: the least delay.
    Newest,
    /// At the newest key frame that is at least this old, in media ms, so that a player has
    /// something to buffer. At the oldest there is, when none is that old.
    AtLeast(u64),
}

/// Metadata and sequence headers that hold at some place of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigSet {
    frames: Vec<Frame>,
}

impl ConfigSet {
    /// Metadata first, then what each track's decoder needs.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// This set with one configuration new or replaced; `None` when nothing changes, or when the
    /// set is full.
    pub(crate) fn with(&self, frame: &Frame) -> Option<ConfigSet> {
        let mut frames = self.frames.clone();
        match frames.iter_mut().find(|f| f.config_slot() == frame.config_slot()) {
            Some(old) if old.payload == frame.payload => return None,
            Some(old) => *old = frame.clone(),
            None => frames.push(frame.clone()),
        }
        let bytes: usize = frames.iter().map(|f| f.payload.len()).sum();
        if frames.len() > CONFIGS_MAX || bytes > CONFIG_BYTES_MAX {
            return None;
        }
        // Data (18) before video (9) before audio (8): metadata tells players what to expect.
        frames.sort_by_key(|f| std::cmp::Reverse(f.kind));
        Some(ConfigSet { frames })
    }
}

/// Where a newcomer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) seq: Seq,
    /// Video is left out until the next key frame.
    pub(crate) await_key: bool,
}

/// Finds the place for a newcomer, or `None` while there is none: the first key frame is still to
/// come, or nothing at all has come.
pub(crate) fn start(log: &Log, depth: Depth) -> Option<Start> {
    let depth_ms = match depth {
        Depth::Newest => 0,
        Depth::AtLeast(ms) => ms,
    };
    let old_enough = |seq: &Seq| log.behind(*seq).0 >= depth_ms;
    if let Some(oldest) = log.keys().next() {
        let seq = log.keys().rev().find(old_enough).unwrap_or(oldest);
        return Some(Start { seq, await_key: false });
    }
    let begin = log.publication_start.max(log.first());
    let waited_ms = log.behind(begin).0;
    let expects_video = log.has_video || expects_video(&log.configs_at(log.head()));
    if expects_video && waited_ms < KEY_WAIT_MS {
        return None;
    }
    // Sound only; or pictures that cannot be decoded yet, because their key frame is too far back
    // or still to come: sound goes ahead.
    let mut sound = log.from(begin).filter(|(_, e)| e.frame.is_media()).map(|(seq, _)| seq);
    let oldest = sound.next()?;
    let seq = sound.take_while(old_enough).last().unwrap_or(oldest);
    Some(Start { seq, await_key: expects_video })
}

/// Whether metadata or a sequence header announces pictures.
fn expects_video(configs: &ConfigSet) -> bool {
    use thalweg_wire::media::Kind;
    configs.frames().iter().any(|f| match f.kind {
        Kind::Video => true,
        Kind::Data => f.payload.windows(VIDEO_CODEC.len()).any(|w| w == VIDEO_CODEC),
        Kind::Audio => false,
    })
}

const VIDEO_CODEC: &[u8] = b"videocodecid";
/// A stream that announces pictures and sends only sound for this long is heard without them.
const KEY_WAIT_MS: u64 = 2000;
/// Metadata, and a header for each of several tracks of either kind.
const CONFIGS_MAX: usize = 24;
/// Metadata is a few hundred bytes, a sequence header fewer; recorded files may bring a seek index.
const CONFIG_BYTES_MAX: usize = 256 << 10;
