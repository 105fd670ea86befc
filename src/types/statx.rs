//! What `statx` asks for, and gets.

use bitflags::bitflags;

use super::EntryAttributes;
use super::Timestamp;

bitflags! {
    /// How exact the answer to `statx` has to be. Empty: as for `stat`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct StatxFlags: i32 {
        /// Get the attributes from where they are stored.
        #[doc(alias = "AT_STATX_FORCE_SYNC")]
        const FORCE_SYNC = libc::AT_STATX_FORCE_SYNC;
        /// What is known here will do.
        #[doc(alias = "AT_STATX_DONT_SYNC")]
        const DONT_SYNC = libc::AT_STATX_DONT_SYNC;
        const _ = !0;
    }

    /// Which attributes `statx` wants.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct StatxMask: u32 {
        /// All that `stat` has.
        #[doc(alias = "STATX_BASIC_STATS")]
        const BASIC_STATS = libc::STATX_BASIC_STATS;
        /// The time of creation.
        #[doc(alias = "STATX_BTIME")]
        const BTIME = libc::STATX_BTIME;
        const _ = !0;
    }
}

/// The answer to [`Operations::statx`](crate::Operations::statx): what Linux takes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatxData {
    /// All that `stat` has. `entry_timeout` is not used.
    pub attr: EntryAttributes,
    /// The time of creation, if the file system knows it.
    pub btime: Option<Timestamp>,
}
