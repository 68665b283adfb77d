//! Two processes that talk through a region of each kind.

use crate::named::{NAMED, Named, staged};
use ipc_shm::{Options, Region};
use ipc_testkit::{Role, Stage, watchdog};
use std::sync::atomic::Ordering;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const ROUNDS: u32 = 2000;

pub(crate) fn attach_and_answer(mut stage: Stage) {
    let region = Region::from_fd(stage.descriptor()).expect("a region");
    let turn = region.atomic_u32(0).expect("inside");
    for round in 0..ROUNDS {
        while turn.load(Ordering::Acquire) != 2 * round + 1 {
            std::thread::yield_now();
        }
        let mut word = [0; 100];
        region.read_at(64, &mut word).expect("inside");
        word.iter_mut().for_each(|byte| *byte = !*byte);
        region.write_at(64, &word).expect("inside");
        turn.store(2 * round + 2, Ordering::Release);
    }
}

#[test]
fn a_child_answers_through_sealed_memory() {
    let _watchdog = watchdog(PATIENCE);
    let region = ipc_shm::anonymous(4096).expect("made");
    let child = Role::new("attach and answer")
        .descriptor(region.as_fd().expect("memory"))
        .spawn();
    let turn = region.atomic_u32(0).expect("inside");
    for round in 0..ROUNDS {
        let question = [round as u8; 100];
        region.write_at(64, &question).expect("inside");
        turn.store(2 * round + 1, Ordering::Release);
        while turn.load(Ordering::Acquire) != 2 * round + 2 {
            std::thread::yield_now();
        }
        let mut answer = [0; 100];
        region.read_at(64, &mut answer).expect("inside");
        assert_eq!(answer, [!(round as u8); 100]);
    }
    child.done();
}

pub(crate) fn open_and_add(stage: Stage) {
    let (options, name) = staged(&stage);
    let region = options.open(name).expect("it is whole");
    let mut number: u64 = region.read(8).expect("inside");
    number += 1;
    region.write(8, &number).expect("inside");
}

#[test]
fn children_find_a_named_region_and_change_it() {
    let _watchdog = watchdog(PATIENCE);
    for kind in NAMED {
        let named = Named::new(kind);
        let region = named.options.create(&named.name).expect("new");
        region.write(8, &40u64).expect("inside");
        for _ in 0..2 {
            named.role("open and add", kind).spawn().done();
        }
        assert_eq!(region.read::<u64>(8).expect("inside"), 42, "{kind}");
    }
}

#[test]
fn a_program_that_knows_nothing_of_us_reads_the_bytes() {
    let region = ipc_shm::anonymous(4096).expect("made");
    region.write_at(0, b"plain bytes\n").expect("inside");
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("tail -c +{} | head -n 1", ipc_shm::DATA_OFFSET + 1),
        ])
        .stdin(region.to_read_only_fd().expect("a copy"))
        .output()
        .expect("a shell");
    assert_eq!(output.stdout, b"plain bytes\n");
    let output = std::process::Command::new("sh")
        .args(["-c", "cat >&0"])
        .stdin(region.to_read_only_fd().expect("a copy"))
        .stderr(std::process::Stdio::null())
        .output()
        .expect("a shell");
    assert!(!output.status.success(), "it cannot write");
    assert_eq!(
        Options::new()
            .attach(region.to_fd().expect("a copy"))
            .expect("whole")
            .len_bytes(),
        4096
    );
}
