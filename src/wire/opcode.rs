//! What a request asks for: `enum fuse_opcode` of linux/fuse.h.

macro_rules! opcodes {
    ($($name:ident = $number:literal)*) => {
        /// The requests that libfuse reads. It does not know those for DAX, which are left out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub(crate) enum Opcode {
            $($name = $number,)*
        }

        impl Opcode {
            pub(crate) fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

opcodes! {
    Lookup = 1
    Forget = 2
    Getattr = 3
    Setattr = 4
    Readlink = 5
    Symlink = 6
    Mknod = 8
    Mkdir = 9
    Unlink = 10
    Rmdir = 11
    Rename = 12
    Link = 13
    Open = 14
    Read = 15
    Write = 16
    Statfs = 17
    Release = 18
    Fsync = 20
    Setxattr = 21
    Getxattr = 22
    Listxattr = 23
    Removexattr = 24
    Flush = 25
    Init = 26
    Opendir = 27
    Readdir = 28
    Releasedir = 29
    Fsyncdir = 30
    Getlk = 31
    Setlk = 32
    Setlkw = 33
    Access = 34
    Create = 35
    Interrupt = 36
    Bmap = 37
    Destroy = 38
    Ioctl = 39
    Poll = 40
    NotifyReply = 41
    BatchForget = 42
    Fallocate = 43
    Readdirplus = 44
    Rename2 = 45
    Lseek = 46
    CopyFileRange = 47
    Syncfs = 50
    Tmpfile = 51
    Statx = 52
    CopyFileRange64 = 53
}

impl Opcode {
    /// Whether the kernel waits for a reply. (The reply to `INTERRUPT`, if there is one, is an error.)
    pub(crate) fn wants_reply(self) -> bool {
        !matches!(
            self,
            Self::Forget | Self::BatchForget | Self::Interrupt | Self::NotifyReply
        )
    }
}
