//! A host with too few descriptors: what is missing is told with the address.

use ipc_ring::ErrorKind;
use ipc_testkit::{TempDir, isolated};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::AsRawFd;

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
            let briefly = std::time::Duration::from_millis(1);
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
