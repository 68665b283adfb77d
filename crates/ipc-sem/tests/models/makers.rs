//! Making an object: of several makers one makes it, and who opens it finds it whole.

use crate::doomed::dies_after;
use crate::header::{self, Identity};
use crate::schedules::{below, check, region};
use crate::sys::Words;
use crate::{ErrorKind, Result};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};

const BYTES: usize = 128;
const AT_DATA: usize = 64;

fn identity() -> Identity {
    Identity::of::<()>(9, BYTES, 0).expect("small")
}

fn make(words: &Words) -> Result<()> {
    header::create(words, identity(), 0, || {
        words.u32(AT_DATA).store(7, SeqCst);
        Ok(())
    })
}

fn two_makers_and_one_that_opens() {
    let made = Arc::new(AtomicU32::new(0));
    let steps = below(30);
    let maker = |dies: bool| {
        let made = Arc::clone(&made);
        shuttle::thread::spawn(move || {
            let part = || {
                let words = Words::new(region(), 0, BYTES).expect("memory");
                match make(&words) {
                    Ok(()) => drop(made.fetch_add(1, SeqCst)),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
                }
            };
            if dies {
                dies_after(steps, part)
            } else {
                part();
                false
            }
        })
    };
    let makers = [maker(true), maker(false)];
    let opener = shuttle::thread::spawn(|| {
        let words = Words::new(region(), 0, BYTES).expect("memory");
        match header::open(&words, identity()).map_err(|error| error.kind()) {
            Ok(_) => assert_eq!(words.u32(AT_DATA).load(SeqCst), 7, "whole"),
            Err(ErrorKind::NotFound | ErrorKind::PeerDied) => {}
            Err(other) => panic!("{other:?}"),
        }
    });
    for maker in makers {
        maker.join().expect("no thread fails");
    }
    opener.join().expect("no thread fails");
    assert!(made.load(SeqCst) <= 1, "one has made it");
    // What a death leaves half-made is made by the next one.
    let words = Words::new(region(), 0, BYTES).expect("memory");
    match make(&words).map_err(|error| error.kind()) {
        Ok(()) | Err(ErrorKind::AlreadyExists) => {}
        Err(other) => panic!("{other:?}"),
    }
    header::open(&words, identity()).expect("whole by now");
}

#[test]
fn of_racing_makers_one_makes_it_and_a_dead_ones_is_made_again() {
    check("making an object", two_makers_and_one_that_opens);
}
