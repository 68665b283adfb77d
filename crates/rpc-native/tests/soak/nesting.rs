//! D5: messages nested deeper than any stack, refused in no time by every codec.

use bytes::Bytes;
use ipc_testkit::crash::{Lab, Tally, Tier};
use rpc_core::{Code, Payload};
use rpc_testkit::nesting::{SHAPES, Shape, Tree};
use std::time::Duration;

/// What refusing may take for a MiB.
const MIB_TIME: Duration = Duration::from_millis(10);
const STACK: usize = 2 << 20;

/// Depths of 10^5 to 10^7, on a small stack.
pub(crate) fn ends_early(lab: &mut Lab) {
    let times = lab.count(1, 20, 200);
    let judge = lab.tier != Tier::Push;
    let deepest = lab.count(1_000_000, 10_000_000, 10_000_000) as usize;
    for Shape { what, codec, make } in SHAPES {
        let name = format!("{what} in {}, 10^5 to {deepest:.0e} deep", codec.name());
        let mut tally = Tally::new("D5", name);
        let small = std::thread::Builder::new().stack_size(STACK);
        let work = move || {
            for depth in [100_000, 1_000_000, 10_000_000] {
                if depth > deepest {
                    continue;
                }
                let bytes = Bytes::from(make(depth));
                for _ in 0..times {
                    let mib = (bytes.len() as f64 / f64::from(1 << 20)).max(1e-6);
                    let payload = Payload::Encoded(codec, bytes.clone());
                    let begun = worked();
                    let tree = payload.take::<Tree>();
                    let took = (worked() - begun).div_f64(mib);
                    tally.time(took);
                    tally.trial(match tree {
                        Err(status) if status.code() != Code::InvalidArgument => {
                            Err(status.to_string())
                        }
                        Ok(_) => Err(format!("{depth} levels were read")),
                        Err(_) if judge && took >= MIB_TIME => Err(format!("{took:?} a MiB")),
                        Err(_) => Ok(()),
                    });
                }
            }
            tally.note("a MiB");
            tally
        };
        let tally = small.spawn(work).expect("a thread").join();
        lab.enter(tally.expect("no panic"));
    }
}

/// What this thread has worked: nothing here waits, and others of this host do not count.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it has begun")
}
