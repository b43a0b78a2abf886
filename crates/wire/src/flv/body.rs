//! The first bits of a tag body: codec, key, configuration, track.
//!
//! Legacy headers are FLV 10.1 annex E.4.2 and E.4.3; the enhanced ones, with FourCC, ModEx and
//! multitrack, are E-RTMP v2. Routing reads no further than this.

use crate::amf0;
use crate::bytes::Reader;
use crate::codec::{Codec, aac, avc};
use crate::media::MANY_TRACKS;

/// What the header bits of a body say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Class {
    /// The codec, when it is one we know by name.
    pub codec: Option<Codec>,
    /// Track, [`MANY_TRACKS`] when the body carries several.
    pub track: u8,
    /// Enhanced only: the packet type, of what is inside where there is a wrapping.
    pub packet_type: u8,
    /// A decoder can begin here.
    pub key: bool,
    /// A sequence header or metadata.
    pub config: bool,
    /// Offset of the codec's own bytes: the configuration record, or the coded data. For a body
    /// with several tracks, the first of them.
    pub data_at: usize,
}

/// Classifies a video body.
///
/// ```text
/// legacy    | frame type:4 | codec id:4 |   then, for H.264 and legacy HEVC:
///           | packet type:8 | composition offset:24 |
/// enhanced  | 1 | frame type:3 | packet type:4 |   then ModEx*, multitrack?, FourCC
/// ```
pub fn video(payload: &[u8]) -> Class {
    let mut r = Reader::new(payload);
    let class = match r.u8() {
        Some(first) if first & 0x80 != 0 => enhanced_video(first, &mut r),
        Some(first) => legacy_video(first, &mut r),
        None => None,
    };
    class.unwrap_or_default()
}

/// Classifies an audio body.
///
/// ```text
/// legacy    | sound format:4 | rate:2 | size:1 | type:1 |   then, for AAC: | packet type:8 |
/// enhanced  | 9:4 | packet type:4 |   then ModEx*, multitrack?, FourCC
/// ```
pub fn audio(payload: &[u8]) -> Class {
    let mut r = Reader::new(payload);
    let class = match r.u8() {
        Some(first) if first >> 4 == SOUND_FORMAT_ENHANCED => enhanced_audio(first, &mut r),
        Some(first) => legacy_audio(first, &mut r),
        None => None,
    };
    class.unwrap_or_default()
}

/// Whether no other picture refers to this one, as far as its bytes say: a legacy disposable frame,
/// or H.264 whose first slice has `nal_ref_idc` 0 (H.264 section 7.4.1). `false` when in doubt.
pub fn is_disposable(payload: &[u8]) -> bool {
    let class = video(payload);
    let is_legacy = payload.first().is_some_and(|b| b & 0x80 == 0);
    if is_legacy && payload.first().is_some_and(|b| b >> 4 == FRAME_DISPOSABLE) {
        return true;
    }
    let data = payload.get(class.data_at..).unwrap_or_default();
    class.codec == Some(Codec::Avc) && !class.config && avc::is_disposable(data)
}

/// The H.264 configuration in a video body, if that is what it is.
pub fn avc_config(payload: &[u8]) -> Option<avc::Config> {
    let class = video(payload);
    let is_avc = class.config && class.codec == Some(Codec::Avc);
    avc::Config::parse(payload.get(class.data_at..).filter(|_| is_avc)?)
}

/// The AAC configuration in an audio body, if that is what it is.
pub fn aac_config(payload: &[u8]) -> Option<aac::Config> {
    let class = audio(payload);
    let is_aac = class.config && class.codec == Some(Codec::Aac);
    aac::Config::parse(payload.get(class.data_at..).filter(|_| is_aac)?)
}

/// Classifies a data body: `onMetaData` is configuration.
pub fn data(payload: &[u8]) -> Class {
    let config = amf0::first_string(payload) == Some(b"onMetaData");
    Class { config, ..Class::default() }
}

fn legacy_video(first: u8, r: &mut Reader<'_>) -> Option<Class> {
    let frame_type = first >> 4;
    let codec = match first & 0x0f {
        2 => Some(Codec::H263),
        4 | 5 => Some(Codec::Vp6),
        7 => Some(Codec::Avc),
        12 => Some(Codec::Hevc),
        13 => Some(Codec::Av1),
        _ => None,
    };
    let mut class = Class { codec, data_at: 1, ..Class::default() };
    if frame_type == FRAME_COMMAND {
        // One byte follows, which is no packet type, and nothing to decode.
        return Some(class);
    }
    let config = if matches!(codec, Some(Codec::Avc | Codec::Hevc | Codec::Av1)) {
        let packet_type = r.u8()?;
        class.data_at = 5;
        if packet_type == AVC_END_OF_SEQUENCE {
            return Some(class);
        }
        packet_type == AVC_SEQUENCE_HEADER
    } else {
        false
    };
    class.set_frame_type(frame_type, config);
    Some(class)
}

