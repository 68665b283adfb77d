//! Storms of signals at the verbs that the shared suite does not know.

use ipc_testkit::{Storm, TempDir, isolated, watchdog};
use ipc_uds::{Ancillary, Options};
use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const ROUNDS: u32 = 2_000;

#[test]
fn descriptors_sent_and_received_in_a_storm_all_arrive() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        let (left, right) = ipc_uds::pair().expect("a pair");
        let (packets, others) = ipc_uds::pair_seqpacket().expect("a pair");
        let receiver = std::thread::spawn(move || {
            let _storm = Storm::here();
            let mut gifts = Ancillary::new();
            for round in 0..ROUNDS {
                let mut number = [0; 4];
                let length = match round % 2 {
                    0 => right.recv_with_fds(&mut number, &mut gifts),
                    _ => others.recv_with_fds_timeout(&mut number, &mut gifts, Duration::MAX),
                };
                assert_eq!(length.expect("interrupted calls are made again"), 4);
                assert_eq!(u32::from_ne_bytes(number), round);
                assert_eq!(gifts.fds().len(), (round % 5) as usize);
            }
        });
        let _storm = Storm::here();
        for round in 0..ROUNDS {
            let fds = vec![null.as_fd(); (round % 5) as usize];
            match round % 2 {
                0 => left.send_with_fds(&round.to_ne_bytes(), &fds),
                _ => packets.send_with_fds_timeout(&round.to_ne_bytes(), &fds, Duration::MAX),
            }
            .expect("interrupted calls are made again");
        }
        receiver.join().expect("all came");
    });
}

#[test]
fn a_storm_changes_neither_flush_nor_the_end() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        for round in 0..20 {
            let (left, right) = ipc_uds::pair().expect("a pair");
            let large = vec![round; 1 << 20];
            let length = large.len();
            let receiver = std::thread::spawn(move || {
                let _storm = Storm::here();
                let (mut bytes, mut all) = ([0; 4096], 0);
                while let Ok(read) = right.recv(&mut bytes) {
                    assert!(bytes[..read].iter().all(|byte| *byte == round));
                    all += read;
                }
                all
            });
            let _storm = Storm::here();
            left.try_send(&large).expect("begun");
            match round % 2 {
                0 => left.flush(),
                _ => left.flush_timeout(Duration::MAX),
            }
            .expect("interrupted calls are made again");
            left.close_write().expect("the end");
            assert_eq!(receiver.join().expect("no panic"), length);
        }
    });
}

#[test]
fn datagrams_to_a_full_queue_in_a_storm_are_all_received() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let receiver = Options::new()
            .credentials(true)
            .bind_datagram(dir.join("queue"))
            .expect("bind");
        let to = receiver.address().expect("named");
        let receiving = std::thread::spawn(move || {
            let _storm = Storm::here();
            for round in 0..ROUNDS {
                let mut number = [0; 4];
                let (length, _) = receiver.recv_from(&mut number).expect("made again");
                assert_eq!((length, u32::from_ne_bytes(number)), (4, round));
            }
        });
        let sender = ipc_uds::datagram().expect("a socket");
        let _storm = Storm::here();
        for round in 0..ROUNDS {
            match round % 2 {
                0 => sender.send_to(&round.to_ne_bytes(), &to),
                _ => sender.send_to_timeout(&round.to_ne_bytes(), &to, PATIENCE),
            }
            .expect("interrupted calls are made again");
        }
        receiving.join().expect("all came");
    });
}
