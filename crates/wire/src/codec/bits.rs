//! Bits, most significant first, and the Exp-Golomb codes of H.264 section 9.1.

/// Reads bits from front to back; `None` past the end.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0 }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// `n` bits, at most 32.
    pub(super) fn u(&mut self, n: u32) -> Option<u32> {
        let mut v = 0;
        for _ in 0..n {
            v = v << 1 | u32::from(self.bit()?);
        }
        Some(v)
    }

    /// An unsigned Exp-Golomb code, `ue(v)`.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let suffix = self.u(zeros)?;
        Some((1u32 << zeros) - 1 + suffix)
    }

    /// A signed Exp-Golomb code, `se(v)`.
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        let magnitude = (code + 1) / 2;
        Some(if code % 2 == 1 { magnitude } else { -magnitude } as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    /// 1, 010, 011, 00100, 00101, and padding.
    const CODES: [u8; 3] = [0b1010_0110, 0b0100_0010, 0b1000_0000];

    #[test]
    fn exp_golomb_codes() {
        let mut b = Bits::new(&CODES);
        assert_eq!([b.ue(), b.ue(), b.ue(), b.ue(), b.ue()], [0, 1, 2, 3, 4].map(Some));
        let mut b = Bits::new(&CODES);
        assert_eq!([b.se(), b.se(), b.se(), b.se(), b.se()], [0, 1, -1, 2, -2].map(Some));
    }

    #[test]
    fn an_endless_run_of_zeros_is_no_code() {
        assert_eq!(Bits::new(&[0; 16]).ue(), None);
        assert_eq!(Bits::new(&[0, 0, 0, 1]).ue(), None);
    }
}
