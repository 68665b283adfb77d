//! How long after its owner's death the next waiter has the lock, killed again and again:
//! `cargo run --release -p ipc-sem --example deaths [KILLS]`.

use ipc_sem::{ErrorKind, Mutex, Region, Semaphore};
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Behind the mutex.
const SECOND: usize = 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    // Started again by itself, this program is the victim: the region is its standard input.
    if argument == "victim" {
        // Whoever started it may be killed before it can say so.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        let region = Region::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
        let mutex = Mutex::<u64>::open_trusted(&region, 0)?;
        let semaphore = Semaphore::open_trusted(&region, SECOND)?;
        let (mut held, _permit) = (mutex.lock()?, semaphore.acquire()?);
        *held += 1;
        println!("held");
        loop {
            std::thread::park();
        }
    }
    let kills: usize = argument.parse().unwrap_or(300);
    let region = ipc_shm::anonymous(1 << 16)?;
    let mutex = Mutex::create_trusted(&region, 0, 0u64)?;
    let semaphore = Semaphore::create_trusted(&region, SECOND, 1)?;
    let (mut locks, mut permits) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        let mut victim = Command::new(std::env::current_exe()?)
            .arg("victim")
            .stdin(Stdio::from(region.as_fd()?.try_clone_to_owned()?))
            .stdout(Stdio::piped())
            .spawn()?;
        victim
            .stdout
            .as_mut()
            .ok_or("it was piped")?
            .read_exact(&mut [0; 5])?;
        std::thread::scope(|scope| {
            let lock = scope.spawn(|| {
                let died = mutex.lock().map(drop).map_err(|error| error.kind());
                (died, Instant::now())
            });
            let permit = scope.spawn(|| (semaphore.acquire().map(drop), Instant::now()));
            // Both sleep by then; if not, the figure is the better for it, and the loop as right.
            std::thread::sleep(Duration::from_micros(500));
            let start = Instant::now();
            victim.kill()?;
            let (died, at) = lock.join().map_err(|_| "a waiter failed")?;
            assert_eq!(died, Err(ErrorKind::PeerDied));
            locks.push(at.saturating_duration_since(start));
            let (acquired, at) = permit.join().map_err(|_| "a waiter failed")?;
            acquired?;
            permits.push(at.saturating_duration_since(start));
            Ok::<(), Box<dyn std::error::Error>>(())
        })?;
        victim.wait()?;
        let recovery = mutex.recover()?;
        assert!(recovery.damage().is_some());
        drop(recovery.repaired());
    }
    for (what, mut times) in [("mutex", locks), ("semaphore", permits)] {
        times.sort();
        let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)];
        println!(
            "{what}: {kills} kills, p50 {:?}, p99 {:?}, max {:?}",
            at(500),
            at(990),
            at(1000)
        );
    }
    println!(
        "failures 0, upper bound of the rate {:.5}",
        3.0 / kills as f64
    );
    Ok(())
}
