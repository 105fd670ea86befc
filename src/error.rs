//! What can go wrong around a session, as opposed to in one request.

use std::io;
use std::path::PathBuf;

use crate::Errno;

/// Why a session could not be set up, run or ended.
///
/// The message says what was tried and with what, what libfuse had to say about it, and where there
/// is something to do about it, what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option that cannot be handed to libfuse.
    #[error("mount option {option:?}: {reason}")]
    InvalidOption {
        /// The option.
        option: String,
        /// What is wrong with it.
        reason: String,
    },

    /// libfuse did not take the options.
    #[error("libfuse refuses the mount options: {message}")]
    Options {
        /// libfuse's words.
        message: String,
    },

    /// The command line of a program makes no sense.
    #[error("{0}")]
    Usage(String),

    /// The mountpoint will not do.
    #[error("cannot mount on {path:?}: {reason}")]
    Mountpoint {
        /// The mountpoint as it was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// libfuse could not mount.
    #[error("cannot mount on {path:?}: {message}")]
    Mount {
        /// The mountpoint.
        path: PathBuf,
        /// libfuse's words, and what this library found out by itself.
        message: String,
    },

    /// [`SessionBuilder::custom_io`](crate::SessionBuilder::custom_io) cannot use the descriptors.
    #[error("cannot take requests from that descriptor: {0}")]
    CustomIo(String),

    /// A session that C has made cannot be run: [`LowlevelOps::adopt`](crate::LowlevelOps::adopt).
    #[error("cannot run that fuse_session: {0}")]
    Adopt(&'static str),

    /// The loaded libfuse is not one that this program can work with.
    #[error(
        "this program was built with the headers of libfuse {headers} but runs with libfuse {loaded}, \
         whose structures differ or which lacks functions: rebuild it, or install libfuse {headers}"
    )]
    Version {
        /// Version at build time.
        headers: String,
        /// Version of the loaded library.
        loaded: String,
    },

    /// [`Operations::init`](crate::Operations::init) returned an error, or panicked.
    #[error("the file system's init failed: {0}")]
    Init(Errno),

    /// [`Operations::init`](crate::Operations::init) asked for something that the kernel or libfuse
    /// does not offer, and returned the error that it got for it.
    #[error(
        "the file system needs {what}, which the kernel, or libfuse {libfuse}, does not offer: use \
         newer ones, or have init do without"
    )]
    NotOffered {
        /// The capabilities or the limit.
        what: String,
        /// Version of the loaded library.
        libfuse: String,
    },

    /// Requests could not be received any more.
    #[error("receiving requests from the kernel failed: {0}")]
    Receive(Errno),

    /// A reader thread has panicked outside of a handler, and the session has ended. The panic, whose message
    /// this is, came from a waker of the program's executor, or from this library.
    #[error("a thread that receives requests has panicked, and the session has ended: {0}")]
    ReaderPanicked(String),

    /// The process could not be put into the background.
    #[error("cannot go into the background: {0}")]
    Daemonize(String),

    /// A thread or a signal handler could not be set up.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: io::Error,
    },

    /// The session has ended, but its file system is still mounted, and every call on it fails with
    /// `ENOTCONN`.
    #[error(
        "{path:?} is still mounted, but its file system has ended: {reason}; unmount it: \
         fusermount3 -u -z {path:?}"
    )]
    StillMounted {
        /// Where it is mounted.
        path: PathBuf,
        /// Why it was not unmounted.
        reason: String,
    },

    /// Handlers or notifications would not end, so the session's memory could not be freed. The
    /// file system is unmounted all the same.
    #[error(
        "{0} calls of the session did not end in time; it is unmounted, but its memory is kept"
    )]
    Busy(usize),
}

impl Error {
    pub(crate) fn system(what: &str, source: io::Error) -> Self {
        Self::System {
            what: what.to_owned(),
            source,
        }
    }
}
