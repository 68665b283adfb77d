//! Who is let in: decided by the address that a connection comes from, before user code sees it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Who is let in. A refused peer is closed before a byte of it reaches user code.
///
/// An address says where packets come from, not who sent them: any user of this host has its
/// loopback address. Who it is only TLS can prove.
///
/// ```
/// use ipc_net::Policy;
/// let office = Policy::networks([("192.0.2.0".parse()?, 24), ("2001:db8::".parse()?, 32)]);
/// let unprivileged = Policy::custom(|peer| peer.port() >= 1024);
/// # let _ = (office, unprivileged);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Default)]
pub struct Policy(Rule);

#[derive(Clone, Default)]
enum Rule {
    #[default]
    Anyone,
    Networks(Arc<[(IpAddr, u8)]>),
    Custom(Arc<Test>),
}

type Test = dyn Fn(&SocketAddr) -> bool + Send + Sync;

impl Policy {
    /// Everyone who reaches the listener; the default.
    #[must_use]
    pub const fn anyone() -> Self {
        Self(Rule::Anyone)
    }

    /// Peers of these networks, each an address and how many of its leading bits count.
    #[must_use]
    pub fn networks(networks: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        Self(Rule::Networks(networks.into_iter().collect()))
    }

    /// Peers for which `test` is true. It runs in the thread that accepts. An IPv4 peer of a
    /// dual-stack listener has its IPv4 address here.
    #[must_use]
    pub fn custom(test: impl Fn(&SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Custom(Arc::new(test)))
    }

    /// Whether a peer at `address` is let in.
    #[must_use]
    pub fn admits(&self, address: &SocketAddr) -> bool {
        let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
        match &self.0 {
            Rule::Anyone => true,
            Rule::Networks(networks) => networks
                .iter()
                .any(|(network, bits)| contains(*network, *bits, canonical.ip())),
            Rule::Custom(test) => test(&canonical),
        }
    }
}

/// Whether the first `bits` of both are the same; more bits than there are mean all.
fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let differing = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).leading_zeros()
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).leading_zeros()
        }
        _ => return false,
    };
    let all = if network.is_ipv4() { 32 } else { 128 };
    differing >= u32::from(bits).min(all)
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Anyone => f.write_str("Anyone"),
            Rule::Networks(networks) => f.debug_tuple("Networks").field(networks).finish(),
            Rule::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_is_its_leading_bits() {
        assert!(contains(ip("10.1.0.0"), 16, ip("10.1.255.1")));
        assert!(!contains(ip("10.1.0.0"), 16, ip("10.2.0.1")));
        assert!(contains(ip("10.1.2.3"), 0, ip("8.8.8.8")));
        assert!(!contains(ip("10.1.2.3"), 200, ip("10.1.2.2")));
        assert!(contains(ip("2001:db8::"), 32, ip("2001:db8:1::1")));
        assert!(!contains(ip("::"), 0, ip("10.1.2.3")));
    }

    #[test]
    fn a_mapped_address_is_the_one_it_maps() {
        let policy = Policy::networks([(ip("127.0.0.0"), 8)]);
        let mapped = "[::ffff:127.0.0.1]:9".parse().expect("an address");
        assert!(policy.admits(&mapped));
        assert!(!policy.admits(&"[::1]:9".parse().expect("an address")));
    }
}
