//! Word to the service manager, as systemd's `sd_notify` sends it: one datagram.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;

/// Tells the service manager about this process: `READY=1`, `STOPPING=1`, `STATUS=...`, or several of
/// these in lines of their own, as in `sd_notify(3)`. Whether there is one that wants to know: systemd
/// sets `NOTIFY_SOCKET` for services with `Type=notify`.
///
/// [`Program`](crate::Program) says `READY=1` and `STOPPING=1` by itself. This is for programs that have
/// a `main` of their own, or something to add:
///
/// ```
/// libfuse3::sd_notify("STATUS=reading the index")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Those of socket(2) and sendto(2), and [`InvalidInput`](io::ErrorKind::InvalidInput) if
/// `NOTIFY_SOCKET` is neither an absolute path nor an abstract name (`@name`). A program can go on after
/// all of them.
pub fn sd_notify(state: &str) -> io::Result<bool> {
    match std::env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) {
        Some(place) => send(&place, state).map(|()| true),
        None => Ok(false),
    }
}

fn send(place: &OsStr, state: &str) -> io::Result<()> {
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(place)?,
        _ => {
            let why = format!("NOTIFY_SOCKET is no place for a socket: {place:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    };
    UnixDatagram::unbound()?
        .send_to_addr(state.as_bytes(), &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> Vec<u8> {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    #[test]
    fn a_socket_with_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), "READY=1\nSTATUS=x").unwrap();
        assert_eq!(received(&socket), b"READY=1\nSTATUS=x");
    }

    #[test]
    fn a_socket_with_an_abstract_name() {
        let name = format!("libfuse3-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        send(format!("@{name}").as_ref(), "STOPPING=1").unwrap();
        assert_eq!(received(&socket), b"STOPPING=1");
    }

    #[test]
    fn what_is_no_socket() {
        let kind = |place: &str| send(place.as_ref(), "READY=1").unwrap_err().kind();
        assert_eq!(kind("vsock:2:1"), io::ErrorKind::InvalidInput);
        assert_eq!(kind("relative"), io::ErrorKind::InvalidInput);
        assert_eq!(kind("/no/such/socket"), io::ErrorKind::NotFound);
    }
}
