//! How many bytes a pipe holds, and what stands in the way of more.

use ipc_pipe::{Capacity, ErrorKind, Options};
use ipc_testkit::{skip, watchdog};
use std::time::Duration;

const DEFAULT: usize = 65_536;
const AMPLE: usize = 1 << 20;

fn sysctl(name: &str) -> Option<usize> {
    std::fs::read_to_string(format!("/proc/sys/fs/{name}"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

#[test]
fn automatic_capacity_grows_with_the_first_large_send_and_not_before() {
    if sysctl("pipe-max-size") < Some(AMPLE) {
        skip!("fs.pipe-max-size is below 1 MiB");
    }
    let _watchdog = watchdog(Duration::from_secs(60));
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    tx.send(&[1; 1000]).expect("send");
    assert_eq!(tx.capacity_bytes().expect("asked"), DEFAULT);
    tx.send(&[1; 32 * 1024]).expect("send");
    let capacity = tx.capacity_bytes().expect("asked");
    if capacity == DEFAULT {
        skip!("this user's share of pipe memory is used up (fs.pipe-user-pages-soft)");
    }
    assert_eq!(capacity, AMPLE);
    // All of it in one go, through nobody's reading.
    tx.try_send(&vec![2; AMPLE - 64 * 1024]).expect("room");
    drop(rx);
}

#[test]
fn default_capacity_stays() {
    let (tx, _rx) = Options::new()
        .capacity(Capacity::Default)
        .pair()
        .expect("a pipe");
    tx.try_send(&vec![1; 1 << 20]).expect("begun");
    assert_eq!(tx.capacity_bytes().expect("asked"), DEFAULT);
}

#[test]
fn a_pipe_from_elsewhere_is_left_as_it_is() {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    let tx = ipc_pipe::Sender::from(write);
    tx.try_send(&vec![1; 1 << 20]).expect("begun");
    assert_eq!(tx.capacity_bytes().expect("asked"), DEFAULT);
    drop(read);
}

#[test]
fn a_capacity_is_rounded_up_to_what_the_kernel_can_do() {
    for (asked, given) in [
        (0, 4096),
        (1, 4096),
        (4096, 4096),
        (4097, 8192),
        (1 << 18, 1 << 18),
    ] {
        let (tx, _rx) = Options::new().capacity_bytes(asked).pair().expect("a pipe");
        assert_eq!(tx.capacity_bytes().expect("asked"), given, "{asked} asked");
    }
}

#[test]
fn an_impossible_capacity_is_refused_with_the_limit_and_its_name() {
    for bytes in [usize::MAX, 1 << 40, (1 << 31) + 1] {
        let error = Options::new()
            .capacity_bytes(bytes)
            .pair()
            .expect_err("too much");
        assert!(
            matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::LimitReached
            ),
            "{bytes}: {error:?}"
        );
        assert!(error.to_string().contains(&bytes.to_string()), "{error}");
    }
    if rustix::process::geteuid().is_root() {
        skip!("root is above fs.pipe-max-size");
    }
    let most = sysctl("pipe-max-size").expect("a sysctl");
    let error = Options::new()
        .capacity_bytes(2 * most)
        .pair()
        .expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    let text = error.to_string();
    assert!(
        text.contains("fs.pipe-max-size") && text.contains(&most.to_string()),
        "{text}"
    );
}
