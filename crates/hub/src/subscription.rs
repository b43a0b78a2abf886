//! HOT PATH. A viewer's cursor, and what happens when it is late.
//!
//! Budget: for a viewer level with the head nothing here runs; whoever walks the viewers compares
//! [`Subscription::next`] and sets it. A viewer that is not level locks the log once a batch.
//!
//! A cursor that is further behind than its bound jumps to the newest key frame, whole groups at a
//! time. When there is no newer key frame, only pictures stop: sound goes on until the next one,
//! then both go on from there. Every jump is counted.

use std::sync::Arc;

use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;

use crate::gop::{self, ConfigSet, Depth};
use crate::limits::Lag;
use crate::log::{Log, Seq};
use crate::stats::Protocol;
use crate::stream::{Life, Stream};

/// One viewer's place in a stream. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    stream: Arc<Stream>,
    protocol: Protocol,
    next: Seq,
    filter: Filter,
    lag: Lag,
    /// What the viewer was behind when it started or jumped: not its own slowness.
    granted: (u64, u64),
    /// Pictures are left out until the next key frame, for this reason.
    await_key: Option<Awaiting>,
}

/// Why a viewer waits for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// It started, or asked for pictures, where there was none.
    Start,
    /// It was late: what it loses is counted.
    Late,
}

/// Which kinds of media a viewer wants. Data is always sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Sound.
    pub audio: bool,
    /// Pictures.
    pub video: bool,
}

/// What a newcomer gets before its first frame.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Metadata and sequence headers.
    pub configs: Arc<ConfigSet>,
    /// Time of the first frame.
    pub dts: Dts,
    /// Whether the stream has brought sound.
    pub audio: bool,
    /// Whether the stream has brought pictures.
    pub video: bool,
}

/// What a viewer is to send next.
#[derive(Debug, Default)]
pub struct Batch {
    /// Frames with their numbers, in order. Numbers have holes where something is left out.
    pub frames: Vec<(Seq, Frame)>,
    /// Where the cursor stands when all of them are sent.
    pub end: Seq,
}

/// What a late viewer lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Frames passed over.
    pub frames: u64,
    /// Configuration to send before going on, when it is not the one the viewer has.
    pub configs: Option<Arc<ConfigSet>>,
    /// Time of the frame it goes on with.
    pub dts: Dts,
}

