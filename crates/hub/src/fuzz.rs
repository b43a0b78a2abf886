//! Body of the hub's fuzz target: a list of operations, and what must hold after each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use thalweg_wire::media::{Frame, Kind};

use crate::{
    Batch, Credential, Depth, Filter, Hub, InProcess, Lag, Limits, Protocol, Publication,
    Publisher, Retain, Seq, StreamKey, Subscription,
};

/// Each operation is a byte that says what, and one that says how.
pub fn operations(data: &[u8]) {
    let mut world = World::new();
    for op in data.chunks_exact(2) {
        world.apply(op[0], op[1]);
        world.check();
    }
}

struct World {
    hub: Hub,
    now: Instant,
    dts: i64,
    publications: Vec<Publication>,
    viewers: Vec<Viewer>,
}

/// A viewer, and the number of the last frame it read.
struct Viewer {
    subscription: Subscription,
    started: bool,
    last: Option<Seq>,
}

const RETAIN: Retain =
    Retain { bytes_max: 64 << 10, frames_max: 200, span_max_ms: 20_000, want_ms: 3000 };
const PEOPLE_MAX: usize = 8;

impl World {
    fn new() -> Self {
        let limits = Limits { retain: RETAIN, streams_max: 4, ..Limits::default() };
        let hub = Hub::new(limits, InProcess::default());
        let (publications, viewers) = (Vec::new(), Vec::new());
        World { hub, now: Instant::now(), dts: 0, publications, viewers }
    }

    fn apply(&mut self, what: u8, how: u8) {
        let pick = |len: usize| usize::from(how) % len.max(1);
        match what % 12 {
            0 => self.publish(how),
            1 if !self.publications.is_empty() => {
                let i = pick(self.publications.len());
                self.publications.remove(i);
            }
            2..=5 => self.append(what % 12, how),
            6 if self.viewers.len() < PEOPLE_MAX => {
                let lag = Lag { max_ms: 1000, max_bytes: 32 << 10 };
                let key = key(how);
                if let Ok(s) = self.hub.subscribe(&key, Protocol::ALL[pick(2)], lag, self.now) {
                    self.viewers.push(Viewer { subscription: s, started: false, last: None });
                }
            }
            7 if !self.viewers.is_empty() => {
                let i = pick(self.viewers.len());
                self.viewers.remove(i);
            }
            8 | 9 if !self.viewers.is_empty() => {
                let i = pick(self.viewers.len());
                self.viewers[i].read(how);
            }
            10 if !self.viewers.is_empty() => {
                let i = pick(self.viewers.len());
                let filter = Filter { audio: how & 0x40 == 0, video: how & 0x80 == 0 };
                self.viewers[i].subscription.set_filter(filter);
            }
            11 => {
                self.now += Duration::from_millis(u64::from(how) * 200);
                self.hub.sweep(self.now);
            }
            _ => {}
        }
    }

    fn publish(&mut self, how: u8) {
        if self.publications.len() == PEOPLE_MAX {
            return;
        }
        let publisher = Publisher {
            peer: SocketAddr::from(([192, 0, 2, 1], u16::from(how))),
            credential: (how & 0x40 == 0)
                .then(|| Credential { of: (how >> 7).to_string(), takes_over: how & 0x20 == 0 }),
            agent: String::new(),
        };
        if let Ok(publication) = self.hub.publish(&key(how), publisher, self.now) {
            self.publications.push(publication);
        }
    }

    fn append(&mut self, kind: u8, how: u8) {
        let Some(publication) = self.publications.last_mut() else {
            return;
        };
        // Steps of -40 to 215 ms, now and then a leap.
        self.dts += if how == 0xff { 50_000 } else { i64::from(how) - 40 };
        let (kind, head): (Kind, &[u8]) = match (kind, how & 3) {
            (2, 0) => (Kind::Video, &[0x17, 0, 0, 0, 0]),
            (2 | 3, 1) => (Kind::Video, &[0x17, 1, 0, 0, 0]),
            (2 | 3, _) => (Kind::Video, &[0x27, 1, 0, 0, 0]),
            (4, 0) => (Kind::Audio, &[0xaf, 0]),
            (4, _) => (Kind::Audio, &[0xaf, 1]),
            _ => (Kind::Data, b"\x02\0\x0aonMetaData\x05"),
        };
        let mut body = head.to_vec();
        body.resize(head.len() + usize::from(how) * 16, how);
        let _ = publication.append(Frame::new(kind, self.dts, body.into()), self.now);
        self.now += Duration::from_millis(20);
    }

    fn check(&self) {
        for stream in self.hub.snapshot(self.now).streams {
            assert!(stream.kept_bytes <= RETAIN.bytes_max || stream.kept_frames == 1);
            assert!(stream.kept_frames <= RETAIN.frames_max);
            assert!(stream.kept_ms <= RETAIN.span_max_ms || stream.kept_frames == 1);
            let viewers: u64 = stream.viewers.iter().map(|(_, n)| n).sum();
            assert!(viewers as usize <= self.viewers.len());
        }
    }
}

impl Viewer {
    fn read(&mut self, how: u8) {
        let depth = if how & 1 == 0 { Depth::Newest } else { Depth::AtLeast(1000) };
        if !self.started {
            self.started = self.subscription.start(depth).is_some();
            return;
        }
        let mut batch = Batch::default();
        let skipped =
            self.subscription.next_batch(&mut batch, Seq::MAX, usize::from(how % 32) + 1, 4096);
        assert!(skipped.is_none_or(|s| s.frames > 0));
        let filter = self.subscription.filter();
        for (seq, frame) in &batch.frames {
            assert!(self.last.is_none_or(|last| *seq > last), "numbers rise");
            assert!(filter.wants(frame));
            self.last = Some(*seq);
        }
        assert!(batch.end >= self.subscription.next());
        self.subscription.advance(batch.end);
    }
}

fn key(how: u8) -> StreamKey {
    StreamKey::new("1", "live", ["a", "b"][usize::from(how & 1)])
}

/// A story worth keeping as a seed: published, watched, taken over, watched on.
pub fn seed() -> Vec<u8> {
    let mut ops: Vec<u8> = vec![0, 0, 2, 0, 4, 0, 6, 0];
    for i in 0..60u8 {
        ops.extend([2, 40 + (i % 8), 4, 41, 8, i, 11, 0]);
    }
    ops.extend([0, 2, 2, 0, 3, 41, 8, 1, 8, 1, 1, 0, 11, 200]);
    ops
}
