//! Messages of 1 to 4 producers to 1 to 4 consumers, each a process: by a queue, and by what it is
//! compared with, one pipe for all, a ring under one lock, and bare tickets.
//!
//! The tickets are the algorithm of crossbeam's `ArrayQueue` in shared memory: nobody sleeps, and
//! who dies with a ticket holds all others up. The lock is one word that is tried again and again.

use ipc_ring::{ErrorKind, Options};
use ipc_shm::WritableWindow;
use ipc_uds::SeqPacket;
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::time::Instant;

/// Messages of one run, shared by the producers: a multiple of 1, 2, 3 and 4.
const MESSAGES: u64 = 48_000;
const BYTES: usize = 32;
/// Runs of each way: with the argument `full`, for all members; else for a first look at a few.
const ROUNDS: [usize; 2] = [9, 3];
/// Slots of each ring.
const SLOTS: u64 = 1024;
const WAYS: [&str; 4] = ["queue", "pipe", "lock", "tickets"];

/// Where a reference has its words: each in a line of its own, then the slots, of a line each.
const TAIL: usize = 0;
const HEAD: usize = 128;
const LOCK: usize = 256;
const FIRST: usize = 384;
const SLOT: usize = 64;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, way, part, share] = arguments.as_slice() {
        return member(way, part, share.parse()?);
    }
    let full = arguments.get(1).is_some_and(|argument| argument == "full");
    let rounds = if full { ROUNDS[0] } else { ROUNDS[1] };
    println!("{MESSAGES} messages of {BYTES} bytes, {rounds} runs of each way in turn");
    println!("producers x consumers, ns a message (median), the queue's ratio to each other way:");
    println!("median, and what all runs lie between but, of nine, the least and the most");
    let all = (1..=4).flat_map(|n| (1..=4).map(move |m| (n, m)));
    for (producers, consumers) in all.filter(|(n, m)| full || (n == m && *n != 3)) {
        let mut times: [Vec<f64>; WAYS.len()] = Default::default();
        for _ in 0..rounds {
            for (way, times) in WAYS.iter().zip(&mut times) {
                times.push(run(way, producers, consumers)?);
            }
        }
        print!("{producers} x {consumers}");
        for (at, way) in WAYS.iter().enumerate() {
            let ratios = times[0].iter().zip(&times[at]);
            let ratios = sorted(ratios.map(|(ours, its)| ours / its));
            let middle = sorted(times[at].iter().copied())[rounds / 2];
            print!("  {way} {middle:.0}");
            if at > 0 {
                let (low, high) = (ratios[rounds / 9], ratios[rounds - 1 - rounds / 9]);
                print!(" ({:.2}, {low:.2} to {high:.2})", ratios[rounds / 2]);
            }
        }
        println!();
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// One run: nanoseconds a message, from the word to go to the last message's arrival.
fn run(way: &str, producers: u64, consumers: u64) -> Outcome<f64> {
    let queue = Options::new().capacity_messages(1024).queue()?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let memory = ipc_shm::Options::new()
        .size_bytes(FIRST + SLOTS as usize * SLOT)
        .prefault(true)
        .anonymous()?;
    let slots = memory.writable_window(0, memory.len_bytes())?;
    (0..SLOTS).for_each(|at| slots.u64(slot(at)).store(at, Relaxed));
    let memory = memory.as_fd()?.try_clone_to_owned()?;
    let mut members: Vec<(Child, SeqPacket)> = Vec::new();
    for (part, count) in [("consume", consumers), ("produce", producers)] {
        for _ in 0..count {
            let (ours, theirs) = ipc_uds::pair_seqpacket()?;
            let end = match way {
                "lock" | "tickets" => &memory,
                _ if part == "consume" => &read,
                _ => &write,
            };
            members.push((spawn(way, part, MESSAGES / producers, theirs, end)?, ours));
            let (_, socket) = members.last().expect("just pushed");
            match way {
                "queue" => queue.add(socket.try_clone()?)?,
                _ => assert_eq!(socket.recv(&mut [0; 8])?, 2),
            }
        }
    }
    drop((read, write, memory));
    let start = Instant::now();
    for (_, socket) in &members {
        socket.send(b"go")?;
    }
    let mut came = 0;
    for (_, socket) in &members[..consumers as usize] {
        let mut count = [0; 8];
        socket.recv(&mut count)?;
        came += u64::from_le_bytes(count);
    }
    let elapsed = start.elapsed().as_nanos() as f64;
    assert_eq!(came, MESSAGES / producers * producers, "none is lost");
    for (mut child, _) in members {
        assert!(child.wait()?.success());
    }
    Ok(elapsed / came as f64)
}

fn spawn(way: &str, part: &str, share: u64, socket: SeqPacket, end: &OwnedFd) -> Outcome<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args([way, part, &share.to_string()]);
    let socket = socket.as_fd().try_clone_to_owned()?;
    Ok(command.stdin(socket).stderr(end.try_clone()?).spawn()?)
}

