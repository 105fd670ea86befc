//! What may follow the body of a request, such as the security contexts of a new file.

use super::u32_at;

/// `FUSE_MAX_NR_SECCTX`: a greater number in the second place is a kind of extension, and not how many
/// security contexts there are.
const MAX_CONTEXTS: u32 = 31;
/// `struct fuse_ext_header`, and `struct fuse_secctx_header`, whose first numbers are the same.
const HEADER: usize = 8;

/// Whether each is as long as it says, and the names in it end.
pub(super) fn are_sound(mut extensions: &[u8]) -> bool {
    while !extensions.is_empty() {
        let (Some(len), Some(number)) = (u32_at(extensions, 0), u32_at(extensions, 4)) else {
            return false;
        };
        let Some((extension, rest)) = extensions.split_at_checked(len as usize) else {
            return false;
        };
        if extension.len() < HEADER {
            return false;
        }
        let body = &extension[HEADER..];
        if number <= MAX_CONTEXTS && !contexts_are_sound(body, number) {
            return false;
        }
        extensions = rest;
    }
    true
}

/// Each is `struct fuse_secctx` with the length of the value, a name, the value, and padding.
fn contexts_are_sound(mut contexts: &[u8], count: u32) -> bool {
    for _ in 0..count {
        let Some(value) = u32_at(contexts, 0) else {
            return false;
        };
        let Some(rest) = contexts.get(HEADER..) else {
            return false;
        };
        let Some(name) = rest.iter().position(|byte| *byte == 0) else {
            return false;
        };
        let len = (HEADER + name + 1)
            .saturating_add(value as usize)
            .checked_next_multiple_of(8);
        match len.and_then(|len| contexts.get(len..)) {
            Some(next) => contexts = next,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(name: &[u8], value: &[u8]) -> Vec<u8> {
        let mut context = [value.len() as u32, 0].map(u32::to_ne_bytes).concat();
        context.extend([name, value].concat());
        context.resize(context.len().next_multiple_of(8), 0);
        context
    }

    fn extension(number: u32, body: &[u8]) -> Vec<u8> {
        let len = (HEADER + body.len()) as u32;
        [&len.to_ne_bytes(), &number.to_ne_bytes(), body].concat()
    }

    #[test]
    fn contexts_and_other_extensions_are_sound() {
        let one = context(b"security.selinux\0", b"system_u:object_r\0");
        let two = [one.clone(), context(b"security.x\0", b"")].concat();
        assert!(are_sound(&[]));
        assert!(are_sound(&extension(0, b"")));
        assert!(are_sound(&extension(1, &one)));
        assert!(are_sound(&extension(2, &two)));
        let groups = extension(32, &[1, 0, 0, 0, 5, 0, 0, 0]);
        assert!(are_sound(&[extension(1, &one), groups].concat()));
    }

    #[test]
    fn what_is_shorter_than_it_says_is_not() {
        let one = context(b"security.selinux\0", b"system_u:object_r\0");
        assert!(!are_sound(&extension(2, &one)), "one is missing");
        let whole = extension(1, &one);
        for len in 1..whole.len() {
            assert!(!are_sound(&whole[..len]), "{len}");
        }
        for len in [0, 7, u32::MAX] {
            let mut wrong = whole.clone();
            wrong[..4].copy_from_slice(&len.to_ne_bytes());
            assert!(!are_sound(&wrong), "{len}");
        }
        let mut value = whole.clone();
        value[8..12].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(!are_sound(&value));
        // A header and no name: one byte further would be outside.
        assert!(!are_sound(&extension(1, &[1, 0, 0, 0, 0, 0, 0, 0])));
        assert!(!are_sound(&extension(1, b"\0\0\0\0\0\0\0\0no end..")));
    }
}
