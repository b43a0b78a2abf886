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
}

/// What is new in a stream, and those frames written out for the lane whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Flush {
    frames: Vec<Frame>,
    /// Number of the first.
    from: Seq,
    buffer: Vec<u8>,
    /// Where in the buffer each frame ends.
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

    /// Takes out the viewers that are to leave.
    pub(super) fn take_leaving(&mut self) -> Vec<(Viewer, End)> {
        let (mut i, mut leaving) = (0, Vec::new());
        while let Some(viewer) = self.viewers.get(i) {
            match viewer.must_leave(Some(self.sent)) {
                Some(why) => leaving.push((self.remove(i), why)),
                None => i += 1,
            }
        }
        leaving
    }

    /// Sends on what sockets keep of flushes they took: when a stream pauses, nothing else would.
    pub(super) fn flush_sockets(&self) {
        for viewer in &self.viewers {
            // One that fails shows at the next write.
            let _ = viewer.socket.flush();
        }
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

    /// Writes the flush out once, for everyone, and sends it with one write a viewer. Whoever does
    /// not take it all becomes a straggler.
    pub(super) async fn walk(
        &mut self,
        stream: &Stream,
        stragglers: &mut Vec<Viewer>,
        tools: &mut Tools,
        places: &mut Places,
    ) {
        let (flush, breath) = (&mut tools.flush, &mut tools.breath);
        flush.write_out(self.form, self.filter);
        if flush.buffer.is_empty() {
            return;
        }
        let (mut i, mut sent) = (0, 0);
        while i < self.viewers.len() {
            let wrote = match self.viewers[i].socket.try_write(&flush.buffer) {
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
            if wrote == flush.buffer.len() {
                i += 1;
            } else {
                let mut viewer = self.remove(i);
                viewer.bytes += wrote as u64;
                let (next, cut) = flush.place(wrote);
                viewer.fall_back(next, cut, now());
                stragglers.push(viewer);
            }
            breath.count().await;
        }
        self.sent += flush.buffer.len() as u64;
        stream.count_sent(self.protocol, sent);
    }

    fn remove(&mut self, i: usize) -> Viewer {
        self.viewers.swap_remove(i).left_lane(self.sent)
    }
}

impl Flush {
    /// Takes what a stream has from a number on, and answers the number after it.
    pub(super) fn gather(&mut self, stream: &Stream, from: Seq) -> Seq {
        self.frames.clear();
        self.from = from;
        stream.copy_from(from, &mut self.frames)
    }

    /// Frames in it.
    pub(super) fn len(&self) -> u64 {
        self.frames.len() as u64
    }

    fn write_out(&mut self, form: Form, filter: Filter) {
        self.buffer.clear();
        self.ends.clear();
        for frame in &self.frames {
            if filter.wants(frame) {
                form.write(frame, &mut self.buffer);
            }
            self.ends.push(self.buffer.len());
        }
    }

    /// Where a viewer stands that took `wrote` bytes of the buffer: the next frame, and the one
    /// before it, if that is cut, with how much of it is sent.
    fn place(&self, wrote: usize) -> (Seq, Option<(Frame, usize)>) {
        let whole = self.ends.partition_point(|&end| end <= wrote);
        let begin = whole.checked_sub(1).map_or(0, |i| self.ends[i]);
        let seq = self.from + whole as u64;
        match self.frames.get(whole).filter(|_| wrote > begin) {
            Some(cut) => (seq + 1, Some((cut.clone(), wrote - begin))),
            None => (seq, None),
        }
    }

    /// Lets go of the frames, and of more memory than an ordinary flush takes.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
    }
}

/// A flush buffer larger than this is let go of at once: 400 ms at 20 Mbit/s. There is one a pump.
const BUFFER_BYTES_KEPT: usize = 1 << 20;
