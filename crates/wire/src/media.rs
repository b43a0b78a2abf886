//! One message of media, as it travels from a publisher to every viewer.

use bytes::Bytes;

use crate::flv::body;
use crate::time::Dts;

/// One audio, video or data message: an FLV tag body with its time and what routing needs to know.
///
/// The payload is what the publisher sent, byte for byte, and shared: cloning a frame copies no media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Audio, video or data.
    pub kind: Kind,
    /// Track of the message: 0 unless E-RTMP multitrack says otherwise, [`MANY_TRACKS`] for a body
    /// that carries several.
    pub track: u8,
    /// When it is to be decoded, in milliseconds. The composition offset stays in the payload.
    pub dts: Dts,
    /// Video only: a decoder can begin here.
    pub key: bool,
    /// A sequence header or metadata: state a newcomer needs before any media.
    pub config: bool,
    /// The FLV tag body.
    pub payload: Bytes,
}

/// `Frame::track` of an E-RTMP body that carries many tracks.
pub const MANY_TRACKS: u8 = 255;

/// What a message carries. The discriminants are RTMP's message types and FLV's tag types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Sound.
    Audio = 8,
    /// Pictures.
    Video = 9,
    /// AMF0 data: metadata, cue points, text.
    Data = 18,
}

impl Kind {
    /// The kind of an RTMP message type or FLV tag type, if it is media.
    pub fn from_type(message_type: u8) -> Option<Kind> {
        match message_type {
            8 => Some(Kind::Audio),
            9 => Some(Kind::Video),
            18 => Some(Kind::Data),
            _ => None,
        }
    }
}

impl Frame {
    /// Makes a frame of a tag body, reading only the few header bits that routing needs.
    ///
    /// A body whose header cannot be read is an ordinary frame: what it holds is between the
    /// publisher's encoder and the viewer's decoder.
    pub fn new(kind: Kind, dts: Dts, payload: Bytes) -> Frame {
        let class = match kind {
            Kind::Audio => body::audio(&payload),
            Kind::Video => body::video(&payload),
            Kind::Data => body::data(&payload),
        };
        Frame { kind, track: class.track, dts, key: class.key, config: class.config, payload }
    }

    /// Which configuration this one replaces: of its kind, track and packet type, because colour
    /// metadata and channel layouts stand beside a sequence header and not in its place.
    pub fn config_slot(&self) -> (Kind, u8, u8) {
        let packet_type = match self.kind {
            Kind::Audio => body::audio(&self.payload).packet_type,
            Kind::Video => body::video(&self.payload).packet_type,
            Kind::Data => 0,
        };
        (self.kind, self.track, packet_type)
    }

    /// Media proper: neither configuration nor data.
    pub fn is_media(&self) -> bool {
        !self.config && self.kind != Kind::Data
    }
}
