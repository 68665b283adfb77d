//! Values: copied and then checked; lent only where nobody can write.

use ipc_shm::{Backing, ErrorKind, Options, Protection, layout};
use std::num::NonZeroU32;
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

#[derive(Clone, Copy, Debug, PartialEq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(u8)]
enum State {
    Idle = 1,
    Busy = 2,
}

#[derive(Clone, Debug, PartialEq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Record {
    number: u64,
    checked: [u32; 2],
    state: State,
    flag: bool,
    padding: [u8; 6],
}

const RECORD: Record = Record {
    number: 7,
    checked: [1, 2],
    state: State::Busy,
    flag: true,
    padding: [0; 6],
};

#[test]
fn a_value_is_copied_out_and_checked() {
    let region = ipc_shm::anonymous(4096).expect("made");
    for offset in [0, 8, 13, 4096 - size_of::<Record>()] {
        region.write(offset, &RECORD).expect("inside");
        assert_eq!(region.read::<Record>(offset).expect("as written"), RECORD);
    }
    region.write(0, &RECORD).expect("inside");
    for (state, good) in [(0u8, false), (1, true), (2, true), (3, false), (255, false)] {
        region.write_at(16, &[state]).expect("inside");
        let read = region.read::<Record>(0);
        assert_eq!(read.is_ok(), good, "state {state}");
        if state == 1 {
            assert_eq!(read.as_ref().expect("a state").state, State::Idle);
        }
        if let Err(error) = read {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
    assert_eq!(
        region.read::<NonZeroU32>(4000).expect_err("zero").kind(),
        ErrorKind::Corrupt
    );
    let beyond = region.read::<[u8; 5000]>(0).expect_err("beyond");
    assert_eq!(beyond.kind(), ErrorKind::InvalidInput);
    region.write(0, &[5u16; 2000]).expect("inside");
    assert_eq!(region.read::<[u16; 2000]>(0).expect("large"), [5; 2000]);
    let mut number = 0u64;
    region.read_into(0, &mut number).expect("inside");
    assert_eq!(number, 0x0005_0005_0005_0005);
}

#[test]
fn a_value_is_lent_only_where_nobody_writes_and_after_a_check() {
    let mut options = Options::new();
    let mut region = options
        .size_bytes(4096)
        .narrowable(true)
        .anonymous()
        .expect("made");
    region.write(64, &RECORD).expect("inside");
    assert_eq!(
        region.view::<Record>(64).expect_err("writable").kind(),
        ErrorKind::Denied
    );
    region.protect(Protection::Immutable).expect("alone");
    assert_eq!(*region.view::<Record>(64).expect("lent"), RECORD);
    assert_eq!(
        region.view::<Record>(65).expect_err("askew").kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        region.view::<Record>(4090).expect_err("beyond").kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        region.view::<Record>(512).expect_err("no state 0").kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn a_trusted_read_only_region_lends_and_no_other() {
    let named = crate::named::Named::new(Backing::Posix);
    let maker = named.options.create(&named.name).expect("new");
    maker.write(0, &RECORD).expect("inside");
    let mut options = named.options.clone();
    let distrust = options.read_only(true).open(&named.name).expect("found");
    assert_eq!(
        distrust.view::<Record>(0).expect_err("may change").kind(),
        ErrorKind::Denied
    );
    let trust = options.trust_peers(true).open(&named.name).expect("found");
    assert_eq!(*trust.view::<Record>(0).expect("lent"), RECORD);
    let writer = options.read_only(false).open(&named.name).expect("found");
    assert_eq!(
        writer.view::<Record>(0).expect_err("we write").kind(),
        ErrorKind::Denied
    );
}

#[test]
fn a_layout_is_its_types_and_offsets_not_its_name() {
    #[repr(C)]
    struct One {
        a: u32,
        b: u64,
    }
    #[repr(C)]
    struct Same {
        x: u32,
        y: u64,
    }
    #[repr(C)]
    struct Other {
        a: u64,
        b: u32,
    }
    let one = layout!(One { a: u32, b: u64 });
    assert_eq!(one, layout!(Same { x: u32, y: u64 }));
    assert_ne!(one, layout!(Other { a: u64, b: u32 }));
    let region = Options::new()
        .size_bytes(64)
        .layout(one)
        .anonymous()
        .expect("made");
    let fd = || region.to_fd().expect("a copy");
    Options::new().layout(one).attach(fd()).expect("the same");
    let other = layout!(Other { a: u64, b: u32 });
    assert_eq!(
        Options::new()
            .layout(other)
            .attach(fd())
            .expect_err("another")
            .kind(),
        ErrorKind::Corrupt
    );
}
