//! System V segments: without a name by id, with one by a key file in a private directory.

use crate::header::{DATA_OFFSET, HEADER_BYTES, Header, MAGIC, MAGIC_BYTES};
use crate::named::{MAKING, publish};
use crate::region::{Inner, Memory};
use crate::sys::{
    Mapping, Segment, Unchanging, find_segment, make_segment, process_token, remove_segment,
    stat_segment,
};
use crate::{Backing, Options, Protection, Region, attach, file};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{Process, crash_point, os_error};
use rustix::io::Errno;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// The upper half of the key that a segment without a name has while it is made.
const UNNAMED: i32 = 0x6b73_0000;

/// A segment without a name: its id is valid for as long as anybody is attached, and it goes
/// with the last one, however that one ends.
pub(crate) fn anonymous(options: &Options) -> Result<Region> {
    let refuse = |why| Err(Error::new("create region", ErrorKind::InvalidInput).hint(why));
    if options.protection != Protection::ReadWrite || options.narrowable {
        return refuse("only memory files can be sealed: take Backing::Memory");
    }
    if options.max_bytes.is_some() {
        return refuse("a System V segment does not grow: take Backing::Memory");
    }
    if options.read_only {
        return refuse("who makes a region writes it: read_only is for those who attach it");
    }
    let header = Header::new(options)?;
    let total = header.total_bytes(Backing::SystemV, header.size_bytes)?;
    let mode = options.checked_mode()?.bits();
    reclaim_once();
    let id = make_unnamed(total, mode).map_err(|errno| no_segment(errno, total))?;
    crash_point!("shm.segment.private");
    let mapping = Mapping::of_segment(id, total, true);
    crash_point!("shm.segment.private_attached");
    // Removed while we are attached: the kernel keeps it until the last one detaches.
    let removed = remove_segment(id).map_err(|errno| os_error("create region", errno));
    let mapping = mapping?;
    removed?;
    mapping.write(0, &header.encode());
    let mut inner = Inner::new(Memory::Mapped(mapping), None, header, header.size_bytes);
    inner.backing = Backing::SystemV;
    inner.segment = Some(id);
    Ok(inner.into())
}

/// Makes a segment whose key says what it is for the few calls until it has none: who dies
/// between them leaves a segment that can be told from others.
fn make_unnamed(total: usize, mode: u32) -> rustix::io::Result<i32> {
    for _ in 0..64 {
        match make_segment(UNNAMED | (random_key() & 0xffff) as i32, total, mode) {
            Err(Errno::EXIST) => {}
            outcome => return outcome,
        }
    }
    make_segment(libc::IPC_PRIVATE, total, mode)
}

/// Removes what this user's processes have left that died while they made a segment without a
/// name; once a process.
fn reclaim_once() {
    static DONE: AtomicU64 = AtomicU64::new(0);
    let this = process_token();
    if DONE.swap(this, Ordering::Relaxed) == this {
        return;
    }
    let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    for line in table.lines().skip(1) {
        if let Some(id) = abandoned(line) {
            let _ = remove_segment(id);
        }
    }
}

/// The id of the segment that a line of `/proc/sysvipc/shm` tells of, if nobody can want it: it
/// has our key, nobody is attached, its maker is dead, and nothing was written to it.
fn abandoned(line: &str) -> Option<i32> {
    let fields: Vec<i64> = (line.split_ascii_whitespace().take(8))
        .map_while(|field| field.parse().ok())
        .collect();
    let &[key, id, _, _, maker, _, attached, user] = fields.as_slice() else {
        return None;
    };
    let ours =
        key & !0xffff == UNNAMED.into() && user == rustix::process::geteuid().as_raw().into();
    // A maker in another PID namespace has no number here.
    let maker = u32::try_from(maker).ok().filter(|maker| *maker != 0)?;
    if !ours || attached != 0 || !is_dead(maker) {
        return None;
    }
    let segment = stat_segment(i32::try_from(id).ok()?).ok()?;
    if segment.size_bytes <= DATA_OFFSET {
        return None;
    }
    let mapping = Mapping::of_segment(segment.id, segment.size_bytes, false).ok()?;
    let mut page = [1; DATA_OFFSET];
    mapping.read(0, &mut page);
    (page == [0; DATA_OFFSET]).then_some(segment.id)
}

/// A zombie is dead, too.
fn is_dead(process: u32) -> bool {
    match Process::open(process) {
        Ok(process) => process.has_ended().unwrap_or(false),
        Err(error) => error.raw_os_error() == Some(libc::ESRCH),
    }
}

pub(crate) fn attach_id(id: i32, options: &Options) -> Result<Region> {
    attach_segment(id, options, None).map(Region::from)
}

/// Attaches the segment that a key file names.
pub(crate) fn attach_key(file: OwnedFd, header: &Header, options: &Options) -> Result<Inner> {
    let id = segment_of(header)?.id;
    attach_segment(id, options, Some((file, header)))
}

/// Makes a segment and writes its key into the key file, which is ours by its lock.
pub(crate) fn fill(
    file: BorrowedFd<'_>,
    options: &Options,
    header: &Header,
) -> Result<(Header, Mapping, i32)> {
    // What a dead maker has left is known by the key that it wrote first.
    remove_of(file);
    rustix::fs::ftruncate(file, 0).map_err(|errno| os_error("create", errno))?;
    file::write_new(file, 0, &MAKING)?;
    let total = header.total_bytes(Backing::SystemV, header.size_bytes)?;
    let mode = options.checked_mode()?.bits();
    let (header, id) = loop {
        let mut header = *header;
        header.detail = random_key();
        // Before the segment exists, so that there is never one that nobody knows of.
        file::write_new(file, MAGIC_BYTES, &header.encode()[MAGIC_BYTES..])?;
        crash_point!("shm.segment.known");
        match make_segment(header.detail as i32, total, mode) {
            Ok(id) => break (header, id),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(no_segment(errno, total)),
        }
    };
    crash_point!("shm.segment.made");
    let made = Mapping::of_segment(id, total, true).and_then(|mapping| {
        mapping.write(0, &header.encode());
        crash_point!("shm.segment.described");
        publish(file, &header)?;
        Ok(mapping)
    });
    match made {
        Ok(mapping) => Ok((header, mapping, id)),
        Err(error) => {
            let _ = remove_segment(id);
            Err(error)
        }
    }
}