fn enhanced_video(first: u8, r: &mut Reader<'_>) -> Option<Class> {
    let frame_type = first >> 4 & 7;
    let (packet_type, mut class) = enhanced(first & 0x0f, VIDEO_MULTITRACK, r)?;
    match packet_type {
        // Colour metadata is state too: whoever starts later needs it.
        PACKET_SEQUENCE_START | VIDEO_METADATA | VIDEO_MPEG2TS_SEQUENCE_START => {
            class.config = true;
        }
        PACKET_CODED_FRAMES | VIDEO_CODED_FRAMES_X => class.set_frame_type(frame_type, false),
        _ => {}
    }
    let has_offset = matches!(class.codec, Some(Codec::Avc | Codec::Hevc));
    if packet_type == PACKET_CODED_FRAMES && has_offset {
        class.data_at += COMPOSITION_OFFSET_BYTES;
    }
    Some(class)
}

fn legacy_audio(first: u8, r: &mut Reader<'_>) -> Option<Class> {
    let codec = match first >> 4 {
        2 | 14 => Some(Codec::Mp3),
        4..=6 => Some(Codec::Nellymoser),
        7 => Some(Codec::PcmA),
        8 => Some(Codec::PcmU),
        10 => Some(Codec::Aac),
        11 => Some(Codec::Speex),
        13 => Some(Codec::Opus),
        0 | 3 => Some(Codec::Pcm),
        _ => None,
    };
    if codec != Some(Codec::Aac) {
        return Some(Class { codec, data_at: 1, ..Class::default() });
    }
    let config = r.u8()? == AAC_SEQUENCE_HEADER;
    Some(Class { codec, config, data_at: 2, ..Class::default() })
}

fn enhanced_audio(first: u8, r: &mut Reader<'_>) -> Option<Class> {
    let (packet_type, mut class) = enhanced(first & 0x0f, AUDIO_MULTITRACK, r)?;
    class.config = matches!(packet_type, PACKET_SEQUENCE_START | AUDIO_MULTICHANNEL_CONFIG);
    Some(class)
}

/// Reads what follows the first byte of an enhanced header; answers the packet type of the media
/// inside, and its codec and track.
///
/// ```text
/// ModEx       | size-1:8 [size-1:16 if that was 255] | data | mod type:4 | packet type:4 |
/// multitrack  | multitrack type:4 | packet type:4 | FourCC unless each track has its own |
///             per track: [FourCC] | track id:8 | [size:24 unless there is only one] | data
/// otherwise   | FourCC | data
/// ```
fn enhanced(mut packet_type: u8, multitrack: u8, r: &mut Reader<'_>) -> Option<(u8, Class)> {
    let whole = r.remaining() + 1;
    while packet_type == PACKET_MOD_EX {
        let short = usize::from(r.u8()?) + 1;
        let size = if short == 256 { usize::from(r.u16()?) + 1 } else { short };
        r.take(size)?;
        packet_type = r.u8()? & 0x0f;
    }
    let mut track = 0;
    let codec;
    if packet_type == multitrack {
        let types = r.u8()?;
        packet_type = types & 0x0f;
        // Shared or each track's own: either way the first track's FourCC comes next.
        codec = Codec::from_four_cc(r.array()?);
        track = r.u8()?;
        if types >> 4 != MULTITRACK_ONE {
            r.u24()?;
            track = MANY_TRACKS;
        }
    } else {
        codec = Codec::from_four_cc(r.array()?);
    }
    let data_at = whole - r.remaining();
    Some((packet_type, Class { codec, track, packet_type, data_at, ..Class::default() }))
}

impl Class {
    fn set_frame_type(&mut self, frame_type: u8, config: bool) {
        self.config = config;
        self.key = !config && matches!(frame_type, FRAME_KEY | FRAME_GENERATED_KEY);
    }
}

const FRAME_KEY: u8 = 1;
/// An inter frame that no other refers to.
const FRAME_DISPOSABLE: u8 = 3;
const FRAME_GENERATED_KEY: u8 = 4;
/// "Video info or command": a byte that Flash players obeyed.
const FRAME_COMMAND: u8 = 5;

const AVC_SEQUENCE_HEADER: u8 = 0;
const AVC_END_OF_SEQUENCE: u8 = 2;
const AAC_SEQUENCE_HEADER: u8 = 0;
const SOUND_FORMAT_ENHANCED: u8 = 9;
const COMPOSITION_OFFSET_BYTES: usize = 3;

