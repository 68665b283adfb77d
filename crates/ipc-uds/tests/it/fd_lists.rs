//! Lists of descriptors longer than one message carries: all arrive, or none.

use ipc_sys::Inode;
use ipc_testkit::{Snapshot, TempDir, isolated, skip, watchdog};
use ipc_uds::{Ancillary, ErrorKind, MAX_FDS, MAX_LISTED_FDS, Options};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
/// A user whom no test runs as.
const STRANGER: u32 = 12_346;
/// The mark of a part, as a peer of another program would write it.
const MARK: u32 = u32::from_ne_bytes(*b"fdl1");

/// What may be under way is the user's, and others of its tests need some of it too.
macro_rules! needs_all_that_may_be_under_way {
    () => {
        if !rustix::process::geteuid().is_root() {
            skip!("without privilege all tests of a user share what may be under way");
        }
    };
}

pub(crate) use needs_all_that_may_be_under_way;

/// Sends again while this user has too much under way: without privilege all its tests share that.
fn sent(mut send: impl FnMut() -> ipc_uds::Result<()>) {
    loop {
        match send() {
            Err(error) if error.kind() == ErrorKind::LimitReached => std::thread::yield_now(),
            outcome => return outcome.expect("sent"),
        }
    }
}

pub(crate) fn null() -> File {
    File::open("/dev/null").expect("a device")
}

/// As many descriptors as may be, for this process; how many that are.
fn raise_limit() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum.unwrap_or(1 << 16).min(1 << 16);
    let raised = Rlimit {
        current: Some(most),
        maximum: now.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit");
    most
}

/// Files that can be told apart, in an order that is not that of their numbers.
fn files(count: usize, of: &[File]) -> Vec<BorrowedFd<'_>> {
    (0..count)
        .map(|at| of[at * at % of.len()].as_fd())
        .collect()
}

fn inode(fd: impl AsFd) -> Inode {
    Inode::from(&rustix::fs::fstat(fd).expect("open"))
}

#[test]
fn lists_of_any_length_arrive_whole_and_in_order_over_all_kinds() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let most = match rustix::process::geteuid().is_root() {
            true => raise_limit(),
            false => 400,
        };
        let dir = TempDir::new();
        let known: Vec<File> = (0..7)
            .map(|number| File::create_new(dir.join(number.to_string())).expect("new"))
            .collect();
        let (stream, stream_end) = ipc_uds::pair().expect("a pair");
        let (packets, packets_end) = ipc_uds::pair_seqpacket().expect("a pair");
        let mut options = Options::new();
        let options = options.max_fds_per_user(MAX_LISTED_FDS);
        let (datagrams, datagrams_end) = options.pair_datagram().expect("a pair");
        let mut gifts = Ancillary::new();
        let before = Snapshot::take();
        for count in [0, 1, 2, 252, 253, 254, 506, 507, 1_000, MAX_LISTED_FDS] {
            if count as u64 + 100 > most {
                continue;
            }
            let list = files(count, &known);
            let mut bytes = [0; 8];
            for kind in 0..3 {
                let length = match kind {
                    0 => {
                        sent(|| stream.send_fd_list(b"list", &list));
                        stream_end.recv_fd_list(&mut bytes, &mut gifts, count)
                    }
                    1 => {
                        sent(|| packets.try_send_fd_list(b"list", &list));
                        packets_end.try_recv_fd_list(&mut bytes, &mut gifts, count)
                    }
                    _ => {
                        sent(|| datagrams.send_fd_list_timeout(b"list", &list, PATIENCE));
                        datagrams_end.recv_fd_list_timeout(&mut bytes, &mut gifts, count, PATIENCE)
                    }
                };
                assert_eq!(length.expect("whole"), 4, "{count} over kind {kind}");
                assert_eq!(gifts.fds().len(), count);
                let same = |(came, sent): (&OwnedFd, &BorrowedFd<'_>)| inode(came) == inode(sent);
                assert!(gifts.fds().iter().zip(&list).all(same), "{count}");
            }
        }
        gifts.clear();
        before.assert_unchanged();
    });
}

#[test]
fn forms_that_do_not_wait_say_so_and_leave_nothing() {
    needs_all_that_may_be_under_way!();
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = null();
        let list = vec![null.as_fd(); 300];
        let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
        let mut gifts = Ancillary::new();
        let before = Snapshot::take();
        let none = right.try_recv_fd_list(&mut [0; 8], &mut gifts, 300);
        assert_eq!(none.expect_err("none").kind(), ErrorKind::WouldBlock);
        let full = loop {
            if let Err(error) = left.try_send_fd_list(&[7; 200_000], &list) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        let late = left.send_fd_list_timeout(&[7; 200_000], &list, Duration::from_millis(2));
        let late = late.expect_err("full");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        before.assert_unchanged();
        right
            .recv_fd_list(&mut [0; 200_000], &mut gifts, 300)
            .expect("the first");
        gifts.clear();
        let above = vec![null.as_fd(); MAX_LISTED_FDS + 1];
        let above = left.try_send_fd_list(b"x", &above).expect_err("too many");
        assert_eq!(above.kind(), ErrorKind::TooLarge);
        before.assert_unchanged();
    });
}

