//! Media time: 32 bits of milliseconds on the wire, 64 bits inside.
//!
//! RTMP and FLV carry a timestamp of 32 bits. It crosses the 24-bit border of the short header at
//! 4 h 40 min and wraps at 49.7 days (RTMP 1.0 section 3, FLV 10.1 annex E.4.1). Inside, a
//! [`Dts`] neither wraps nor resets, so that ages and lags are plain subtractions.

/// Decoding time in milliseconds, unwrapped.
pub type Dts = i64;

/// Makes the wrapping 32-bit time of one publication into a [`Dts`].
///
/// The nearest reading wins: a step of less than 2^31 ms (24.8 days), forward or backward, is
/// taken as that step. The first timestamp is taken as it stands.
#[derive(Debug, Default, Clone)]
pub struct Unwrapper {
    last: Option<Dts>,
}

impl Unwrapper {
    /// The time meant by `wire`, given what came before.
    pub fn unwrap(&mut self, wire: u32) -> Dts {
        let dts = match self.last {
            None => Dts::from(wire),
            Some(last) => last.saturating_add(Dts::from(wire.wrapping_sub(to_wire(last)) as i32)),
        };
        self.last = Some(dts);
        dts
    }
}

/// The low 32 bits: what goes on the wire.
pub fn to_wire(dts: Dts) -> u32 {
    dts as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_past_every_border() {
        let mut u = Unwrapper::default();
        let day_ms: i64 = 86_400_000;
        for want in (0..200 * day_ms).step_by(3_600_000) {
            assert_eq!(u.unwrap(to_wire(want)), want);
        }
    }

    #[test]
    fn small_steps_back_are_steps_back() {
        let mut u = Unwrapper::default();
        for (wire, want) in [
            (5, 5),
            (0, 0),
            (u32::MAX - 9, -10),
            (3, 3),
            (0x7fff_ffff, 0x7fff_ffff),
            (0xffff_fff0, 0xffff_fff0),
            (0x10, 0x1_0000_0010),
            (0xffff_fff8, 0xffff_fff8),
        ] {
            assert_eq!(u.unwrap(wire), want);
        }
    }

    #[test]
    fn the_wire_gets_back_what_it_gave() {
        let mut u = Unwrapper::default();
        for wire in [0xffff_fffe, 1, 0xffff_ffff, 0xff_ffff, 0x100_0000, 0] {
            assert_eq!(to_wire(u.unwrap(wire)), wire);
        }
    }
}
