//! Options of the connection, and what kernel and file system agree upon with them.

use libfuse3::Capabilities;
use libfuse3::Error;
use libfuse3::MountOptions;
use libfuse3::Session;
use libfuse3::testing::MockKernel;

use crate::common::memfs::MemFs;

/// What is agreed upon with these options, where the kernel offers this much.
fn agreed(options: &str, offered: Capabilities) -> Result<MockKernel<MemFs>, Error> {
    let mut options = MountOptions::empty().with_list(options);
    let opts = options.take_conn_info_opts()?;
    assert_eq!(options.to_string(), "", "not all are about the connection");
    let session = Session::builder(MemFs::default()).conn_info_opts(opts);
    MockKernel::builder(session).capabilities(offered).start()
}

#[test]
fn capabilities_are_switched_on_and_off() {
    const OFFERED: Capabilities = Capabilities::ASYNC_READ
        .union(Capabilities::AUTO_INVAL_DATA)
        .union(Capabilities::ASYNC_DIO)
        .union(Capabilities::WRITEBACK_CACHE)
        .union(Capabilities::READDIRPLUS);
    for (option, capability, expected) in [
        ("async_read", Capabilities::ASYNC_READ, true),
        ("sync_read", Capabilities::ASYNC_READ, false),
        ("auto_inval_data", Capabilities::AUTO_INVAL_DATA, true),
        ("no_auto_inval_data", Capabilities::AUTO_INVAL_DATA, false),
        ("async_dio", Capabilities::ASYNC_DIO, true),
        ("no_async_dio", Capabilities::ASYNC_DIO, false),
        ("writeback_cache", Capabilities::WRITEBACK_CACHE, true),
        ("no_writeback_cache", Capabilities::WRITEBACK_CACHE, false),
        ("readdirplus=yes", Capabilities::READDIRPLUS, true),
        ("readdirplus=no", Capabilities::READDIRPLUS, false),
    ] {
        let without = agreed("", OFFERED).unwrap().capabilities();
        let with = agreed(option, OFFERED).unwrap().capabilities();
        assert_eq!(with.contains(capability), expected, "{option}: {with}");
        // And nothing else changes.
        assert_eq!(with - capability, without - capability, "{option}");
    }
}

#[test]
fn limits_are_lowered() {
    let offered = Capabilities::ASYNC_READ;
    let largest = agreed("", offered).unwrap().max_write();
    let write = |option: &str| agreed(option, offered).unwrap().max_write();
    assert_eq!(write("max_write=8192"), 8192);
    assert_eq!(write("max_write=1"), 4096);
    assert_eq!(write("max_write=4000000000"), largest);
}

/// libfuse 3.17 and later leave it out by themselves.
#[test]
fn what_is_not_offered() {
    let with = agreed("writeback_cache", Capabilities::ASYNC_READ);
    if cfg!(libfuse_since = "3.17") {
        assert_eq!(with.unwrap().capabilities(), Capabilities::ASYNC_READ);
    } else {
        with.unwrap_err();
    }
}

#[test]
fn a_granularity_that_is_none() {
    agreed("time_gran=7", Capabilities::ASYNC_READ).unwrap_err();
    drop(agreed("time_gran=1000000000", Capabilities::ASYNC_READ).unwrap());
}
