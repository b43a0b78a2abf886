//! Frames as bytes, in each form that viewers read.
//!
//! Every viewer of one form gets the very same bytes, so a form holds whatever makes them differ.

use std::io::IoSlice;
use std::ops::Range;

use bytes::Bytes;
use thalweg_hub::{Filter, Opening};
use thalweg_wire::flv::{self, TagHeader};
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::chunk::CHUNK_BYTES_OUT;
use thalweg_wire::rtmp::frame_header;
use thalweg_wire::time::Dts;
use thalweg_wire::websocket;

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// RTMP chunks on this message stream.
    Rtmp {
        /// Message stream id.
        stream_id: u32,
    },
    /// FLV tags.
    Flv,
    /// FLV tags, each a WebSocket message.
    WsFlv,
}

impl Form {
    /// Whether many viewers may be expected to read this form, so that a buffer for all of them
    /// is worth while. Nearly every player plays on message stream 1; whoever chooses another is
    /// served alone, and cannot make us write a form of its own for it at each flush.
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Form::Flv | Form::WsFlv | Form::Rtmp { stream_id: 1 })
    }

    /// Appends a frame.
    pub(super) fn write(self, frame: &Frame, out: &mut Vec<u8>) {
        match self {
            Form::Rtmp { stream_id } => {
                frame_header(frame, stream_id).write(CHUNK_BYTES_OUT, &frame.payload, out);
            }
            Form::Flv => flv::write_tag(out, frame),
            Form::WsFlv => {
                websocket::write_binary_header(out, flv::tag_bytes(frame));
                flv::write_tag(out, frame);
            }
        }
    }

    /// Appends what a newcomer reads before its first frame.
    pub(super) fn write_opening(self, opening: &Opening, filter: Filter, out: &mut Vec<u8>) {
        let (audio, video) = (opening.audio && filter.audio, opening.video && filter.video);
        let file_header = flv::file_header(audio, video);
        match self {
            Form::Rtmp { .. } => {}
            Form::Flv => out.extend_from_slice(&file_header),
            Form::WsFlv => {
                websocket::write_binary_header(out, file_header.len());
                out.extend_from_slice(&file_header);
            }
        }
        self.write_configs(opening.configs.frames(), opening.dts, filter, out);
    }

    /// Appends configuration. Headers are stamped with the time of the frame that follows, so that
    /// time does not leap at the start; metadata with 0, because ffmpeg takes metadata of any
    /// other time for subtitles.
    pub(super) fn write_configs(
        self,
        configs: &[Frame],
        dts: Dts,
        filter: Filter,
        out: &mut Vec<u8>,
    ) {
        for config in configs.iter().filter(|c| filter.wants(c)) {
            let dts = if config.kind == Kind::Data { 0 } else { dts };
            self.write(&Frame { dts, ..config.clone() }, out);
        }
    }
}

/// What is to be sent to one viewer, cut into pieces for a vectored write: headers lie in a scratch
/// buffer, payloads stay where they are.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    heads: Vec<u8>,
    pieces: Vec<Piece>,
    len: usize,
}

#[derive(Debug)]
enum Piece {
    /// A range of `heads`.
    Head(Range<usize>),
    /// (Part of) a payload.
    Payload(Bytes),
}

impl Pieces {
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.pieces.clear();
        self.len = 0;
    }

    /// Adds bytes that are no frame.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        let from = self.heads.len();
        self.heads.extend_from_slice(bytes);
        self.pieces.push(Piece::Head(from..self.heads.len()));
        self.len += bytes.len();
    }

    /// Adds a frame.
    pub(super) fn push_frame(&mut self, form: Form, frame: &Frame) {
        match form {
            Form::Rtmp { stream_id } => {
                let header = frame_header(frame, stream_id);
                self.push_bytes(header.encode().as_ref());
                let len = frame.payload.len();
                for from in (0..len).step_by(CHUNK_BYTES_OUT) {
                    if from > 0 {
                        self.push_bytes(header.encode_continuation().as_ref());
                    }
                    let to = len.min(from + CHUNK_BYTES_OUT);
                    self.push_payload(frame.payload.slice(from..to));
                }
            }
            Form::Flv | Form::WsFlv => {
                if form == Form::WsFlv {
                    let (header, len) = websocket::binary_header(flv::tag_bytes(frame));
                    self.push_bytes(&header[..len]);
                }
                let header = TagHeader::of(frame);
                self.push_bytes(&header.encode());
                self.push_payload(frame.payload.clone());
                self.push_bytes(&header.trailer());
            }
        }
    }

    fn push_payload(&mut self, payload: Bytes) {
        self.len += payload.len();
        self.pieces.push(Piece::Payload(payload));
    }

    /// All bytes together.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many pieces there are.
    pub(super) fn count(&self) -> usize {
        self.pieces.len()
    }

    /// The pieces, without the first `skip` bytes.
    pub(super) fn slices(&self, mut skip: usize) -> Vec<IoSlice<'_>> {
        let mut out = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let bytes = match piece {
                Piece::Head(range) => &self.heads[range.clone()],
                Piece::Payload(payload) => payload,
            };
            if let Some(rest) = bytes.get(skip..).filter(|rest| !rest.is_empty()) {
                out.push(IoSlice::new(rest));
            }
            skip = skip.saturating_sub(bytes.len());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_testkit::media::Recipe;

    const FORMS: [Form; 4] =
        [Form::Rtmp { stream_id: 1 }, Form::Rtmp { stream_id: 7 }, Form::Flv, Form::WsFlv];

    fn joined(slices: &[IoSlice<'_>]) -> Vec<u8> {
        slices.iter().flat_map(|s| s.iter().copied()).collect()
    }

    #[test]
    fn pieces_and_whole_frames_are_the_same_bytes_from_any_byte_on() {
        let recipe = Recipe { video_bytes: 130_000, start: 0xff_fff0, ..Recipe::default() };
        let frames: Vec<Frame> = recipe.frames().take(8).collect();
        for form in FORMS {
            let (mut whole, mut pieces) = (b"lead".to_vec(), Pieces::default());
            pieces.push_bytes(b"lead");
            for frame in &frames {
                form.write(frame, &mut whole);
                pieces.push_frame(form, frame);
                assert_eq!(pieces.len(), whole.len());
            }
            for skip in (0..whole.len()).step_by(997).chain([1, 3, 4, 5, 16, whole.len()]) {
                assert!(joined(&pieces.slices(skip)) == whole[skip..], "{form:?} from byte {skip}");
            }
        }
    }
}
