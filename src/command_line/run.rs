//! What a program does with its command line: mounts, goes into the background, runs.

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
    // One that comes before it is handled would leave the mount behind.
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
    let result = smol::block_on(session.run_with(|phase| match phase {
        Phase::SignalsHandled => drop(blocked.take()),
        Phase::Serving => notify(&format!("READY=1\nMAINPID={}", std::process::id())),
        Phase::Ending => notify("STOPPING=1"),
    }));
    session.close(Unmount::Yes)?;
    result?;
    Ok(())
}

/// The program works as well if the service manager does not get to know.
fn notify(state: &str) {
    if let Err(error) = sd_notify(state) {
        logging::warn!("cannot tell the service manager {state:?}: {error}");
    }
}

/// The options of the builder, if it has any of its own, and then those of the command line.
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

/// Without a name of its own, the mount is called after the program, so that mount(8) and umount(8) find it
/// by the type. libfuse does not do so where the command line has an fsname.
fn name_it(options: MountOptions, line: &CommandLine) -> MountOptions {
    let has_name = options.get("subtype").is_some()
        || (line.like_libfuse && line.options.get("fsname").is_some());
    let Some(name) = Path::new(&line.program).file_name().filter(|_| !has_name) else {
        return options;
    };
    match options.clone().subtype(name) {
        named if named.is_valid() => named,
        // The name of a program may have a comma in it, which a subtype must not.
        _ if options.get("fsname").is_none() => options.fsname(name),
        _ => options,
    }
}
