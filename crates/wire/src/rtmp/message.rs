//! Messages: protocol control, user control, and what carries commands and media
//! (RTMP 1.0 sections 5.4, 6.2, 7.1).

use bytes::Bytes;

use super::chunk::Header;
use crate::amf0;
use crate::bytes::Reader;
use crate::error::{Error, Misbehaved};
use crate::flv::{PREVIOUS_TAG_SIZE_BYTES, TAG_HEADER_BYTES, TagHeader};

/// Message type ids.
#[expect(missing_docs, reason = "named as in the specification")]
pub mod types {
    pub const SET_CHUNK_SIZE: u8 = 1;
    pub const ABORT: u8 = 2;
    pub const ACKNOWLEDGEMENT: u8 = 3;
    pub const USER_CONTROL: u8 = 4;
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    pub const AUDIO: u8 = 8;
    pub const VIDEO: u8 = 9;
    pub const DATA_AMF3: u8 = 15;
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    pub const COMMAND_AMF3: u8 = 17;
    pub const DATA_AMF0: u8 = 18;
    pub const SHARED_OBJECT_AMF0: u8 = 19;
    pub const COMMAND_AMF0: u8 = 20;
    pub const AGGREGATE: u8 = 22;
}

/// The control messages this side acts upon or sends.
///
/// ```text
/// 1 set chunk size     size:32                  4 user control       event:16, its data
/// 3 acknowledgement    bytes so far:32          5 window ack size    bytes:32
/// 6 set peer bandwidth bytes:32, limit type:8
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Largest payload of a chunk from now on, in bytes.
    SetChunkSize(u32),
    /// Bytes received so far, wrapping at 2^32.
    Acknowledgement(u32),
    /// The other side shall acknowledge each time it has received this many bytes.
    WindowAckSize(u32),
    /// Limit of what may be unacknowledged; the last field is 0 hard, 1 soft, 2 dynamic.
    SetPeerBandwidth(u32, u8),
    /// A user control event.
    User(UserControl),
}

/// User control events (section 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserControl {
    /// Media of this stream may follow.
    StreamBegin(u32),
    /// No more media of this stream.
    StreamEof(u32),
    /// A player's buffer for a stream: id, milliseconds.
    SetBufferLength(u32, u32),
    /// Are you there? With the sender's time.
    PingRequest(u32),
    /// I am; with the time of the request.
    PingResponse(u32),
    /// One of the events that ask nothing of us.
    Other(u16),
}

impl Control {
    /// The message type.
    pub fn message_type(&self) -> u8 {
        match self {
            Control::SetChunkSize(_) => types::SET_CHUNK_SIZE,
            Control::Acknowledgement(_) => types::ACKNOWLEDGEMENT,
            Control::WindowAckSize(_) => types::WINDOW_ACKNOWLEDGEMENT_SIZE,
            Control::SetPeerBandwidth(..) => types::SET_PEER_BANDWIDTH,
            Control::User(_) => types::USER_CONTROL,
        }
    }

    /// The message body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(10);
        match *self {
            Control::SetChunkSize(n) | Control::Acknowledgement(n) | Control::WindowAckSize(n) => {
                out.extend_from_slice(&n.to_be_bytes());
            }
            Control::SetPeerBandwidth(n, limit_type) => {
                out.extend_from_slice(&n.to_be_bytes());
                out.push(limit_type);
            }
            Control::User(event) => {
                let (id, a, b) = match event {
                    UserControl::StreamBegin(stream) => (0, Some(stream), None),
                    UserControl::StreamEof(stream) => (1, Some(stream), None),
                    UserControl::SetBufferLength(stream, ms) => (3, Some(stream), Some(ms)),
                    UserControl::PingRequest(time) => (6, Some(time), None),
                    UserControl::PingResponse(time) => (7, Some(time), None),
                    UserControl::Other(id) => (id, None, None),
                };
                out.extend_from_slice(&id.to_be_bytes());
                [a, b].into_iter().flatten().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
            }
        }
        out
    }

    /// Reads a control message; `None` when the type is not one of these.
    ///
    /// # Errors
    /// [`Misbehaved::ControlTooShort`].
    pub fn decode(message_type: u8, body: &[u8]) -> Result<Option<Control>, Error> {
        let mut r = Reader::new(body);
        let short = Misbehaved::ControlTooShort(message_type);
        Ok(Some(match message_type {
            types::SET_CHUNK_SIZE => Control::SetChunkSize(r.u32().ok_or(short)?),
            types::ACKNOWLEDGEMENT => Control::Acknowledgement(r.u32().ok_or(short)?),
            types::WINDOW_ACKNOWLEDGEMENT_SIZE => Control::WindowAckSize(r.u32().ok_or(short)?),
            types::SET_PEER_BANDWIDTH => {
                // The limit type is left out by some encoders.
                Control::SetPeerBandwidth(r.u32().ok_or(short)?, r.u8().unwrap_or(2))
            }
            types::USER_CONTROL => Control::User(UserControl::decode(&mut r).ok_or(short)?),
            _ => return Ok(None),
        }))
    }
}

