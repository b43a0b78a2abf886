//! H.264: the decoder configuration record and the parts of a sequence parameter set worth showing
//! (ISO/IEC 14496-15 section 5.3.3.1, ITU-T H.264 section 7.3.2.1.1 and annex E.1.1).

use super::bits::Bits;
use crate::bytes::Reader;

/// What an operator wants to know of an H.264 stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// `profile_idc`: 66 baseline, 77 main, 100 high ...
    pub profile: u8,
    /// `level_idc`: 31 is level 3.1.
    pub level: u8,
    /// Picture width in pixels, cropping applied.
    pub width: u32,
    /// Picture height in pixels, cropping applied.
    pub height: u32,
    /// Frames per second, when the stream says.
    pub fps: Option<f32>,
}

impl Config {
    /// Reads an AVCDecoderConfigurationRecord; `None` when it holds no readable parameter set.
    ///
    /// ```text
    /// 0  version, 1      3  level
    /// 1  profile         4  reserved:6, NAL length size - 1 :2
    /// 2  compatibility   5  reserved:3, number of SPS:5, then per SPS: length:16, bytes
    /// ```
    pub fn parse(record: &[u8]) -> Option<Config> {
        let mut r = Reader::new(record);
        let [1, _, _, _, _, count] = r.array::<6>()? else {
            return None;
        };
        if count & 0x1f == 0 {
            return None;
        }
        let len = r.u16()?;
        parse_sps(r.take(usize::from(len))?)
    }

    /// The profile's usual name.
    pub fn profile_name(&self) -> &'static str {
        match self.profile {
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 => "High",
            110 => "High 10",
            122 => "High 4:2:2",
            244 => "High 4:4:4",
            _ => "other",
        }
    }
}

/// Whether no other picture refers to this one: the first slice says so. Lengths are of four bytes, as
/// every encoder in the field writes them; anything else is in doubt, and so is not.
pub(crate) fn is_disposable(mut access_unit: &[u8]) -> bool {
    for _ in 0..NALS_BEFORE_SLICE_MAX {
        let mut r = Reader::new(access_unit);
        let Some(nal) = r.u32().and_then(|len| r.take(len as usize)) else { return false };
        match nal.first() {
            Some(head) if (1..=5).contains(&(head & 0x1f)) => return head >> 5 & 3 == 0,
            Some(_) => access_unit = r.rest(),
            None => return false,
        }
    }
    false
}

/// Parameter sets, delimiters and messages before the first slice: a handful.
const NALS_BEFORE_SLICE_MAX: usize = 16;

fn parse_sps(nal: &[u8]) -> Option<Config> {
    let rbsp = without_emulation_prevention(nal.get(1..)?);
    let b = &mut Bits::new(&rbsp);
    let (profile, _constraints, level) = (b.u(8)? as u8, b.u(8)?, b.u(8)? as u8);
    let _id = b.ue()?;
    let chroma =
        if HAS_CHROMA_FORMAT.contains(&profile) { chroma_format(b)? } else { Chroma::Yuv420 };
    let _log2_max_frame_num = b.ue()?;
    picture_order_count(b)?;
    let _max_num_ref_frames = b.ue()?;
    let _gaps_allowed = b.bit()?;
    let width_mbs = b.ue()?.checked_add(1)?;
    let height_units = b.ue()?.checked_add(1)?;
    let frame_mbs_only = b.bit()?;
    if !frame_mbs_only {
        let _adaptive = b.bit()?;
    }
    let _direct_8x8 = b.bit()?;
    let crop = if b.bit()? { [b.ue()?, b.ue()?, b.ue()?, b.ue()?] } else { [0; 4] };
    let fps = if b.bit()? { frame_rate(b) } else { None };

    let fields = if frame_mbs_only { 1 } else { 2 };
    let (unit_x, unit_y) = chroma.crop_unit();
    let [left, right, top, bottom] = crop;
    let crop_x = left.checked_add(right)?.checked_mul(unit_x)?;
    let crop_y = top.checked_add(bottom)?.checked_mul(unit_y)?.checked_mul(fields)?;
    let width = width_mbs.checked_mul(16)?.checked_sub(crop_x)?;
    let height = height_units.checked_mul(16)?.checked_mul(fields)?.checked_sub(crop_y)?;
    Some(Config { profile, level, width, height, fps })
}

