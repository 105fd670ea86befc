//! The life of a program: mount, background, run.

use std::error::Error as StdError;
use std::path::Path;

use super::CommandLine;
use super::remount::remount;
use crate::Error;
use crate::MountOptions;
use crate::Operations;
use crate::Session;
use crate::SessionBuilder;
use crate::Unmount;
use crate::logging;
use crate::raw;
use crate::sd_notify;
use crate::session::Phase;

pub(super) fn run<O: Operations>(
    mut line: CommandLine,
    make: impl FnOnce(&mut CommandLine) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
    mounted: impl FnOnce(&Session<O>) -> Result<(), Box<dyn StdError>>,
) -> Result<(), Box<dyn StdError>> {
    if line.is_remount() {
        return remount(&line);
    }
    let mut builder = make(&mut line)?;
    let options = mount_options(&line, builder.take_options());
    if let Some(threads) = line.max_threads {
        builder = builder.reader_threads(threads);
    }
    if line.single_threaded {
        builder = builder.reader_threads(1);
    }
    let mountpoint = line.mountpoint.take().unwrap_or_default();
    // A signal before the handlers are installed would end the program and leave a dead mount.
    let blocked = raw::sys::block_signals(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])?;
    let session = builder
        .options(options)
        .handle_signals(true)
        .mount(mountpoint);
    let mut session = session.map_err(|error| match error {
        Error::Options { message } => Error::Options {
            message: format!("{message}; try --help"),
        },
        other => other,
    })?;
    if !line.foreground {
        session.daemonize()?;
    }
    mounted(&session)?;
    let mut blocked = Some(blocked);
    // Before `smol::block_on`, which starts the thread of async-io at its end: without descriptors for it, that
    // thread panics.
    let prepared = session.prepare();
    let result = prepared.and_then(|_signals| {
        smol::block_on(session.run_with(|phase| match phase {
            Phase::SignalsHandled => drop(blocked.take()),
            Phase::Serving => notify(&format!("READY=1\nMAINPID={}", std::process::id())),
            Phase::Ending => notify("STOPPING=1"),
        }))
    });
    session.close(Unmount::Yes)?;
    result?;
    Ok(())
}

/// Tells the service manager. A failure does not end the program.
fn notify(state: &str) {
    if let Err(error) = sd_notify(state) {
        logging::warn!("cannot tell the service manager {state:?}: {error}");
    }
}

/// The options of the builder, overridden by those of the command line.
fn mount_options(line: &CommandLine, builders: Option<MountOptions>) -> MountOptions {
    let mut last = line.options.clone();
    if builders.is_some() && line.adds_permissions {
        last.remove("default_permissions");
    }
    let options = builders
        .unwrap_or(MountOptions::empty())
        .overridden_by(last);
    name_it(options, line)
}

/// Sets the program's name as the subtype, if there is none: mount(8) and umount(8) find the mount by the type.
/// Programs of libfuse do not do so if the command line has an fsname.
fn name_it(options: MountOptions, line: &CommandLine) -> MountOptions {
    let has_name = options.get("subtype").is_some()
        || (line.like_libfuse && line.options.get("fsname").is_some());
    let Some(name) = Path::new(&line.program).file_name().filter(|_| !has_name) else {
        return options;
    };
    match options.clone().subtype(name) {
        named if named.is_valid() => named,
        // The program's name has a comma, which a subtype must not have.
        _ if options.get("fsname").is_none() => options.fsname(name),
        _ => options,
    }
}
