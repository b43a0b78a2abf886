//! Generations of configuration: which sequence header a frame needs (section 3, `cfg`).
//!
//! Configuration travels on the control stream, media beside it and often faster. So each
//! configuration has a number, 1 to 255 and then 1 again, of its kind and track; it moves only when
//! the bytes differ, and media names the one it needs.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::control::{BODY_BYTES_MAX, Message};
use crate::amf0::{self, Value};
use crate::media::{Frame, Kind};
use crate::time::to_wire;

/// What a sender has said, by kind and track.
#[derive(Debug, Default)]
pub struct Said {
    current: BTreeMap<(Kind, u8), u8>,
    /// The bytes in force, by kind, track and packet type.
    bytes: BTreeMap<(Kind, u8, u8), Bytes>,
}

impl Said {
    /// The message that says a configuration; `None` when it is what was said before, or cannot be
    /// said: longer than a control message, or of one track too many.
    pub fn say(&mut self, frame: &Frame) -> Option<Message> {
        let slot = frame.config_slot();
        if self.bytes.get(&slot).is_some_and(|old| *old == frame.payload) {
            return None;
        }
        if self.bytes.len() >= SLOTS_MAX && !self.bytes.contains_key(&slot) {
            return None;
        }
        let body = fit(frame)?;
        self.bytes.insert(slot, frame.payload.clone());
        let cfg = self.current.entry((frame.kind, frame.track)).or_default();
        *cfg = next(*cfg);
        Some(Message::config(frame.kind, frame.track, *cfg, to_wire(frame.dts), body))
    }

    /// The generation that media of a kind and track needs now; 0 when there was none.
    pub fn current(&self, kind: Kind, track: u8) -> u8 {
        self.current.get(&(kind, track)).copied().unwrap_or_default()
    }
}

/// The generation after another.
pub fn next(cfg: u8) -> u8 {
    cfg % 255 + 1
}

/// Whether a receiver that was told `known` last still waits for `needed`. The nearest reading wins:
/// up to half the circle ahead is to come, the rest has been.
pub fn is_ahead(needed: u8, known: u8) -> bool {
    if needed == 0 || needed == known {
        return false;
    }
    let ahead = (u16::from(needed) + 255 - u16::from(known)) % 255;
    ahead < 128
}

/// A body that fits a control message. Metadata that does not loses its index of key frames, which
/// recorded files bring and nobody needs live.
fn fit(frame: &Frame) -> Option<Vec<u8>> {
    if frame.payload.len() <= BODY_BYTES_MAX {
        return Some(frame.payload.to_vec());
    }
    if frame.kind != Kind::Data {
        return None;
    }
    let mut out = Vec::new();
    let mut decoder = amf0::Decoder::new(&frame.payload);
    while let Some(value) = decoder.next_value().ok()? {
        without_index(value).encode(&mut out);
    }
    (out.len() <= BODY_BYTES_MAX).then_some(out)
}

fn without_index(value: Value) -> Value {
    let kept = |properties: Vec<(String, Value)>| {
        properties.into_iter().filter(|(name, _)| name != "keyframes").collect()
    };
    match value {
        Value::Object(properties) => Value::Object(kept(properties)),
        Value::EcmaArray(properties) => Value::EcmaArray(kept(properties)),
        other => other,
    }
}

/// Configurations of one stream: a header for each of several tracks of either kind.
const SLOTS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(byte: u8) -> Frame {
        Frame::new(Kind::Video, 0, vec![0x17, 0, 0, 0, 0, byte].into())
    }

    #[test]
    fn a_generation_moves_only_when_the_bytes_differ() {
        let mut said = Said::default();
        let mut cfg = |byte| said.say(&header(byte)).map(|m| m.cfg);
        assert_eq!(
            [cfg(1), cfg(1), cfg(2), cfg(2), cfg(1)],
            [Some(1), None, Some(2), None, Some(3)]
        );
        assert_eq!(said.current(Kind::Video, 0), 3);
        assert_eq!(said.current(Kind::Audio, 0), 0);
    }

    #[test]
    fn generations_go_round_without_zero() {
        let (mut said, mut seen) = (Said::default(), Vec::new());
        for n in 0..600 {
            seen.extend(said.say(&header((n % 2) as u8)).map(|m| m.cfg));
        }
        assert_eq!((seen[0], seen[254], seen[255], seen[599]), (1, 255, 1, 90));
        assert!(!seen.contains(&0));
    }

    #[test]
    fn what_is_to_come_is_told_from_what_has_been() {
        for (needed, known, ahead) in [
            (0, 0, false),
            (1, 0, true),
            (1, 1, false),
            (2, 1, true),
            (1, 2, false),
            (1, 255, true),
            (255, 1, false),
        ] {
            assert_eq!(is_ahead(needed, known), ahead, "{needed} after {known}");
        }
    }

    #[test]
    fn long_metadata_loses_its_index() {
        let mut body = Vec::new();
        amf0::encode_str("onMetaData", &mut body);
        let times = Value::StrictArray(vec![Value::Number(1.0); 10_000]);
        let index = Value::object([("times", times)]);
        Value::object([("width", Value::Number(640.0)), ("keyframes", index)]).encode(&mut body);
        assert!(body.len() > BODY_BYTES_MAX);
        let message = Said::default().say(&Frame::new(Kind::Data, 0, body.into())).unwrap();
        assert!(message.body.len() < 100);
        assert_eq!(amf0::first_string(&message.body), Some(&b"onMetaData"[..]));
    }
}
