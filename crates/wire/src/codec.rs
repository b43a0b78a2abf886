//! What a stream carries, read only as far as an operator's screen needs.

pub mod aac;
pub mod avc;
mod bits;

use std::fmt;

/// A codec that FLV or E-RTMP can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the codecs' own")]
pub enum Codec {
    Avc,
    Hevc,
    Av1,
    Vp8,
    Vp9,
    Vvc,
    H263,
    Vp6,
    Aac,
    Opus,
    Flac,
    Mp3,
    Ac3,
    Eac3,
    Pcm,
    PcmA,
    PcmU,
    Speex,
    Nellymoser,
}

impl Codec {
    /// The codec of an E-RTMP FourCC.
    pub fn from_four_cc(cc: [u8; 4]) -> Option<Codec> {
        Some(match &cc {
            b"avc1" => Codec::Avc,
            b"hvc1" => Codec::Hevc,
            b"av01" => Codec::Av1,
            b"vp08" => Codec::Vp8,
            b"vp09" => Codec::Vp9,
            b"vvc1" => Codec::Vvc,
            b"mp4a" => Codec::Aac,
            b"Opus" => Codec::Opus,
            b"fLaC" => Codec::Flac,
            b".mp3" => Codec::Mp3,
            b"ac-3" => Codec::Ac3,
            b"ec-3" => Codec::Eac3,
            _ => return None,
        })
    }

    /// The name ffprobe would print.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Avc => "h264",
            Codec::Hevc => "hevc",
            Codec::Av1 => "av1",
            Codec::Vp8 => "vp8",
            Codec::Vp9 => "vp9",
            Codec::Vvc => "vvc",
            Codec::H263 => "flv1",
            Codec::Vp6 => "vp6f",
            Codec::Aac => "aac",
            Codec::Opus => "opus",
            Codec::Flac => "flac",
            Codec::Mp3 => "mp3",
            Codec::Ac3 => "ac3",
            Codec::Eac3 => "eac3",
            Codec::Pcm => "pcm",
            Codec::PcmA => "pcm_alaw",
            Codec::PcmU => "pcm_mulaw",
            Codec::Speex => "speex",
            Codec::Nellymoser => "nellymoser",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
