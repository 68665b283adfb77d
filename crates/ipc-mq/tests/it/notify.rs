//! Notifications: when they come, who has them, and how they are lost.

use crate::generator::Named;
use ipc_async::Async;
use ipc_mq::{ErrorKind, Notification, Options, Queue};
use ipc_testkit::{Role, Stage, deny_where, isolated, watchdog};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

fn queue() -> Queue {
    let mut options = Options::new();
    options.max_messages(4).message_size_bytes(16);
    options.create_unnamed().expect("a queue")
}

#[test]
fn a_message_to_the_empty_queue_notifies_once_and_again_when_renewed() {
    let _watchdog = watchdog(PATIENCE);
    let queue = queue();
    let notification = queue.notify().expect("free");
    let none = notification.try_wait().expect_err("nothing came");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    let late = notification.wait_timeout(SHORT).expect_err("nothing came");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    for round in 0..3 {
        queue.send(b"x", 0).expect("room");
        match round {
            0 => notification.wait(),
            1 => notification.try_wait(),
            _ => notification.wait_timeout(Duration::MAX),
        }
        .expect("a message came");
        let used = notification.wait().expect_err("used up");
        assert_eq!(used.kind(), ErrorKind::InvalidInput, "{used}");
        notification.renew().expect("free");
        // The queue is not empty: the next message notifies nobody.
        queue.send(b"y", 0).expect("room");
        assert!(notification.try_wait().is_err());
        assert_eq!(queue.recv(&mut [0; 16]).expect("there"), 1);
        assert_eq!(queue.recv(&mut [0; 16]).expect("there"), 1);
    }
    notification.renew().expect("nothing to do");
}

#[test]
fn a_wait_is_woken_by_another_thread_and_a_dropped_one_frees_the_place() {
    let _watchdog = watchdog(PATIENCE);
    let queue = queue();
    for _ in 0..20 {
        let notification = queue.notify().expect("the last one was dropped");
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| notification.wait());
            queue.send(b"x", 0).expect("room");
            waiter.join().expect("no panic").expect("a message came");
        });
        queue.recv(&mut [0; 16]).expect("there");
    }
    // Dropped with its notification still unread: the place is free, and another's stays.
    let first = queue.notify().expect("free");
    queue.send(b"x", 0).expect("room");
    queue.recv(&mut [0; 16]).expect("there");
    let second = queue.notify().expect("the first was used up");
    drop(first);
    queue.send(b"x", 0).expect("room");
    second.try_wait().expect("still registered");
}

pub(crate) fn register_and_stay(mut stage: Stage) {
    let queue = Queue::from_descriptor(stage.descriptor()).expect("a queue");
    let tell = stage.descriptor();
    let notification = queue.notify().expect("free");
    drop(tell);
    loop {
        let _ = notification.wait_timeout(PATIENCE);
    }
}

#[test]
fn one_process_has_it_at_a_time_and_a_dead_one_has_it_no_more() {
    let _watchdog = watchdog(PATIENCE);
    let queue = queue();
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    let role = Role::new("registers and stays").descriptor(&queue);
    let child = role.descriptor(&tell).spawn();
    drop(tell);
    let mut byte = [0u8];
    rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut byte)).expect("its word");
    let error = queue.notify().expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(
        error.to_string().contains(&child.id().to_string()),
        "{error}"
    );
    child.kill();
    child.wait();
    queue.notify().expect("the dead has none");
}

#[test]
fn a_closed_descriptor_of_the_queue_takes_it_back_and_the_wait_says_so() {
    let _watchdog = watchdog(PATIENCE);
    let queue = queue();
    let notification = queue.notify().expect("free");
    drop(queue.try_clone().expect("a descriptor"));
    let error = notification.wait().expect_err("taken back");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    notification.renew().expect("free");
    queue.send(b"x", 0).expect("room");
    notification.wait().expect("a message came");
}

#[test]
fn a_listing_takes_no_notification_back() {
    let name = Named::new("listed");
    let queue = ipc_mq::Options::new()
        .message_size_bytes(16)
        .create(&name.0);
    let queue = queue.expect("new");
    let notification = queue.notify().expect("free");
    let _ = ipc_mq::list();
    queue.send(b"x", 0).expect("room");
    notification.try_wait().expect("still registered");
}

#[test]
fn no_thread_and_no_signal_comes_with_it_and_nothing_stays() {
    isolated!({
        let queue = queue();
        let before = std::fs::read_dir("/proc/self/task").expect("/proc").count();
        let notification = queue.notify().expect("free");
        queue.send(b"x", 0).expect("room");
        notification.wait().expect("a message came");
        let after = std::fs::read_dir("/proc/self/task").expect("/proc").count();
        assert_eq!(before, after);
    });
}

#[test]
fn without_netlink_sockets_it_is_refused_by_name() {
    isolated!({
        let netlink = u64::try_from(libc::AF_NETLINK).expect("small");
        let queue = queue();
        deny_where(libc::SYS_socket, 0, u64::MAX, netlink, libc::EAFNOSUPPORT);
        let error = queue.notify().expect_err("denied");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}

#[tokio::test]
async fn it_is_awaited_like_any_endpoint() {
    let _watchdog = watchdog(PATIENCE);
    let queue = Arc::new(queue());
    let notification = Notification::new(Arc::clone(&queue)).expect("free");
    let notification = Async::new(notification).expect("registered");
    let came = notification.wait();
    let (came, ()) = tokio::join!(came, async {
        tokio::task::yield_now().await;
        queue.send(b"x", 0).expect("room");
    });
    came.expect("a message came");
}
