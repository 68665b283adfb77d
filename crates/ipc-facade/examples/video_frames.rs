//! A camera whose frames several viewers see, also one that is too slow for it.
//!
//! `ring::Broadcaster`: a frame stands in shared memory once, however many look, and no viewer can
//! hold the camera up, since the oldest frames make room (`WhenFull::DropOldest`). A viewer is
//! told how many it has missed. For a file, where each frame matters, `ring::Channel` with a loan
//! would be the choice; for a camera in another host, `net`. Run it:
//! `cargo run -p ipc-facade --example video_frames`. It prints how many frames each viewer saw and
//! missed, each checked byte by byte.

use ipc_facade::ring::{self, Received, WhenFull};
use ipc_facade::{ErrorKind, uds};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, io, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A camera sends frames to viewers, of whom one is slow.

usage: video_frames";

const FRAMES: u64 = 60;
const FRAME_TIME: Duration = Duration::from_millis(8);
const WIDTH: usize = 320;
const HEIGHT: usize = 240;
/// The number of the frame, then its pixels, three bytes each.
const FRAME_BYTES: usize = size_of::<u64>() + WIDTH * HEIGHT * 3;
/// How many frames the camera's memory has room for.
const KEPT: usize = 4;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => film(),
        ["viewer", name, millis] => millis
            .parse()
            .map_err(Into::into)
            .and_then(|millis| view(name, Duration::from_millis(millis))),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn film() -> Outcome {
    let camera = ring::Options::new()
        .capacity_messages(KEPT)
        .capacity_bytes(KEPT * FRAME_BYTES.next_multiple_of(64))
        .when_full(WhenFull::DropOldest)
        .broadcast()?;
    let mut viewers = Vec::new();
    // The second one needs three times as long for a frame as the camera does.
    for (name, millis) in [("screen", "0"), ("encoder", "24"), ("recorder", "0")] {
        let (ours, theirs) = uds::pair_seqpacket()?;
        let mut viewer = Command::new(env::current_exe()?);
        viewer.args(["viewer", name, millis]);
        viewers.push(viewer.stdin(OwnedFd::from(theirs)).spawn()?);
        drop(viewer); // and with it our copy of the viewer's end
        camera.add(ours)?;
    }

    let mut due = Instant::now();
    for number in 0..FRAMES {
        camera.send(&frame(number))?;
        due += FRAME_TIME;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    drop(camera); // the end, once each viewer has seen what is still there
    let wait = |mut viewer: Child| Ok(viewer.wait()?.success());
    let ended: io::Result<Vec<bool>> = viewers.into_iter().map(wait).collect();
    println!("{FRAMES} frames of {FRAME_BYTES} bytes were sent");
    if ended?.contains(&false) {
        Err("a viewer failed".into())
    } else {
        Ok(())
    }
}

fn view(name: &str, work: Duration) -> Outcome {
    let camera = uds::SeqPacket::from(io::stdin().as_fd().try_clone_to_owned()?);
    let camera = ring::Options::new().subscribe_over(camera)?;
    let (mut seen, mut missed, mut bytes) = (0, 0, Vec::new());
    loop {
        match camera.recv_vec(&mut bytes) {
            Ok(Received::Missed(count)) => missed += count,
            Ok(Received::Message(_)) => {
                // What was missed and what was seen leaves no gap, and no frame is torn.
                if bytes != frame(seen + missed) {
                    return Err(format!("{name}: frame {} is not whole", seen + missed).into());
                }
                seen += 1;
                thread::sleep(work);
            }
            Err(error) if error.kind() == ErrorKind::Closed => break,
            Err(error) => return Err(error.into()),
        }
    }
    println!("{name}: saw {seen} and missed {missed}");
    match seen + missed {
        FRAMES => Ok(()),
        other => Err(format!("{name}: knows of {other} frames").into()),
    }
}

/// What the camera sees at one moment: a pattern that moves.
fn frame(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    let pixels = 0..WIDTH * HEIGHT * 3;
    bytes.extend(pixels.map(|at| (at as u64).wrapping_mul(31).wrapping_add(number * 7) as u8));
    bytes
}
