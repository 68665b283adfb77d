//! TLS with `.await`.

use super::authority::{Authority, side};
use crate::loopback::{PATIENCE, pattern};
use ipc_async::{Async, Interest};
use ipc_net::ErrorKind;
use ipc_testkit::watchdog;

#[tokio::test]
async fn a_tls_server_and_client_are_awaited_in_one_thread() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let options = side(&root.named("server.test"), &root);
    let listener = options.bind("127.0.0.1:0").expect("bind");
    let address = listener.address().expect("bound");
    let listener = Async::new(listener).expect("in a runtime");
    let server = tokio::spawn(async move {
        let stream = listener.accept().await.expect("accept");
        let stream = Async::new(stream).expect("in a runtime");
        stream
            .ready(Interest::Read, |stream| stream.try_handshake())
            .await
            .expect("a good client");
        let frames = stream.into_inner().expect("nothing is owed").framed();
        let frames = Async::new(frames).expect("in a runtime");
        let mut buffer = vec![0; 1 << 20];
        loop {
            match frames.recv(&mut buffer).await {
                Ok(length) => frames.send(&buffer[..length]).await.expect("send"),
                Err(error) => break error.kind(),
            }
        }
    });
    let client = options.client().expect("a client");
    let stream = client
        .try_connect("server.test", address)
        .expect("loopback");
    let frames = Async::new(stream.framed()).expect("in a runtime");
    let mut echo = vec![0; 1 << 20];
    for length in [0, 1, 1000, 65_536, 1 << 20] {
        let message = pattern(length);
        frames.send(&message).await.expect("send");
        assert_eq!(frames.recv(&mut echo).await.expect("echo"), length);
        assert!(echo[..length] == message);
    }
    let proven = frames.get_ref().inner().identity().expect("proven");
    assert_eq!(proven.dns_names(), ["server.test"]);
    drop(frames);
    assert_eq!(server.await.expect("no panic"), ErrorKind::Closed);
}