impl Subscription {
    pub(crate) fn new(stream: Arc<Stream>, protocol: Protocol, lag: Lag) -> Self {
        stream.counters.viewer_came(protocol);
        Subscription {
            stream,
            protocol,
            next: 0,
            filter: Filter::ALL,
            lag,
            granted: (0, 0),
            await_key: None,
        }
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The protocol it was subscribed for.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Waits until the stream is published, at most until it ends; answers whether it is.
    pub async fn live(&self) -> bool {
        let mut life = self.stream.life();
        let answer = life.wait_for(|l| *l != Life::Waiting).await;
        answer.is_ok_and(|life| matches!(*life, Life::Live(_)))
    }

    /// Places the cursor for a newcomer, or for a viewer that comes back from a pause, and answers
    /// what to send before the first frame. `None` while there is nothing to start with.
    pub fn start(&mut self, depth: Depth) -> Option<Opening> {
        let state = self.stream.lock();
        let start = gop::start(&state.log, depth)?;
        self.next = start.seq;
        self.await_key = start.await_key.then_some(Awaiting::Start);
        self.granted = state.log.behind(start.seq);
        Some(Opening {
            configs: state.log.configs_at(start.seq),
            dts: state.log.get(start.seq)?.frame.dts,
            audio: state.meter.has_audio(),
            video: state.meter.has_video(),
        })
    }

    /// The number of the next frame to send. At the head this is the head.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// Says that everything before `next` is sent, or left out.
    pub fn advance(&mut self, next: Seq) {
        if let Some(why) = self.await_key {
            let stream = Arc::clone(&self.stream);
            let state = stream.lock();
            let key = state.log.key_from(self.next).unwrap_or(Seq::MAX);
            if why == Awaiting::Late {
                let left_out =
                    state.log.from(self.next).take_while(|&(seq, _)| seq < key.min(next));
                let pictures = left_out.filter(|(_, e)| is_picture(&e.frame)).count();
                stream.counters.skipped(pictures as u64);
            }
            if key < next {
                self.await_key = None;
            }
        }
        self.next = next;
    }

    /// Moves on to the newest key frame, if it is ahead, as a viewer wants that comes back from a
    /// pause. Answers configuration as a jump does, but is not counted as one.
    pub fn to_live(&mut self) -> Option<Skipped> {
        let stream = Arc::clone(&self.stream);
        let state = stream.lock();
        let start = gop::start(&state.log, Depth::Newest)?;
        let gone = self.next < state.log.first();
        let ahead = start.seq > self.next && (gone || !start.await_key);
        ahead.then(|| self.jump(&state.log, start.seq))
    }

    /// Says that everything up to the head is sent, by way of a buffer that many share.
    pub fn level(&mut self, head: Seq) {
        self.next = head;
        self.granted = (0, 0);
    }

    /// Whether every frame from the cursor on is to be sent: what others get, this viewer gets.
    pub fn takes_all(&self) -> bool {
        self.await_key.is_none()
    }

    /// What kinds of media the viewer wants.
    pub fn filter(&self) -> Filter {
        self.filter
    }

    /// Changes what the viewer wants from the cursor on. Pictures come back with a key frame.
    pub fn set_filter(&mut self, filter: Filter) {
        if filter.video && !self.filter.video {
            self.await_key = Some(Awaiting::Start);
        }
        self.filter = filter;
    }

    /// Fills `batch` with what comes next: frames before `until`, at most `frames_max`, of about
    /// `bytes_max` payload bytes; and says if the viewer was late and has lost something. The
    /// cursor stays until it is [`advanced`](Self::advance); only a jump moves it.
    pub fn next_batch(
        &mut self,
        batch: &mut Batch,
        until: Seq,
        frames_max: usize,
        bytes_max: usize,
    ) -> Option<Skipped> {
        batch.frames.clear();
        let stream = Arc::clone(&self.stream);
        let state = stream.lock();
        let skipped = self.catch_up(&state.log);
        let log = &state.log;
        if self.next == log.head() {
            self.granted = (0, 0);
        }
        let video_from = self.video_from(log);
        let mut bytes = 0;
        batch.end = log.head().min(until).max(self.next);
        for (seq, entry) in log.from(self.next).take_while(|&(seq, _)| seq < until) {
            if batch.frames.len() == frames_max || bytes >= bytes_max {
                batch.end = seq;
                break;
            }
            if self.filter.wants(&entry.frame) && (seq >= video_from || !is_picture(&entry.frame)) {
                bytes += entry.frame.payload.len();
                batch.frames.push((seq, entry.frame.clone()));
            }
        }
        drop(state);
        if let Some(skipped) = &skipped {
            stream.counters.jumped(skipped.frames);
        }
        skipped
    }

    /// The first number from which pictures are sent.
    fn video_from(&self, log: &Log) -> Seq {
        match self.await_key {
            Some(_) => log.key_from(self.next).unwrap_or(Seq::MAX),
            None => self.next,
        }
    }

    /// Jumps if the cursor is late.
    fn catch_up(&mut self, log: &Log) -> Option<Skipped> {
        let gone = self.next < log.first();
        let (ms, bytes) = log.behind(self.next);
        let late = ms > self.lag.max_ms.saturating_add(self.granted.0)
            || bytes > self.lag.max_bytes.saturating_add(self.granted.1);
        if !late && !gone {
            return None;
        }
        let to = match gop::start(log, Depth::Newest) {
            Some(start) if start.seq > self.next && (gone || !start.await_key) => start.seq,
            _ if gone => log.first(),
            _ => {
                // Nothing newer to jump to: spare the viewer pictures until there is.
                if log.has_video && self.await_key.is_none() {
                    self.await_key = Some(Awaiting::Late);
                    self.stream.counters.jumped(0);
                }
                return None;
            }
        };
        Some(self.jump(log, to))
    }

    fn jump(&mut self, log: &Log, to: Seq) -> Skipped {
        let had = (self.next >= log.first()).then(|| log.configs_at(self.next));
        let configs = log.configs_at(to);
        let frames = to - self.next;
        self.next = to;
        let lacks_key = log.has_video && log.key_from(to) != Some(to);
        self.await_key = lacks_key.then_some(Awaiting::Start);
        self.granted = log.behind(to);
        let changed = had.is_none_or(|had| !Arc::ptr_eq(&had, &configs) && *had != *configs);
        let dts = log.get(to).map_or(0, |e| e.frame.dts);
        Skipped { frames, configs: changed.then_some(configs), dts }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.counters.viewer_left(self.protocol);
    }
}

impl Filter {
    /// Sound and pictures.
    pub const ALL: Filter = Filter { audio: true, video: true };

    /// Whether a frame is of a kind the viewer wants.
    pub fn wants(self, frame: &Frame) -> bool {
        match frame.kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video,
            Kind::Data => true,
        }
    }
}

fn is_picture(frame: &Frame) -> bool {
    frame.kind == Kind::Video && frame.is_media()
}
