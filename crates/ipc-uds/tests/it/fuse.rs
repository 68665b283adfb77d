//! A file system whose server answers nothing but that a file can be opened: to read such a file
//! waits for ever.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// In `linux/fuse.h`: what the kernel asks first, and what it asks for open and close.
const INIT: u32 = 26;
const OPEN: u32 = 14;
const FLUSH: u32 = 25;
const HEADER_BYTES: usize = 16;

/// A mounted file, as long as this lives, in a mount namespace of this thread alone.
pub(crate) struct Silent {
    pub(crate) file: OwnedFd,
    server: std::thread::JoinHandle<()>,
}

/// Mounts such a file over `place`, a regular file, and opens it. For isolated processes.
pub(crate) fn mount_silent(place: &Path) -> Result<Silent, String> {
    let fail = |what: &'static str| move |errno: rustix::io::Errno| format!("{what}: {errno}");
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let server = rustix::fs::open("/dev/fuse", flags, Mode::empty()).map_err(fail("/dev/fuse"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("a mount namespace: {errno}"))?;
    let none: Option<&str> = None;
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(none, "/", none, private, none).map_err(|errno| format!("private mounts: {errno}"))?;
    let number = server.as_raw_fd();
    let data = format!("fd={number},rootmode=100644,user_id=0,group_id=0");
    mount(
        Some("silent"),
        place,
        Some("fuse"),
        MsFlags::empty(),
        Some(data.as_str()),
    )
    .map_err(|errno| format!("mount: {errno}"))?;
    // It ends with the file system.
    let server = std::thread::spawn(move || serve(&server));
    let file = rustix::fs::open(place, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    Ok(Silent {
        file: file.map_err(fail("open"))?,
        server,
    })
}

impl Silent {
    /// Takes the file system away, and with it everything that waits for it.
    pub(crate) fn unmount(self, place: &Path) {
        drop(self.file);
        let detached = nix::mount::umount2(place, nix::mount::MntFlags::MNT_DETACH);
        detached.expect("mounted by us");
        self.server.join().expect("no panic");
    }
}

fn serve(server: &OwnedFd) {
    let mut request = vec![0; 1 << 20];
    // Ends with ENODEV when the file system is gone.
    while let Ok(length) = rustix::io::read(server, &mut request) {
        let word = |at: usize| {
            let bytes = request[..length].get(at..at + 4).expect("a header");
            u32::from_ne_bytes(bytes.try_into().expect("four"))
        };
        let unique = request[8..16].to_vec();
        let (error, body) = match word(4) {
            INIT => {
                // Version 7.31, a page of writing, all else as it comes.
                let mut words = [0u32; 16];
                (words[0], words[1], words[5]) = (7, 31, 4096);
                (
                    0,
                    words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
                )
            }
            OPEN => (0, vec![0; 16]),
            FLUSH => (-libc::ENOSYS, Vec::new()),
            // Whoever asks for anything else waits.
            _ => continue,
        };
        let length = (HEADER_BYTES + body.len()) as u32;
        let answer = [
            &length.to_ne_bytes()[..],
            &error.to_ne_bytes(),
            &unique,
            &body,
        ];
        let _ = rustix::io::write(server, &answer.concat());
    }
}