fn member(way: &str, part: &str, share: u64) -> Outcome<()> {
    let socket = SeqPacket::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut go = [0; 8];
    let (message, mut buffer) = ([7; BYTES], [0; BYTES]);
    let mut came = 0_u64;
    match (way, part) {
        ("queue", "produce") => {
            let producer = Options::new().produce_over(socket.try_clone()?)?;
            socket.recv(&mut go)?;
            for _ in 0..share {
                producer.send(&message)?;
            }
        }
        ("queue", _) => {
            let consumer = Options::new().consume_over(socket.try_clone()?)?;
            socket.recv(&mut go)?;
            loop {
                match consumer.recv(&mut buffer) {
                    Ok(_) => came += 1,
                    Err(error) if error.kind() == ErrorKind::Closed => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        ("lock" | "tickets", part) => {
            let memory = std::io::stderr().as_fd().try_clone_to_owned()?;
            let memory = ipc_shm::Options::new().attach(memory)?;
            let slots = memory.writable_window(0, memory.len_bytes())?;
            socket.send(b"in")?;
            socket.recv(&mut go)?;
            came = match (way, part) {
                ("lock", "produce") => under_a_lock(&slots, TAIL, share, &mut buffer),
                ("lock", _) => under_a_lock(&slots, HEAD, MESSAGES, &mut buffer),
                (_, "produce") => by_tickets(&slots, TAIL, share, &mut buffer),
                _ => by_tickets(&slots, HEAD, MESSAGES, &mut buffer),
            };
        }
        (_, part) => {
            let end = std::io::stderr().as_fd().try_clone_to_owned()?;
            // Nobody else may keep the writing end open.
            let closed = std::fs::File::open("/dev/null")?;
            rustix::stdio::dup2_stderr(&closed)?;
            socket.send(b"in")?;
            socket.recv(&mut go)?;
            if part == "produce" {
                for _ in 0..share {
                    rustix::io::write(&end, &message)?;
                }
            } else {
                while rustix::io::read(&end, &mut buffer)? == BYTES {
                    came += 1;
                }
            }
        }
    }
    if part == "consume" {
        socket.send(&came.to_le_bytes())?;
    }
    Ok(())
}

fn slot(number: u64) -> usize {
    FIRST + (number % SLOTS) as usize * SLOT
}

/// Passes so many messages (who sends), or until so many have been taken by all (who receives);
/// how many that were.
fn by_tickets(slots: &WritableWindow, counter: usize, most: u64, buffer: &mut [u8]) -> u64 {
    let sends = counter == TAIL;
    let (ahead, counter, mut count) = (u64::from(!sends), slots.u64(counter), 0);
    while !sends || count < most {
        let ticket = counter.load(Acquire);
        if !sends && ticket == most {
            break;
        }
        let at = slot(ticket);
        if slots.u64(at).load(Acquire) != ticket + ahead {
            if counter.load(Acquire) == ticket {
                std::thread::yield_now();
            }
            continue;
        }
        let taken = counter.compare_exchange(ticket, ticket + 1, SeqCst, Relaxed);
        if taken.is_err() {
            std::hint::spin_loop();
            continue;
        }
        match sends {
            true => slots.write(at + 8, buffer),
            false => slots.read(at + 8, buffer),
        }
        let next = if sends { ticket + 1 } else { ticket + SLOTS };
        slots.u64(at).store(next, Release);
        count += 1;
    }
    count
}

/// The same, one at a time.
fn under_a_lock(slots: &WritableWindow, counter: usize, most: u64, buffer: &mut [u8]) -> u64 {
    let (sends, lock, mut count) = (counter == TAIL, slots.u64(LOCK), 0);
    let (tail, head) = (slots.u64(TAIL), slots.u64(HEAD));
    while !sends || count < most {
        if lock.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            std::thread::yield_now();
            continue;
        }
        let (sent, taken) = (tail.load(Relaxed), head.load(Relaxed));
        let (is_over, passes) = match sends {
            true => (false, sent - taken < SLOTS),
            false => (taken == most, taken < sent),
        };
        if passes && sends {
            slots.write(slot(sent) + 8, buffer);
            tail.store(sent + 1, Relaxed);
        } else if passes {
            slots.read(slot(taken) + 8, buffer);
            head.store(taken + 1, Relaxed);
        }
        lock.store(0, Release);
        count += u64::from(passes);
        if is_over {
            break;
        }
        if !passes {
            std::thread::yield_now();
        }
    }
    count
}
