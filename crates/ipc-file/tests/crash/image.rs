//! What a power loss leaves of what was done to a disk.

use crate::imitation::{Imitation, Op, State, put};
use std::path::Path;

const SECTOR: usize = 512;

/// What a power loss after the first `prefix` of `ops` leaves on `base`, as `below` chooses: what
/// was made durable, and of the rest each op wholly, by sectors, as garbage, or not at all.
pub(crate) fn image(
    base: &Imitation,
    ops: &[Op],
    prefix: usize,
    below: &mut dyn FnMut(u64) -> u64,
) -> Imitation {
    let done = &ops[..prefix];
    let start = base.state();
    let mut state = State::default();
    state.files.clone_from(&start.files);
    state.names.clone_from(&start.names);
    state.directories.clone_from(&start.directories);
    drop(start);
    // One choice for all that is not durable, often: nothing of it, or all of it.
    let mood = below(4);
    for (at, op) in done.iter().enumerate() {
        let later = &done[at + 1..];
        let durable = is_durable(op, later);
        let kept = durable || mood == 0 || (mood > 1 && below(2) == 0);
        apply(&mut state, op, kept, mood > 1 && !durable, below);
    }
    Imitation::new(state, base.shared)
}

fn is_durable(op: &Op, later: &[Op]) -> bool {
    let parent = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    later.iter().any(|later| match (op, later) {
        (Op::Write { file, .. } | Op::Length { file, .. }, Op::Sync { file: synced }) => {
            file == synced
        }
        (Op::Name { path, .. } | Op::Unlink { path }, Op::SyncDirectory { path: synced }) => {
            parent(path) == *synced
        }
        // A renaming happens whole: it is durable with either directory.
        (Op::Rename { from, to, .. }, Op::SyncDirectory { path }) => {
            parent(from) == *path || parent(to) == *path
        }
        _ => false,
    })
}

fn apply(state: &mut State, op: &Op, kept: bool, torn: bool, below: &mut dyn FnMut(u64) -> u64) {
    match op {
        Op::Write { file, at, bytes } => {
            let file = file_of(state, *file);
            if kept && !(torn && below(8) == 0 && bytes.len() > 1) {
                put(file, *at, bytes);
            } else if torn {
                tear(file, *at, bytes, below);
            }
        }
        Op::Length { file, length } if kept => file_of(state, *file).resize(*length, 0),
        Op::Name { path, file } if kept => {
            let _ = file_of(state, *file);
            state.names.insert(path.clone(), *file);
        }
        Op::Rename { from, to, file } if kept => {
            if state.names.get(from) == Some(file) {
                state.names.remove(from);
            }
            let _ = file_of(state, *file);
            state.names.insert(to.clone(), *file);
        }
        Op::Unlink { path } if kept => {
            state.names.remove(path);
        }
        _ => {}
    }
}

fn file_of(state: &mut State, file: usize) -> &mut Vec<u8> {
    if state.files.len() <= file {
        state.files.resize(file + 1, Vec::new());
    }
    &mut state.files[file]
}

/// Some sectors of a write: each is there, is not (old bytes, or zeros), or is garbage.
fn tear(file: &mut Vec<u8>, at: usize, bytes: &[u8], below: &mut dyn FnMut(u64) -> u64) {
    let mut from = 0;
    while from < bytes.len() {
        let to = (((at + from) / SECTOR + 1) * SECTOR - at).min(bytes.len());
        match below(4) {
            0 => put(file, at + from, &bytes[from..to]),
            // The length is durable and the bytes are not.
            1 if file.len() < at + to => file.resize(at + to, 0),
            // Only where nothing stood before: a sector is written whole or not at all.
            2 if file.len() <= at + from => {
                let garbage: Vec<u8> = (from..to).map(|_| below(256) as u8).collect();
                put(file, at + from, &garbage);
            }
            _ => {}
        }
        from = to;
    }
}
