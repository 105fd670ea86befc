//! The values that handlers get and return.

mod arguments;
mod attr;
mod data;
mod file_info;
mod flags;
mod ids;
mod lock;
mod statvfs;
mod timestamp;

pub use arguments::CopyFileRange;
pub use arguments::SeekTarget;
pub use attr::EntryAttributes;
pub use attr::SetattrFields;
pub use data::Data;
pub(crate) use data::DataSource;
pub use data::WriteBuf;
pub use file_info::FileInfo;
pub use file_info::FileRef;
pub use flags::AccessFlags;
pub use flags::FallocateFlags;
pub use flags::OpenFlags;
pub use flags::RENAME_EXCHANGE;
pub use flags::RENAME_NOREPLACE;
pub use flags::ReleaseFlags;
pub use flags::RenameFlags;
pub use flags::XattrFlags;
pub use ids::FileHandle;
pub use ids::Inode;
pub use ids::LockOwner;
pub use ids::ROOT_INODE;
pub use lock::FileLock;
pub use lock::LockType;
pub use statvfs::StatvfsData;
pub use timestamp::TimeOrNow;
pub use timestamp::Timestamp;
