//! HOT PATH. Level viewers who read the same bytes: one buffer, and a write for each.

use std::io;

use thalweg_hub::{Filter, Protocol, Seq, Stream};
use thalweg_wire::media::Frame;

use super::deck::Places;
use super::form::Form;
use super::viewer::{End, Tools, Viewer};
use crate::clock::now;

/// A lane. Nothing of its viewers is touched but their sockets: where they stand is the deck's
/// level, what they were sent is the lane's sum.
#[derive(Debug)]
pub(super) struct Lane {
    form: Form,
    filter: Filter,
    protocol: Protocol,
    viewers: Vec<Viewer>,
    /// Bytes sent to a viewer that has been here from the start.
    sent: u64,
    /// The flush, and where in it each frame ends.
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

impl Lane {
    /// A lane for a first viewer.
    pub(super) fn of(viewer: Viewer, level: Seq) -> Self {
        let mut lane = Lane {
            form: viewer.form,
            filter: viewer.subscription.filter(),
            protocol: viewer.subscription.protocol(),
            viewers: Vec::new(),
            sent: 0,
            buffer: Vec::new(),
            ends: Vec::new(),
        };
        lane.push(viewer, level);
        lane
    }

    /// Whether a viewer reads what this lane writes.
    pub(super) fn suits(&self, viewer: &Viewer) -> bool {
        let s = &viewer.subscription;
        (viewer.form, s.filter(), s.protocol()) == (self.form, self.filter, self.protocol)
    }

    pub(super) fn push(&mut self, mut viewer: Viewer, level: Seq) {
        viewer.subscription.level(level);
        viewer.joined_at = self.sent;
        self.viewers.push(viewer);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    pub(super) fn take_viewer(&mut self, id: u64, level: Seq) -> Option<Viewer> {
        let i = self.viewers.iter().position(|v| v.id == id)?;
        let mut viewer = self.remove(i);
        viewer.subscription.level(level);
        Some(viewer)
    }

    /// Takes out the viewers whose peer is gone.
    pub(super) fn take_gone(&mut self) -> Vec<Viewer> {
        let sent = self.sent;
        let gone = self.viewers.extract_if(.., |v| v.peer_is_gone());
        gone.map(|v| v.left_lane(sent)).collect()
    }

    pub(super) fn into_viewers(self) -> impl Iterator<Item = Viewer> {
        let sent = self.sent;
        self.viewers.into_iter().map(move |v| v.left_lane(sent))
    }

    /// Everyone is late: `level` has left the log.
    pub(super) fn disband(&mut self, level: Seq, stragglers: &mut Vec<Viewer>) {
        let sent = self.sent;
        for viewer in self.viewers.drain(..) {
            let mut viewer = viewer.left_lane(sent);
            viewer.fall_back(level, None, now());
            stragglers.push(viewer);
        }
    }

    /// Writes the flush out once, for everyone.
    pub(super) fn fill(&mut self, frames: &[Frame]) {
        self.buffer.clear();
        self.ends.clear();
        if self.viewers.is_empty() {
            return;
        }
        for frame in frames {
            if self.filter.wants(frame) {
                self.form.write(frame, &mut self.buffer);
            }
            self.ends.push(self.buffer.len());
        }
        if self.buffer.capacity() > BUFFER_BYTES_KEPT && self.buffer.len() < BUFFER_BYTES_KEPT / 4 {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT / 4);
        }
    }

    /// One write a viewer. Whoever does not take it all becomes a straggler.
    pub(super) async fn walk(
        &mut self,
        from: Seq,
        frames: &[Frame],
        stream: &Stream,
        stragglers: &mut Vec<Viewer>,
        tools: &mut Tools,
        places: &mut Places,
    ) {
        if self.buffer.is_empty() {
            return;
        }
        let (mut i, mut sent) = (0, 0);
        while i < self.viewers.len() {
            let wrote = match self.viewers[i].socket.try_write(&self.buffer) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => {
                    let viewer = self.remove(i);
                    places.remove(&viewer.id);
                    viewer.leave(End::PeerGone);
                    continue;
                }
            };
            sent += wrote as u64;
            if wrote == self.buffer.len() {
                i += 1;
            } else {
                let viewer = self.remove(i);
                stragglers.push(self.fallen(viewer, wrote, from, frames));
            }
            tools.breathe().await;
        }
        self.sent += self.buffer.len() as u64;
        stream.count_sent(self.protocol, sent);
    }

    fn remove(&mut self, i: usize) -> Viewer {
        self.viewers.swap_remove(i).left_lane(self.sent)
    }

    /// A viewer that took only `wrote` bytes of the buffer.
    fn fallen(&self, mut viewer: Viewer, wrote: usize, from: Seq, frames: &[Frame]) -> Viewer {
        viewer.bytes += wrote as u64;
        let whole = self.ends.partition_point(|&end| end <= wrote);
        let begin = whole.checked_sub(1).map_or(0, |i| self.ends[i]);
        let seq = from + whole as u64;
        let cut = frames.get(whole).filter(|_| wrote > begin);
        let next = if cut.is_some() { seq + 1 } else { seq };
        viewer.fall_back(next, cut.map(|f| (f.clone(), wrote - begin)), now());
        viewer
    }
}

/// A flush buffer larger than this is let go of when it is no longer needed: 100 ms at 20 Mbit/s.
const BUFFER_BYTES_KEPT: usize = 256 << 10;
