//! How many received descriptors of one user may wait to be taken, over all its connections
//! to a listener, or all its messages to a datagram socket.

use ipc_core::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Received descriptors of one user that may wait to be taken, where nothing else is said.
pub(crate) const DEFAULT_MAX_FDS_PER_USER: usize = 64;

/// Users that are remembered though nothing of them waits, so that one who sends again and again
/// costs no memory anew.
const REMEMBERED_USERS: usize = 64;

/// What the connections of one listener share, or the senders of one datagram socket.
#[derive(Debug)]
pub(crate) struct FdQuota {
    max: usize,
    /// By user id; those whom the kernel does not name are one.
    waiting: Mutex<HashMap<Option<u32>, Arc<AtomicUsize>>>,
}

impl FdQuota {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            waiting: Mutex::default(),
        }
    }

    /// The share of user `uid`.
    pub(crate) fn share(&self, uid: Option<u32>) -> FdShare {
        let mut users = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= REMEMBERED_USERS && !users.contains_key(&uid) {
            users.retain(|_, waiting| Arc::strong_count(waiting) > 1);
        }
        let waiting = Arc::clone(users.entry(uid).or_default());
        FdShare {
            uid,
            max: self.max,
            waiting,
        }
    }
}

/// What one user may hold, over all its connections or messages.
#[derive(Clone, Debug)]
pub(crate) struct FdShare {
    uid: Option<u32>,
    max: usize,
    waiting: Arc<AtomicUsize>,
}

impl FdShare {
    /// Counts `count` descriptors until the charge is dropped.
    pub(crate) fn charge(&self, count: usize) -> Result<FdCharge> {
        let add = |waiting: usize| Some(waiting + count).filter(|&sum| sum <= self.max);
        let before = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map_err(|waiting| self.exceeded(waiting, count))?;
        debug_assert!(before + count <= self.max);
        Ok(FdCharge {
            waiting: Arc::clone(&self.waiting),
            count,
        })
    }

    #[cold]
    fn exceeded(&self, waiting: usize, count: usize) -> Error {
        let user = self
            .uid
            .map_or("an unknown user".to_owned(), |uid| format!("user {uid}"));
        Error::new("recv", ErrorKind::LimitReached).hint(format!(
            "{user} has {waiting} descriptors here that nobody has taken yet, {count} more are \
             above the limit {}, so they were closed; take or drop those that came, or raise \
             Options::max_fds_per_user",
            self.max
        ))
    }
}

/// Descriptors that count against their user until this is dropped.
#[derive(Debug)]
pub(crate) struct FdCharge {
    waiting: Arc<AtomicUsize>,
    count: usize,
}

impl Drop for FdCharge {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.count, Ordering::Relaxed);
    }
}
