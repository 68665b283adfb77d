//! Storms of signals at the verbs that the shared suite does not know.

use ipc_pipe::{Capacity, Options};
use ipc_testkit::{Storm, TempDir, isolated, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn opening_a_fifo_to_send_waits_through_a_storm() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
        for _ in 0..20 {
            let storm = Storm::here();
            std::thread::scope(|scope| {
                let reading = scope.spawn(|| {
                    // So late that the open has waited through some signals.
                    while storm.sent() < 20 {
                        std::thread::yield_now();
                    }
                    let rx = fifo.receiver().expect("at once");
                    assert_eq!(rx.recv(&mut [0; 4]).expect("it came"), 1);
                });
                let tx = fifo.sender().expect("interrupted calls are made again");
                tx.send(b"x").expect("made again");
                reading.join().expect("no panic");
            });
        }
    });
}

#[test]
fn a_flush_in_a_storm_writes_all_that_is_owed() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        for round in 0..20u8 {
            let mut options = Options::new();
            let (tx, rx) = options.capacity(Capacity::Default).pair().expect("a pipe");
            let receiver = std::thread::spawn(move || {
                let _storm = Storm::here();
                let (mut bytes, mut all) = ([0; 4096], 0);
                while let Ok(read) = rx.recv(&mut bytes) {
                    assert!(bytes[..read].iter().all(|byte| *byte == round));
                    all += read;
                }
                all
            });
            let storm = Storm::here();
            tx.try_send(&vec![round; 1 << 20]).expect("begun");
            match round % 2 {
                0 => tx.flush(),
                _ => tx.flush_timeout(Duration::MAX),
            }
            .expect("interrupted calls are made again");
            drop((tx, storm));
            assert_eq!(receiver.join().expect("no panic"), 1 << 20);
        }
    });
}
