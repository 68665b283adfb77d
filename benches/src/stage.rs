//! The page that the two workers of a pair share with each other only: barriers, the cache-line
//! probe, acknowledgements of streams, and the time stamp of a wake.

use std::{
    hint, io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    thread::futex::{self, Flags},
    time::{ClockId, clock_gettime},
};

use crate::{fan_in, scenario::Side, sys::Region};

/// Bytes of the page: one cache line for each word, and the neighbour that prefetchers pull along.
const LEN: usize = 4096;
const PING: usize = 0;
const PONG: usize = 128;
const CLIENT_ARRIVED: usize = 256;
const SERVER_ARRIVED: usize = 384;
const RECEIVED: usize = 512;
const STAMP: usize = 640;
/// Counts the cues of the first sender to the others of a fan-in.
const CUES: usize = 768;
/// Acknowledgements to each sender of a fan-in, a line and its neighbour apart.
const RECEIVED_FROM: usize = 1024;
const APART: usize = 128;

/// Round trips in one batch of a probe, and batches: the median batch counts.
const PROBE_ROUNDS: u32 = 40;
const PROBE_BATCHES: usize = 5;
/// System calls in one batch of the one-CPU probe.
const CALL_ROUNDS: u32 = 100;
/// A partner that does not show up within this time will not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// One worker's view of the page.
#[derive(Debug)]
pub struct Stage {
    region: Region,
    side: Side,
    barriers: u32,
    probes: u32,
    cues: u32,
}

impl Stage {
    /// A fresh page, as the descriptor that both workers of a pair receive.
    pub fn create() -> io::Result<OwnedFd> {
        Ok(Region::create(LEN)?.1)
    }

    /// This side's view.
    pub fn open(fd: impl AsFd, side: Side) -> io::Result<Stage> {
        Ok(Stage {
            region: Region::map(fd, LEN)?,
            side,
            barriers: 0,
            probes: 0,
            cues: 0,
        })
    }

    /// Waits until the other side is here too.
    pub fn barrier(&mut self) -> io::Result<()> {
        self.barriers = self.barriers.wrapping_add(1);
        let (mine, theirs) = match self.side {
            Side::Client => (CLIENT_ARRIVED, SERVER_ARRIVED),
            Side::Server => (SERVER_ARRIVED, CLIENT_ARRIVED),
        };
        let mine = self.region.word32(mine);
        mine.store(self.barriers, Ordering::SeqCst);
        futex::wake(mine, Flags::empty(), 1)?;
        wait_for(self.region.word32(theirs), self.barriers)
    }

    /// Nanoseconds of one round trip of a cache line between the CPUs of the two sides, which both
    /// call this at the same time.
    pub fn line_probe(&mut self) -> io::Result<f64> {
        let (ping, pong) = (self.region.word32(PING), self.region.word32(PONG));
        let mut batches = [0.0; PROBE_BATCHES];
        for batch in &mut batches {
            let mut start = Instant::now();
            // The first round trip only says that both are here.
            for round in 0..=PROBE_ROUNDS {
                if round == 1 {
                    start = Instant::now();
                }
                self.probes = self.probes.wrapping_add(1);
                match self.side {
                    Side::Client => {
                        ping.store(self.probes, Ordering::Release);
                        spin_for(pong, self.probes)?;
                    }
                    Side::Server => {
                        spin_for(ping, self.probes)?;
                        pong.store(self.probes, Ordering::Release);
                    }
                }
            }
            *batch = start.elapsed().as_nanos() as f64 / f64::from(PROBE_ROUNDS);
        }
        Ok(median(&mut batches))
    }

    /// Nanoseconds of one system call: the probe where both sides share a CPU.
    pub fn call_probe() -> f64 {
        let mut batches = [0.0; PROBE_BATCHES];
        for batch in &mut batches {
            let start = Instant::now();
            for _ in 0..CALL_ROUNDS {
                crate::sys::null_call(0, 0);
            }
            *batch = start.elapsed().as_nanos() as f64 / f64::from(CALL_ROUNDS);
        }
        median(&mut batches)
    }

