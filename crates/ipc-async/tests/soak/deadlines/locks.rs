//! Waits for locks and permits that others keep, and for those who do not come.

use super::{judge, leave_out, while_taken};
use ipc_shm::Region;
use ipc_testkit::crash::Lab;

fn region() -> Region {
    ipc_shm::anonymous(1 << 16).expect("memory")
}

pub(super) fn exclusive(lab: &mut Lab) {
    let mutex = ipc_sem::Mutex::create_trusted(&region(), 0, 0_u64).expect("a mutex");
    while_taken(
        || mutex.lock().expect("free"),
        || {
            judge(lab, "mutex", |deadline| {
                mutex.lock_deadline(deadline).map(drop)
            });
            judge(lab, "mutex, recovered", |deadline| {
                mutex.recover_deadline(deadline).map(drop)
            });
        },
    );
    let once = ipc_sem::Once::create_trusted(&region(), 0).expect("a once");
    std::thread::scope(|scope| {
        let (begun, is_begun) = std::sync::mpsc::channel();
        let (done, over) = std::sync::mpsc::channel::<()>();
        let once = &once;
        scope.spawn(move || {
            once.call(|_| {
                begun.send(()).expect("awaited");
                let _ = over.recv();
            })
        });
        is_begun.recv().expect("it has begun");
        judge(lab, "once", |deadline| {
            once.call_deadline(|_| {}, deadline).map(drop)
        });
        drop(done);
    });
}

pub(super) fn shared(lab: &mut Lab) {
    let lock = ipc_sem::RwLock::create_trusted(&region(), 0, 0_u64).expect("a lock");
    while_taken(
        || lock.write().expect("free"),
        || {
            judge(lab, "read lock", |deadline| {
                lock.read_deadline(deadline).map(drop)
            });
            judge(lab, "write lock", |deadline| {
                lock.write_deadline(deadline).map(drop)
            });
            judge(lab, "write lock, recovered", |deadline| {
                lock.recover_deadline(deadline).map(drop)
            });
        },
    );
    while_taken(
        || lock.read().expect("free"),
        || {
            judge(lab, "write lock behind a reader", |deadline| {
                lock.write_deadline(deadline).map(drop)
            });
        },
    );
}

pub(super) fn together(lab: &mut Lab) {
    let mutex = ipc_sem::Mutex::create_trusted(&region(), 0, 0_u64).expect("a mutex");
    let condvar = ipc_sem::Condvar::create_trusted(&region(), 0).expect("a condition");
    let mut guard = mutex.lock().expect("free");
    judge(lab, "condition", |deadline| {
        condvar.wait_deadline(&mut guard, deadline)
    });
    let barrier = ipc_sem::Barrier::create_trusted(&region(), 0, 2).expect("a barrier");
    judge(lab, "barrier", |deadline| {
        barrier.wait_deadline(deadline).map(drop)
    });
    let event = ipc_sem::Event::create_trusted(&region(), 0).expect("an event");
    judge(lab, "event in a region", |deadline| {
        event.wait_deadline(deadline)
    });
}

pub(super) fn semaphores(lab: &mut Lab) {
    let semaphore = ipc_sem::Semaphore::create_trusted(&region(), 0, 1).expect("a semaphore");
    let _permit = semaphore.acquire().expect("one");
    judge(lab, "semaphore", |deadline| {
        semaphore.acquire_deadline(deadline).map(drop)
    });
    let posix = ipc_sem::posix::Semaphore::create_trusted(&region(), 0, 0).expect("a semaphore");
    judge(lab, "POSIX semaphore", |deadline| {
        posix.acquire_deadline(deadline)
    });
    match ipc_sem::sysv::Options::new().create_unnamed(&[0]) {
        Ok(set) => {
            let take = ipc_sem::sysv::Operation::take(0, 1).expect("one");
            judge(lab, "System V semaphore", |deadline| {
                set.apply_deadline(&[take], deadline)
            });
            set.remove().expect("ours");
        }
        Err(error) => leave_out(lab, "System V semaphore", &error),
    }
}
