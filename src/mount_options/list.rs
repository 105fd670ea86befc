//! How lists of options are written: commas, backslashes, values.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

/// `name=value`, with the value's commas and backslashes escaped.
pub(super) fn with_value(name: &str, value: &OsStr) -> OsString {
    let mut option = name.as_bytes().to_vec();
    option.push(b'=');
    for byte in value.as_bytes() {
        if matches!(byte, b',' | b'\\') {
            option.push(b'\\');
        }
        option.push(*byte);
    }
    OsString::from_vec(option)
}

/// The parts between commas that have no backslash before them.
pub(super) fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    list.split(move |byte| {
        let is_separator = *byte == b',' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_separator
    })
}

/// Name and value; the latter is empty if there is none.
pub(super) fn split_value(option: &OsStr) -> (&[u8], &[u8]) {
    let bytes = option.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&bytes[..equals], &bytes[equals + 1..]),
        None => (bytes, &[]),
    }
}

/// The value as it is meant. As libfuse has it, three octal digits behind a backslash are a byte, and
/// anything else there is itself.
pub(super) fn unescape(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        rest = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                tail @ ..,
            ] => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] => {
                plain.push(*byte);
                tail
            }
            [] => return plain,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        for value in [r"a,b\c", r"\,", r"\054", ""] {
            let option = with_value("name", OsStr::new(value));
            assert_eq!(split(option.as_bytes()).count(), 1);
            assert_eq!(unescape(split_value(&option).1), value.as_bytes());
        }
    }

    #[test]
    fn octal_digits_are_a_byte() {
        assert_eq!(unescape(br"a\040b\054\377"), b"a b,\xff");
        // As many as three, or none.
        assert_eq!(unescape(br"\400\08"), b"40008");
    }
}
