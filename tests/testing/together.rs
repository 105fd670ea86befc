//! Several requests at once, and interruptions.

use std::ffi::OsStr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::future::join_all;
use libfuse3::testing::MockKernel;
use libfuse3::testing::Request;
use libfuse3::*;

use crate::common;
use crate::common::Gate;

/// Looking up `wait` waits for the gate, `interrupted` for an interruption.
struct Slow {
    gate: Arc<Gate>,
    waiting: Arc<Gate>,
}

impl Operations for Slow {
    async fn lookup(
        &self,
        _: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        match name.to_str().unwrap() {
            "wait" => {
                self.gate.pass().await;
                let interrupted = ctx.is_interrupted();
                Err(if interrupted {
                    Errno::EINTR
                } else {
                    Errno::ENOENT
                })
            }
            "interrupted" => {
                self.waiting.open();
                ctx.interrupted().await;
                Err(Errno::EINTR)
            }
            "caller" => {
                assert_eq!((ctx.uid, ctx.gid, ctx.pid), (1, 2, 3));
                Err(Errno::EDOM)
            }
            _ => Err(Errno::ENOENT),
        }
    }
}

fn start() -> MockKernel<Slow> {
    start_with(|session| session)
}

fn start_with(
    configure: impl FnOnce(SessionBuilder<Slow>) -> SessionBuilder<Slow>,
) -> MockKernel<Slow> {
    common::install_logger();
    let ops = Slow {
        gate: Gate::new(),
        waiting: Gate::new(),
    };
    let session = configure(Session::builder(ops));
    MockKernel::builder(session).start().unwrap()
}

fn lookup(name: &str) -> Request<EntryAttributes> {
    Request::lookup(ROOT_INODE, name)
}

#[test]
fn a_request_that_waits_does_not_keep_others_waiting() {
    let kernel = start();
    let first = kernel.start(lookup("wait"));
    let second = kernel.start(lookup("wait"));
    assert_eq!(kernel.lookup(ROOT_INODE, "other"), Err(Errno::ENOENT));
    kernel.operations().gate.wait_for(2);
    assert!(!first.is_answered() && !second.is_answered());
    kernel.operations().gate.open();
    assert_eq!(second.wait(), Err(Errno::ENOENT));
    assert_eq!(first.wait(), Err(Errno::ENOENT));
    common::assert_quiet();
}

#[test]
fn requests_can_be_awaited() {
    let kernel = start();
    let calls: Vec<_> = (0..100).map(|_| kernel.start(lookup("wait"))).collect();
    kernel.operations().gate.wait_for(100);
    kernel.operations().gate.open();
    let answers = smol::block_on(join_all(calls));
    assert!(answers.iter().all(|answer| *answer == Err(Errno::ENOENT)));
}

#[test]
fn requests_come_from_several_threads() {
    let kernel = start_with(|session| session.reader_threads(3));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(kernel.lookup(ROOT_INODE, "x"), Err(Errno::ENOENT));
                }
            });
        }
    });
    common::assert_quiet();
}

#[test]
fn the_caller_can_be_another() {
    let kernel = start();
    let caller = testing::Caller {
        uid: 1,
        gid: 2,
        pid: 3,
        umask: 0,
    };
    assert_eq!(kernel.call(lookup("caller").by(caller)), Err(Errno::EDOM));
}

#[test]
fn an_interruption_reaches_a_handler_that_waits() {
    let kernel = start();
    let call = kernel.start(lookup("interrupted"));
    smol::block_on(kernel.operations().waiting.pass());
    call.interrupt();
    call.interrupt();
    assert_eq!(call.wait(), Err(Errno::EINTR));
    common::assert_quiet();
}

#[test]
fn an_interruption_right_behind_its_request() {
    for threads in [1, 3] {
        let kernel = start_with(|session| session.reader_threads(threads));
        for _ in 0..200 {
            let call = kernel.start(lookup("interrupted"));
            call.interrupt();
            assert_eq!(call.wait(), Err(Errno::EINTR));
        }
        common::assert_quiet();
    }
}

#[test]
fn an_interruption_of_an_answered_request_does_nothing() {
    let kernel = start();
    let call = kernel.start(lookup("other"));
    while !call.is_answered() {
        thread::yield_now();
    }
    call.interrupt();
    assert_eq!(call.wait(), Err(Errno::ENOENT));
    assert_eq!(kernel.lookup(ROOT_INODE, "other"), Err(Errno::ENOENT));
    common::assert_quiet();
}

#[test]
fn a_queued_request_is_interrupted_without_its_handler() {
    let kernel = start_with(|session| session.max_in_flight(1));
    let first = kernel.start(lookup("wait"));
    kernel.operations().gate.wait_for(1);
    let second = kernel.start(lookup("wait"));
    second.interrupt();
    assert_eq!(second.wait(), Err(Errno::EINTR));
    assert_eq!(kernel.operations().gate.arrived(), 1);
    kernel.operations().gate.open();
    assert_eq!(first.wait(), Err(Errno::ENOENT));
}

#[test]
fn sessions_that_cancel_on_interruption() {
    let kernel = start_with(|session| session.cancel_on_interrupt(true));
    let call = kernel.start(lookup("wait"));
    kernel.operations().gate.wait_for(1);
    call.interrupt();
    assert_eq!(call.wait(), Err(Errno::EINTR));
}

#[test]
fn an_answer_that_does_not_come() {
    common::install_logger();
    let ops = Slow {
        gate: Gate::new(),
        waiting: Gate::new(),
    };
    let session = Session::builder(ops).shutdown_timeout(Duration::from_millis(50));
    let kernel = MockKernel::builder(session).timeout(Duration::from_millis(20));
    let kernel = kernel.start().unwrap();
    assert_eq!(kernel.lookup(ROOT_INODE, "wait"), Err(Errno::ETIMEDOUT));
    let call = kernel.start(lookup("wait"));
    drop(kernel);
    // It was answered when the session ended.
    let answer = call.wait();
    assert!(
        [Err(Errno::EIO), Err(Errno::ENOTCONN)].contains(&answer),
        "{answer:?}"
    );
}