#[test]
fn more_than_are_taken_are_all_closed_and_the_connection_is_cut() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = null();
        let (left, right) = ipc_uds::pair().expect("a pair");
        let mut gifts = Ancillary::new();
        let before = Snapshot::take();
        let list = vec![null.as_fd(); 300];
        sent(|| left.send_fd_list(b"x", &list));
        let more = right.recv_fd_list(&mut [0; 8], &mut gifts, 299);
        assert_eq!(more.expect_err("one more").kind(), ErrorKind::Truncated);
        assert!(gifts.fds().is_empty());
        before.assert_unchanged();
        let cut = left.send(b"x").expect_err("cut");
        assert_eq!(cut.kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_receiver_without_room_keeps_none() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = null();
        let mut options = Options::new();
        let options = options.max_fds_per_user(1_000);
        let (left, right) = options.pair_datagram().expect("a pair");
        let mut gifts = Ancillary::new();
        let before = Snapshot::take();
        let limits = getrlimit(Resource::Nofile);
        for room in [0, 1, 2, 100, 253, 254, 299] {
            let list = vec![null.as_fd(); 300];
            sent(|| left.send_fd_list(b"x", &list));
            let low = Rlimit {
                current: Some(before.descriptors() as u64 + room),
                maximum: limits.maximum,
            };
            setrlimit(Resource::Nofile, low).expect("lower is allowed");
            let lost = right.recv_fd_list(&mut [0; 8], &mut gifts, 300);
            setrlimit(Resource::Nofile, limits).expect("back");
            let lost = lost.expect_err("no room");
            assert_eq!(lost.kind(), ErrorKind::Truncated, "{room}: {lost}");
            assert!(gifts.fds().is_empty());
            before.assert_unchanged();
        }
        // The socket works on.
        sent(|| left.send_fd_list(b"x", &[null.as_fd(); 2]));
        right
            .recv_fd_list(&mut [0; 8], &mut gifts, 2)
            .expect("room");
    });
}

#[test]
fn a_list_counts_against_the_share_of_its_user() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = null();
        let dir = TempDir::new();
        let mut options = Options::new();
        let options = options.max_fds_per_user(300);
        let listener = options.bind(dir.join("socket")).expect("bind");
        let connect = || {
            let client = ipc_uds::connect(dir.join("socket")).expect("connect");
            (client, listener.accept().expect("accept"))
        };
        let (client, server) = connect();
        let mut gifts = Ancillary::new();
        let before = Snapshot::take();
        sent(|| client.send_fd_list(b"x", &vec![null.as_fd(); 300]));
        let all = server.recv_fd_list(&mut [0; 8], &mut gifts, 1_000);
        assert_eq!(all.expect("the whole share"), 1);
        gifts.clear();
        sent(|| client.send_fd_list(b"x", &vec![null.as_fd(); 301]));
        let above = server.recv_fd_list(&mut [0; 8], &mut gifts, 1_000);
        let above = above.expect_err("one above");
        assert_eq!(above.kind(), ErrorKind::LimitReached);
        assert!(above.to_string().contains("max_fds_per_user"), "{above}");
        before.assert_unchanged();
        let cut = client.send(b"x").expect_err("cut");
        assert_eq!(cut.kind(), ErrorKind::Closed);
    });
}

/// Puts a part into a carrier, as a peer that keeps to nothing may.
fn put(inlet: impl AsFd, head: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let slices = [IoSlice::new(head)];
    let kernel = |errno: rustix::io::Errno| ipc_sys::os_error("send", errno);
    sent(|| {
        let outcome = sendmsg(&inlet, &slices, &mut control, SendFlags::empty());
        outcome.map(drop).map_err(kernel)
    });
}

fn head(mark: u32, total: u32, before: u32) -> Vec<u8> {
    [mark, total, before].map(u32::to_ne_bytes).concat()
}

