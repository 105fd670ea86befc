//! libfuse's log messages, in a function of the program's. There is one for the whole process, so this test
//! has a process for itself.

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::Mutex;

use common::MountDir;
use common::memfs::MemFs;
use libfuse3::MountOptions;
use libfuse3::Session;
use libfuse3::SessionBuilder;
use log::Level;

fn debugging(builder: SessionBuilder<MemFs>) -> SessionBuilder<MemFs> {
    builder.options(MountOptions::default().debug())
}

/// What is shown of a lookup: by libfuse, and by us.
const SHOWN: [&str; 4] = [
    "opcode: LOOKUP (1), nodeid: 1",
    "<- lookup of inode 1 by uid ",
    "name: \"missing\" }",
    "-> lookup of inode 1 by uid ",
];

#[test]
fn messages_go_to_the_function_that_is_set() {
    common::require_fuse!();
    let seen = Arc::new(Mutex::new(Vec::<(Level, String)>::new()));
    let has_seen = |part: &str| {
        let seen = seen.lock().unwrap();
        seen.iter().any(|(_, message)| message.contains(part))
    };
    let see = Arc::clone(&seen);
    libfuse3::set_log_func(move |level, message| {
        see.lock().unwrap().push((level, message.to_owned()));
        assert!(
            !message.contains("OPENDIR"),
            "a panic in it is nobody's concern"
        );
    });

    let mounted = common::mount_with(MemFs::default(), debugging);
    common::errno(fs::metadata(mounted.join("missing")));
    libfuse3::listdir(mounted.path()).unwrap();
    fs::write(mounted.join("file"), "text").unwrap();
    drop(mounted);
    for part in SHOWN {
        assert!(has_seen(part), "no {part} in {seen:?}");
    }
    assert!(has_seen("OPENDIR") && has_seen("opcode: WRITE"));
    for (level, message) in seen.lock().unwrap().iter() {
        assert_eq!(*level, Level::Debug, "{message}");
        assert_eq!(message.trim_end(), message);
    }

    // What is in an error is not said twice.
    let dir = MountDir::new();
    let options = MountOptions::default().with("no_such_option");
    let refused = Session::builder(MemFs::default()).options(options);
    let message = refused.mount(dir.path()).unwrap_err().to_string();
    assert!(message.contains("no_such_option"), "{message}");
    assert!(!has_seen("no_such_option"));

    // Without the option there is nothing to say.
    seen.lock().unwrap().clear();
    let mounted = common::mount(MemFs::default());
    common::errno(fs::metadata(mounted.join("missing")));
    drop(mounted);
    assert_eq!(*seen.lock().unwrap(), []);

    // And then it is no longer asked.
    libfuse3::reset_log_func();
    let mounted = common::mount_with(MemFs::default(), debugging);
    common::errno(fs::metadata(mounted.join("missing")));
    drop(mounted);
    assert_eq!(*seen.lock().unwrap(), []);
}
