"""The benchmark's tree on pyfuse3: null.py MOUNTPOINT

The tree is described in ../tree/src/lib.rs: keep the two in step.
"""

import errno
import stat
import sys

import pyfuse3
import trio

ROOT, ZERO, SLOW, MANY = 1, 2, 3, 4
FIRST_NEW, NEW_COUNT = 100, 64
FIRST_ENTRY, ENTRY_COUNT = 1_000_000, 100_000

ZEROS = {size: bytes(size) for size in (4096, 1 << 17, 1 << 20)}

FIXED = [(ZERO, b'zero'), (SLOW, b'slow'), (MANY, b'many')]


def attributes(inode):
    attr = pyfuse3.EntryAttributes()
    attr.st_ino = inode
    attr.entry_timeout = 0
    attr.attr_timeout = 0
    attr.st_blksize = 4096
    if inode in (ROOT, MANY):
        attr.st_mode = stat.S_IFDIR | 0o755
        attr.st_nlink = 2
        return attr
    attr.st_mode = stat.S_IFREG | 0o644
    attr.st_nlink = 1
    if inode in (ZERO, SLOW):
        attr.st_size = 1 << 40
    elif not (FIRST_NEW <= inode < FIRST_NEW + NEW_COUNT or FIRST_ENTRY <= inode < FIRST_ENTRY + ENTRY_COUNT):
        raise pyfuse3.FUSEError(errno.ENOENT)
    return attr


def number(name, prefix, limit):
    """The number behind a prefix, or None."""
    digits = name[len(prefix):]
    if name.startswith(prefix) and digits.isdigit() and int(digits) < limit:
        return int(digits)
    return None


class Null(pyfuse3.Operations):
    enable_writeback_cache = False

    def __init__(self):
        super().__init__()
        self.new = set()

    def find(self, parent, name):
        if parent == ROOT:
            for inode, fixed in FIXED:
                if name == fixed:
                    return inode
            index = number(name, b'new-', NEW_COUNT)
            if index in self.new:
                return FIRST_NEW + index
        elif parent == MANY:
            index = number(name, b'entry-', ENTRY_COUNT)
            if index is not None:
                return FIRST_ENTRY + index
        raise pyfuse3.FUSEError(errno.ENOENT)

    async def getattr(self, inode, ctx=None):
        return attributes(inode)

    async def lookup(self, parent, name, ctx=None):
        return attributes(self.find(parent, name))

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=inode, direct_io=True, keep_cache=False)

    async def create(self, parent, name, mode, flags, ctx):
        index = number(name, b'new-', NEW_COUNT)
        if parent != ROOT or index is None:
            raise pyfuse3.FUSEError(errno.EPERM)
        self.new.add(index)
        inode = FIRST_NEW + index
        return pyfuse3.FileInfo(fh=inode, direct_io=True, keep_cache=False), attributes(inode)

    async def unlink(self, parent, name, ctx):
        inode = self.find(parent, name)
        if not FIRST_NEW <= inode < FIRST_NEW + NEW_COUNT:
            raise pyfuse3.FUSEError(errno.EPERM)
        self.new.remove(inode - FIRST_NEW)

    async def read(self, fh, off, size):
        if fh == SLOW:
            await trio.sleep(1)
        return ZEROS.get(size) or bytes(size)

    async def write(self, fh, off, buf):
        return len(buf)

    async def release(self, fh):
        pass

    async def opendir(self, inode, ctx):
        return inode

    async def readdir(self, fh, start_id, token):
        if fh == ROOT:
            for index in range(start_id, len(FIXED)):
                inode, name = FIXED[index]
                if not pyfuse3.readdir_reply(token, name, attributes(inode), index + 1):
                    return
        elif fh == MANY:
            for index in range(start_id, ENTRY_COUNT):
                name = b'entry-%06d' % index
                if not pyfuse3.readdir_reply(token, name, attributes(FIRST_ENTRY + index), index + 1):
                    return


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: null.py MOUNTPOINT')
    # No options, in particular not default_permissions: as the other servers of the benchmark.
    pyfuse3.init(Null(), sys.argv[1], set())
    try:
        trio.run(pyfuse3.main)
    finally:
        pyfuse3.close()


main()
