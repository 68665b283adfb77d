//! Sleeps at a bell until a deadline, for one system call each.
//!
//! A poll with a time limit and the read behind it cost half as much again as a plain sleep. Here
//! an epoll descriptor tells of each ring once, so that the bell is read only now and then; and a
//! timer in it stays set for the first deadline, and is set anew only when it has run out, or for
//! an earlier one.

use crate::bell::{Bell, Woken, bell};
use ipc_core::Result;
use ipc_sys::{above_stdio, os_error};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

/// Sleeps with a deadline before the descriptors are made, which seldom ones can do without.
const SLEEPS_BEFORE: u32 = 16;
/// Sleeps after which the bell is read: fewer than a read takes rings.
const SLEEPS_PER_READ: u32 = 32;
/// No timer is set for longer; it is set anew then.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
const BELL: u64 = 1;
const TIMER: u64 = 2;
const NO_EVENT: Event = Event {
    flags: EventFlags::empty(),
    data: EventData::new_u64(0),
};

/// What an end has for its sleeps with a deadline.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    sleeps: AtomicU32,
    /// `None` where there can be none: the bell is polled then.
    watch: OnceLock<Option<Box<Watch>>>,
}

#[derive(Debug)]
struct Watch {
    epoll: OwnedFd,
    timer: OwnedFd,
    made: Instant,
    /// For when the timer is set, in nanoseconds since then; 0 while it is not.
    set: AtomicU64,
    unread: AtomicU32,
    /// The end of the pipe is told once, too.
    ended: AtomicBool,
}

impl Timed {
    /// Sleeps as the bell does; `None` where it is to be polled instead. Only who holds the turn
    /// at the end does so.
    pub(crate) fn sleep(&self, bell: &Bell, deadline: Instant) -> Option<Result<Option<Woken>>> {
        let watch = match self.watch.get() {
            Some(watch) => watch.as_ref()?,
            None => self.first(bell)?,
        };
        (!watch.ended.load(Relaxed)).then(|| watch.sleep(bell, deadline))
    }

    #[cold]
    fn first(&self, bell: &Bell) -> Option<&Watch> {
        if self.sleeps.fetch_add(1, Relaxed) < SLEEPS_BEFORE {
            return None;
        }
        let make = || each_ring_is_told().then(|| Watch::new(bell).ok().map(Box::new));
        self.watch.get_or_init(|| make().flatten()).as_deref()
    }
}

impl Watch {
    fn new(bell: &Bell) -> rustix::io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        let once = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, bell, EventData::new_u64(BELL), once)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), once)?;
        let above = |fd| above_stdio(fd).map_err(|_| rustix::io::Errno::MFILE);
        Ok(Self {
            epoll: above(epoll)?,
            timer: above(timer)?,
            made: Instant::now(),
            set: AtomicU64::new(0),
            unread: AtomicU32::new(0),
            ended: AtomicBool::new(false),
        })
    }

    fn sleep(&self, bell: &Bell, deadline: Instant) -> Result<Option<Woken>> {
        loop {
            let timer = self.set_for(deadline);
            if !timer.map_err(|errno| os_error("wait", errno))? {
                return Ok(None);
            }
            let mut rung = false;
            let mut events = [NO_EVENT; 2];
            let wait = || epoll::wait(&self.epoll, &mut events, None);
            let told = ipc_sys::retry(wait).map_err(|errno| os_error("wait", errno))?;
            for event in &events[..told] {
                if event.data.u64() == TIMER {
                    self.set.store(0, Relaxed);
                    continue;
                }
                rung = true;
                let (flags, end) = (event.flags, EventFlags::HUP | EventFlags::ERR);
                if flags.intersects(end) {
                    self.ended.store(true, Relaxed);
                }
            }
            if rung {
                return self.rung(bell).map(Some);
            }
        }
    }

    fn rung(&self, bell: &Bell) -> Result<Woken> {
        let unread = self.unread.load(Relaxed) + 1;
        if unread < SLEEPS_PER_READ && !self.ended.load(Relaxed) {
            self.unread.store(unread, Relaxed);
            return Ok(Woken::Rung);
        }
        self.unread.store(0, Relaxed);
        Ok(bell.try_hear()?.unwrap_or(Woken::Rung))
    }

    /// Sees to it that the timer runs out not later than `deadline`; false if that is over.
    fn set_for(&self, deadline: Instant) -> rustix::io::Result<bool> {
        let at = deadline.saturating_duration_since(self.made).as_nanos();
        let at = u64::try_from(at).unwrap_or(u64::MAX).max(1);
        let set = self.set.load(Relaxed);
        if set != 0 && set <= at {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let left = left.min(LONGEST);
        let none = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Itimerspec {
            it_interval: none,
            it_value: Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
        self.set.store(at, Relaxed);
        Ok(true)
    }
}

/// Whether this kernel tells also of what is written to a pipe that was not empty, which those
/// before 5.15 did not always.
fn each_ring_is_told() -> bool {
    static TOLD: OnceLock<bool> = OnceLock::new();
    *TOLD.get_or_init(|| tries_twice().unwrap_or(false))
}

fn tries_twice() -> Result<bool> {
    let (rope, bell) = bell()?;
    let failed = |errno| os_error("wait", errno);
    let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(failed)?;
    let once = EventFlags::IN | EventFlags::ET;
    epoll::add(&epoll, &bell, EventData::new_u64(BELL), once).map_err(failed)?;
    for _ in 0..2 {
        rope.ring();
        let no_time = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut events = [NO_EVENT; 1];
        let wait = || epoll::wait(&epoll, &mut events, Some(&no_time));
        if ipc_sys::retry(wait).map_err(failed)? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
