//! What entered a path, to compare with what comes out.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use bytes::Bytes;
use thalweg_wire::flv::body;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp_udp::receiver::Arrived;

/// All frames of a story.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// The decoder takes pictures whose references are missing.
    conceal: bool,
    frames: Vec<Entered>,
    /// By kind and payload.
    index: HashMap<(Kind, Bytes), usize>,
    config: HashMap<Kind, Bytes>,
    known: HashMap<Kind, Bytes>,
    /// Of each kind, the last that was handed out.
    last: HashMap<Kind, usize>,
    /// The last picture that others refer to.
    reference: Option<usize>,
    decoded: BTreeSet<usize>,
}

#[derive(Debug)]
struct Entered {
    at: Instant,
    kind: Kind,
    config: Option<Bytes>,
    /// The picture that this one refers to.
    refers_to: Option<usize>,
}

impl Truth {
    pub(super) fn new(conceal: bool) -> Self {
        Truth { conceal, ..Truth::default() }
    }

    /// How many of a kind entered.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.frames.iter().filter(|f| f.kind == kind).count()
    }

    pub(super) fn enter(&mut self, frame: &Frame, at: Instant) {
        let slot = (frame.kind, frame.payload.clone());
        if frame.config {
            self.config.insert(frame.kind, frame.payload.clone());
            return;
        }
        let n = self.frames.len();
        let is_picture = frame.kind == Kind::Video;
        let disposable = is_picture && !frame.key && body::is_disposable(&frame.payload);
        self.frames.push(Entered {
            at,
            kind: frame.kind,
            config: self.config.get(&frame.kind).cloned(),
            refers_to: self.reference.filter(|_| is_picture && !frame.key),
        });
        if is_picture && !disposable {
            self.reference = Some(n);
        }
        assert!(self.index.insert(slot, n).is_none(), "two frames look alike");
    }

    /// When a frame that is handed out entered; `None` for configuration.
    pub(super) fn hand_out(&mut self, arrived: &Arrived) -> Option<Instant> {
        let (kind, payload) = (arrived.frame.kind, arrived.frame.payload.clone());
        if arrived.frame.config {
            self.known.insert(kind, payload);
            return None;
        }
        let n = self.index[&(kind, payload)];
        let entered = &self.frames[n];
        let last = self.last.insert(kind, n);
        assert!(last.is_none_or(|last| last < n), "{kind:?} {} out of order", arrived.seq);
        assert_eq!(entered.config, self.known.get(&kind).cloned(), "{kind:?} {}", arrived.seq);
        if kind == Kind::Video {
            let has_all = entered.refers_to.is_none_or(|r| self.decoded.contains(&r));
            assert!(has_all || self.conceal, "picture {} cannot be decoded", arrived.seq);
            self.decoded.insert(n);
        }
        Some(entered.at)
    }
}
