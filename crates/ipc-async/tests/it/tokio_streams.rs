//! Tokio's own reading and writing over our streams, with the end of one direction.

use ipc_async::Async;
use ipc_core::Duplex;
use ipc_testkit::watchdog;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);
/// More than any of them holds.
const SIZE: usize = 3 << 20;

async fn comes_back(
    near: impl Duplex + Send + Sync + 'static,
    far: impl Duplex + Send + Sync + 'static,
) {
    let echo = tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(Async::new(far).expect("a runtime"));
        let copied = tokio::io::copy(&mut read, &mut write)
            .await
            .expect("it ends");
        write.shutdown().await.expect("first");
        write.shutdown().await.expect("and again");
        copied
    });
    let sent: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let (mut read, mut write) = tokio::io::split(Async::new(near).expect("a runtime"));
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        write.write_all(&sent).await.expect("it is read");
        write.shutdown().await.expect("the end");
        write.write_all(b"more").await.expect_err("after the end")
    });
    let mut came = Vec::new();
    read.read_to_end(&mut came).await.expect("it ends");
    assert!(came == expected, "{} bytes came", came.len());
    assert_eq!(echo.await.expect("no panic"), SIZE as u64);
    let refused = writing.await.expect("no panic");
    assert_eq!(refused.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_tokio_copies_over_a_unix_stream_comes_back_and_ends() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = ipc_uds::pair().expect("a pair");
    comes_back(near, far).await;
}

#[tokio::test]
async fn a_pipe_is_read_to_the_end_that_its_drop_tells() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, reader) = ipc_pipe::pair().expect("a pipe");
    let (mut writer, mut reader) = (
        Async::new(writer).expect("a runtime"),
        Async::new(reader).expect("a runtime"),
    );
    let writing = tokio::spawn(async move {
        writer.write_all(&[7; SIZE]).await.expect("it is read");
        writer.flush().await.expect("nothing is owed");
        writer.shutdown().await.expect("which says nothing");
    });
    let mut came = Vec::new();
    reader.read_to_end(&mut came).await.expect("it ends");
    writing.await.expect("no panic");
    assert!(came == vec![7; SIZE], "{} bytes came", came.len());
}
