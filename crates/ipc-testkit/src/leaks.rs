//! What a process has: descriptors, threads, children, names. After a test it has what it had
//! before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a thread that has ended may be listed: whoever looks may stand still meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// What this process holds at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    descriptors: BTreeMap<u32, String>,
    threads: usize,
    children: usize,
    names: BTreeSet<String>,
}

impl Snapshot {
    /// Looks at `/proc/self`.
    ///
    /// # Panics
    /// Where `/proc` is not mounted.
    #[must_use]
    pub fn take() -> Self {
        let mut descriptors = BTreeMap::new();
        for entry in fs::read_dir("/proc/self/fd")
            .expect("/proc is mounted")
            .flatten()
        {
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            // The directory's own descriptor is gone by the time its link is read.
            if let (Some(number), Ok(target)) = (number, fs::read_link(entry.path()))
                && !target.to_string_lossy().ends_with("/fd")
            {
                descriptors.insert(number, target.to_string_lossy().into_owned());
            }
        }
        let tasks: Vec<_> = fs::read_dir("/proc/self/task")
            .expect("/proc is mounted")
            .flatten()
            .collect();
        let children = tasks
            .iter()
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .map(|children| children.split_whitespace().count())
            .sum();
        Self {
            descriptors,
            threads: tasks.len(),
            children,
            names: names(),
        }
    }

    /// How many descriptors are open.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.descriptors.len()
    }

    /// Fails where this process now has more, or other, than at `self`.
    ///
    /// # Panics
    /// With a list of what has leaked.
    #[track_caller]
    pub fn assert_unchanged(&self) {
        let leaks = self.leaks_until_now();
        assert!(leaks.is_empty(), "leaked: {}", leaks.join(", "));
    }

    /// What this process now has more, or other, than at `self`, in words.
    #[must_use]
    pub fn leaks_until_now(&self) -> Vec<String> {
        // The kernel lists a thread for a moment after it was joined: joining waits for the end
        // of its program, not of its task.
        let patience = Instant::now() + PATIENCE;
        let mut now = Self::take();
        while now.threads > self.threads && Instant::now() < patience {
            std::thread::yield_now();
            now = Self::take();
        }
        self.leaks(&now)
    }

    fn leaks(&self, now: &Self) -> Vec<String> {
        let mut leaks = Vec::new();
        for (number, target) in &now.descriptors {
            if self.descriptors.get(number) != Some(target) {
                leaks.push(format!("descriptor {number} -> {target}"));
            }
        }
        for (number, target) in &self.descriptors {
            if !now.descriptors.contains_key(number) {
                leaks.push(format!(
                    "descriptor {number} -> {target} was closed by somebody else"
                ));
            }
        }
        if now.threads > self.threads {
            leaks.push(format!("{} threads", now.threads - self.threads));
        }
        if now.children > self.children {
            leaks.push(format!(
                "{} children not reaped",
                now.children - self.children
            ));
        }
        let names = now.names.difference(&self.names);
        leaks.extend(names.map(|name| format!("the name {name}")));
        leaks
    }
}

/// Names of kernel objects that bear the number of this process, as the names of tests do, and
/// System V segments that it has made and queues that it has used last: other tests that run
/// meanwhile have theirs.
fn names() -> BTreeSet<String> {
    let process = std::process::id().to_string();
    let run = std::env::var_os("XDG_RUNTIME_DIR").map(|run| PathBuf::from(run).join("ipc"));
    let directories = ["/dev/shm", "/dev/mqueue", "/run/ipc"].map(PathBuf::from);
    let listed = directories
        .into_iter()
        .chain(run)
        .filter_map(|directory| fs::read_dir(directory).ok());
    let mut names: BTreeSet<String> = listed
        .flatten()
        .flatten()
        .filter(|entry| first_number(&entry.file_name().to_string_lossy()) == Some(&process))
        .map(|entry| entry.path().display().to_string())
        .collect();
    // Columns of /proc/sysvipc/shm: key shmid perms size cpid …; of msg: key msqid perms cbytes
    // qnum lspid lrpid …, which says who used a queue, not who made it.
    for (table, what, makers) in [("shm", "segment", 4..5), ("msg", "queue", 5..7)] {
        let table = fs::read_to_string(format!("/proc/sysvipc/{table}")).unwrap_or_default();
        for line in table.lines() {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let ours = columns.get(makers.clone());
            if ours.is_some_and(|ours| ours.contains(&process.as_str())) {
                names.insert(format!("System V {what} {}", columns[1]));
            }
        }
    }
    names
}

/// The first number in a name: its maker's, where what follows may count up to any number.
fn first_number(name: &str) -> Option<&str> {
    let mut numbers = name.split(|c: char| !c.is_ascii_digit());
    numbers.find(|digits| !digits.is_empty())
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fds, threads, children) = (self.descriptors.len(), self.threads, self.children);
        write!(
            f,
            "{fds} descriptors, {threads} threads, {children} children"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::first_number;

    #[test]
    fn a_name_is_its_makers_and_not_of_whoever_has_the_number_of_a_count() {
        for (name, maker) in [
            ("ipc test 31776 368", Some("31776")),
            ("sem.ipc-sem-test.12.held", Some("12")),
            ("ipc-testkit-7", Some("7")),
            ("no number", None),
        ] {
            assert_eq!(first_number(name), maker);
        }
    }
}
