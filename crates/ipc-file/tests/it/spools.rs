//! Spools: delivered whole, claimed by one, given back by a death.

use ipc_async::Async;
use ipc_core::Interest;
use ipc_file::{ErrorKind, Options, Spool, open_spool};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

fn next(spool: &Spool) -> Vec<u8> {
    let claim = spool.try_claim().expect("one is there");
    let message = claim.read().expect("readable");
    claim.finish().expect("finished");
    message
}

#[test]
fn messages_are_claimed_once_in_the_order_of_their_delivery() {
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    let other = open_spool(dir.join("s")).expect("the same");
    for number in 0u32..20 {
        let from = if number % 2 == 0 { &spool } else { &other };
        from.deliver(&number.to_le_bytes()).expect("room");
    }
    assert_eq!(spool.waiting().expect("known"), 20);
    for number in 0u32..20 {
        let by = if number % 3 == 0 { &spool } else { &other };
        assert_eq!(next(by), number.to_le_bytes());
    }
    assert_eq!(
        spool.try_claim().expect_err("empty").kind(),
        ErrorKind::WouldBlock
    );
    for part in ["tmp", "new", "cur"] {
        assert_eq!(
            std::fs::read_dir(dir.join("s").join(part))
                .expect("ours")
                .count(),
            0
        );
    }
}

#[test]
fn a_claim_keeps_others_out_and_a_dropped_one_is_claimed_again_first() {
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    spool.deliver(b"one").expect("room");
    spool.deliver(b"two").expect("room");
    let first = spool.try_claim().expect("one");
    assert!(!first.was_returned());
    let second = spool.try_claim().expect("two");
    assert_eq!(second.read().expect("readable"), b"two");
    assert!(spool.try_claim().is_err());
    drop(second);
    drop(first);
    let again = spool.try_claim().expect("one again");
    assert_eq!(
        (again.read().expect("readable"), again.was_returned()),
        (b"one".to_vec(), true)
    );
    again.finish().expect("finished");
    assert_eq!(next(&spool), b"two");
}

#[test]
fn every_form_of_claim_claims_and_none_waits_too_short() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    for _ in 0..4 {
        spool.deliver(b"x").expect("room");
    }
    let late = Instant::now() + PATIENCE;
    spool.claim().expect("one").finish().expect("done");
    spool.try_claim().expect("one").finish().expect("done");
    spool
        .claim_timeout(Duration::MAX)
        .expect("one")
        .finish()
        .expect("done");
    spool
        .claim_deadline(late)
        .expect("one")
        .finish()
        .expect("done");
    let start = Instant::now();
    let empty = spool.claim_timeout(SHORT).expect_err("empty");
    assert_eq!(empty.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn a_delivery_wakes_a_waiting_claimer_and_each_message_goes_to_one() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    let mut all: Vec<u32> = std::thread::scope(|scope| {
        let claimers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let own = open_spool(dir.join("s")).expect("a spool");
                    let mut got = Vec::new();
                    loop {
                        let claim = own.claim().expect("it comes");
                        let message = claim.read().expect("readable");
                        claim.finish().expect("finished");
                        match message.try_into() {
                            Ok(number) => got.push(u32::from_le_bytes(number)),
                            Err(_) => return got,
                        }
                    }
                })
            })
            .collect();
        for number in 0u32..60 {
            spool.deliver(&number.to_le_bytes()).expect("room");
        }
        for _ in 0..3 {
            spool.deliver(b"end").expect("room");
        }
        claimers
            .into_iter()
            .flat_map(|claimer| claimer.join().expect("done"))
            .collect()
    });
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<u32>>());
}

/// Claims a message, says so, and holds it until it is killed.
pub(crate) fn claim_one(mut stage: Stage) {
    let spool = open_spool(stage.argument(0)).expect("a spool");
    let _claim = spool.claim().expect("one");
    drop(stage.descriptor());
    loop {
        std::thread::park();
    }
}

#[test]
fn what_a_killed_claimer_had_wakes_a_waiting_one() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    for _ in 0..20 {
        spool.deliver(b"work").expect("room");
        let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        let role = Role::new("claimer").argument(dir.join("s").display());
        let child = role.descriptor(&tell).spawn();
        drop(tell);
        let end = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut [0u8; 1]));
        assert_eq!(end, Ok(0));
        assert_eq!(
            spool.try_claim().expect_err("claimed").kind(),
            ErrorKind::WouldBlock
        );
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| spool.claim().expect("its claimer dies"));
            child.kill();
            child.wait_dead();
            let claim = waiter.join().expect("it came");
            assert!(claim.was_returned());
            claim.finish().expect("finished");
        });
    }
}