#[derive(Clone, Copy)]
enum Chroma {
    Monochrome,
    Yuv420,
    Yuv422,
    Yuv444,
}

impl Chroma {
    /// CropUnitX and CropUnitY of section 7.4.2.1.1, before the factor for fields.
    fn crop_unit(self) -> (u32, u32) {
        match self {
            Chroma::Yuv420 => (2, 2),
            Chroma::Yuv422 => (2, 1),
            Chroma::Monochrome | Chroma::Yuv444 => (1, 1),
        }
    }
}

fn chroma_format(b: &mut Bits<'_>) -> Option<Chroma> {
    let format = b.ue()?;
    let separate_planes = format == 3 && b.bit()?;
    let (_luma_depth, _chroma_depth, _bypass) = (b.ue()?, b.ue()?, b.bit()?);
    if b.bit()? {
        let lists = if format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if b.bit()? {
                scaling_list(b, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(match format {
        0 => Chroma::Monochrome,
        1 => Chroma::Yuv420,
        2 => Chroma::Yuv422,
        3 if separate_planes => Chroma::Monochrome,
        3 => Chroma::Yuv444,
        _ => return None,
    })
}

fn scaling_list(b: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(b.se()?).wrapping_add(256) & 255;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn picture_order_count(b: &mut Bits<'_>) -> Option<()> {
    match b.ue()? {
        0 => {
            b.ue()?;
        }
        1 => {
            let (_delta_zero, _non_ref, _top_bottom) = (b.bit()?, b.se()?, b.se()?);
            let cycle = b.ue()?;
            if cycle > 255 {
                return None;
            }
            for _ in 0..cycle {
                b.se()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// The frame rate of the VUI's timing, two ticks to a frame.
fn frame_rate(b: &mut Bits<'_>) -> Option<f32> {
    if b.bit()? && b.u(8)? == EXTENDED_SAR {
        b.u(32)?;
    }
    if b.bit()? {
        b.bit()?;
    }
    if b.bit()? {
        b.u(4)?;
        if b.bit()? {
            b.u(24)?;
        }
    }
    if b.bit()? {
        b.ue()?;
        b.ue()?;
    }
    if !b.bit()? {
        return None;
    }
    let (units_in_tick, time_scale) = (b.u(32)?, b.u(32)?);
    if units_in_tick == 0 || time_scale == 0 {
        return None;
    }
    Some((f64::from(time_scale) / (2.0 * f64::from(units_in_tick))) as f32)
}

/// Drops the third byte of each `00 00 03` (section 7.3.1).
fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

const HAS_CHROMA_FORMAT: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
const EXTENDED_SAR: u32 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.bytes().filter_map(|c| (c as char).to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
    }

    const BASELINE_360P: &str =
        "0142c01e ffe10019 6742c01e d900a02f f9701100 00030001 00000300 320f162e 4801";

    #[test]
    fn records_of_real_encoders() {
        for (name, record, want) in [
            (
                "x264, 640x360 at 25, baseline",
                BASELINE_360P,
                Config { profile: 66, level: 30, width: 640, height: 360, fps: Some(25.0) },
            ),
            (
                "x264, 1920x1080 at 30, high, cropped from 1088",
                "01640028 ffe1001b 67640028 acd94078 0227e5c0 44000003 00040000 0300f03c 60c65801",
                Config { profile: 100, level: 40, width: 1920, height: 1080, fps: Some(30.0) },
            ),
            (
                "x264, 720x576 at 25, interlaced, 4:2:2",
                "017a001e ffe10018 677a001e bcd940b4 24d80880 00000300 80000019 0f8a14cb 01",
                Config { profile: 122, level: 30, width: 720, height: 576, fps: Some(25.0) },
            ),
        ] {
            assert_eq!(Config::parse(&hex(record)), Some(want), "{name}");
        }
    }

    #[test]
    fn cut_short_it_is_unreadable_and_nothing_worse() {
        let record = hex(BASELINE_360P);
        for n in 0..20 {
            assert_eq!(Config::parse(&record[..n]), None);
        }
    }
}
