//! Batches of messages and lists of descriptors, awaited.

use ipc_async::Async;
use ipc_testkit::watchdog;
use ipc_uds::{Ancillary, Batch, ErrorKind, Options};
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

macro_rules! batches {
    ($make:ident) => {{
        const MESSAGES: usize = 2_000;
        let (left, right) = ipc_uds::$make().expect("sockets");
        let left = Async::new(left).expect("registered");
        let right = Async::new(right).expect("registered");
        let sending = async {
            let all: Vec<[u8; 8]> = (0..MESSAGES).map(|number| number.to_le_bytes()).collect();
            let slices: Vec<&[u8]> = all.iter().map(|message| &message[..]).collect();
            let mut sent = 0;
            while sent < MESSAGES {
                // More than there is room for: the rest waits for the receiver.
                sent += left.send_batch(&slices[sent..]).await.expect("sent");
            }
        };
        let receiving = async {
            let (mut batch, mut next) = (Batch::new(8), 0);
            while next < MESSAGES {
                let came = right.recv_batch(&mut batch, 64).await.expect("some");
                assert!((1..=64).contains(&came));
                for message in batch.iter() {
                    assert_eq!(message, next.to_le_bytes());
                    next += 1;
                }
            }
        };
        tokio::join!(receiving, sending);
    }};
}

#[tokio::test]
async fn batches_wait_for_messages_and_for_room() {
    let _watchdog = watchdog(PATIENCE);
    batches!(pair_seqpacket);
    batches!(pair_datagram);
}

macro_rules! lists {
    ($make:ident) => {{
        const LISTED: usize = 300;
        let (left, right) = Options::new()
            .max_fds_per_user(1_000)
            .$make()
            .expect("sockets");

        let left = Async::new(left).expect("registered");
        let right = Async::new(right).expect("registered");
        let null = std::fs::File::open("/dev/null").expect("a device");
        let receiving = async {
            let (mut gifts, mut bytes) = (Ancillary::new(), [0; 8]);
            let received = right.recv_fd_list(&mut bytes, &mut gifts, LISTED).await;
            received.map(|length| (length, gifts.fds().len()))
        };
        let sending = async {
            tokio::task::yield_now().await;
            left.send_fd_list(b"here", &vec![null.as_fd(); LISTED])
                .await
        };
        let (received, sent) = tokio::join!(receiving, sending);
        match sent {
            Ok(()) => assert_eq!(received.expect("a list"), (4, LISTED)),
            Err(error) => panic!("{error}"),
        }
    }};
}

#[tokio::test]
async fn lists_of_descriptors_are_awaited_with_every_kind_of_socket() {
    let _watchdog = watchdog(PATIENCE);
    let null = std::fs::File::open("/dev/null").expect("a device");
    let (probe, _far) = ipc_uds::pair().expect("sockets");
    match probe.try_send_fd_list(b"x", &vec![null.as_fd(); 300]) {
        Err(error) if error.kind() == ErrorKind::LimitReached => {
            ipc_testkit::skip!("300 descriptors under way are too many here: {error}")
        }
        outcome => outcome.expect("sent"),
    }
    lists!(pair);
    lists!(pair_seqpacket);
    lists!(pair_datagram);
}
