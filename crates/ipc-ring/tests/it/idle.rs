//! A channel that nobody uses costs nothing.

use ipc_ring::Spin;
use ipc_testkit::watchdog;
use std::fs;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long nothing happens.
const IDLE: Duration = Duration::from_millis(100);

#[test]
fn an_idle_channel_takes_no_time_and_has_no_timer() {
    let _watchdog = watchdog(Duration::from_secs(60));
    for spin in [Spin::Learned, Spin::Never] {
        let mut options = ipc_ring::Options::new();
        let (sender, receiver) = options.spin(spin).pair().expect("a pair");
        let (say, who) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let link = fs::read_link("/proc/thread-self").expect("a thread of ours");
                say.send(link).expect("somebody listens");
                while receiver.recv(&mut [0; 8]).is_ok() {}
            });
            let thread = std::path::Path::new("/proc").join(who.recv().expect("it runs"));
            for _ in 0..1_000 {
                sender.send(&[1; 8]).expect("sent");
            }
            let read = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
            // It comes to rest, and then nothing wakes it: no message, no clock.
            let mut turns = read("schedstat");
            assert!(!turns.is_empty());
            loop {
                let begun = Instant::now();
                while begun.elapsed() < IDLE {
                    std::hint::spin_loop();
                }
                let before = std::mem::replace(&mut turns, read("schedstat"));
                if before == turns {
                    break;
                }
            }
            let timers = fs::read_to_string("/proc/self/timers").unwrap_or_default();
            assert_eq!(timers, "", "{spin:?}: a timer was made");
            drop(sender);
        });
    }
}
