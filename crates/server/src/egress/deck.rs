//! HOT PATH. The viewers of one stream who share a flush interval.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thalweg_hub::{Bell, Seq, Stream};

use super::lane::Lane;
use super::viewer::{End, Served, Tools, Viewer};
use crate::clock::now;

/// A deck.
#[derive(Debug)]
pub(super) struct Deck {
    stream: Arc<Stream>,
    flush: Duration,
    bell: Arc<Bell>,
    /// Whether a flush is set. The pump's.
    pub(super) is_due: bool,
    /// Everything before this frame has been sent to the level viewers.
    level: Seq,
    lanes: Vec<Lane>,
    stragglers: Vec<Viewer>,
    /// Since when the stream is over.
    over_since: Option<Instant>,
}

/// Which deck a viewer is on; one that leaves is struck out.
pub(super) type Places = HashMap<u64, u64>;

/// What a turn came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Someone has more to read than its socket took.
    pub(super) behind: bool,
    /// Someone whose socket was full has read.
    pub(super) moved: bool,
}

impl Deck {
    pub(super) fn new(stream: &Arc<Stream>, flush: Duration, bell: Bell) -> Self {
        let (stream, bell) = (Arc::clone(stream), Arc::new(bell));
        stream.hang(Arc::clone(&bell));
        bell.wind();
        Deck {
            level: stream.head(),
            stream,
            flush,
            bell,
            is_due: false,
            lanes: Vec::new(),
            stragglers: Vec::new(),
            over_since: None,
        }
    }

    pub(super) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    pub(super) fn flush_interval(&self) -> Duration {
        self.flush
    }

    pub(super) fn wind(&self) {
        self.bell.wind();
    }

    /// When the first frame that is not yet sent came, if there is one.
    pub(super) fn news(&self) -> Option<Instant> {
        let is_new = self.stream.head() > self.level;
        is_new.then(|| self.stream.came_at(self.level).unwrap_or_else(now))
    }

    pub(super) fn take_down(self) {
        self.stream.take_down(&self.bell);
    }

    pub(super) fn push_straggler(&mut self, viewer: Viewer) {
        self.stragglers.push(viewer);
    }

    pub(super) fn take_viewer(&mut self, id: u64) -> Option<Viewer> {
        if let Some(i) = self.stragglers.iter().position(|v| v.id == id) {
            return Some(self.stragglers.swap_remove(i));
        }
        let level = self.level;
        self.lanes.iter_mut().find_map(|lane| lane.take_viewer(id, level))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stragglers.is_empty() && self.lanes.iter().all(Lane::is_empty)
    }

    /// Sends what is new to everyone.
    pub(super) async fn flush(&mut self, tools: &mut Tools, places: &mut Places) -> Outcome {
        let from = self.level;
        let head = tools.flush.gather(&self.stream, from);
        let gone = tools.flush.len() != head - from;
        self.level = head;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_empty()) {
            if gone {
                // The pump was so late that the log has let go of what is due: everyone is late.
                lane.disband(from, &mut self.stragglers);
            } else {
                lane.walk(&self.stream, &mut self.stragglers, tools, places).await;
            }
        }
        tools.flush.clear();
        self.serve(tools, places, |_| true).await
    }

    /// Serves the stragglers that `which` picks; those that are level fall in with the others.
    pub(super) async fn serve(
        &mut self,
        tools: &mut Tools,
        places: &mut Places,
        which: impl Fn(&Viewer) -> bool,
    ) -> Outcome {
        let (mut i, mut outcome) = (0, Outcome::default());
        while i < self.stragglers.len() {
            let viewer = &mut self.stragglers[i];
            if !which(viewer) {
                i += 1;
                continue;
            }
            let (was_behind, before) = (viewer.is_behind(), viewer.bytes);
            let served = viewer.serve(self.level, now(), tools);
            let sent = viewer.bytes - before;
            outcome.moved |= was_behind && sent > 0;
            self.stream.count_sent(viewer.subscription.protocol(), sent);
            match served {
                Served::Gone(why) => {
                    let viewer = self.stragglers.swap_remove(i);
                    places.remove(&viewer.id);
                    viewer.leave(why);
                }
                Served::Level if viewer.is_level(self.level) => {
                    let viewer = self.stragglers.swap_remove(i);
                    self.fall_in(viewer);
                }
                Served::Behind => {
                    outcome.behind = true;
                    i += 1;
                }
                Served::Level => i += 1,
            }
            tools.breath.count().await;
        }
        outcome
    }

    fn fall_in(&mut self, viewer: Viewer) {
        match self.lanes.iter_mut().find(|lane| lane.suits(&viewer)) {
            Some(lane) => lane.push(viewer, self.level),
            None => self.lanes.push(Lane::of(viewer, self.level)),
        }
    }

    /// Lets go of who has gone, was sent away or is too slow.
    pub(super) fn keep_house(&mut self, now: Instant, rate: u64, places: &mut Places) -> Outcome {
        let mut leave = |viewer: Viewer, why| {
            places.remove(&viewer.id);
            viewer.leave(why);
        };
        for lane in &mut self.lanes {
            lane.flush_sockets();
            lane.take_leaving().into_iter().for_each(|(v, why)| leave(v, why));
        }
        for viewer in &self.stragglers {
            // One that fails shows at the next write.
            let _ = viewer.socket.flush();
        }
        let mut i = 0;
        while let Some(viewer) = self.stragglers.get(i) {
            match viewer.must_leave(None) {
                Some(why) => leave(self.stragglers.swap_remove(i), why),
                None => i += 1,
            }
        }
        let slow = self.stragglers.extract_if(.., |v| v.is_too_slow(now, rate));
        slow.for_each(|v| leave(v, End::TooSlow));
        self.lanes.retain(|lane| !lane.is_empty());
        Outcome::default()
    }

    /// When the stream is over and all of it is sent, level viewers go at once; the others get a
    /// moment to read the rest.
    pub(super) fn close_if_over(&mut self, now: Instant, places: &mut Places) {
        if !self.stream.is_ended() || self.level != self.stream.head() {
            return;
        }
        let since = *self.over_since.get_or_insert(now);
        let all = now.saturating_duration_since(since) >= CLOSING;
        let (level, unflushed): (Vec<_>, Vec<_>) =
            self.lanes.drain(..).flat_map(Lane::into_viewers).partition(|v| all || v.is_flushed());
        for mut viewer in unflushed {
            viewer.fall_back(self.level, None, now);
            self.stragglers.push(viewer);
        }
        let rest = self.stragglers.extract_if(.., |v| all || !v.is_behind());
        for viewer in level.into_iter().chain(rest) {
            places.remove(&viewer.id);
            viewer.leave(End::StreamEnded);
        }
    }
}

/// How long viewers of a stream that is over may still read what is left of it.
const CLOSING: Duration = Duration::from_secs(2);