#[test]
fn claims_can_be_awaited() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let own = Async::new(open_spool(dir.join("s")).expect("a spool")).expect("watched");
        let deliverer = std::thread::spawn(move || {
            (0..30).for_each(|_| spool.deliver(b"x").expect("room"));
        });
        for _ in 0..30 {
            let claim = own
                .ready(Interest::Read, Spool::try_claim)
                .await
                .expect("it comes");
            claim.finish().expect("finished");
        }
        deliverer.join().expect("delivered");
    });
}

#[test]
fn the_directory_is_private_or_refused() {
    let dir = TempDir::new();
    let path = dir.join("s");
    drop(open_spool(&path).expect("made"));
    for part in ["", "tmp", "new", "cur"] {
        let mode = std::fs::metadata(path.join(part))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{part}");
    }
    for part in ["", "new"] {
        let place = path.join(part);
        std::fs::set_permissions(&place, PermissionsExt::from_mode(0o750)).expect("ours");
        assert_eq!(
            open_spool(&path).expect_err("open").kind(),
            ErrorKind::Denied,
            "{part}"
        );
        // Its maker may have died before its mode was right: then it is set.
        std::fs::set_permissions(&place, PermissionsExt::from_mode(0o100)).expect("ours");
        drop(open_spool(&path).expect("finished"));
    }
    std::os::unix::fs::symlink(&path, dir.join("link")).expect("ours");
    assert_eq!(
        open_spool(dir.join("link")).expect_err("a link").kind(),
        ErrorKind::WrongType
    );
    std::fs::write(dir.join("file"), "").expect("ours");
    assert_eq!(
        open_spool(dir.join("file")).expect_err("a file").kind(),
        ErrorKind::WrongType
    );
}

#[test]
fn what_is_no_message_is_neither_claimed_nor_touched() {
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    let new = dir.join("s").join("new");
    let name = format!("{:020}.{:016x}", 1, 1);
    std::os::unix::fs::symlink("/etc/passwd", new.join(&name)).expect("ours");
    let linked = format!("{:020}.{:016x}", 2, 2);
    std::fs::write(dir.join("elsewhere"), "victim").expect("ours");
    std::fs::hard_link(dir.join("elsewhere"), new.join(&linked)).expect("ours");
    std::fs::create_dir(new.join(format!("{:020}.{:016x}", 3, 3))).expect("ours");
    std::fs::write(new.join("README"), "").expect("ours");
    std::fs::write(new.join(format!("{:020}.{:016X}", 4, 0xabc)), "").expect("ours");
    assert_eq!(
        spool.try_claim().expect_err("none").kind(),
        ErrorKind::WouldBlock
    );
    spool.deliver(b"real").expect("room");
    assert_eq!(next(&spool), b"real");
    assert_eq!(
        std::fs::read(dir.join("elsewhere")).expect("there"),
        b"victim"
    );
}

#[test]
fn limits_are_accepted_and_one_more_refused() {
    let dir = TempDir::new();
    let spool = Options::new()
        .max_bytes(10)
        .open_spool(dir.join("s"))
        .expect("a spool");
    spool.deliver(&[1; 10]).expect("the limit");
    assert_eq!(
        spool.deliver(&[1; 11]).expect_err("above").kind(),
        ErrorKind::TooLarge
    );
    open_spool(dir.join("s"))
        .expect("the same")
        .deliver(&[1; 11])
        .expect("another limit");
    assert_eq!(next(&spool), [1; 10]);
    let claim = spool.try_claim().expect("the large one");
    assert_eq!(claim.read().expect_err("above").kind(), ErrorKind::TooLarge);
    claim.finish().expect("it can be got rid of");
}

#[test]
fn a_lost_sequence_does_not_turn_the_order_round() {
    let dir = TempDir::new();
    let spool = open_spool(dir.join("s")).expect("a spool");
    (0..5).for_each(|_| spool.deliver(b"early").expect("room"));
    drop(spool);
    std::fs::write(dir.join("s").join("sequence"), []).expect("ours");
    let spool = open_spool(dir.join("s")).expect("a spool");
    spool.deliver(b"late").expect("room");
    (0..5).for_each(|_| assert_eq!(next(&spool), b"early"));
    assert_eq!(next(&spool), b"late");
}
