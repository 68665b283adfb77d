//! What this host's loopback interface has.

use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const SHORT: Duration = Duration::from_millis(5);

/// Why IPv6 is not to be had.
pub(crate) fn ipv6() -> Result<(), String> {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0))
        .map(drop)
        .map_err(|error| format!("no socket on ::1: {error}"))
}

/// Gives this thread a network of its own, in which `192.0.2.1` and `2001:db8::1` are interfaces
/// of this host that are no loopback addresses.
pub(crate) fn own_network() -> Result<(), String> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("no network namespace: {error}"))?;
    for arguments in [
        "link set lo up",
        "address add 192.0.2.1/32 dev lo",
        "-6 address add 2001:db8::1/128 dev lo nodad",
    ] {
        let ip = std::process::Command::new("ip")
            .args(arguments.split(' '))
            .status()
            .map_err(|error| format!("no command `ip`: {error}"))?;
        if !ip.success() {
            return Err(format!("`ip {arguments}` fails"));
        }
    }
    // The kernel makes the way to an IPv6 address a moment after the address, and again.
    let mut refusals = 0;
    while refusals < 100 {
        let nobody = TcpStream::connect("[2001:db8::1]:9").map_err(|error| error.kind());
        let there = matches!(nobody, Err(std::io::ErrorKind::ConnectionRefused));
        refusals = if there { refusals + 1 } else { 0 };
        std::thread::yield_now();
    }
    Ok(())
}

pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}
