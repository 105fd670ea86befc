//! Checks of requests before libfuse reads them.
//!
//! libfuse trusts the kernel: names end with a NUL, and bodies are as long as their lengths say. Other peers
//! are not trusted with that.

use super::IN_HEADER;
use super::InHeader;
use super::MAJOR;
use super::Opcode;
use super::extensions;
use super::opcode;
use super::u32_at;
use crate::Errno;

/// The oldest minor version with the layouts below: Linux 2.6.31.
const OLDEST_MINOR: u32 = 12;
/// `FUSE_INIT_EXT`: more flags follow, and INIT is as long as `struct fuse_init_in` is today.
const INIT_EXT: u32 = 1 << 30;
const INIT_EXT_LEN: usize = 64;
/// More than any kernel asks for in one request.
const MAX_SIZE: u32 = 32 << 20;
/// The length of `struct fuse_setxattr_in` if `SETXATTR_EXT` was agreed on (Linux 5.13): 8 bytes more than
/// without it.
const SETXATTR_EXT_LEN: usize = 16;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    /// The reply is this error.
    Refuse(Errno),
    /// The message is dropped, since it has no reply.
    Drop,
}

/// What follows the fixed part of a body.
enum Rest {
    Nothing,
    /// So many names.
    Names(usize),
    /// As many bytes as the number at this offset says.
    Payload(usize),
    /// A name, then as many bytes as the number at this offset says.
    NameAndPayload(usize),
    /// As many pairs of node id and count as the number at this offset says.
    Forgets(usize),
}

/// The length of the fixed part of a body, and what follows it.
fn layout(opcode: Opcode, setxattr_ext: bool) -> (usize, Rest) {
    match opcode {
        Opcode::Lookup | Opcode::Unlink | Opcode::Rmdir | Opcode::Removexattr => {
            (0, Rest::Names(1))
        }
        Opcode::Symlink => (0, Rest::Names(2)),
        Opcode::Mkdir | Opcode::Link => (8, Rest::Names(1)),
        Opcode::Mknod | Opcode::Create | Opcode::Tmpfile => (16, Rest::Names(1)),
        Opcode::Rename => (8, Rest::Names(2)),
        Opcode::Rename2 => (16, Rest::Names(2)),
        Opcode::Readlink | Opcode::Statfs | Opcode::Destroy => (0, Rest::Nothing),
        Opcode::Forget | Opcode::Open | Opcode::Opendir | Opcode::Access => (8, Rest::Nothing),
        Opcode::Interrupt | Opcode::Syncfs => (8, Rest::Nothing),
        Opcode::Getattr | Opcode::Fsync | Opcode::Fsyncdir | Opcode::Bmap => (16, Rest::Nothing),
        Opcode::Init => (16, Rest::Nothing),
        Opcode::Release | Opcode::Releasedir | Opcode::Flush => (24, Rest::Nothing),
        Opcode::Poll | Opcode::Lseek | Opcode::Statx => (24, Rest::Nothing),
        Opcode::Fallocate => (32, Rest::Nothing),
        Opcode::Getlk | Opcode::Setlk | Opcode::Setlkw => (48, Rest::Nothing),
        Opcode::CopyFileRange | Opcode::CopyFileRange64 => (56, Rest::Nothing),
        Opcode::Setattr => (88, Rest::Nothing),
        Opcode::Read | Opcode::Readdir | Opcode::Readdirplus => (40, Rest::Nothing),
        Opcode::Listxattr => (8, Rest::Nothing),
        Opcode::Getxattr => (8, Rest::Names(1)),
        Opcode::Write | Opcode::NotifyReply => (40, Rest::Payload(16)),
        Opcode::Ioctl => (32, Rest::Payload(24)),
        Opcode::Setxattr if setxattr_ext => (SETXATTR_EXT_LEN, Rest::NameAndPayload(0)),
        Opcode::Setxattr => (8, Rest::NameAndPayload(0)),
        Opcode::BatchForget => (8, Rest::Forgets(0)),
    }
}

