//! CRC-32C of a message whose beginning changed, from the CRC it had and without reading the rest.

/// The polynomial of CRC-32C, reflected: bit 31 is the coefficient of x^0.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// Bits of a length that one table covers.
const DIGIT: usize = 8;

/// `x^(8 n)` modulo the polynomial, for every `n` of one digit in each of the four places of a length in bytes.
const POWERS: [[u32; 1 << DIGIT]; 4] = {
    let mut powers = [[0; 1 << DIGIT]; 4];
    // One byte is x^8.
    let mut step = 1 << (31 - 8);
    let mut place = 0;
    while place < 4 {
        powers[place][0] = 1 << 31;
        let mut n = 1;
        while n < 1 << DIGIT {
            powers[place][n] = times(powers[place][n - 1], step);
            n += 1;
        }
        step = times(powers[place][(1 << DIGIT) - 1], step);
        place += 1;
    }
    powers
};

/// The product of two polynomials, modulo ours.
const fn times(mut a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    while a != 0 {
        product ^= b & (a >> 31).wrapping_neg();
        a <<= 1;
        b = (b >> 1) ^ (POLYNOMIAL & (b & 1).wrapping_neg());
    }
    product
}

/// The CRC of a message whose beginning now has the CRC `new` instead of `old`, where `rest` bytes follow it.
///
/// A CRC is linear: two messages of one length that differ only at their beginning differ in their CRC by the difference of their
/// beginnings' CRCs, moved past the rest.
pub fn with_other_beginning(crc: u32, old: u32, new: u32, rest: u32) -> u32 {
    let mut difference = old ^ new;
    for (place, digit) in rest.to_le_bytes().into_iter().enumerate() {
        if digit != 0 {
            difference = times(difference, POWERS[place][usize::from(digit)]);
        }
    }
    crc ^ difference
}

#[cfg(test)]
mod tests {
    use crc_fast::{CrcAlgorithm::Crc32Iscsi, checksum};
    use proptest::prelude::*;

    use super::*;

    fn crc(bytes: &[u8]) -> u32 {
        checksum(Crc32Iscsi, bytes) as u32
    }

    proptest! {
        #[test]
        fn it_is_the_crc_of_the_message_as_it_is_now(
            old: [u8; 40], new: [u8; 40], rest in proptest::collection::vec(any::<u8>(), 0..700), more in 0u32..3,
        ) {
            // Lengths of one, two and three digits.
            let rest = rest.repeat(1 << (8 * more));
            let whole = crc(&[&old[..], &rest].concat());
            let length = u32::try_from(rest.len()).expect("some megabytes");
            prop_assert_eq!(
                with_other_beginning(whole, crc(&old), crc(&new), length),
                crc(&[&new[..], &rest].concat())
            );
        }
    }
}
