//! Sends commands to the file of the example `ioctl_ll`: libfuse's `ioctl_ll_client`.
//!
//! ```sh
//! cargo run --example ioctl_ll_client -- get_size /tmp/ioctl/fioc       # 0
//! cargo run --example ioctl_ll_client -- set_size /tmp/ioctl/fioc 100   # Size set to 100
//! ```

#[path = "ioctl_ll/commands.rs"]
mod commands;

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use rustix::ioctl::Opcode;

const USAGE: &str = "\
usage: ioctl_ll_client COMMAND FILE [ARGUMENTS]

    get_size FILE               print the size
    set_size FILE SIZE          set it
    read FILE OFFSET SIZE       read, in a way that files of file systems refuse
    write FILE OFFSET DATA      write, likewise
";

/// What `READ` and `WRITE` point to.
#[repr(C)]
struct ReadWrite {
    offset: libc::off_t,
    buffer: *mut c_void,
    size: usize,
    prev_size: usize,
    new_size: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if arguments
        .first()
        .is_some_and(|argument| argument == "--help")
    {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{}", message.trim_end());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String, String> {
    let [command, path, rest @ ..] = arguments else {
        return Err(USAGE.to_owned());
    };
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|error| format!("open: {error}"))?;
    match (command.as_str(), rest) {
        ("get_size", _) => {
            let mut size: usize = 0;
            ioctl(&file, "FIOC_GET_SIZE", commands::GET_SIZE, &mut size)?;
            Ok(size.to_string())
        }
        ("set_size", [size, ..]) => {
            let mut size = number(size)?;
            ioctl(&file, "FIOC_SET_SIZE", commands::SET_SIZE, &mut size)?;
            Ok(format!("Size set to {size}"))
        }
        ("set_size", _) => Err("set_size requires a size argument".to_owned()),
        ("read", [offset, size, ..]) => {
            let mut buffer = vec![0; number(size)?];
            let mut argument = read_write(number(offset)?, &mut buffer);
            let len = ioctl(&file, "FIOC_READ", commands::READ, &mut argument)?;
            buffer.truncate(len);
            let (prev_size, new_size) = (argument.prev_size, argument.new_size);
            let text = String::from_utf8_lossy(&buffer);
            Ok(format!(
                "Read {len} bytes (prev_size={prev_size}, new_size={new_size}): {text}"
            ))
        }
        ("read", _) => Err("read requires offset and size".to_owned()),
        ("write", [offset, data, ..]) => {
            let mut data = data.clone().into_bytes();
            let mut argument = read_write(number(offset)?, &mut data);
            let len = ioctl(&file, "FIOC_WRITE", commands::WRITE, &mut argument)?;
            let (prev_size, new_size) = (argument.prev_size, argument.new_size);
            Ok(format!(
                "Wrote {len} bytes (prev_size={prev_size}, new_size={new_size})"
            ))
        }
        ("write", _) => Err("write requires offset and data".to_owned()),
        _ => Err(format!("Unknown command: {command}\n{USAGE}")),
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("invalid number '{text}'"))
}

fn read_write(offset: usize, buffer: &mut [u8]) -> ReadWrite {
    ReadWrite {
        offset: offset as libc::off_t,
        buffer: buffer.as_mut_ptr().cast(),
        size: buffer.len(),
        prev_size: 0,
        new_size: 0,
    }
}

/// `argument` is what the command points to, and as long as the command expects it.
fn ioctl<T>(file: &File, name: &str, command: Opcode, argument: &mut T) -> Result<usize, String> {
    let argument: *mut T = argument;
    // SAFETY: the argument is valid for as many bytes as the command reads and writes there, and so is
    // the buffer that it points to, if it does.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), command as libc::Ioctl, argument) };
    usize::try_from(result).map_err(|_| format!("ioctl({name}): {}", io::Error::last_os_error()))
}
