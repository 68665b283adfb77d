//! What a round trip and a stream cost beside bare words in the same memory.

use ipc_ring::{Options, Receiver, Sender, Spin};
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::time::Instant;

#[repr(align(128))]
struct Line(AtomicU64);

fn pin(cpu: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).expect("pinned");
}

fn raw(a: usize, b: usize, rounds: u64) -> f64 {
    let (x, y) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(b);
            for n in 1..=rounds {
                while x.0.load(Acquire) != n {
                    std::hint::spin_loop();
                }
                y.0.store(n, Release);
            }
        });
        pin(a);
        let start = Instant::now();
        for n in 1..=rounds {
            x.0.store(n, Release);
            while y.0.load(Acquire) != n {
                std::hint::spin_loop();
            }
        }
        start.elapsed().as_nanos() as f64 / rounds as f64
    })
}

fn ring(a: usize, b: usize, rounds: u64, spin: Spin, size: usize) -> f64 {
    let mut options = Options::new();
    options.spin(spin);
    let (tx, rx) = options.pair().expect("a ring");
    let (tx2, rx2) = options.pair().expect("a ring");
    std::thread::scope(|scope| {
        let echo = move |rx: Receiver, tx: Sender| {
            pin(b);
            let mut buffer = vec![0; size];
            for _ in 0..rounds {
                let len = rx.recv(&mut buffer).expect("a message");
                tx.send(&buffer[..len]).expect("sent");
            }
        };
        scope.spawn(move || echo(rx, tx2));
        pin(a);
        let mut buffer = vec![0; size];
        let start = Instant::now();
        for _ in 0..rounds {
            tx.send(&buffer).expect("sent");
            rx2.recv(&mut buffer).expect("a message");
        }
        start.elapsed().as_nanos() as f64 / rounds as f64
    })
}

fn stream(a: usize, b: usize, messages: u64, size: usize) -> f64 {
    let (tx, rx) = Options::new().pair().expect("a ring");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            pin(b);
            let buffer = vec![0; size];
            for _ in 0..messages {
                tx.send(&buffer).expect("sent");
            }
        });
        pin(a);
        let mut buffer = vec![0; size];
        let start = Instant::now();
        for _ in 0..messages {
            rx.recv(&mut buffer).expect("a message");
        }
        start.elapsed().as_nanos() as f64 / messages as f64
    })
}

/// With an argument, so many times as long.
fn main() {
    let times = std::env::args().nth(1).and_then(|many| many.parse().ok());
    let times: u64 = times.unwrap_or(1);
    for _ in 0..3 {
        println!(
            "raw {:.1} ns; ring always {:.1}, learned {:.1}; 64 B {:.1}, 1 KiB {:.1}",
            raw(0, 1, 10_000 * times),
            ring(0, 1, 10_000 * times, Spin::Always, 8),
            ring(0, 1, 10_000 * times, Spin::Learned, 8),
            ring(0, 1, 10_000 * times, Spin::Always, 64),
            ring(0, 1, 10_000 * times, Spin::Always, 1024)
        );
        println!(
            "same cpu learned {:.0}; never {:.0}; cross never {:.0}",
            ring(0, 0, 1_000 * times, Spin::Learned, 8),
            ring(0, 0, 1_000 * times, Spin::Never, 8),
            ring(0, 1, 1_000 * times, Spin::Never, 8)
        );
        println!(
            "stream 8 B {:.1} ns, 48 B {:.1}, 1 KiB {:.1}, 64 KiB {:.1}",
            stream(0, 1, 100_000 * times, 8),
            stream(0, 1, 100_000 * times, 48),
            stream(0, 1, 30_000 * times, 1024),
            stream(0, 1, 2_000 * times, 65536)
        );
    }
}