    /// Says how many messages of the slice have been received.
    pub fn acknowledge(&self, received: u32) -> io::Result<()> {
        acknowledge(self.region.word32(RECEIVED), received)
    }

    /// Says how many messages of one sender of a fan-in have been received.
    pub fn acknowledge_from(&self, sender: usize, received: u32) -> io::Result<()> {
        acknowledge(self.from(sender), received)
    }

    /// Starts a slice with no message received.
    pub fn forget_received(&self) {
        self.region.word32(RECEIVED).store(0, Ordering::SeqCst);
        for sender in 0..fan_in::SENDERS {
            self.from(sender).store(0, Ordering::SeqCst);
        }
    }

    /// Waits until at least `count` messages have been received.
    pub fn wait_received(&self, count: u32) -> io::Result<()> {
        wait_count(self.region.word32(RECEIVED), count)
    }

    /// Waits until at least `count` messages of one sender of a fan-in have been received.
    pub fn wait_received_from(&self, sender: usize, count: u32) -> io::Result<()> {
        wait_count(self.from(sender), count)
    }

    /// Lets the other senders of a fan-in go on to their next part.
    pub fn cue(&mut self) -> io::Result<()> {
        self.cues = self.cues.wrapping_add(1);
        let word = self.region.word32(CUES);
        word.store(self.cues, Ordering::SeqCst);
        futex::wake(word, Flags::empty(), fan_in::SENDERS as u32)?;
        Ok(())
    }

    /// Waits for the first sender's next cue.
    pub fn await_cue(&mut self) -> io::Result<()> {
        self.cues = self.cues.wrapping_add(1);
        wait_for(self.region.word32(CUES), self.cues)
    }

    fn from(&self, sender: usize) -> &AtomicU32 {
        self.region.word32(RECEIVED_FROM + sender * APART)
    }

    /// Writes the time of the first send of a load for the other side, and gives it.
    pub fn begin_load(&self) -> u64 {
        let begin = now();
        self.region.word64(STAMP).store(begin, Ordering::Release);
        begin
    }

    /// Nanoseconds since `after` nanoseconds from the begin of the load.
    pub fn since_begin(&self, after: u64) -> u64 {
        let now = now();
        let begin = self.region.word64(STAMP).load(Ordering::Acquire);
        now.saturating_sub(begin + after)
    }

    /// Writes the time of a send for the other side.
    pub fn stamp(&self) {
        self.region.word64(STAMP).store(now(), Ordering::Release);
    }

    /// Nanoseconds since the other side's stamp.
    pub fn since_stamp(&self) -> u64 {
        let now = now();
        now.saturating_sub(self.region.word64(STAMP).load(Ordering::Acquire))
    }
}

/// The monotonic clock in nanoseconds, the same in every process.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn acknowledge(word: &AtomicU32, received: u32) -> io::Result<()> {
    word.store(received, Ordering::SeqCst);
    futex::wake(word, Flags::empty(), 1)?;
    Ok(())
}

fn wait_count(word: &AtomicU32, count: u32) -> io::Result<()> {
    loop {
        let received = word.load(Ordering::Acquire);
        if received >= count {
            return Ok(());
        }
        sleep_on(word, received)?;
    }
}

fn wait_for(word: &AtomicU32, value: u32) -> io::Result<()> {
    loop {
        let seen = word.load(Ordering::Acquire);
        if seen.wrapping_sub(value) as i32 >= 0 {
            return Ok(());
        }
        sleep_on(word, seen)?;
    }
}

fn sleep_on(word: &AtomicU32, seen: u32) -> io::Result<()> {
    match futex::wait(word, Flags::empty(), seen, None) {
        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn spin_for(word: &AtomicU32, value: u32) -> io::Result<()> {
    let mut spins = 0_u32;
    let mut start = None;
    while word.load(Ordering::Acquire) != value {
        hint::spin_loop();
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(1 << 16)
            && start.get_or_insert_with(Instant::now).elapsed() > PATIENCE
        {
            return Err(io::Error::other("the other side did not come to the probe"));
        }
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
