//! From what the caller names to socket addresses.

use ipc_core::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// All addresses that `name` stands for, at least one. A name that is no address is looked up by
/// the C library, which blocks as long as its own configuration says.
pub(crate) fn resolve(
    operation: &'static str,
    name: impl ToSocketAddrs,
) -> Result<Vec<SocketAddr>> {
    let found = name.to_socket_addrs().map_err(|source| {
        let (kind, what) = match source.kind() {
            io::ErrorKind::InvalidInput => (
                ErrorKind::InvalidInput,
                "no address; write `host:port` or `[v6]:port`",
            ),
            _ => (ErrorKind::NotFound, "the name was not resolved"),
        };
        Error::new(operation, kind)
            .hint(format!("{what} ({source})"))
            .caused_by(source)
    })?;
    let addresses: Vec<_> = found.collect();
    if addresses.is_empty() {
        return Err(Error::new(operation, ErrorKind::NotFound).hint("the name has no address"));
    }
    Ok(addresses)
}

/// The order in which to try: that of the resolver, but the families in turn, beginning with the
/// one it prefers (RFC 8305, section 4), each address once.
pub(crate) fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let mut once: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    let prefers_v6 = once.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = once
        .into_iter()
        .partition(|address| address.is_ipv6() == prefers_v6);
    let mut turns = VecDeque::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_beginning_with_the_preferred_one() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let (a, b, c) = (at("[::1]:1"), at("[::2]:1"), at("[::3]:1"));
        let (x, y) = (at("127.0.0.1:1"), at("127.0.0.2:1"));
        assert_eq!(in_turn(vec![a, b, a, c, x, y]), [a, x, b, y, c]);
        assert_eq!(in_turn(vec![x, a, b]), [x, a, b]);
        assert_eq!(in_turn(vec![x, y]), [x, y]);
        assert!(in_turn(Vec::new()).is_empty());
    }
}