const PACKET_SEQUENCE_START: u8 = 0;
const PACKET_CODED_FRAMES: u8 = 1;
const VIDEO_CODED_FRAMES_X: u8 = 3;
const VIDEO_METADATA: u8 = 4;
const VIDEO_MPEG2TS_SEQUENCE_START: u8 = 5;
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTICHANNEL_CONFIG: u8 = 4;
const AUDIO_MULTITRACK: u8 = 5;
const PACKET_MOD_EX: u8 = 7;
const MULTITRACK_ONE: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Class =
        Class { codec: None, track: 0, packet_type: 0, key: false, config: false, data_at: 0 };
    const AVC: Class = Class { codec: Some(Codec::Avc), data_at: 5, ..NOTHING };
    const HEVC: Class = Class { codec: Some(Codec::Hevc), ..NOTHING };

    #[test]
    fn video_headers() {
        for (name, bytes, want) in [
            ("empty", &[][..], NOTHING),
            ("H.264 sequence header", &[0x17, 0, 0, 0, 0], Class { config: true, ..AVC }),
            ("H.264 key frame", &[0x17, 1, 0, 0, 0], Class { key: true, ..AVC }),
            ("H.264 inter frame", &[0x27, 1, 0, 0, 80], AVC),
            ("H.264 disposable frame", &[0x37, 1, 0, 0, 0], AVC),
            ("command, not a sequence header", &[0x57, 0], Class { data_at: 1, ..AVC }),
            ("H.264 end of sequence", &[0x17, 2, 0, 0, 0], AVC),
            ("cut after the first byte", &[0x17], NOTHING),
            ("legacy HEVC key frame", &[0x1c, 1, 0, 0, 0], Class { key: true, data_at: 5, ..HEVC }),
            (
                "enhanced HEVC sequence start",
                b"\x90hvc1\x01",
                Class { config: true, data_at: 5, ..HEVC },
            ),
            (
                "enhanced HEVC key frame with offset",
                b"\x91hvc1\0\0\0x",
                Class { key: true, packet_type: 1, data_at: 8, ..HEVC },
            ),
            (
                "enhanced HEVC inter frame, no offset",
                b"\xa3hvc1x",
                Class { packet_type: 3, data_at: 5, ..HEVC },
            ),
            (
                "enhanced HEVC colour metadata",
                b"\x94hvc1x",
                Class { config: true, packet_type: 4, data_at: 5, ..HEVC },
            ),
            (
                "AV1 key frame after a nanosecond ModEx",
                b"\x97\x02\0\0\x01\x01av01x",
                Class {
                    codec: Some(Codec::Av1),
                    key: true,
                    packet_type: 1,
                    data_at: 10,
                    ..NOTHING
                },
            ),
            (
                "one track of many, number 3",
                b"\x96\x01hvc1\x03",
                Class { track: 3, key: true, packet_type: 1, data_at: 10, ..HEVC },
            ),
            (
                "many tracks of one codec",
                b"\x96\x10hvc1\x00\x00\x00\x09",
                Class { track: MANY_TRACKS, config: true, data_at: 10, ..HEVC },
            ),
            (
                "FourCC nobody knows",
                b"\x91what",
                Class { key: true, packet_type: 1, data_at: 5, ..NOTHING },
            ),
            ("FourCC cut short", b"\x91hv", NOTHING),
            ("ModEx cut short", b"\x97\xff\x10", NOTHING),
        ] {
            assert_eq!(video(bytes), want, "{name}");
        }
    }

    #[test]
    fn audio_headers() {
        let aac = Class { codec: Some(Codec::Aac), data_at: 2, ..NOTHING };
        let opus = Class { codec: Some(Codec::Opus), data_at: 5, ..NOTHING };
        for (name, bytes, want) in [
            ("empty", &[][..], NOTHING),
            ("AAC sequence header", &[0xaf, 0, 0x12, 0x10], Class { config: true, ..aac }),
            ("AAC frame", &[0xaf, 1, 0x21], aac),
            ("MP3", &[0x2f, 1], Class { codec: Some(Codec::Mp3), data_at: 1, ..NOTHING }),
            ("enhanced Opus head", b"\x90OpusOpusHead", Class { config: true, ..opus }),
            ("enhanced Opus frame", b"\x91Opusx", Class { packet_type: 1, ..opus }),
            (
                "enhanced Opus channels",
                b"\x94Opusx",
                Class { config: true, packet_type: 4, ..opus },
            ),
            (
                "second Opus track",
                b"\x95\x01Opus\x01x",
                Class { track: 1, packet_type: 1, data_at: 7, ..opus },
            ),
        ] {
            assert_eq!(audio(bytes), want, "{name}");
        }
    }

    #[test]
    fn metadata_is_configuration_and_cue_points_are_not() {
        assert!(data(b"\x02\0\x0aonMetaData\x05").config);
        assert!(!data(b"\x02\0\x0aonCuePoint\x05").config);
        assert!(!data(b"").config);
    }
}
