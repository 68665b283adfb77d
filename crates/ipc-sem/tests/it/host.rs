//! What the process and the kernel may do: forks, and a kernel without `futex_waitv`.

#![allow(unsafe_code)]

use crate::stage::{SECOND, await_ready, ready, region, spawn};
use ipc_sem::{Damage, ErrorKind, Mutex, RwLock, Semaphore};
use ipc_testkit::{deny, isolated, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

#[test]
fn a_forked_child_holds_nothing_that_its_parent_holds_and_releases_nothing() {
    isolated!({
        let region = region();
        let mutex = Mutex::create_trusted(&region, 0, 5u64).expect("a mutex");
        let semaphore = Semaphore::create_trusted(&region, SECOND, 2).expect("a semaphore");
        let mut guard = mutex.lock().expect("free");
        *guard += 1;
        let permit = semaphore.acquire().expect("free");
        // SAFETY: the child uses what fork(2) copies and ends by _exit; no other thread of this
        // process holds a lock that it needs.
        let child = unsafe { libc::fork() };
        if child == 0 {
            drop(guard);
            drop(permit);
            let busy = mutex.try_lock().map(drop).map_err(|error| error.kind());
            let own = semaphore.try_acquire();
            let none = semaphore
                .try_acquire()
                .map(drop)
                .map_err(|error| error.kind());
            let right = busy == Err(ErrorKind::WouldBlock)
                && own.is_ok()
                && none == Err(ErrorKind::WouldBlock);
            // Its own permit returns with it.
            // SAFETY: _exit(2) runs nothing of this process any more.
            unsafe { libc::_exit(if right { 7 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: `status` is valid for writes, and the child is ours (waitpid(2)).
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(
            (libc::WIFEXITED(status), libc::WEXITSTATUS(status)),
            (true, 7)
        );
        drop(permit);
        let all = [semaphore.try_acquire(), semaphore.try_acquire()];
        assert!(all.iter().all(Result::is_ok) && semaphore.try_acquire().is_err());
        drop(guard);
        assert_eq!(*mutex.lock().expect("free"), 6);
    });
}

#[test]
fn without_futex_waitv_deaths_are_seen_all_the_same() {
    isolated!({
        let before = threads();
        let watchdog = watchdog(PATIENCE);
        deny(libc::SYS_futex_waitv, libc::ENOSYS);
        let shared = region();
        let semaphore = Semaphore::create_trusted(&shared, 0, 1).expect("a semaphore");
        let holder = spawn("permit holder", &shared, "");
        await_ready(&shared, 1);
        let late = semaphore
            .acquire_timeout(5 * SHORT)
            .map(drop)
            .expect_err("held");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| semaphore.acquire().map(drop));
            holder.kill();
            waiter.join().expect("no panic").expect("it returns");
        });
        drop(holder);
        let shared = region();
        let lock = RwLock::create_trusted(&shared, 0, [0u64; 3]).expect("a lock");
        for (how, damage) in [("read", None), ("write", Some(Damage::Torn))] {
            let before = ready(&shared);
            let holder = spawn("rw holder", &shared, how);
            await_ready(&shared, before + 1);
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| lock.recover().map(|recovery| recovery.damage()));
                holder.kill();
                assert_eq!(waiter.join().expect("no panic").expect("free"), damage);
            });
        }
        drop(watchdog);
        // A joined thread shows in /proc for a moment longer, and would look like a leak.
        while threads() > before {
            std::thread::yield_now();
        }
    });
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("/proc is mounted")
        .count()
}