/// The kinds of lies, each a carrier.
fn lies(null: &File) -> Vec<(&'static str, OwnedFd)> {
    let fd = null.as_fd();
    type Parts<'a> = Vec<(Vec<u8>, Vec<BorrowedFd<'a>>)>;
    let parts: Vec<(&'static str, Parts<'_>)> = vec![
        ("an empty carrier", vec![]),
        (
            "a head without an end",
            vec![(head(MARK, 1, 0)[..11].to_vec(), vec![fd])],
        ),
        (
            "a head with more",
            vec![([head(MARK, 1, 0), vec![0]].concat(), vec![fd])],
        ),
        ("another mark", vec![(head(MARK ^ 1, 1, 0), vec![fd])]),
        ("fewer than said", vec![(head(MARK, 3, 0), vec![fd, fd])]),
        ("more than said", vec![(head(MARK, 1, 0), vec![fd, fd])]),
        (
            "more than are taken",
            vec![(head(MARK, u32::MAX, 0), vec![fd])],
        ),
        ("none where some are said", vec![(head(MARK, 3, 0), vec![])]),
        (
            "some where none are said",
            vec![(head(MARK, 0, 0), vec![fd])],
        ),
        ("a part from elsewhere", vec![(head(MARK, 2, 1), vec![fd])]),
        (
            "a part twice",
            vec![(head(MARK, 2, 0), vec![fd]), (head(MARK, 2, 0), vec![fd])],
        ),
        (
            "a part left out",
            vec![(head(MARK, 3, 0), vec![fd]), (head(MARK, 3, 2), vec![fd])],
        ),
        (
            "an empty part between",
            vec![(head(MARK, 2, 0), vec![fd]), (head(MARK, 2, 1), vec![])],
        ),
        (
            "another length later",
            vec![
                (head(MARK, 2, 0), vec![fd]),
                (head(MARK, 3, 1), vec![fd, fd]),
            ],
        ),
        (
            "a length that grows beyond what is taken",
            vec![
                (head(MARK, 2, 0), vec![fd]),
                (head(MARK, 9_000, 1), vec![fd]),
            ],
        ),
    ];
    let mut lies = Vec::new();
    for (name, parts) in parts {
        let (carrier, inlet) = ipc_uds::pair_seqpacket().expect("a pair");
        for (head, fds) in &parts {
            put(&inlet, head, fds);
        }
        lies.push((name, carrier.into()));
    }
    let (carrier, inlet) = UnixStream::pair().expect("a pair");
    put(&inlet, &head(MARK, 1, 0), &[fd]);
    lies.push(("a carrier of bytes", carrier.into()));
    let (carrier, inlet) = ipc_uds::pair_datagram().expect("a pair");
    put(&inlet, &head(MARK, 1, 0), &[fd]);
    lies.push(("a carrier without a connection", carrier.into()));
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    lies.push(("a socket of another family", tcp.into()));
    lies.push(("a device", null.try_clone().expect("room").into()));
    lies
}

#[test]
fn every_lie_is_corrupt_and_leaves_nothing_open() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = null();
        let before = Snapshot::take();
        for open in [false, true] {
            for (name, carrier) in lies(&null) {
                let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
                sent(|| left.send_with_fds(b"x", &[carrier.as_fd()]));
                // A carrier that the liar keeps an end of is no different.
                let kept = open.then_some(carrier);
                let mut gifts = Ancillary::new();
                let error = right
                    .recv_fd_list(&mut [0; 8], &mut gifts, 1_000)
                    .expect_err(name);
                let kinds = [ErrorKind::Corrupt, ErrorKind::Truncated];
                assert!(kinds.contains(&error.kind()), "{name}: {error}");
                assert!(gifts.fds().is_empty(), "{name}");
                let cut = left.send(b"x").expect_err(name);
                assert_eq!(cut.kind(), ErrorKind::Closed, "{name}");
                drop(kept);
            }
        }
        for count in [0, 2, 16] {
            let (left, right) = ipc_uds::pair().expect("a pair");
            sent(|| left.send_with_fds(b"x", &vec![null.as_fd(); count]));
            let mut gifts = Ancillary::new();
            let error = right.recv_fd_list(&mut [0; 8], &mut gifts, 1_000);
            assert_eq!(error.expect_err("no list").kind(), ErrorKind::Corrupt);
            assert!(gifts.fds().is_empty());
        }
        before.assert_unchanged();
    });
}

#[test]
fn who_may_have_no_more_under_way_is_told() {
    needs_all_that_may_be_under_way!();
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let user = rustix::process::Uid::from_raw(STRANGER);
        rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
        let null = null();
        let low = Rlimit {
            current: Some(600),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        setrlimit(Resource::Nofile, low).expect("lower is allowed");
        let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
        let before = Snapshot::take();
        let list = vec![null.as_fd(); 253];
        let mut sent = 0;
        let error = loop {
            match left.try_send_fd_list(b"x", &list) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        let mut gifts = Ancillary::new();
        for _ in 0..sent {
            let whole = right.recv_fd_list(&mut [0; 8], &mut gifts, 253);
            assert_eq!(whole.expect("what was sent"), 1);
        }
        gifts.clear();
        left.try_send_fd_list(b"x", &list).expect("room again");
        before.assert_unchanged();
    });
}
