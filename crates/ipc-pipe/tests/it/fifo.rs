//! FIFOs: who comes first, who goes, and who makes the name.

use ipc_pipe::{ErrorKind, Options};
use ipc_testkit::{Role, Stage, TempDir, isolated, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_receiver_may_come_before_any_sender_and_waits_for_the_first() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
    let rx = fifo.receiver().expect("at once");
    let mut bytes = [0; 16];
    assert_eq!(
        rx.try_recv(&mut bytes).expect_err("nobody").kind(),
        ErrorKind::WouldBlock
    );
    let late = rx
        .recv_timeout(&mut bytes, Duration::from_millis(3))
        .expect_err("nobody");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let sender = std::thread::spawn(move || {
        let tx = fifo.sender().expect("a receiver is there");
        tx.send(b"first").expect("send");
    });
    assert_eq!(rx.recv(&mut bytes).expect("it waited"), 5);
    sender.join().expect("no panic");
    assert_eq!(
        rx.recv(&mut bytes).expect_err("it left").kind(),
        ErrorKind::Closed
    );
}

#[test]
fn what_a_sender_leaves_behind_is_received_before_its_end_is_told() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    // Some of them come, send and leave just as the receiver has found nobody and looks again.
    for round in 0..2_000 {
        let path = dir.join(format!("fifo{round}"));
        let fifo = ipc_pipe::create(&path).expect("a FIFO");
        let rx = fifo.receiver().expect("at once");
        let mut bytes = [0; 16];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..round % 500).for_each(|_| std::hint::spin_loop());
                let tx = fifo.sender().expect("a receiver is there");
                tx.send(b"first").expect("send");
            });
            let first = loop {
                match rx.try_recv(&mut bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    told => break told,
                }
            };
            assert_eq!(first.expect("it was sent"), 5, "round {round}");
        });
        let end = rx.recv(&mut bytes).expect_err("it left");
        assert_eq!(end.kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_sender_without_receiver_would_block_and_a_blocking_one_waits() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
    assert_eq!(
        fifo.try_sender().expect_err("nobody").kind(),
        ErrorKind::WouldBlock
    );
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| fifo.sender().expect("there will be one").send(b"x"));
        let rx = fifo.receiver().expect("at once");
        assert_eq!(rx.recv(&mut [0; 4]).expect("it came"), 1);
        sender.join().expect("no panic").expect("sent");
    });
}

#[test]
fn a_receiver_that_is_kept_open_outlives_its_senders() {
    let dir = TempDir::new();
    let fifo = Options::new()
        .keep_open(true)
        .create(dir.join("fifo"))
        .expect("a FIFO");
    let rx = fifo.receiver().expect("at once");
    let mut bytes = [0; 16];
    for _ in 0..3 {
        let tx = fifo.try_sender().expect("a receiver is there");
        tx.send(b"hello").expect("send");
        drop(tx);
        assert_eq!(rx.recv(&mut bytes).expect("it is there"), 5);
        assert_eq!(
            rx.try_recv(&mut bytes).expect_err("no end").kind(),
            ErrorKind::WouldBlock
        );
    }
}

#[test]
fn a_replaced_name_does_not_replace_an_open_fifo_and_is_not_unlinked() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("fifo");
        let fifo = ipc_pipe::create(&path).expect("a FIFO");
        std::fs::rename(&path, dir.join("aside")).expect("ours");
        std::fs::write(&path, "a trap").expect("ours");
        let rx = fifo.receiver().expect("still the FIFO");
        fifo.try_sender()
            .expect("still the FIFO")
            .send(b"x")
            .expect("send");
        assert_eq!(rx.recv(&mut [0; 4]).expect("it came"), 1);
        assert!(
            !fifo.unlink().expect("no error"),
            "the name is another's now"
        );
        assert_eq!(std::fs::read(&path).expect("untouched"), b"a trap");
    });
}

#[test]
fn a_directory_replaced_after_it_was_checked_is_not_fallen_for() {
    isolated!({
        let dir = TempDir::new();
        let run = dir.join("run");
        let mut options = Options::new();
        options.directory(&run);
        let place = options
            .path_of(&"jobs".parse().expect("a good name"))
            .expect("checked");
        // Somebody takes the directory away, and puts a trap at its path.
        std::fs::rename(&run, dir.join("moved")).expect("ours");
        std::fs::create_dir(&run).expect("ours");
        std::fs::write(run.join("jobs"), "a trap").expect("ours");
        let fifo = options.create(&place).expect("beneath");
        assert!(dir.join("moved/jobs").exists());
        let rx = options.open_or_create(&place).expect("beneath").receiver();
        let rx = rx.expect("at once");
        let tx = options.open(&place).expect("beneath").try_sender();
        tx.expect("a receiver is there").send(b"x").expect("send");
        assert_eq!(rx.recv(&mut [0; 4]).expect("it came"), 1);
        assert!(fifo.unlink().expect("ours"));
        assert_eq!(
            std::fs::read(run.join("jobs")).expect("untouched"),
            b"a trap"
        );
        assert_eq!(
            std::fs::read_dir(dir.join("moved")).expect("there").count(),
            0
        );
    });
}

pub(crate) fn create_and_send(stage: Stage) {
    let fifo = ipc_pipe::open_or_create(stage.argument(0)).expect("one of us makes it");
    fifo.sender()
        .expect("a receiver comes")
        .send(b"x")
        .expect("send");
}

#[test]
fn of_many_racing_creators_all_get_the_same_fifo() {
    const CREATORS: usize = 16;
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("fifo");
    let children: Vec<_> = (0..CREATORS)
        .map(|_| Role::new("fifo creator").argument(path.display()).spawn())
        .collect();
    let fifo = ipc_pipe::open_or_create(&path).expect("one of us makes it");
    let rx = fifo.receiver().expect("at once");
    let mut received = 0;
    let mut bytes = [0; CREATORS];
    // Between two senders the FIFO may have none, which is its end for now.
    while received < CREATORS {
        match rx.recv(&mut bytes) {
            Ok(length) => received += length,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
        }
    }
    children.into_iter().for_each(ipc_testkit::Child::done);
    assert!(fifo.unlink().expect("ours"));
}

#[test]
fn a_killed_creator_leaves_a_name_that_the_next_one_takes_up() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("fifo");
    let child = Role::new("fifo creator").argument(path.display()).spawn();
    // It waits for a receiver, so it has made the name when the name is there.
    while !path.exists() {
        std::thread::yield_now();
    }
    child.kill();
    child.wait();
    let fifo = ipc_pipe::open_or_create(&path).expect("taken up");
    let rx = fifo.receiver().expect("at once");
    fifo.try_sender()
        .expect("a receiver is there")
        .send(b"again")
        .expect("send");
    assert_eq!(rx.recv(&mut [0; 8]).expect("it came"), 5);
    assert!(fifo.unlink().expect("ours"));
    assert!(!fifo.unlink().expect("no error the second time"));
}
