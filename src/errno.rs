//! The answer to a request that failed.

use std::fmt;
use std::io;

/// The error number that answers one request.
///
/// A newtype and not an enum, so that a number this crate has no name for is still an ordinary
/// value. The constants carry the names of C. `?` works on [`std::io::Error`] inside a handler: the
/// number of the system is kept, and an error that has none is mapped by its kind, else to
/// [`Errno::EIO`].
///
/// ```
/// use libfuse3::Errno;
///
/// fn size(path: &str) -> Result<u64, Errno> {
///     Ok(std::fs::metadata(path)?.len())
/// }
/// assert_eq!(size("/no/such/file"), Err(Errno::ENOENT));
/// assert_eq!(Errno::ENOENT.to_string(), "No such file or directory");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

/// What a handler returns.
pub type Result<T, E = Errno> = std::result::Result<T, E>;

/// The value behind [`Errno::NOT_IMPLEMENTED`]; no error number of the system is as large.
const NOT_IMPLEMENTED: i32 = i32::MAX;

macro_rules! errnos {
    ($($name:ident)*) => {
        /// The error numbers by their names in C.
        #[allow(missing_docs, reason = "the names of C say it")]
        impl Errno {
            $(pub const $name: Self = Self(libc::$name);)*

            /// The name in C, such as `"ENOENT"`; `None` for a number that has no name here.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(libc::$name => Some(stringify!($name)),)*
                    NOT_IMPLEMENTED => Some("NOT_IMPLEMENTED"),
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENOMSG EIDRM ENOSTR ENODATA ETIME ENOSR ENONET EREMOTE ENOLINK ECOMM EPROTO EMULTIHOP
    EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK
    EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP
    EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
    ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN EREMOTEIO EDQUOT
    ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD
    ENOTRECOVERABLE
}

impl Errno {
    /// The extended attribute does not exist. Linux spells it `ENODATA`.
    pub const ENOATTR: Self = Self::ENODATA;
    /// The operation is not supported. Linux has one number for `ENOTSUP` and `EOPNOTSUPP`.
    pub const ENOTSUP: Self = Self::EOPNOTSUPP;

    /// "This file system has no such operation": what every method of
    /// [`Operations`](crate::Operations) answers by default.
    ///
    /// The caller gets what libfuse answers for an operation that is left out: success for `open`,
    /// `opendir`, `release`, `releasedir` and `statfs`, else `ENOSYS`. The kernel remembers
    /// `ENOSYS` for many operations and never asks again (`no_flush`, `no_access`, ... in
    /// `fs/fuse`), which is why a plain [`Errno::ENOSYS`] out of a handler of such an operation is
    /// sent as `EOPNOTSUPP`: one failing call must not switch the operation off for the whole
    /// mount. Return this constant where switching it off is what you want.
    pub const NOT_IMPLEMENTED: Self = Self(NOT_IMPLEMENTED);

    /// The error with this number; `None` unless it is one that the kernel takes as an answer (1 to
    /// 511): those beyond are its own, and an answer with one of them would never reach the caller.
    ///
    /// Answers with numbers that the C library has no description for, such as 41, arrive as
    /// `ERANGE` with libfuse 3.17+.
    ///
    /// ```
    /// use libfuse3::Errno;
    /// assert_eq!(Errno::from_raw(2), Some(Errno::ENOENT));
    /// assert_eq!(Errno::from_raw(0), None);
    /// assert_eq!(Errno::from_raw(-2), None);
    /// ```
    #[must_use]
    pub const fn from_raw(number: i32) -> Option<Self> {
        /// `ERESTARTSYS`, the first of the kernel's own (`fuse_dev_do_write` in fs/fuse/dev.c).
        const FIRST_OF_THE_KERNEL: i32 = 512;
        if number > 0 && number < FIRST_OF_THE_KERNEL {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number as C has it; `ENOSYS` for [`Errno::NOT_IMPLEMENTED`].
    #[must_use]
    pub const fn raw(self) -> i32 {
        if self.0 == NOT_IMPLEMENTED {
            libc::ENOSYS
        } else {
            self.0
        }
    }

    /// The error that the last system call of this thread left in `errno`.
    #[must_use]
    pub fn last() -> Self {
        Self::from(io::Error::last_os_error())
    }

    /// The error for the negative number that a libfuse function returned.
    pub(crate) fn from_negative(result: i32) -> Self {
        Self::from_raw(result.wrapping_neg()).unwrap_or(Self::EIO)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `io::Error` prints "text (os error N)"; the text is what strerror(3) says.
        let text = io::Error::from_raw_os_error(self.raw()).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}

impl std::error::Error for Errno {}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Self::from_raw(number).unwrap_or(Self::EIO),
            None => Self::from(error.kind()),
        }
    }
}

impl From<io::ErrorKind> for Errno {
    fn from(kind: io::ErrorKind) -> Self {
        use io::ErrorKind;
        match kind {
            ErrorKind::NotFound => Self::ENOENT,
            ErrorKind::PermissionDenied => Self::EACCES,
            ErrorKind::ConnectionRefused => Self::ECONNREFUSED,
            ErrorKind::ConnectionReset => Self::ECONNRESET,
            ErrorKind::HostUnreachable => Self::EHOSTUNREACH,
            ErrorKind::NetworkUnreachable => Self::ENETUNREACH,
            ErrorKind::ConnectionAborted => Self::ECONNABORTED,
            ErrorKind::NotConnected => Self::ENOTCONN,
            ErrorKind::AddrInUse => Self::EADDRINUSE,
            ErrorKind::AddrNotAvailable => Self::EADDRNOTAVAIL,
            ErrorKind::NetworkDown => Self::ENETDOWN,
            ErrorKind::BrokenPipe => Self::EPIPE,
            ErrorKind::AlreadyExists => Self::EEXIST,
            ErrorKind::WouldBlock => Self::EAGAIN,
            ErrorKind::NotADirectory => Self::ENOTDIR,
            ErrorKind::IsADirectory => Self::EISDIR,
            ErrorKind::DirectoryNotEmpty => Self::ENOTEMPTY,
            ErrorKind::ReadOnlyFilesystem => Self::EROFS,
            ErrorKind::StaleNetworkFileHandle => Self::ESTALE,
            ErrorKind::InvalidInput => Self::EINVAL,
            ErrorKind::TimedOut => Self::ETIMEDOUT,
            ErrorKind::StorageFull => Self::ENOSPC,
            ErrorKind::NotSeekable => Self::ESPIPE,
            ErrorKind::QuotaExceeded => Self::EDQUOT,
            ErrorKind::FileTooLarge => Self::EFBIG,
            ErrorKind::ResourceBusy => Self::EBUSY,
            ErrorKind::ExecutableFileBusy => Self::ETXTBSY,
            ErrorKind::Deadlock => Self::EDEADLK,
            ErrorKind::CrossesDevices => Self::EXDEV,
            ErrorKind::TooManyLinks => Self::EMLINK,
            ErrorKind::ArgumentListTooLong => Self::E2BIG,
            ErrorKind::Interrupted => Self::EINTR,
            ErrorKind::Unsupported => Self::EOPNOTSUPP,
            ErrorKind::OutOfMemory => Self::ENOMEM,
            _ => Self::EIO,
        }
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_keep_their_number_and_kinds_are_mapped() {
        assert_eq!(
            Errno::from(io::Error::from_raw_os_error(libc::ENOTEMPTY)),
            Errno::ENOTEMPTY
        );
        assert_eq!(Errno::from(io::Error::from_raw_os_error(0)), Errno::EIO);
        assert_eq!(Errno::from(io::Error::from_raw_os_error(-5)), Errno::EIO);
        assert_eq!(
            Errno::from(io::Error::new(io::ErrorKind::NotFound, "x")),
            Errno::ENOENT
        );
        assert_eq!(Errno::from(io::Error::other("x")), Errno::EIO);
    }

    #[test]
    fn not_implemented_is_not_enosys_but_goes_out_as_it() {
        assert_ne!(Errno::NOT_IMPLEMENTED, Errno::ENOSYS);
        assert_eq!(Errno::NOT_IMPLEMENTED.raw(), libc::ENOSYS);
        assert_eq!(format!("{:?}", Errno::ENODATA), "ENODATA");
    }
}
