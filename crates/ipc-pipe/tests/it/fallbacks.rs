//! What older kernels lack: each weaker form, forced by making the stronger one fail.

use ipc_pipe::{Capacity, ErrorKind, Options};
use ipc_testkit::{deny, isolated, set_sigpipe_default, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn exercise() {
    let _watchdog = watchdog(PATIENCE);
    for record in [false, true] {
        let mut options = Options::new();
        options.record(record).capacity(Capacity::Default);
        let (tx, rx) = options.pair().expect("a pipe");
        let mut bytes = [0; 4096];
        let empty = rx.try_recv(&mut bytes).expect_err("nothing there");
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        let late = rx
            .recv_timeout(&mut bytes, Duration::from_millis(2))
            .expect_err("nothing");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        tx.send(b"one").expect("send");
        tx.try_send(b"two!").expect("send");
        tx.send_timeout(b"three", PATIENCE).expect("send");
        let mut lengths = Vec::new();
        while let Ok(length) = rx.try_recv(&mut bytes) {
            lengths.push(length);
        }
        assert_eq!(lengths, if record { vec![3, 4, 5] } else { vec![12] });
        while tx.try_send(&[1; 4096]).is_ok() {}
        let full = tx
            .send_timeout(b"x", Duration::from_millis(2))
            .expect_err("full");
        assert_eq!(full.kind(), ErrorKind::TimedOut);
        drop(rx);
        assert_eq!(
            tx.send(b"x").expect_err("nobody reads").kind(),
            ErrorKind::Closed
        );
        assert_eq!(
            tx.try_send(b"x").expect_err("nobody reads").kind(),
            ErrorKind::Closed
        );
        let late = tx.send_timeout(b"x", PATIENCE).expect_err("nobody reads");
        assert_eq!(late.kind(), ErrorKind::Closed);
    }
}

#[test]
fn all_forms_work_where_the_kernel_has_all() {
    isolated!({
        exercise();
        set_sigpipe_default();
        exercise();
    });
}

/// One isolated test for each error that a kernel may answer with.
macro_rules! without {
    ($($test:ident: $deny:expr;)*) => {$(
        #[test]
        fn $test() {
            isolated!({
                $deny;
                exercise();
                set_sigpipe_default();
                exercise();
            });
        }
    )*};
}

without! {
    without_flags_on_writes_eopnotsupp: deny(libc::SYS_pwritev2, libc::EOPNOTSUPP);
    without_flags_on_writes_enosys: deny(libc::SYS_pwritev2, libc::ENOSYS);
    without_flags_on_writes_einval: deny(libc::SYS_pwritev2, libc::EINVAL);
    without_flags_on_reads_eopnotsupp: deny(libc::SYS_preadv2, libc::EOPNOTSUPP);
    without_flags_on_reads_enosys: deny(libc::SYS_preadv2, libc::ENOSYS);
    without_any_flags: {
        deny(libc::SYS_preadv2, libc::ENOSYS);
        deny(libc::SYS_pwritev2, libc::ENOSYS);
    };
    without_nosignal: ipc_testkit::deny_where(
        libc::SYS_pwritev2, 5, 0x100, 0x100, libc::EOPNOTSUPP,
    );
}

#[test]
fn repeated_masked_writes_raise_no_signal() {
    isolated!({
        deny(libc::SYS_pwritev2, libc::ENOSYS);
        let (tx, rx) = {
            set_sigpipe_default();
            ipc_pipe::pair().expect("a pipe")
        };
        drop(rx);
        for _ in 0..3 {
            assert_eq!(
                tx.send(b"x").expect_err("nobody reads").kind(),
                ErrorKind::Closed
            );
        }
    });
}
