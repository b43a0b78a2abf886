//! Made streams: right in every header, meaningless in every picture.

use bytes::Bytes;
use thalweg_wire::amf0::Value;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;

/// What a made stream is like.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Video frames a second; 0 makes a stream of sound only.
    pub fps: u32,
    /// Video frames from key frame to key frame.
    pub gop: u32,
    /// Bytes of a video frame's body.
    pub video_bytes: usize,
    /// Whether there is sound: AAC of 1024 samples at 32 kHz, a frame each 32 ms.
    pub audio: bool,
    /// Picture size in the configuration.
    pub size: (u16, u16),
    /// Time of the first frame, ms.
    pub start: Dts,
}

impl Default for Recipe {
    /// 25 frames a second, a key frame each second, with sound.
    fn default() -> Self {
        Recipe { fps: 25, gop: 25, video_bytes: 400, audio: true, size: (640, 360), start: 0 }
    }
}

impl Recipe {
    /// Sound only.
    pub fn audio_only() -> Self {
        Recipe { fps: 0, ..Recipe::default() }
    }

    /// Metadata and configuration, then media in order of time, without end.
    pub fn frames(&self) -> impl Iterator<Item = Frame> + use<> {
        let recipe = self.clone();
        let (mut video, mut audio) = (0i64, 0i64);
        let media = std::iter::from_fn(move || {
            let video_due = (recipe.fps > 0).then(|| video * 1000 / i64::from(recipe.fps.max(1)));
            let audio_due = recipe.audio.then_some(audio * 32);
            let video_is_next = match (video_due, audio_due) {
                (Some(v), Some(a)) => v <= a,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return None,
            };
            Some(if video_is_next {
                let frame = recipe.video(video, recipe.start + video_due?);
                video += 1;
                frame
            } else {
                let frame = audio_frame(audio, recipe.start + audio_due?);
                audio += 1;
                frame
            })
        });
        self.configuration().into_iter().chain(media)
    }

    /// The frames up to `ms` after the start, configuration included.
    pub fn frames_for(&self, ms: Dts) -> Vec<Frame> {
        let end = self.start + ms;
        self.frames().take_while(|f| f.dts < end).collect()
    }

    /// Metadata and sequence headers.
    pub fn configuration(&self) -> Vec<Frame> {
        let mut out = vec![self.metadata()];
        if self.fps > 0 {
            let body = [&[0x17, 0, 0, 0, 0][..], &avc_record(self.size)].concat();
            out.push(Frame::new(Kind::Video, self.start, body.into()));
        }
        if self.audio {
            let body = Bytes::from_static(&[0xaf, 0, 0x12, 0x88]);
            out.push(Frame::new(Kind::Audio, self.start, body));
        }
        out
    }

    fn metadata(&self) -> Frame {
        let mut properties = vec![("encoder".to_owned(), Value::string("testkit"))];
        if self.fps > 0 {
            properties.extend([
                ("width".to_owned(), Value::Number(f64::from(self.size.0))),
                ("height".to_owned(), Value::Number(f64::from(self.size.1))),
                ("videocodecid".to_owned(), Value::Number(7.0)),
            ]);
        }
        if self.audio {
            properties.push(("audiocodecid".to_owned(), Value::Number(10.0)));
        }
        let mut body = Vec::new();
        Value::string("onMetaData").encode(&mut body);
        Value::EcmaArray(properties).encode(&mut body);
        Frame::new(Kind::Data, self.start, body.into())
    }

    fn video(&self, n: i64, dts: Dts) -> Frame {
        let first = if n % i64::from(self.gop) == 0 { 0x17 } else { 0x27 };
        Frame::new(Kind::Video, dts, body(&[first, 1, 0, 0, 0], n, self.video_bytes))
    }
}

fn audio_frame(n: i64, dts: Dts) -> Frame {
    Frame::new(Kind::Audio, dts, body(&[0xaf, 1], n, 160))
}

/// Bytes that differ from frame to frame, so that a mix-up shows.
fn body(header: &[u8], n: i64, len: usize) -> Bytes {
    let mut out = header.to_vec();
    let mut x = n as u64 ^ 0x9e37_79b9_7f4a_7c15;
    while out.len() < len {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push((x >> 56) as u8);
    }
    out.into()
}

/// A decoder configuration record with a baseline SPS of the given size, a multiple of 16 wide,
/// and of 8 high.
fn avc_record((width, height): (u16, u16)) -> Vec<u8> {
    let mut sps = Bits::default();
    sps.put(8, 0x67);
    sps.put(24, 0x0042_c01e);
    sps.ue(0); // id
    sps.ue(0); // log2_max_frame_num - 4
    sps.ue(2); // picture order count type
    sps.ue(1); // reference frames
    sps.put(1, 0);
    sps.ue(u32::from(width) / 16 - 1);
    sps.ue(u32::from(height).div_ceil(16) - 1);
    sps.put(2, 0b11);
    let crop = u32::from(height).next_multiple_of(16) - u32::from(height);
    sps.put(1, u32::from(crop > 0));
    if crop > 0 {
        [0, 0, 0, crop / 2].iter().for_each(|&v| sps.ue(v));
    }
    sps.put(1, 0); // no VUI
    sps.put(1, 1); // stop bit
    let sps = sps.bytes();
    let pps = [0x68, 0xce, 0x38, 0x80];
    let mut out = vec![1, 0x42, 0xc0, 0x1e, 0xff, 0xe1];
    out.extend_from_slice(&(sps.len() as u16).to_be_bytes());
    out.extend_from_slice(&sps);
    out.extend_from_slice(&[1, 0, 4]);
    out.extend_from_slice(&pps);
    out
}

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, n: u32, value: u32) {
        (0..n).rev().for_each(|i| self.0.push(value >> i & 1 == 1));
    }

    fn ue(&mut self, value: u32) {
        let bits = 32 - (value + 1).leading_zeros();
        self.put(bits - 1, 0);
        self.put(bits, value + 1);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter().enumerate().fold(0, |byte, (i, &bit)| byte | u8::from(bit) << (7 - i))
        };
        self.0.chunks(8).map(byte).collect()
    }
}
