//! A stream of the sizes that an encoder makes: key frames are longer than other pictures.

use thalweg_wire::media::{Frame, Kind};

use crate::media::Recipe;

/// An encoder of pictures and sound.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Pictures a second.
    pub fps: u32,
    /// Pictures from key frame to key frame.
    pub gop: u32,
    /// Bytes of a key frame.
    pub key_bytes: usize,
    /// Bytes of another picture.
    pub delta_bytes: usize,
    /// Whether every other picture is one that nobody refers to.
    pub disposable: bool,
}

impl Default for Camera {
    /// 2.1 Mbit/s: 30 pictures a second, a key frame each second.
    fn default() -> Self {
        Camera { fps: 30, gop: 30, key_bytes: 60_000, delta_bytes: 7_000, disposable: false }
    }
}

impl Camera {
    /// What it makes a second, sound included.
    pub fn bits_per_s(&self) -> u64 {
        let gops = f64::from(self.fps) / f64::from(self.gop);
        let deltas = f64::from(self.fps) - gops;
        let bytes = gops * self.key_bytes as f64 + deltas * self.delta_bytes as f64;
        (8.0 * (bytes + 1000.0 / SOUND_MS as f64 * SOUND_BYTES as f64)) as u64
    }

    /// Configuration, then what it makes from `from` to `to`, ms.
    pub fn frames(&self, from: i64, to: i64) -> Vec<Frame> {
        let config = Recipe { start: from, ..Recipe::default() }.configuration();
        let fps = i64::from(self.fps);
        let pictures = (0..).map(|n| (n, n * 1000 / fps)).take_while(|(_, at)| *at < to);
        let sounds = (0..).map(|n| (n, n * SOUND_MS)).take_while(|(_, at)| *at < to);
        let mut media: Vec<Frame> = pictures
            .map(|(n, at)| self.picture(n, at))
            .chain(sounds.map(|(n, at)| sound(n, at)))
            .filter(|frame| frame.dts >= from)
            .collect();
        media.sort_by_key(|frame| frame.dts);
        config.into_iter().chain(media).collect()
    }

    fn picture(&self, n: i64, dts: i64) -> Frame {
        let place = n % i64::from(self.gop);
        if place == 0 { self.key_frame(n, dts) } else { self.delta(n, dts, place) }
    }

    /// Its picture of this number, made a key frame because somebody wants one.
    pub fn key_frame(&self, n: i64, dts: i64) -> Frame {
        picture(0x17, 0x65, self.key_bytes, n, dts)
    }

    fn delta(&self, n: i64, dts: i64, place: i64) -> Frame {
        let nal = if self.disposable && place % 2 == 1 { 0x01 } else { 0x41 };
        picture(0x27, nal, self.delta_bytes, n, dts)
    }
}

/// H.264 of one slice.
fn picture(first: u8, nal: u8, bytes: usize, n: i64, dts: i64) -> Frame {
    let nal_bytes = (bytes - 9) as u32;
    let mut body = vec![first, 1, 0, 0, 0];
    body.extend_from_slice(&nal_bytes.to_be_bytes());
    body.push(nal);
    body.extend_from_slice(&n.to_be_bytes());
    body.resize(bytes, 0x55);
    Frame::new(Kind::Video, dts, body.into())
}

fn sound(n: i64, dts: i64) -> Frame {
    let mut body = vec![0xaf, 1];
    body.extend_from_slice(&n.to_be_bytes());
    body.resize(SOUND_BYTES, 0x55);
    Frame::new(Kind::Audio, dts, body.into())
}

/// AAC of 1024 samples at 44.1 kHz, about.
const SOUND_MS: i64 = 23;
const SOUND_BYTES: usize = 372;
