//! What both sides of a connection do alike: read messages, obey protocol control, acknowledge,
//! answer pings, and write messages.

use bytes::Bytes;

use super::chunk::{self, CHUNK_BYTES_AT_FIRST, CHUNK_BYTES_OUT, Header};
use super::command::Command;
use super::message::{Control, UserControl, control_header, types};
use crate::error::Error;
use crate::media::Frame;
use crate::time::to_wire;

/// A connection after its handshake.
#[derive(Debug)]
pub(super) struct Link {
    reader: chunk::Reader,
    chunk_bytes_out: usize,
    out: Vec<u8>,
    /// Bytes received since the start, since the last acknowledgement, and how many the peer wants
    /// to be acknowledged.
    received: u64,
    acknowledged: u64,
    window: u64,
}

/// A message that is not about the connection itself.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) message_type: u8,
    pub(super) stream_id: u32,
    pub(super) timestamp: u32,
    pub(super) body: Bytes,
}

impl Link {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Link {
            reader: chunk::Reader::new(message_bytes_max),
            chunk_bytes_out: CHUNK_BYTES_AT_FIRST,
            out: Vec::new(),
            received: 0,
            acknowledged: 0,
            window: u64::from(WINDOW_BYTES),
        }
    }

    pub(super) fn set_message_bytes_max(&mut self, bytes: usize) {
        self.reader.set_bytes_max(bytes);
    }

    pub(super) fn reserved_bytes(&self) -> usize {
        self.reader.reserved_bytes()
    }

    /// The next message of `input` that is left to the session.
    pub(super) fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Error> {
        loop {
            let before = input.len();
            let message = self.reader.read(input)?;
            self.received += (before - input.len()) as u64;
            self.acknowledge();
            let Some(message) = message else {
                return Ok(None);
            };
            match Control::decode(message.message_type, &message.payload)? {
                Some(control) => self.obey(control),
                None => return Ok(Some(Incoming::new(message))),
            }
        }
    }

    /// The chunk size that the peer has announced.
    pub(super) fn peer_chunk_bytes(&self) -> usize {
        self.reader.chunk_bytes()
    }

    fn obey(&mut self, control: Control) {
        match control {
            Control::WindowAckSize(bytes) => self.window = u64::from(bytes.max(WINDOW_BYTES_MIN)),
            Control::SetPeerBandwidth(bytes, _) => self.control(Control::WindowAckSize(bytes)),
            Control::User(UserControl::PingRequest(time)) => {
                self.control(Control::User(UserControl::PingResponse(time)));
            }
            // Chunk sizes are the chunk reader's. TCP itself tells us how much the peer has read,
            // and how long a player buffers is its own affair.
            Control::SetChunkSize(_) | Control::Acknowledgement(_) | Control::User(_) => {}
        }
    }

    fn acknowledge(&mut self) {
        if self.received - self.acknowledged >= self.window {
            self.acknowledged = self.received;
            self.control(Control::Acknowledgement(self.received as u32));
        }
    }

    /// Writes raw bytes: the handshake.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(super) fn control(&mut self, control: Control) {
        let body = control.encode();
        control_header(&control, &body).write(self.chunk_bytes_out, &body, &mut self.out);
    }

    /// From now on our chunks are long enough for most frames.
    pub(super) fn use_long_chunks(&mut self) {
        self.control(Control::SetChunkSize(CHUNK_BYTES_OUT as u32));
        self.chunk_bytes_out = CHUNK_BYTES_OUT;
    }

    pub(super) fn command(&mut self, stream_id: u32, command: &Command) {
        let chunk_stream_id = if stream_id == 0 { CONNECTION_CHUNKS } else { STATUS_CHUNKS };
        self.message(chunk_stream_id, 0, types::COMMAND_AMF0, stream_id, &command.encode());
    }

    pub(super) fn data(&mut self, stream_id: u32, body: &[u8]) {
        self.message(STATUS_CHUNKS, 0, types::DATA_AMF0, stream_id, body);
    }

    pub(super) fn frame(&mut self, stream_id: u32, frame: &Frame) {
        let header = frame_header(frame, stream_id);
        header.write(self.chunk_bytes_out, &frame.payload, &mut self.out);
    }

    fn message(&mut self, csid: u8, timestamp: u32, message_type: u8, stream_id: u32, body: &[u8]) {
        let header = Header {
            chunk_stream_id: csid,
            timestamp,
            message_bytes: body.len() as u32,
            message_type,
            stream_id,
        };
        header.write(self.chunk_bytes_out, body, &mut self.out);
    }

    /// What waits to be sent.
    pub(super) fn take_output(&mut self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }
}

impl Incoming {
    fn new(message: chunk::Message) -> Incoming {
        let mut body = message.payload;
        body.shrink_to_fit();
        Incoming {
            message_type: message.message_type,
            stream_id: message.stream_id,
            timestamp: message.timestamp,
            body: body.into(),
        }
    }
}

/// The header of a frame as it is sent to anyone: one chunk stream a kind.
pub fn frame_header(frame: &Frame, stream_id: u32) -> Header {
    Header {
        chunk_stream_id: match frame.kind {
            crate::media::Kind::Audio => AUDIO_CHUNKS,
            crate::media::Kind::Video => VIDEO_CHUNKS,
            crate::media::Kind::Data => STATUS_CHUNKS,
        },
        timestamp: to_wire(frame.dts),
        message_bytes: frame.payload.len() as u32,
        message_type: frame.kind as u8,
        stream_id,
    }
}

/// How much either side may have sent unacknowledged: what Flash Media Server and most servers
/// since have said.
pub(super) const WINDOW_BYTES: u32 = 2_500_000;
/// A peer that wants every byte acknowledged gets an answer each 4 KiB.
const WINDOW_BYTES_MIN: u32 = 4096;

const CONNECTION_CHUNKS: u8 = 3;
const AUDIO_CHUNKS: u8 = 4;
const STATUS_CHUNKS: u8 = 5;
const VIDEO_CHUNKS: u8 = 6;
