//! What must be true of an object after a death, and that it goes on.

use crate::operations::WRITER;
use crate::scene::{
    self, Kind, LIMIT, Pair, barrier, beside, condvar, event, marked, once, rw_lock, semaphore,
};
use ipc_sem::{Damage, Error, ErrorKind, Mutex, Region};

/// What a judge finds.
pub(crate) type Verdict = Result<(), String>;

/// Judges the object after the death of one process, while `holders` that live have a permit
/// each. Done twice: what the first has put in order, the second finds so.
pub(crate) fn judge(kind: Kind, region: &Region, holders: u32) -> Verdict {
    let once = || match kind {
        Kind::Mutex if holders > 0 => match scene::mutex(region).try_lock().map(drop) {
            Ok(()) => Err("two had it".into()),
            Err(error) => expect(&error, ErrorKind::WouldBlock, "lock"),
        },
        Kind::Mutex | Kind::FairMutex => mutex(&scene::mutex(region)).map(drop),
        Kind::Semaphore => permits(region, holders),
        Kind::RwLock if holders > 0 => lock_beside(region, holders),
        Kind::RwLock => lock(region),
        Kind::Condvar => condition(region),
        Kind::Barrier => meeting(region),
        Kind::Event => flag(region),
        Kind::Once => work(region),
    };
    once()?;
    once().map_err(|failure| format!("the second time: {failure}"))
}

/// Whether an owner had died with it.
pub(crate) fn mutex(mutex: &Mutex<Pair>) -> Result<bool, String> {
    let found = match mutex.lock_timeout(LIMIT) {
        Ok(guard) => return equal(*guard, "after a whole change").map(|()| false),
        Err(error) => error,
    };
    expect(&found, ErrorKind::PeerDied, "lock")?;
    let mut recovery = mutex.recover_timeout(LIMIT).map_err(say("recover"))?;
    match recovery.damage() {
        None => return Err("the damage is gone before it is repaired".into()),
        Some(Damage::Whole) => equal(*recovery, "said to be whole")?,
        Some(Damage::Torn) => *recovery = [recovery[0]; 2],
    }
    drop(recovery.repaired());
    let again = mutex.try_recover().map_err(say("recover again"))?;
    match again.damage() {
        None => Ok(true),
        Some(damage) => Err(format!("a second recovery found {damage:?}")),
    }
}

fn permits(region: &Region, holders: u32) -> Verdict {
    let semaphore = semaphore(region);
    let wanted = scene::PERMITS - holders;
    let mut taken = Vec::new();
    for number in 0..wanted {
        let permit = semaphore.try_acquire();
        taken.push(permit.map_err(say(&format!("permit {number} of {wanted}")))?);
    }
    match semaphore.try_acquire() {
        Ok(_) => return Err("a permit too many".into()),
        Err(error) => expect(&error, ErrorKind::WouldBlock, "acquire")?,
    }
    drop(taken);
    match semaphore.free() {
        free if free == wanted => Ok(()),
        free => Err(format!("{free} are free, not {wanted}")),
    }
}

fn lock(region: &Region) -> Verdict {
    let lock = rw_lock(region);
    let data = match lock.write_timeout(LIMIT) {
        Ok(guard) => {
            equal(*guard, "after a whole change")?;
            *guard
        }
        Err(error) => {
            expect(&error, ErrorKind::PeerDied, "write")?;
            let mut recovery = lock.recover_timeout(LIMIT).map_err(say("recover"))?;
            match recovery.damage() {
                None => return Err("the damage is gone before it is repaired".into()),
                Some(Damage::Whole) => equal(*recovery, "said to be whole")?,
                Some(Damage::Torn) => *recovery = [recovery[0]; 2],
            }
            *recovery.repaired()
        }
    };
    let read = lock.read_timeout(LIMIT).map_err(say("read"))?;
    if *read == data {
        Ok(())
    } else {
        Err(format!("{:?} was read, not {data:?}", *read))
    }
}

/// Beside one that lives and reads, or writes.
fn lock_beside(region: &Region, holders: u32) -> Verdict {
    let lock = rw_lock(region);
    match lock.try_write().map(drop) {
        Ok(()) => return Err("one wrote beside another".into()),
        Err(error) => expect(&error, ErrorKind::WouldBlock, "write")?,
    }
    match lock.read_timeout(if holders == WRITER {
        scene::BRIEF
    } else {
        LIMIT
    }) {
        Ok(_) if holders == WRITER => Err("one read beside a writer".into()),
        Ok(guard) => equal(*guard, "after no change"),
        Err(error) if holders == WRITER => expect(&error, ErrorKind::TimedOut, "read"),
        Err(error) => Err(format!("read: {error}")),
    }
}

fn condition(region: &Region) -> Verdict {
    let (condvar, mutex) = (condvar(region), beside(region));
    self::mutex(&mutex)?;
    condvar.notify_all().map_err(say("notify"))?;
    condvar.notify_one().map_err(say("notify"))?;
    let mut guard = mutex.lock_timeout(LIMIT).map_err(say("lock"))?;
    match condvar.wait_timeout(&mut guard, scene::BRIEF) {
        Ok(()) => Ok(()),
        Err(error) => expect(&error, ErrorKind::TimedOut, "wait"),
    }
}

/// A meeting of two, of whom the other one died: it has not come.
fn meeting(region: &Region) -> Verdict {
    let barrier = barrier(region);
    match barrier.try_wait() {
        Ok(_) => return Err("one came, and the meeting of two was held".into()),
        Err(error) if error.kind() == ErrorKind::PeerDied => {
            if !barrier.repair() {
                return Err("broken, and not to be repaired".into());
            }
        }
        Err(error) => expect(&error, ErrorKind::WouldBlock, "wait")?,
    }
    match barrier.wait_timeout(scene::BRIEF) {
        Ok(_) => Err("one came after the repair, and the meeting of two was held".into()),
        Err(error) => expect(&error, ErrorKind::TimedOut, "wait"),
    }
}

fn flag(region: &Region) -> Verdict {
    let event = event(region);
    match event.wait_timeout(scene::BRIEF) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::PeerDied => {}
        Err(error) => expect(&error, ErrorKind::TimedOut, "wait")?,
    }
    event.notify().map_err(say("notify"))?;
    event.wait_timeout(LIMIT).map_err(say("wait"))?;
    if event.reset() && !event.is_set() {
        Ok(())
    } else {
        Err("a reset did not take".into())
    }
}

fn work(region: &Region) -> Verdict {
    let once = once(region);
    let did = once.call_timeout(|_| scene::mark(region, 7), LIMIT);
    did.map_err(say("call"))?;
    match (once.is_done(), marked(region)) {
        (true, 7) => Ok(()),
        found => Err(format!("done and mark: {found:?}")),
    }
}

fn equal(data: Pair, when: &str) -> Verdict {
    if data[0] == data[1] {
        Ok(())
    } else {
        Err(format!("{data:?} {when}"))
    }
}

pub(crate) fn expect(error: &Error, kind: ErrorKind, what: &str) -> Verdict {
    if error.kind() == kind {
        Ok(())
    } else {
        Err(format!("{what}: {error}, not {kind:?}"))
    }
}

pub(crate) fn say(what: &str) -> impl FnOnce(Error) -> String {
    let what = what.to_owned();
    move |error| format!("{what}: {error}")
}
