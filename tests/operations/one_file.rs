//! The handlers that get a test to its file.

/// For an `impl Operations` that has one file, `file`, inode 2: `lookup`, `getattr`, and `open` with what
/// it shall answer, if it is given.
macro_rules! one_file {
    () => {
        async fn lookup(
            &self,
            _parent: libfuse3::Inode,
            name: &std::ffi::OsStr,
            _ctx: &libfuse3::RequestContext,
        ) -> libfuse3::Result<libfuse3::EntryAttributes> {
            if name == "file" {
                Ok($crate::scripted::file(2))
            } else {
                Err(libfuse3::Errno::ENOENT)
            }
        }

        async fn getattr(
            &self,
            inode: libfuse3::Inode,
            _file: Option<libfuse3::FileRef>,
            _ctx: &libfuse3::RequestContext,
        ) -> libfuse3::Result<libfuse3::EntryAttributes> {
            Ok(if inode == libfuse3::ROOT_INODE {
                $crate::scripted::dir(1)
            } else {
                $crate::scripted::file(2)
            })
        }
    };
    (open: $info:expr) => {
        $crate::one_file::one_file!();

        async fn open(
            &self,
            _inode: libfuse3::Inode,
            _flags: libfuse3::OpenFlags,
            _ctx: &libfuse3::RequestContext,
        ) -> libfuse3::Result<libfuse3::FileInfo> {
            Ok($info)
        }
    };
}

pub(crate) use one_file;
