//! The same verbs with `.await`.

use crate::loopback::{PATIENCE, pattern};
use ipc_async::{Async, Interest};
use ipc_net::{ErrorKind, Options};
use ipc_testkit::watchdog;

#[tokio::test]
async fn listeners_streams_frames_and_connects_are_awaited() {
    let _watchdog = watchdog(PATIENCE);
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let address = listener.address().expect("bound");
    let listener = Async::new(listener).expect("in a runtime");
    let server = tokio::spawn(async move {
        let stream = listener.accept().await.expect("accept");
        let frames = Async::new(stream.framed()).expect("in a runtime");
        let mut buffer = vec![0; 1 << 20];
        loop {
            match frames.recv(&mut buffer).await {
                Ok(length) => frames.send(&buffer[..length]).await.expect("send"),
                Err(error) => break error.kind(),
            }
        }
    });
    let connecting = Options::new().begin_connect(address).expect("begun");
    let connecting = Async::new(connecting).expect("in a runtime");
    let stream = connecting
        .ready(Interest::Read, |connecting| connecting.try_finish())
        .await
        .expect("connected");
    let frames = Async::new(stream.framed()).expect("in a runtime");
    let mut echo = vec![0; 1 << 20];
    for length in [0, 1, 1000, 65_536, 1 << 20] {
        let message = pattern(length);
        frames.send(&message).await.expect("send");
        assert_eq!(frames.recv(&mut echo).await.expect("echo"), length);
        assert!(echo[..length] == message);
    }
    drop(frames);
    assert_eq!(server.await.expect("no panic"), ErrorKind::Closed);
}

#[tokio::test]
async fn datagrams_are_awaited_and_a_cancelled_receive_loses_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let rx = ipc_net::bind_datagram("127.0.0.1:0").expect("bind");
    let tx = ipc_net::connect_datagram(rx.address().expect("bound")).expect("connect");
    let (rx, tx) = (
        Async::new(rx).expect("runtime"),
        Async::new(tx).expect("runtime"),
    );
    let mut bytes = [0; 64];
    for number in 0..1000_u32 {
        if number % 2 == 0 {
            tokio::select! {
                biased;
                _ = rx.recv(&mut bytes) => panic!("nothing was sent"),
                () = std::future::ready(()) => {}
            }
        }
        tx.send(&number.to_le_bytes()).await.expect("send");
        assert_eq!(rx.recv(&mut bytes).await.expect("recv"), 4);
        assert_eq!(bytes[..4], number.to_le_bytes());
    }
}