impl UserControl {
    fn decode(r: &mut Reader<'_>) -> Option<UserControl> {
        Some(match r.u16()? {
            0 => UserControl::StreamBegin(r.u32()?),
            1 => UserControl::StreamEof(r.u32()?),
            3 => UserControl::SetBufferLength(r.u32()?, r.u32()?),
            6 => UserControl::PingRequest(r.u32()?),
            7 => UserControl::PingResponse(r.u32()?),
            other => UserControl::Other(other),
        })
    }
}

/// The AMF0 body inside an AMF3 message: type 15 and 17 begin with a byte that says the values are
/// AMF0 after all.
pub fn unwrap_amf3(body: Bytes) -> Bytes {
    if body.first() == Some(&0) { body.slice(1..) } else { body }
}

/// A publisher's data message as viewers get it: `@setDataFrame` is an instruction to the server
/// and not part of the data. `None` for messages that only instruct.
pub fn unwrap_data_frame(body: Bytes) -> Option<Bytes> {
    match amf0::first_string(&body) {
        Some(b"@setDataFrame") => {
            let inner = body.slice(3 + b"@setDataFrame".len()..);
            (!inner.is_empty()).then_some(inner)
        }
        Some(b"@clearDataFrame") => None,
        _ => (!body.is_empty()).then_some(body),
    }
}

/// Splits an aggregate message (section 7.1.6) into message type, timestamp and body of each part.
///
/// The first part's own time is the aggregate's; the others keep their distance to it. Parts are
/// copied: one that is kept must not keep the whole aggregate.
///
/// # Errors
/// [`Misbehaved::Aggregate`] when a part runs over the end, or there are over a thousand: each costs
/// more to keep than the fifteen bytes it may have taken to send.
pub fn split_aggregate(timestamp: u32, body: &Bytes) -> Result<Vec<(u8, u32, Bytes)>, Error> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut first_time = None;
    while at < body.len() {
        let header = body.get(at..).and_then(TagHeader::decode).ok_or(Misbehaved::Aggregate)?;
        let begin = at + TAG_HEADER_BYTES;
        let end = begin + header.body_bytes as usize;
        if end > body.len() || parts.len() == AGGREGATE_PARTS_MAX {
            return Err(Misbehaved::Aggregate.into());
        }
        let first = *first_time.get_or_insert(header.timestamp);
        let time = timestamp.wrapping_add(header.timestamp.wrapping_sub(first));
        parts.push((header.tag_type, time, Bytes::copy_from_slice(&body[begin..end])));
        at = end + PREVIOUS_TAG_SIZE_BYTES;
    }
    Ok(parts)
}

/// The header of a control message: chunk stream 2, message stream 0.
pub fn control_header(control: &Control, body: &[u8]) -> Header {
    Header {
        chunk_stream_id: 2,
        timestamp: 0,
        message_bytes: body.len() as u32,
        message_type: control.message_type(),
        stream_id: 0,
    }
}

/// Parts of an aggregate: encoders put a second of media into one, some hundred.
const AGGREGATE_PARTS_MAX: usize = 1024;
