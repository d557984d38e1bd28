//! Numbers of variable length: seven bits a byte, the least first, the eighth set where more follow (LEB128). Signed ones with
//! their sign in the lowest bit (zigzag).

/// Appends a number.
pub(super) fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a number with a sign.
pub(super) fn push_signed(bytes: &mut Vec<u8>, number: i64) {
    push(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Reads numbers one after the other.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Numbers<'a> {
        Numbers { bytes, at: 0 }
    }

    /// Bytes read.
    pub(super) fn taken(&self) -> usize {
        self.at
    }

    /// `None` where it is not all there. Bits beyond the 64th are not looked at.
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte < 0x80 {
                return Some(number);
            }
        }
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn pair(&mut self) -> Option<(u64, u64)> {
        Some((self.unsigned()?, self.unsigned()?))
    }
}