/// The offset in the fixed part of the largest size of the reply.
fn reply_size_at(opcode: Opcode) -> Option<usize> {
    match opcode {
        Opcode::Read | Opcode::Readdir | Opcode::Readdirplus => Some(16),
        Opcode::Listxattr | Opcode::Getxattr => Some(0),
        Opcode::Ioctl => Some(28),
        _ => None,
    }
}

/// Checks a message. `setxattr_ext`: whether `SETXATTR_EXT` was agreed on.
pub(crate) fn check(message: &[u8], setxattr_ext: bool) -> Verdict {
    let Some(header) = InHeader::read(message) else {
        return Verdict::Drop;
    };
    let Some(opcode) = Opcode::from_number(header.opcode) else {
        // The reply of libfuse to opcodes that it does not know.
        return Verdict::Refuse(Errno::ENOSYS);
    };
    let body = &message[IN_HEADER..];
    let is_sound = match opcode {
        Opcode::Init => return check_init(body),
        _ => body
            .len()
            .checked_sub(header.extensions)
            .map(|len| body.split_at(len))
            .is_some_and(|(body, extensions)| {
                is_sound(opcode, body, setxattr_ext) && extensions::are_sound(extensions)
            }),
    };
    match opcode {
        _ if is_sound => Verdict::Accept,
        _ if opcode.wants_reply() => Verdict::Refuse(Errno::EINVAL),
        _ => Verdict::Drop,
    }
}

/// The number of bytes that libfuse may read beyond the end of an accepted message. The caller sets them to
/// zero.
///
/// Only `SETXATTR` has such bytes. libfuse 3.13.0, 3.13.1 and 3.14.0 read the longer layout even if it was not
/// agreed on, unless patched as Debian's is. Their name begins 8 bytes later, possibly inside the value. No
/// libfuse compares the length of the value with that of the message.
pub(crate) fn overrun(message: &[u8]) -> usize {
    let body = message.get(IN_HEADER..).unwrap_or_default();
    match (opcode(message), u32_at(body, 0)) {
        (Some(Opcode::Setxattr), Some(size)) => {
            // Without a NUL, the name ends at the first zero beyond the message.
            let name = body.get(SETXATTR_EXT_LEN..).unwrap_or_default();
            let name_len = name.iter().position(|byte| *byte == 0);
            let value = SETXATTR_EXT_LEN + name_len.unwrap_or(name.len()) + 1;
            value
                .saturating_add(size as usize)
                .saturating_sub(body.len())
        }
        _ => 0,
    }
}

fn is_sound(opcode: Opcode, body: &[u8], setxattr_ext: bool) -> bool {
    let (fixed, rest) = layout(opcode, setxattr_ext);
    let Some((fixed, variable)) = body.split_at_checked(fixed) else {
        return false;
    };
    let number_at = |offset| u32_at(fixed, offset).unwrap_or(u32::MAX);
    let size_at = |offset| number_at(offset) as usize;
    if reply_size_at(opcode).is_some_and(|offset| number_at(offset) > MAX_SIZE) {
        return false;
    }
    match rest {
        Rest::Nothing => true,
        // The kernel sends that name in TMPFILE only, which a reader may hand to libfuse as CREATE.
        Rest::Names(_) if opcode == Opcode::Create && variable.starts_with(b"/\0") => false,
        Rest::Names(names) => without_names(variable, names).is_some(),
        Rest::Payload(size) => variable.len() >= size_at(size),
        Rest::NameAndPayload(size) => {
            without_names(variable, 1).is_some_and(|payload| payload.len() >= size_at(size))
        }
        Rest::Forgets(count) => variable.len() / 16 >= size_at(count),
    }
}

/// The bytes behind this number of NUL-terminated names; `None` if there are fewer.
fn without_names(bytes: &[u8], names: usize) -> Option<&[u8]> {
    (0..names).try_fold(bytes, |rest, _| {
        let nul = rest.iter().position(|byte| *byte == 0)?;
        Some(&rest[nul + 1..])
    })
}

