//! The kernel's protocol (include/uapi/linux/fuse.h), as far as the benchmark uses it.

pub const LOOKUP: u32 = 1;
pub const FORGET: u32 = 2;
pub const GETATTR: u32 = 3;
pub const UNLINK: u32 = 10;
pub const OPEN: u32 = 14;
pub const READ: u32 = 15;
pub const WRITE: u32 = 16;
pub const STATFS: u32 = 17;
pub const RELEASE: u32 = 18;
pub const INIT: u32 = 26;
pub const OPENDIR: u32 = 27;
pub const READDIR: u32 = 28;
pub const RELEASEDIR: u32 = 29;
pub const CREATE: u32 = 35;
pub const INTERRUPT: u32 = 36;
pub const BATCH_FORGET: u32 = 42;
pub const READDIRPLUS: u32 = 44;

/// `FOPEN_DIRECT_IO`
pub const DIRECT_IO: u32 = 1;
/// Size of `struct fuse_create_in`, which the name follows.
pub const CREATE_ARGUMENTS: usize = 16;

/// The same that the other servers ask for.
const INIT_FLAGS: u32 = ASYNC_READ
    | BIG_WRITES
    | AUTO_INVAL_DATA
    | DO_READDIRPLUS
    | ASYNC_DIO
    | PARALLEL_DIROPS
    | MAX_PAGES;
const ASYNC_READ: u32 = 1;
const BIG_WRITES: u32 = 1 << 5;
const AUTO_INVAL_DATA: u32 = 1 << 12;
const DO_READDIRPLUS: u32 = 1 << 13;
const ASYNC_DIO: u32 = 1 << 15;
const PARALLEL_DIROPS: u32 = 1 << 18;
const MAX_PAGES: u32 = 1 << 22;

/// Size of `struct fuse_in_header` and `struct fuse_out_header`.
const IN_HEADER: usize = 40;
const OUT_HEADER: usize = 16;
/// Size of `struct fuse_entry_out`.
const ENTRY: usize = 128;
/// Size of `struct fuse_dirent` without the name.
const DIRENT: usize = 24;

/// A message of the kernel.
pub struct Request<'a> {
    pub opcode: u32,
    pub unique: u64,
    pub node: u64,
    /// What follows the header.
    arguments: &'a [u8],
}

impl<'a> Request<'a> {
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let (header, arguments) = message.split_at_checked(IN_HEADER)?;
        Some(Self {
            opcode: number32(header, 4),
            unique: number64(header, 8),
            node: number64(header, 16),
            arguments,
        })
    }

    /// The name from byte `offset` of the arguments to the NUL.
    pub fn name(&self, offset: usize) -> &'a [u8] {
        let name = self.arguments.get(offset..).unwrap_or_default();
        name.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// `offset` of `struct fuse_read_in` and `struct fuse_write_in`.
    pub fn offset(&self) -> u64 {
        number64(self.arguments, 8)
    }

    /// `size` of the same.
    pub fn size(&self) -> u32 {
        number32(self.arguments, 16)
    }
}

fn number32(bytes: &[u8], offset: usize) -> u32 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn number64(bytes: &[u8], offset: usize) -> u64 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// A header for a body of this size.
pub fn header(unique: u64, error: i32, size: usize) -> [u8; OUT_HEADER] {
    let mut header = [0; OUT_HEADER];
    header[..4].copy_from_slice(&((OUT_HEADER + size) as u32).to_ne_bytes());
    header[4..8].copy_from_slice(&error.to_ne_bytes());
    header[8..].copy_from_slice(&unique.to_ne_bytes());
    header
}

/// An answer in the making, with room for its header in front.
pub struct Body(Vec<u8>);

impl Default for Body {
    fn default() -> Self {
        Self(vec![0; OUT_HEADER])
    }
}

impl Body {
    pub fn clear(&mut self) {
        self.0.truncate(OUT_HEADER);
    }

    /// The whole answer.
    pub fn finish(&mut self, unique: u64, error: i32) -> &[u8] {
        let header = header(unique, error, self.0.len() - OUT_HEADER);
        self.0[..OUT_HEADER].copy_from_slice(&header);
        &self.0
    }

    fn put32(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.0.extend_from_slice(&number.to_ne_bytes());
        }
    }

    fn put64(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.0.extend_from_slice(&number.to_ne_bytes());
        }
    }

    /// `struct fuse_init_out`
    pub fn init(&mut self, request: &Request<'_>) {
        let max_readahead = number32(request.arguments, 8);
        self.put32(&[7, 31, max_readahead, INIT_FLAGS]);
        self.put32(&[0, tree::MAX_IO as u32, 1]); // max_background, max_write, time_gran
        self.put32(&[(tree::MAX_IO / 4096) as u32]); // max_pages, 16 bits of it
        self.put32(&[0; 8]);
    }

    /// `struct fuse_attr`
    fn raw_attr(&mut self, attr: &tree::Attr) {
        self.put64(&[attr.ino, attr.size, 0, 0, 0, 0]);
        self.put32(&[0, 0, 0, attr.mode, attr.nlink, 0, 0, 0, 4096, 0]);
    }

    /// `struct fuse_attr_out`
    pub fn attr(&mut self, attr: &tree::Attr) {
        self.put64(&[0, 0]);
        self.raw_attr(attr);
    }

    /// `struct fuse_entry_out`
    pub fn entry(&mut self, attr: &tree::Attr) {
        self.put64(&[attr.ino, 0, 0, 0, 0]);
        self.raw_attr(attr);
    }

    /// `struct fuse_open_out`
    pub fn opened(&mut self, flags: u32) {
        self.put64(&[0]);
        self.put32(&[flags, 0]);
    }

    /// `struct fuse_write_out`
    pub fn written(&mut self, size: u32) {
        self.put32(&[size, 0]);
    }

    /// `struct fuse_statfs_out`
    pub fn statfs(&mut self, files: u64) {
        self.put64(&[0, 0, 0, files, 0]);
        self.put32(&[4096, 255, 4096, 0, 0, 0, 0, 0, 0, 0]);
    }

    /// `struct fuse_dirent`, with `struct fuse_entry_out` before it if it is `plus`. Whether there
    /// was room for it.
    pub fn dirent(
        &mut self,
        room: usize,
        plus: bool,
        attr: &tree::Attr,
        name: &[u8],
        next: u64,
    ) -> bool {
        let size = (DIRENT + name.len()).next_multiple_of(8) + if plus { ENTRY } else { 0 };
        if self.0.len() - OUT_HEADER + size > room {
            return false;
        }
        if plus {
            self.entry(attr);
        }
        self.put64(&[attr.ino, next]);
        self.put32(&[name.len() as u32, attr.mode >> 12]);
        self.0.extend_from_slice(name);
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        true
    }
}
