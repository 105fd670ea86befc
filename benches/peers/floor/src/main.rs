//! The benchmark's tree on nothing but `read` and `writev` on /dev/fuse:
//! `bench-floor MOUNTPOINT THREADS`, each thread with a cloned descriptor of its own.
//!
//! What no library can be faster than. It knows the requests that the benchmark makes and no others.
//! Needs root, since it mounts by itself. `statfs` tells in `f_files` how many messages of the kernel
//! it has read, which is how the benchmark knows how many requests each of its operations makes.

mod protocol;

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use protocol::Body;
use protocol::Request;
use tree::Tree;

/// Room for a write of the largest size and its headers.
const BUFFER: usize = tree::MAX_IO + 4096;

struct Floor {
    tree: Tree,
    /// How many messages each thread has read, each in a cache line of its own.
    messages: Vec<Counter>,
}

#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// What one thread answers with.
struct Answers<'a> {
    device: &'a File,
    body: Body,
    /// Reads of `slow`: when they are due, their numbers and sizes.
    slow: VecDeque<(Instant, u64, usize)>,
}

impl Answers<'_> {
    /// Sends the body as the answer.
    fn send(&mut self, unique: u64) -> io::Result<()> {
        let mut device = self.device;
        device.write_all(self.body.finish(unique, 0))
    }

    fn fail(&mut self, unique: u64, errno: i32) -> io::Result<()> {
        self.body.clear();
        let mut device = self.device;
        device.write_all(self.body.finish(unique, -errno))
    }

    fn succeed(&mut self, unique: u64) -> io::Result<()> {
        self.body.clear();
        self.send(unique)
    }

    /// Zeros, without copying them behind the header.
    fn send_zeros(&mut self, unique: u64, size: usize) -> io::Result<()> {
        let zeros = &tree::ZEROS[..size];
        let header = protocol::header(unique, 0, size);
        let mut device = self.device;
        let sent = device.write_vectored(&[IoSlice::new(&header), IoSlice::new(zeros)]);
        sent.map(drop)
    }

    /// Sends the answers that are due; how long until the next one is.
    fn send_due(&mut self) -> io::Result<Option<Duration>> {
        while let Some((due, unique, size)) = self.slow.front().copied() {
            let now = Instant::now();
            if due > now {
                return Ok(Some(due - now));
            }
            self.slow.pop_front();
            ignore_refusal(self.send_zeros(unique, size))?;
        }
        Ok(None)
    }
}

fn serve(floor: &Floor, thread: usize, device: &File) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut answers = Answers {
        device,
        body: Body::default(),
        slow: VecDeque::new(),
    };
    let mut reader = device;
    // Blocks in `read`, but while answers are due some time: then it must not, since another thread
    // may have read the message that was there to be read.
    let mut blocks = true;
    loop {
        let wait = answers.send_due()?;
        if blocks != wait.is_none() {
            blocks = !blocks;
            set_blocking(device, blocks)?;
        }
        if let Some(wait) = wait
            && !readable_within(device, wait)?
        {
            continue;
        }
        let len = match reader.read(&mut buffer) {
            Ok(len) => len,
            Err(error) => match error.raw_os_error() {
                // Nothing there; interrupted; or the request was, before it could be read.
                Some(libc::EINTR | libc::EAGAIN | libc::ENOENT) => continue,
                Some(libc::ENODEV) => return Ok(()),
                _ => return Err(error),
            },
        };
        floor.messages[thread].0.fetch_add(1, Ordering::Relaxed);
        let Some(request) = Request::parse(&buffer[..len]) else {
            return Err(io::Error::other("a message that is too short"));
        };
        ignore_refusal(answer(floor, &request, &mut answers))?;
    }
}

/// ENOENT: the request was interrupted meanwhile. That is its end, but no reason to end.
fn ignore_refusal(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => Ok(()),
        _ => Err(error),
    })
}

