//! A character device and the kernel's news of devices, awaited like every other endpoint.
//!
//! What the toolkit has no crate for joins it by two small traits: with `Pollable` (which
//! descriptor, how to wait) and `TryRecv` (a receive that does not wait), `Async` gives it `.await`
//! beside time-outs and all other endpoints. Here a thermometer at a terminal line, which another
//! process plays behind a pseudo terminal, and the netlink socket by which the kernel tells of
//! devices (uevents). Run it: `cargo run -p ipc-facade --features tokio --example device`. It
//! prints what the thermometer says, that it is gone, and, for root, a uevent of `/dev/null`.

use ipc_facade::{Async, Error, ErrorKind, Interest, Pollable, Result, TryRecv, Until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{self, AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::process::set_parent_process_death_signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, fs};

type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Reads a thermometer at a character device, and the kernel's news of devices.

usage: device";

const PATIENCE: Duration = Duration::from_secs(5);
/// A device that can be asked to announce itself, which disturbs nobody.
const UEVENT: &str = "/sys/class/mem/null/uevent";

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => show(),
        ["thermometer"] => thermometer(),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Any descriptor that can be polled and read: a device, a netlink socket.
struct Endpoint {
    fd: OwnedFd,
    read: fn(BorrowedFd<'_>, &mut [u8]) -> std::result::Result<usize, Errno>,
}

impl Pollable for Endpoint {
    fn descriptor(&self, _: Interest) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        let flag = |interest: &Interest| match interest {
            Interest::Read => PollFlags::IN,
            Interest::Write => PollFlags::OUT,
        };
        let flags = interests.iter().map(flag).collect();
        let time = until.remaining().map(Timespec::try_from).transpose();
        let time = time.map_err(|_| Error::new("poll", ErrorKind::InvalidInput))?;
        match poll(&mut [PollFd::new(&self.fd, flags)], time.as_ref()) {
            Ok(0) => Err(until.over("poll")),
            Ok(_) | Err(Errno::INTR) => Ok(()), // an interrupted waiter tries again
            Err(errno) => Err(Error::new("poll", ErrorKind::Other).caused_by(errno.into())),
        }
    }
}

impl TryRecv for Endpoint {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        let kind = match (self.read)(self.fd.as_fd(), buffer) {
            Ok(0) | Err(Errno::IO) => ErrorKind::Closed, // a line that was hung up
            Ok(length) => return Ok(length),
            Err(Errno::AGAIN | Errno::INTR) => ErrorKind::WouldBlock,
            Err(errno) => return Err(Error::new("recv", ErrorKind::Other).caused_by(errno.into())),
        };
        Err(Error::new("recv", kind))
    }
}

/// Opens a device so that no read waits, and so that its line passes bytes on as they are.
fn open_device(path: &str) -> Outcome<Endpoint> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let mut line = tcgetattr(&fd)?;
    line.make_raw();
    tcsetattr(&fd, OptionalActions::Now, &line)?;
    let read = |fd: BorrowedFd<'_>, buffer: &mut [u8]| rustix::io::read(fd, buffer);
    Ok(Endpoint { fd, read })
}

/// The kernel's news of devices.
fn open_uevents() -> Outcome<Endpoint> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let kind = SocketType::DGRAM;
    let fd = net::socket_with(AddressFamily::NETLINK, kind, flags, Some(KOBJECT_UEVENT))?;
    net::bind(&fd, &SocketAddrNetlink::new(0, 1))?; // group 1: the kernel itself
    let read = |fd: BorrowedFd<'_>, buffer: &mut [u8]| {
        let (length, _, sender) = net::recvfrom(fd, buffer, RecvFlags::empty())?;
        let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        match sender.is_some_and(|sender| sender.pid() == 0) {
            true => Ok(length),
            false => Err(Errno::AGAIN), // not of the kernel: as if nothing had come
        }
    };
    Ok(Endpoint { fd, read })
}

#[tokio::main(flavor = "current_thread")]
async fn show() -> Outcome {
    let mut child = Command::new(env::current_exe()?);
    child
        .arg("thermometer")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = child.spawn()?;
    let said = child.stdout.take().ok_or("it is piped")?;
    let path = BufReader::new(said)
        .lines()
        .next()
        .ok_or("there is no device")??;
    let device = Async::new(open_device(&path)?)?;
    let mut line = File::from(device.get_ref().fd.try_clone()?);
    for _ in 0..3 {
        line.write_all(b"?")?;
        println!("the device says {}", next_line(&device).await?);
    }
    drop(child.stdin.take()); // pulls the plug
    match next_line(&device).await {
        Err(error) => println!("the device is gone: {error}"),
        Ok(line) => return Err(format!("the device is still there: {line}").into()),
    }
    if !child.wait()?.success() {
        return Err("the thermometer failed".into());
    }
    match await_uevent().await {
        Ok(news) => println!("the kernel says {news}"),
        Err(cause) => println!("no uevent on this host: {cause}"),
    }
    Ok(())
}

/// A line comes in as many pieces as the device likes.
async fn next_line(device: &Async<Endpoint>) -> Outcome<String> {
    let (mut line, mut piece) = (Vec::new(), [0; 64]);
    while line.last() != Some(&b'\n') {
        let length = tokio::time::timeout(PATIENCE, device.recv(&mut piece)).await??;
        line.extend_from_slice(&piece[..length]);
    }
    line.pop();
    Ok(String::from_utf8(line)?)
}

async fn await_uevent() -> Outcome<String> {
    let uevents = Async::new(open_uevents()?)?;
    // Only root may have a device announced, and not where /sys is read-only.
    fs::write(UEVENT, "change").map_err(|error| format!("{UEVENT}: {error}"))?;
    let mut buffer = [0; 4096];
    let news = async {
        loop {
            let length = uevents.recv(&mut buffer).await?;
            let text = String::from_utf8_lossy(&buffer[..length]).replace('\0', " ");
            if text.contains("/mem/null") {
                return Outcome::Ok(text.split(' ').next().unwrap_or_default().to_owned());
            }
        }
    };
    let news = tokio::time::timeout(PATIENCE, news).await;
    news.map_err(|_| "the kernel tells this network namespace nothing")?
}

/// Plays the device: a temperature for each question mark, until its standard input ends.
fn thermometer() -> Outcome {
    // Whoever started it may be killed before it can say so.
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&line)?;
    unlockpt(&line)?;
    let path = ptsname(&line, Vec::new())?;
    let path = path.to_str()?;
    println!("{path}");
    // Open at this end too, so that we may come before whoever uses the device.
    let _other = open_device(path)?;
    let (mut line, plug, mut byte) = (File::from(line), std::io::stdin(), [0]);
    for degrees in ["21.5\n", "21.7\n", "21.6\n"] {
        line.read_exact(&mut byte)?;
        line.write_all(degrees.as_bytes())?;
    }
    plug.lock().read_until(b'\n', &mut Vec::new())?;
    Ok(())
}
