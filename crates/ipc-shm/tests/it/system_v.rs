//! System V segments: by id, by name, foreign ones, and ones that others have removed.

use crate::fork::{foreign_segment, remove_segment};
use crate::named::Named;
use ipc_shm::{Backing, ErrorKind, Options};
use ipc_testkit::{Role, Stage, isolated, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn attach_by_id(stage: Stage) {
    let id = stage.argument(0).parse().expect("a number");
    let region = Options::new().attach_id(id).expect("its maker is attached");
    region.write_at(0, &[1]).expect("inside");
    if stage.argument(1) == "stay" {
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_child_attaches_by_the_id_and_nothing_stays_behind() {
    let _watchdog = watchdog(PATIENCE);
    let region = Options::new()
        .size_bytes(100)
        .backing(Backing::SystemV)
        .anonymous()
        .expect("made");
    let id = region.id().expect("a segment");
    Role::new("attach by id")
        .argument(id)
        .argument("go")
        .spawn()
        .done();
    let mut mark = [0];
    region.read_at(0, &mut mark).expect("inside");
    assert_eq!(mark, [1]);
    let reader = Options::new()
        .read_only(true)
        .attach_id(id)
        .expect("still attached");
    assert_eq!(
        reader.write_at(0, &[2]).expect_err("read-only").kind(),
        ErrorKind::Denied
    );
    assert_eq!(
        region.as_fd().expect_err("none").kind(),
        ErrorKind::Unsupported
    );
    drop((region, reader));
    let error = Options::new()
        .attach_id(id)
        .expect_err("gone with the last");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn ids_that_are_no_regions_are_refused() {
    isolated!({
        for id in [-1, i32::MIN, i32::MAX] {
            let error = Options::new().attach_id(id).expect_err("no segment");
            assert_eq!(error.kind(), ErrorKind::NotFound, "{id}: {error}");
        }
        for (bytes, mode, kind) in [
            (1, 0o600, ErrorKind::Corrupt),
            (4096, 0o600, ErrorKind::Corrupt),
            (10_000, 0o600, ErrorKind::Corrupt),
            (10_000, 0o666, ErrorKind::Denied),
        ] {
            let id = foreign_segment(bytes, mode);
            let error = Options::new().attach_id(id).expect_err("no region");
            remove_segment(id);
            assert_eq!(error.kind(), kind, "{bytes} bytes, mode {mode:o}: {error}");
        }
    });
}

#[test]
fn a_segment_that_others_removed_is_made_anew() {
    let named = Named::new(Backing::SystemV);
    let first = named.options.create(&named.name).expect("new");
    first.write_at(0, b"old").expect("inside");
    remove_segment(first.id().expect("a segment"));
    // Its key is free at once, though we are attached: as after `ipcrm` or a log-out.
    let error = named.options.open(&named.name).expect_err("removed");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    drop(first);
    let again = named
        .options
        .open_or_create(&named.name)
        .expect("made anew");
    let mut copy = [1; 3];
    again.read_at(0, &mut copy).expect("inside");
    assert_eq!(copy, [0; 3]);
}

#[test]
fn a_size_above_the_hosts_limit_names_it() {
    let mut options = Options::new();
    options
        .backing(Backing::SystemV)
        .size_bytes(ipc_shm::MAX_SIZE_BYTES);
    match options.anonymous() {
        Ok(region) => assert_eq!(region.len_bytes(), ipc_shm::MAX_SIZE_BYTES),
        Err(error) => assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}"),
    }
}