/// Whether the segment of a whole key file has been removed by others (`ipcrm`, or the host
/// when the user logged out).
pub(crate) fn is_gone(file: BorrowedFd<'_>) -> bool {
    let segment = attach::read_header(file, 0).and_then(|header| segment_of(&header));
    segment.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Removes the segment that a key file names, half-made or whole, if it names one of ours.
pub(crate) fn remove_of(file: BorrowedFd<'_>) {
    let mut bytes = [0; HEADER_BYTES];
    if file::read(file, 0, &mut bytes).is_err() {
        return;
    }
    bytes[..MAGIC_BYTES].copy_from_slice(&MAGIC);
    if let Ok(header) = Header::decode(&bytes, 0)
        && let Ok(segment) = segment_of(&header)
        && segment.uid == rustix::process::geteuid().as_raw()
    {
        let _ = remove_segment(segment.id);
    }
}

fn segment_of(header: &Header) -> Result<Segment> {
    let key = i32::try_from(header.detail).unwrap_or(libc::IPC_PRIVATE);
    if key == libc::IPC_PRIVATE {
        return Err(attach::refused(ErrorKind::Corrupt, "it names no segment"));
    }
    let found = find_segment(key).and_then(stat_segment);
    found.map_err(|errno| no_longer(errno, format_args!("key {key:#x}")))
}

fn attach_segment(id: i32, options: &Options, known: Option<(OwnedFd, &Header)>) -> Result<Inner> {
    let segment = stat_segment(id).map_err(|errno| no_longer(errno, format_args!("{id}")))?;
    check(&segment, options)?;
    // The kernel fixes the size of a segment for its life.
    let total = segment.size_bytes;
    let mapping = Mapping::of_segment(id, total, !options.read_only)?;
    let mut bytes = [0; HEADER_BYTES];
    mapping.read(0, &mut bytes);
    let header = Header::decode(&bytes, options.layout)?.expected_by(options)?;
    if known.as_ref().is_some_and(|(_, known)| **known != header) {
        return Err(attach::refused(
            ErrorKind::Corrupt,
            "its header is not what its key file says",
        ));
    }
    if header.is_growable() || header.total_bytes(Backing::SystemV, header.size_bytes)? != total {
        let why = format!(
            "the segment has {total} bytes, its header says {} and {}",
            header.size_bytes, header.start
        );
        return Err(Error::new("attach", ErrorKind::Corrupt).hint(why));
    }
    let file = known.map(|(file, _)| file);
    let mut inner = Inner::new(Memory::Mapped(mapping), file, header, header.size_bytes);
    inner.backing = Backing::SystemV;
    inner.segment = Some(id);
    if options.trust_peers && options.read_only {
        inner.unchanging = Some(Unchanging::by_trust());
    }
    Ok(inner)
}

fn check(segment: &Segment, options: &Options) -> Result<()> {
    let refuse = |kind, why: String| {
        Err(Error::new("attach", kind)
            .on(format_args!("segment {}", segment.id))
            .hint(why))
    };
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&segment.uid);
    if !ours && !options.foreign_owner {
        let why = format!(
            "it belongs to user {}; Options::foreign_owner accepts it where that is meant",
            segment.uid
        );
        return refuse(ErrorKind::Denied, why);
    }
    let mode = options.checked_mode()?;
    if mode.lets_strangers_write(segment.mode) && !options.foreign_owner {
        let why = format!(
            "its mode {:#o} lets others write to it; Options::mode accepts it where that is meant",
            segment.mode & 0o777
        );
        return refuse(ErrorKind::Denied, why);
    }
    if segment.size_bytes <= DATA_OFFSET {
        return refuse(ErrorKind::Corrupt, "it is shorter than a header".into());
    }
    Ok(())
}

fn no_longer(errno: Errno, what: std::fmt::Arguments<'_>) -> Error {
    match errno {
        Errno::INVAL | Errno::IDRM | Errno::NOENT => Error::new("attach", ErrorKind::NotFound)
            .caused_by(errno.into())
            .on(format_args!("segment {what}"))
            .hint("there is no such segment, or it has been removed"),
        errno => os_error("attach", errno).on(format_args!("segment {what}")),
    }
}

fn no_segment(errno: Errno, total: usize) -> Error {
    let limit = |why| {
        Error::new("create region", ErrorKind::LimitReached)
            .caused_by(errno.into())
            .hint(why)
    };
    match errno {
        Errno::INVAL => limit(format!(
            "{total} bytes are above this host's limit for a segment (sysctl kernel.shmmax)"
        )),
        Errno::NOSPC => limit(
            "this host has all the segments it may have (sysctl kernel.shmmni, kernel.shmall)"
                .into(),
        ),
        Errno::NOMEM => limit(format!("there is not memory enough for {total} bytes")),
        errno => os_error("create region", errno),
    }
}

/// A positive key that nobody can guess or meet by accident, as `ftok` keys do meet.
fn random_key() -> u64 {
    loop {
        let key = RandomState::new().hash_one(std::process::id()) & 0x7fff_ffff;
        if key != 0 {
            return key;
        }
    }
}