fn check_init(body: &[u8]) -> Verdict {
    let (Some(major), Some(minor), Some(flags)) =
        (u32_at(body, 0), u32_at(body, 4), u32_at(body, 12))
    else {
        return Verdict::Refuse(Errno::EINVAL);
    };
    if flags & INIT_EXT != 0 && body.len() < INIT_EXT_LEN {
        return Verdict::Refuse(Errno::EINVAL);
    }
    if major == MAJOR && minor < OLDEST_MINOR {
        return Verdict::Refuse(Errno::EPROTO);
    }
    Verdict::Accept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(opcode: u32, body: &[u8]) -> Vec<u8> {
        let mut message = vec![0; IN_HEADER];
        message[..4].copy_from_slice(&((IN_HEADER + body.len()) as u32).to_ne_bytes());
        message[4..8].copy_from_slice(&opcode.to_ne_bytes());
        message.extend(body);
        message
    }

    fn verdict(opcode: Opcode, body: &[u8]) -> Verdict {
        check(&message(opcode as u32, body), false)
    }

    #[test]
    fn names_must_end() {
        let refused = Verdict::Refuse(Errno::EINVAL);
        assert_eq!(verdict(Opcode::Lookup, b"name\0"), Verdict::Accept);
        assert_eq!(verdict(Opcode::Lookup, b"name"), refused);
        assert_eq!(verdict(Opcode::Lookup, b""), refused);
        assert_eq!(verdict(Opcode::Symlink, b"name\0target\0"), Verdict::Accept);
        assert_eq!(verdict(Opcode::Symlink, b"name\0target"), refused);
        assert_eq!(verdict(Opcode::Rename, b"\0\0\0\0\0\0\0\0a\0"), refused);
        assert_eq!(
            verdict(Opcode::Getxattr, b"\0\0\0\0\0\0\0\0a\0"),
            Verdict::Accept
        );
    }

    #[test]
    fn create_must_not_look_like_tmpfile() {
        let body = |name: &[u8]| [&[0; 16], name].concat();
        let refused = Verdict::Refuse(Errno::EINVAL);
        assert_eq!(verdict(Opcode::Tmpfile, &body(b"/\0")), Verdict::Accept);
        assert_eq!(verdict(Opcode::Create, &body(b"/\0")), refused);
        assert_eq!(verdict(Opcode::Create, &body(b"x\0")), Verdict::Accept);
    }

    #[test]
    fn extensions_are_no_part_of_the_body() {
        // Eight bytes of extensions: one without contexts.
        let extended = |body: &[u8], units: u16| {
            let mut message = message(Opcode::Lookup as u32, body);
            message[36..38].copy_from_slice(&units.to_ne_bytes());
            check(&message, false)
        };
        let refused = Verdict::Refuse(Errno::EINVAL);
        let whole = b"name\0\x08\0\0\0\0\0\0\0";
        assert_eq!(extended(whole, 1), Verdict::Accept);
        assert_eq!(extended(whole, 2), refused);
        assert_eq!(extended(b"name\x08\0\0\0\0\0\0\0", 1), refused);
        assert_eq!(extended(b"name\0\x09\0\0\0\0\0\0\0", 1), refused);
    }

    #[test]
    fn bodies_must_be_as_long_as_they_say() {
        let refused = Verdict::Refuse(Errno::EINVAL);
        let mut write = [0; 44];
        write[16] = 4;
        assert_eq!(verdict(Opcode::Write, &write), Verdict::Accept);
        assert_eq!(verdict(Opcode::Write, &write[..43]), refused);
        assert_eq!(verdict(Opcode::Write, &write[..39]), refused);
        write[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(verdict(Opcode::Write, &write), refused);
        assert_eq!(verdict(Opcode::Read, &write[..40]), refused);

        let setxattr = b"\x02\0\0\0\0\0\0\0user.x\0ab";
        assert_eq!(verdict(Opcode::Setxattr, setxattr), Verdict::Accept);
        let short = &setxattr[..setxattr.len() - 1];
        assert_eq!(verdict(Opcode::Setxattr, short), refused);

        let mut forgets = [0; 40];
        forgets[0] = 2;
        assert_eq!(verdict(Opcode::BatchForget, &forgets), Verdict::Accept);
        forgets[0] = 3;
        assert_eq!(verdict(Opcode::BatchForget, &forgets), Verdict::Drop);
        assert_eq!(verdict(Opcode::Forget, &[0; 7]), Verdict::Drop);
    }

    #[test]
    fn replies_must_not_be_asked_for_that_no_kernel_takes() {
        let refused = Verdict::Refuse(Errno::EINVAL);
        let mut ioctl = [0; 32];
        assert_eq!(verdict(Opcode::Ioctl, &ioctl), Verdict::Accept);
        ioctl[31] = 0xff;
        assert_eq!(verdict(Opcode::Ioctl, &ioctl), refused);
        let getxattr = b"\xff\xff\xff\xff\0\0\0\0user.x\0";
        assert_eq!(verdict(Opcode::Getxattr, getxattr), refused);
        assert_eq!(verdict(Opcode::Listxattr, &getxattr[..8]), refused);
    }

    #[test]
    fn setxattr_is_checked_in_the_layout_that_was_agreed_on() {
        let setxattr_ext = |body: &[u8]| check(&message(Opcode::Setxattr as u32, body), true);
        let refused = Verdict::Refuse(Errno::EINVAL);
        let long = b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0user.x\0ab";
        assert_eq!(setxattr_ext(long), Verdict::Accept);
        assert_eq!(setxattr_ext(&long[..long.len() - 1]), refused);
        // The other layout is shorter, and begins with the name where this one goes on.
        let short = b"\x02\0\0\0\0\0\0\0user.x\0ab";
        assert_eq!(verdict(Opcode::Setxattr, short), Verdict::Accept);
        assert_eq!(setxattr_ext(short), refused);
    }

    #[test]
    fn zeros_behind_setxattr_suffice_for_either_layout() {
        let overrun_of = |size: u32, name: &[u8], value: usize| {
            let mut body = size.to_ne_bytes().to_vec();
            body.extend([0; 4]);
            body.extend(name);
            body.resize(body.len() + value, b'v');
            overrun(&message(Opcode::Setxattr as u32, &body))
        };
        // Both layouts find the same value.
        assert_eq!(overrun_of(100, b"user.long\0", 100), 0);
        // The longer one finds a name in the value (99 bytes), and begins the value behind the message.
        assert_eq!(overrun_of(100, b"user.x\0", 100), 1 + 100);
        // It finds nothing at all: it begins 6 bytes behind the message.
        assert_eq!(overrun_of(0, b"a\0", 0), 6 + 1);
        assert_eq!(overrun_of(2, b"a\0", 2), 4 + 1 + 2);
        assert_eq!(overrun(&message(Opcode::Getxattr as u32, &[1; 40])), 0);
    }

    #[test]
    fn requests_that_libfuse_does_not_know_are_not_shown_to_it() {
        assert_eq!(
            check(&message(48, &[0; 64]), false),
            Verdict::Refuse(Errno::ENOSYS)
        );
        assert_eq!(
            check(&message(0, &[]), false),
            Verdict::Refuse(Errno::ENOSYS)
        );
        assert_eq!(check(&[0; 39], false), Verdict::Drop);
    }

    #[test]
    fn init_must_be_of_a_version_whose_layouts_are_known() {
        let init = |major: u32, minor: u32, flags: u32, len| {
            let mut body = [major, minor, 0, flags].map(u32::to_ne_bytes).concat();
            body.resize(len, 0);
            verdict(Opcode::Init, &body)
        };
        assert_eq!(init(7, 31, 0, 16), Verdict::Accept);
        assert_eq!(init(7, 31, 0, 15), Verdict::Refuse(Errno::EINVAL));
        assert_eq!(init(7, 36, INIT_EXT, 16), Verdict::Refuse(Errno::EINVAL));
        assert_eq!(init(7, 36, INIT_EXT, 64), Verdict::Accept);
        assert_eq!(init(7, 8, 0, 16), Verdict::Refuse(Errno::EPROTO));
        assert_eq!(init(8, 0, 0, 16), Verdict::Accept);
    }
}