fn answer(floor: &Floor, request: &Request<'_>, answers: &mut Answers<'_>) -> io::Result<()> {
    let unique = request.unique;
    let node = request.node;
    answers.body.clear();
    match request.opcode {
        protocol::INIT => {
            answers.body.init(request);
            answers.send(unique)
        }
        protocol::GETATTR => match tree::attr(node) {
            Some(attr) => {
                answers.body.attr(&attr);
                answers.send(unique)
            }
            None => answers.fail(unique, libc::ENOENT),
        },
        protocol::LOOKUP => {
            let found = floor.tree.lookup(node, request.name(0));
            match found.and_then(tree::attr) {
                Some(attr) => {
                    answers.body.entry(&attr);
                    answers.send(unique)
                }
                None => answers.fail(unique, libc::ENOENT),
            }
        }
        protocol::OPEN => {
            answers.body.opened(protocol::DIRECT_IO);
            answers.send(unique)
        }
        protocol::CREATE => {
            let name = request.name(protocol::CREATE_ARGUMENTS);
            match floor.tree.create(node, name).and_then(tree::attr) {
                Some(attr) => {
                    answers.body.entry(&attr);
                    answers.body.opened(protocol::DIRECT_IO);
                    answers.send(unique)
                }
                None => answers.fail(unique, libc::EPERM),
            }
        }
        protocol::UNLINK => match floor.tree.unlink(node, request.name(0)) {
            true => answers.succeed(unique),
            false => answers.fail(unique, libc::ENOENT),
        },
        protocol::READ => {
            let size = (request.size() as usize).min(tree::MAX_IO);
            if node == tree::SLOW {
                let due = Instant::now() + tree::SLOW_READ;
                answers.slow.push_back((due, unique, size));
                return Ok(());
            }
            answers.send_zeros(unique, size)
        }
        protocol::WRITE => {
            answers.body.written(request.size());
            answers.send(unique)
        }
        protocol::OPENDIR => {
            answers.body.opened(0);
            answers.send(unique)
        }
        protocol::READDIR | protocol::READDIRPLUS => {
            let plus = request.opcode == protocol::READDIRPLUS;
            let room = request.size() as usize;
            let mut index = request.offset();
            while let Some((child, name)) = tree::entry(node, index) {
                index += 1;
                let Some(attr) = tree::attr(child) else { break };
                if !answers
                    .body
                    .dirent(room, plus, &attr, name.as_bytes(), index)
                {
                    break;
                }
            }
            answers.send(unique)
        }
        protocol::STATFS => {
            let messages = &floor.messages;
            let messages = messages.iter().map(|each| each.0.load(Ordering::Relaxed));
            answers.body.statfs(messages.sum());
            answers.send(unique)
        }
        protocol::RELEASE | protocol::RELEASEDIR => answers.succeed(unique),
        // No answer to these.
        protocol::FORGET | protocol::BATCH_FORGET | protocol::INTERRUPT => Ok(()),
        _ => answers.fail(unique, libc::ENOSYS),
    }
}

fn set_blocking(device: &File, blocks: bool) -> io::Result<()> {
    let flags = if blocks { 0 } else { libc::O_NONBLOCK };
    // SAFETY: the descriptor is open, and the argument a plain number.
    match unsafe { libc::fcntl(device.as_raw_fd(), libc::F_SETFL, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether there is something to read before the time is up.
fn readable_within(device: &File, wait: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: device.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let wait = libc::timespec {
        tv_sec: wait.as_secs() as libc::time_t,
        tv_nsec: wait.subsec_nanos().into(),
    };
    // SAFETY: `poll` is one structure, as the count says.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const wait, std::ptr::null()) };
    match ready {
        0 => Ok(false),
        1.. => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            error => Err(error),
        },
    }
}

fn open_device() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/fuse")
}

/// Mounts as libfuse does.
fn mount(device: &File, mountpoint: &std::path::Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(mountpoint.as_os_str().as_bytes())?;
    // SAFETY: these calls cannot fail and have no preconditions.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    let fd = device.as_raw_fd();
    let options = format!("fd={fd},rootmode=40000,user_id={uid},group_id={gid}");
    let options = CString::new(options)?;
    // SAFETY: all strings are NUL-terminated and live during the call.
    let result = unsafe {
        libc::mount(
            c"floor".as_ptr(),
            path.as_ptr(),
            c"fuse.floor".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV,
            options.as_ptr().cast(),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor of the same connection with a queue of its own for requests being answered.
fn clone_device(device: &File) -> io::Result<File> {
    const FUSE_DEV_IOC_CLONE: libc::Ioctl = 0x8004_e500;
    let clone = open_device()?;
    let fd: u32 = device.as_raw_fd().cast_unsigned();
    // SAFETY: the call reads one u32.
    let result = unsafe { libc::ioctl(clone.as_raw_fd(), FUSE_DEV_IOC_CLONE, &raw const fd) };
    match result {
        0 => Ok(clone),
        _ => Err(io::Error::last_os_error()),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, mountpoint, threads] = &arguments[..] else {
        return Err("usage: bench-floor MOUNTPOINT THREADS".into());
    };
    let threads: usize = threads.to_str().unwrap_or_default().parse()?;
    let device = open_device()?;
    mount(&device, mountpoint.as_ref())?;
    let mut devices = vec![device];
    for _ in 1..threads {
        devices.push(clone_device(&devices[0])?);
    }
    let floor = Floor {
        tree: Tree::default(),
        messages: (0..threads).map(|_| Counter::default()).collect(),
    };
    thread::scope(|scope| {
        let floor = &floor;
        let servers: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(thread, device)| scope.spawn(move || serve(floor, thread, device)))
            .collect();
        servers.into_iter().try_for_each(|server| {
            let result = server.join();
            result.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        })
    })?;
    Ok(())
}
