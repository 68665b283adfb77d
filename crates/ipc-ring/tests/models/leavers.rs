//! Who leaves a queue slowly, while another comes and may sit down where it sat.

use super::maker::Maker;
use super::members::blocked;
use super::{message, read};
use crate::machine::{below, dies_after, spawn};
use crate::schedules::check;

/// More than a leaving has.
const STEPS: u32 = 24;

/// A consumer leaves as `leave` has it do, another comes and sleeps, and a message is sent: for it
/// the newcomer is woken, by whoever is left.
fn the_newcomer_is_woken(leave: impl FnOnce(Box<dyn FnOnce()>) + Send + 'static) {
    let mut maker = Maker::new(1);
    let (leaver, producer) = (maker.consumer(), maker.producer());
    let leaves = spawn(move || leave(Box::new(|| drop(leaver))));
    let newcomer = maker.consumer();
    let takes = spawn(move || blocked(&newcomer).map(read));
    producer.send(&message(1, 0)).expect("there is room");
    let came = takes.join().expect("no thread fails");
    assert_eq!(came.ok(), Some((1, 0)));
    leaves.join().expect("no thread fails");
}

#[test]
fn who_leaves_slowly_takes_no_wake_up_of_a_newcomer_with_it() {
    check("queue: one comes while another leaves", || {
        the_newcomer_is_woken(|leaves| leaves());
    });
}

#[test]
fn who_dies_while_it_leaves_takes_no_wake_up_of_a_newcomer_with_it() {
    check("queue: one comes while another dies leaving", || {
        let steps = below(STEPS);
        the_newcomer_is_woken(move |leaves| {
            dies_after(steps, leaves);
        });
    });
}
