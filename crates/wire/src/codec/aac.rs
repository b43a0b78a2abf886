//! AAC: the AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1).

use super::bits::Bits;

/// What an operator wants to know of an AAC stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Audio object type: 2 is LC, 5 SBR (HE-AAC), 29 PS (HE-AAC v2).
    pub object_type: u8,
    /// Samples per second of the decoded sound.
    pub sample_rate: u32,
    /// Channels, 0 when only the stream itself tells.
    pub channels: u8,
}

impl Config {
    /// Reads an AudioSpecificConfig; `None` when it is cut short or reserved values are used.
    ///
    /// ```text
    /// object type:5 (31: +32, 6 more) | rate index:4 (15: rate:24) | channels:4
    /// types 5 and 29: | extension rate index:4 (15: rate:24) | the core's object type:5
    /// ```
    pub fn parse(bytes: &[u8]) -> Option<Config> {
        let b = &mut Bits::new(bytes);
        let object_type = object_type(b)?;
        let mut sample_rate = sample_rate(b)?;
        let channels = match b.u(4)? as u8 {
            7 => 8,
            n @ 0..=6 => n,
            _ => return None,
        };
        if matches!(object_type, SBR | PS) {
            sample_rate = self::sample_rate(b)?;
        }
        Some(Config { object_type, sample_rate, channels })
    }

    /// The object type's usual name.
    pub fn profile_name(&self) -> &'static str {
        match self.object_type {
            1 => "Main",
            2 => "LC",
            SBR => "HE-AAC",
            PS => "HE-AACv2",
            39 => "ELD",
            42 => "xHE-AAC",
            _ => "other",
        }
    }
}

fn object_type(b: &mut Bits<'_>) -> Option<u8> {
    let t = b.u(5)? as u8;
    if t == 31 { Some(32 + b.u(6)? as u8) } else { Some(t) }
}

fn sample_rate(b: &mut Bits<'_>) -> Option<u32> {
    match b.u(4)? {
        15 => b.u(24),
        i => RATES.get(i as usize).copied(),
    }
}

const SBR: u8 = 5;
const PS: u8 = 29;
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        for (name, bytes, want) in [
            ("LC 44.1 kHz stereo", &[0x12, 0x10][..], Some((2, 44_100, 2))),
            ("LC 32 kHz mono", &[0x12, 0x88], Some((2, 32_000, 1))),
            ("HE-AAC, 24 kHz core, 48 kHz out", &[0x2b, 0x11, 0x88, 0], Some((5, 48_000, 2))),
            ("rate written out", &[0x17, 0x80, 0x5d, 0xc0, 0x10], Some((2, 48_000, 2))),
            ("reserved rate", &[0x16, 0x90], None),
            ("cut short", &[0x12], None),
        ] {
            let want = want.map(|(object_type, sample_rate, channels)| Config {
                object_type,
                sample_rate,
                channels,
            });
            assert_eq!(Config::parse(bytes), want, "{name}");
        }
    }
}
