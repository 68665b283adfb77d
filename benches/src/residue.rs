//! What a run that was killed has left behind, removed when the next one starts.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{
    family::Family,
    pair::{DIRECTORY_PREFIX, tags_of},
};

/// Removes directories and kernel objects of runs of this user whose process is gone.
pub fn sweep(families: &[Family]) {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    let me = rustix::process::geteuid().as_raw();
    for entry in entries.flatten() {
        let Some(process) = process_of(&entry.path()) else {
            continue;
        };
        let ours = entry
            .metadata()
            .is_ok_and(|data| data.is_dir() && data.uid() == me);
        if !ours || PathBuf::from(format!("/proc/{process}")).exists() {
            continue;
        }
        for sweep in families.iter().filter_map(|family| family.sweep) {
            tags_of(process).for_each(sweep);
        }
        // Another run may sweep at the same time: what is gone is gone.
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// The process that made a directory of this name.
fn process_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix(DIRECTORY_PREFIX)?;
    name.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_tells_whose_it_is() {
        let of = |name: &str| process_of(Path::new(name));
        assert_eq!(of("/tmp/ipc-bench-77-0"), Some(77));
        assert_eq!(of("/tmp/ipc-bench-x-0"), None);
        assert_eq!(of("/tmp/other-77-0"), None);
    }
}
