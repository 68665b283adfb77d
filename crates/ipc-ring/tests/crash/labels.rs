//! R3: death at each labelled step of one end, in a program started for it.

use ipc_testkit::crash::{Lab, Tally};

/// What a program that is started as a part of the laboratory is told, in its environment.
pub(crate) const PART: &str = "IPC_RING_CRASH_PART";

#[cfg(not(feature = "failpoints"))]
pub(crate) fn of_a_life(lab: &mut Lab) {
    let mut tally = Tally::new("R3", "killed at each label");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn live() {}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{die_at_each, labels_in, live, of_a_life, start};

#[cfg(feature = "failpoints")]
mod enabled {
    use super::{Lab, PART, Tally};
    use crate::deaths::{LIMIT, message};
    use crate::gifts::movable;
    use ipc_ring::{ErrorKind, Options, Result, Spin};
    use ipc_uds::SeqPacket;
    use std::collections::BTreeSet;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    /// The sources with labels: one that stands in them and is never passed is a failure.
    const SOURCES: [&str; 5] = [
        include_str!("../../src/give.rs"),
        include_str!("../../src/link.rs"),
        include_str!("../../src/meet.rs"),
        include_str!("../../src/receiver.rs"),
        include_str!("../../src/sender.rs"),
    ];
    /// Questions before the end moves, and after.
    const ROUNDS: u64 = 40;

    /// The labels that stand in `sources`.
    pub(crate) fn labels_in(sources: &[&'static str]) -> BTreeSet<&'static str> {
        let labels = sources.iter().flat_map(|source| {
            let after = source.split("crash_point!(\"").skip(1);
            after.filter_map(|rest| rest.split('"').next())
        });
        labels.collect()
    }

    /// They sleep whenever they wait, so that each has to wake the other.
    fn sleepy() -> Options {
        let mut options = movable();
        options.spin(Spin::Never);
        options
    }

    /// All that an end does: meets over its standard input, asks and is answered, gives each end
    /// away and takes it back, asks on, and closes. Then says what labels it passed.
    pub(crate) fn live() {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned();
        let socket = SeqPacket::from(stdin.expect("a descriptor"));
        let (mut sender, mut receiver) = sleepy().over(socket).expect("met").split();
        let (there, here) = ipc_uds::pair_seqpacket().expect("a pair");
        let mut buffer = Vec::new();
        for number in 0..2 * ROUNDS {
            if number == ROUNDS {
                sender.give(&there).expect("it fits");
                sender = sleepy().take_sender(&here).expect("given");
                receiver.give(&there).expect("it fits");
                receiver = sleepy().take_receiver(&here).expect("given");
            }
            if number % ROUNDS == 0 {
                // Nothing was asked: it sleeps, and so does the other.
                let early = receiver.recv_vec_timeout(&mut buffer, Duration::from_millis(1));
                assert_eq!(early.expect_err("nothing").kind(), ErrorKind::TimedOut);
            }
            sender.send(&message(number)).expect("somebody receives");
            receiver.recv_vec(&mut buffer).expect("an answer");
            assert_eq!(buffer, message(number));
        }
        drop((sender, receiver));
        for label in ipc_sys::crash_labels_passed() {
            println!("{label}");
        }
    }

    /// The other side: answers all, and says how many came whole and what the end was.
    fn answer_all(socket: SeqPacket) -> (u64, Result<()>) {
        let mut count = 0;
        let outcome = sleepy().over(socket).and_then(|channel| {
            let mut buffer = Vec::new();
            loop {
                channel.receiver().recv_vec_timeout(&mut buffer, LIMIT)?;
                if buffer != message(count) {
                    return Ok(());
                }
                count += 1;
                channel.sender().send_timeout(&buffer, LIMIT)?;
            }
        });
        (count, outcome)
    }

    /// This program again, to play `part` and die at a label; it is given the socket as its
    /// standard input.
    pub(crate) fn start(part: &str, at: &str) -> (SeqPacket, Child) {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let child = Command::new(std::env::current_exe().expect("this program"))
            .env(PART, part)
            .env("IPC_KILL_AT", at)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .spawn();
        (ours, child.expect("this program starts again"))
    }

    /// A life that ends at a label, if it comes by; and whether the other side saw it right.
    fn live_until(label: &str, passing: u64) -> (bool, std::result::Result<(), String>) {
        let (socket, mut child) = start("life", &format!("{label}:{passing}"));
        let (count, end) = answer_all(socket);
        let ended = child.wait().expect("it ends");
        let died = ended.signal() == Some(9);
        let kind = end.err().map(|error| error.kind());
        let seen = match kind {
            Some(ErrorKind::PeerDied) if died => Ok(()),
            // Before they met, its socket ended; or its end was closed already.
            Some(ErrorKind::Closed) if died && count == 0 => Ok(()),
            Some(ErrorKind::Closed) if count == 2 * ROUNDS => match died || ended.success() {
                true => Ok(()),
                false => Err(format!("{label}:{passing}: {ended}")),
            },
            _ => Err(format!(
                "{label}:{passing}: {ended}, {count} came, then {kind:?}"
            )),
        };
        (died, seen)
    }

    pub(crate) fn of_a_life(lab: &mut Lab) {
        let all = labels_in(&SOURCES);
        let (socket, child) = start("life", "none:1");
        let (count, _) = answer_all(socket);
        let ended = child.wait_with_output().expect("it ends");
        let mut tally = Tally::new("R3", "an end killed at each label: the other is told");
        tally.trial(match ended.status.success() && count == 2 * ROUNDS {
            true => Ok(()),
            false => Err(format!("{count} messages of a life, {}", ended.status)),
        });
        die_at_each(lab, tally, all, &ended.stdout, live_until);
    }

    /// Lives that end at each of the labels, which a whole life says that it `passed`: into
    /// `tally`, and into one of how many there are.
    pub(crate) fn die_at_each(
        lab: &mut Lab,
        mut tally: Tally,
        labels: BTreeSet<&'static str>,
        passed: &[u8],
        live_until: impl Fn(&str, u64) -> (bool, std::result::Result<(), String>),
    ) {
        let passed = String::from_utf8_lossy(passed);
        let passed: BTreeSet<&str> = passed.lines().collect();
        let (mut died_at, mut dead) = (BTreeSet::new(), 0);
        for &label in &labels {
            for _ in 0..lab.count(2, 100, 1_000) {
                // A later passing, when there is one: the same step at another time. Who need not
                // sleep this time does not pass each label.
                for passing in [1 + lab.below(8), 1, 1] {
                    let (died, seen) = live_until(label, passing);
                    tally.trial(seen);
                    if died {
                        died_at.insert(label);
                        dead += 1;
                        break;
                    }
                }
            }
        }
        tally.note(format!("{dead} deaths"));
        lab.enter(tally);
        let what = format!("{} labels: every one passed, and died at", labels.len());
        let mut tally = Tally::new("R3", what);
        for label in labels {
            let hit = passed.contains(label) && died_at.contains(label);
            tally.trial(hit.then_some(()).ok_or(format!("{label} never")));
        }
        lab.enter(tally);
    }
}
