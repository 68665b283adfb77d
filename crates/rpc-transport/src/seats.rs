//! How many connections a server holds, in all and of each owner.

use rpc_core::Peer;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections a server holds, in all and of each user or address.
#[derive(Clone, Debug)]
pub struct Seats {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    all: usize,
    per_owner: usize,
    taken: Mutex<HashMap<Owner, usize>>,
}

/// Whose connections are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    User(u32),
    Address(IpAddr),
    Other,
}

/// The right of one connection to be there, given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    shared: Arc<Shared>,
    owner: Owner,
}

impl Seats {
    /// So many in all, and so many of one user or address.
    #[must_use]
    pub fn new(all: usize, per_owner: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                all,
                per_owner,
                taken: Mutex::default(),
            }),
        }
    }

    /// A seat for a connection of `peer`, if one is left.
    #[must_use]
    pub fn take(&self, peer: &Peer) -> Option<Seat> {
        let owner = match peer {
            Peer::Unix(credentials) => Owner::User(credentials.uid),
            Peer::Tcp(address) => Owner::Address(address.ip()),
            _ => Owner::Other,
        };
        let mut taken = self.shared.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&owner).copied().unwrap_or(0);
        if all >= self.shared.all || own >= self.shared.per_owner {
            return None;
        }
        taken.insert(owner.clone(), own + 1);
        drop(taken);
        Some(Seat {
            shared: Arc::clone(&self.shared),
            owner,
        })
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.shared.taken().values().sum()
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        if let Some(own) = taken.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn one_address_takes_no_seat_of_another_and_all_come_back() {
        let peer = |last: u8| Peer::Tcp(SocketAddr::from(([10, 0, 0, last], 1)));
        let seats = Seats::new(3, 2);
        let first: Vec<_> = (0..4).filter_map(|_| seats.take(&peer(1))).collect();
        assert_eq!(first.len(), 2);
        let other = seats.take(&peer(2)).expect("one is left");
        assert!(seats.take(&peer(3)).is_none(), "none in all");
        drop((first, other));
        assert_eq!(seats.taken(), 0);
    }
}
