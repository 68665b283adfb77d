//! A host with too few descriptors: what is missing is told with the address, and what is done
//! without keeps its time.

use crate::hostile_broadcast::ring_often;
use crate::liar::with_ringing_liar;
use ipc_ring::{ErrorKind, Result};
use ipc_testkit::{TempDir, isolated};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

#[test]
fn a_descriptor_that_is_missing_is_told_with_the_address() {
    isolated!({
        let dir = TempDir::new();
        let (here, there) = (dir.join("here.sock"), dir.join("there.sock"));
        let listener = ipc_ring::bind(&there).expect("bind");
        let maximum = getrlimit(Resource::Nofile).maximum;
        let free = File::open("/dev/null").expect("a descriptor");
        let next = u64::try_from(free.as_raw_fd()).expect("positive");
        drop(free);
        let mut told = Vec::new();
        // A channel takes eight on each side, and the address some more.
        for more in 0..12 {
            let current = Some(next + more);
            setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
            told.push((&here, ipc_ring::bind(&here).map(drop)));
            // Nobody accepts: where there are enough, nothing comes back in time.
            let briefly = Duration::from_millis(1);
            told.push((
                &there,
                ipc_ring::Options::new()
                    .connect_timeout(&there, briefly)
                    .map(drop),
            ));
            // Who was refused above may still stand in line.
            told.push((&there, listener.try_accept().map(drop)));
        }
        let current = maximum;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("as it was");
        let mut scarce = 0;
        for (path, outcome) in told {
            let Err(error) = outcome else { continue };
            if error.kind() == ErrorKind::LimitReached {
                scarce += 1;
                let shown = format!("`{}`", path.display());
                assert!(error.to_string().contains(&shown), "{error}");
            }
        }
        assert!(scarce > 5, "{scarce}");
    });
}

#[test]
fn without_a_timer_a_peer_that_rings_all_the_time_takes_no_deadline_either() {
    isolated!({
        let (channel, _memory, _bell, [receivers, senders]) = with_ringing_liar();
        let (sender, receiver) = channel.split();
        (0..4).for_each(|_| sender.send(b"fills it").expect("room"));
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let none_more = Rlimit {
            current: Some(3),
            maximum,
        };
        setrlimit(Resource::Nofile, none_more).expect("lower is allowed");
        let late = Duration::from_micros(1);
        let sending = || sender.send_timeout(b"one too many", late);
        let receiving = || receiver.recv_timeout(&mut [0; 8], late).map(drop);
        type Verb<'a> = &'a dyn Fn() -> Result<()>;
        for (rope, verb) in [(senders, &sending as Verb<'_>), (receivers, &receiving)] {
            for _ in 0..40 {
                ring_often(&rope);
                let over = verb().expect_err("nothing comes, nothing is taken");
                assert_eq!(over.kind(), ErrorKind::TimedOut);
                let left = rustix::io::ioctl_fionread(&rope).expect("a pipe");
                assert!(left > 0, "all that it was rung was heard first");
            }
        }
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("as it was");
    });
}
