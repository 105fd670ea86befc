//! What all structures of the protocol consist of: words of eight bytes.

/// A number of 64 bits, or two of 32.
pub(super) type Word = [u8; 8];

#[inline]
pub(super) fn word(number: u64) -> Word {
    number.to_ne_bytes()
}

/// Two numbers in the order in which they are in memory.
#[inline]
pub(super) fn pair(first: u32, second: u32) -> Word {
    let mut word = [0; 8];
    word[..4].copy_from_slice(&first.to_ne_bytes());
    word[4..].copy_from_slice(&second.to_ne_bytes());
    word
}

/// A structure of so many words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words<const COUNT: usize>(pub(super) [Word; COUNT]);

impl<const COUNT: usize> Words<COUNT> {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }
}
