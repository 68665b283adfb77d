//! R3 for a queue: a member dies at each labelled step; the others are told, and all is whole.

use ipc_testkit::crash::{Lab, Tally};

#[cfg(not(feature = "failpoints"))]
pub(crate) fn of_a_member(lab: &mut Lab) {
    let mut tally = Tally::new("R3", "a member of a queue killed at each label");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn live() {}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{live, of_a_member};

#[cfg(feature = "failpoints")]
mod enabled {
    use super::{Lab, Tally};
    use crate::deaths::LIMIT;
    use crate::labels::{die_at_each, labels_in, start};
    use crate::queue_steps::is_whole;
    use crate::queues::{message, options};
    use ipc_ring::{Consumer, ErrorKind, Options, Producer, Queue, Spin};
    use ipc_uds::SeqPacket;
    use std::os::fd::AsFd;
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    /// The sources with labels: one that stands in them and is never passed is a failure.
    const SOURCES: [&str; 3] = [
        include_str!("../../src/many/join.rs"),
        include_str!("../../src/many/member.rs"),
        include_str!("../../src/many/slots.rs"),
    ];
    const ROUNDS: u64 = 30;

    /// They sleep whenever they wait, so that each has to wake the other.
    fn sleepy() -> Options {
        let mut options = options();
        options.spin(Spin::Never);
        options
    }

    /// All that a member does: comes to two queues, asks by the one and is answered by the other,
    /// and leaves both. Then says what labels it passed.
    pub(crate) fn live() {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned();
        let socket = SeqPacket::from(stdin.expect("a descriptor"));
        let mut ancillary = ipc_uds::Ancillary::new();
        let sent = socket.recv_with_fds(&mut [0; 8], &mut ancillary);
        sent.expect("two sockets");
        let mut sockets = ancillary.take_fds().map(SeqPacket::from);
        let mut next = || sockets.next().expect("it was sent");
        let producer = sleepy().produce_over(next()).expect("taken in");
        let consumer = sleepy().consume_over(next()).expect("taken in");
        let mut buffer = Vec::new();
        // Nothing was asked: it sleeps, and so does the other.
        let early = consumer.recv_vec_timeout(&mut buffer, Duration::from_millis(1));
        assert_eq!(early.expect_err("nothing").kind(), ErrorKind::TimedOut);
        for number in 0..ROUNDS {
            producer.send(&message(0, number)).expect("it is taken");
            consumer.recv_vec(&mut buffer).expect("an answer");
            assert_eq!(buffer, message(0, number));
        }
        drop((producer, consumer));
        for label in ipc_sys::crash_labels_passed() {
            println!("{label}");
        }
    }

    /// The two queues, and the other side's ends of them.
    struct Others {
        there: Queue,
        back: Queue,
        asked: Consumer,
        answers: Producer,
    }

    impl Others {
        fn new() -> Self {
            let (there, back) = (sleepy().queue(), sleepy().queue());
            let (there, back) = (there.expect("memory"), back.expect("memory"));
            let asked = there.consumer().expect("a seat");
            let answers = back.producer().expect("a seat");
            Self {
                there,
                back,
                asked,
                answers,
            }
        }

        /// Answers all; how many came whole, and what the end was.
        fn answer_all(&self, socket: &SeqPacket) -> (u64, ErrorKind) {
            let (first, second) = (ipc_uds::pair_seqpacket(), ipc_uds::pair_seqpacket());
            let (first, second) = (first.expect("a pair"), second.expect("a pair"));
            let fds = [first.1.as_fd(), second.1.as_fd()];
            let sent = socket.send_with_fds(b"seats", &fds);
            drop((first.1, second.1));
            let came = sent.and_then(|_| self.there.add(first.0));
            if let Err(error) = came.and_then(|()| self.back.add(second.0)) {
                return (0, error.kind());
            }
            let (mut buffer, mut count) = (Vec::new(), 0);
            loop {
                if let Err(error) = self.asked.recv_vec_timeout(&mut buffer, LIMIT) {
                    return (count, error.kind());
                }
                if buffer != message(0, count) {
                    return (count, ErrorKind::Corrupt);
                }
                count += 1;
                if let Err(error) = self.answers.send_timeout(&buffer, LIMIT) {
                    return (count, error.kind());
                }
            }
        }

        /// Whether both queues have room for as much as ever, once what is left was taken.
        fn are_whole(self) -> bool {
            drop((self.asked, self.answers));
            [self.there, self.back].iter().all(|queue| {
                let rest = queue.consumer().expect("a seat");
                while rest.try_recv_vec(&mut Vec::new()).is_ok() {}
                queue.members().ok() == Some((0, 1)) && is_whole(queue, &rest)
            })
        }
    }

    /// A life that ends at a label, if it comes by; and whether the others saw it right.
    fn live_until(label: &str, passing: u64) -> (bool, Result<(), String>) {
        let (socket, mut child) = start("member", &format!("{label}:{passing}"));
        let others = Others::new();
        let (count, end) = others.answer_all(&socket);
        let ended = child.wait().expect("it ends");
        let died = ended.signal() == Some(9);
        let seen = match end {
            ErrorKind::PeerDied => died,
            // It had left the one queue, or never came.
            ErrorKind::Closed => (died && count == 0) || count == ROUNDS,
            _ => false,
        };
        let whole = others.are_whole();
        match seen && whole {
            true => (died, Ok(())),
            false => (
                died,
                Err(format!(
                    "{label}:{passing}: {ended}, {count} came, then {end:?}; whole: {whole}"
                )),
            ),
        }
    }

    pub(crate) fn of_a_member(lab: &mut Lab) {
        let all = labels_in(&SOURCES);
        let (socket, child) = start("member", "none:1");
        let (count, end) = Others::new().answer_all(&socket);
        let ended = child.wait_with_output().expect("it ends");
        let mut tally = Tally::new("R3", "a member of a queue killed at each label");
        let whole = ended.status.success() && count == ROUNDS && end == ErrorKind::Closed;
        tally.trial(
            whole
                .then_some(())
                .ok_or(format!("{count} of a life, {end:?}")),
        );
        die_at_each(lab, tally, all, &ended.stdout, live_until);
    }
}
