//! What a descriptor refers to.

use ipc_sys::DescriptorKind as Kind;
use ipc_sys::{Process, descriptor_kind};
use ipc_testkit::{TempDir, isolated};
use rustix::event::EventfdFlags;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use std::os::fd::{AsFd, OwnedFd};

fn open(path: &str, flags: OFlags) -> OwnedFd {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).expect(path)
}

fn is(fd: impl AsFd, expected: Kind) {
    assert_eq!(descriptor_kind(fd).expect("open"), expected);
}

#[test]
fn every_kind_is_told_from_the_others() {
    isolated!({
        is(open("/", OFlags::RDONLY), Kind::Directory);
        is(open("/", OFlags::PATH), Kind::Reference);
        is(open("/proc/self/status", OFlags::PATH), Kind::Reference);
        is(open("/proc/self/status", OFlags::RDONLY), Kind::RegularFile);
        is(open("/dev/zero", OFlags::RDWR), Kind::CharacterDevice);
        is(open("/dev/null", OFlags::WRONLY), Kind::CharacterDevice);
        let (read, write) = rustix::pipe::pipe().expect("a pipe");
        is(&read, Kind::Pipe);
        is(&write, Kind::Pipe);
        let (left, _right) = std::os::unix::net::UnixStream::pair().expect("sockets");
        is(&left, Kind::Socket);
        let me = Process::open(std::process::id()).expect("this process");
        is(&me, Kind::Anonymous);
        let counter = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).expect("a counter");
        is(&counter, Kind::Anonymous);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create("kind", flags).expect("memory");
        is(&memory, Kind::Memory(SealFlags::empty()));
        let seals = SealFlags::SHRINK | SealFlags::GROW;
        rustix::fs::fcntl_add_seals(&memory, seals).expect("sealed");
        is(&memory, Kind::Memory(seals));
        let unsealable = rustix::fs::memfd_create("kind", MemfdFlags::CLOEXEC).expect("memory");
        is(&unsealable, Kind::Memory(SealFlags::SEAL));
    });
}

#[test]
fn asking_a_fifo_that_nobody_writes_does_not_block() {
    let dir = TempDir::new();
    let path = dir.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        Mode::RWXU,
        0,
    )
    .expect("a FIFO");
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    is(
        rustix::fs::open(&path, flags, Mode::empty()).expect("at once"),
        Kind::Pipe,
    );
}
