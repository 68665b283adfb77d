//! Says what runs: a bar on a terminal, plain lines elsewhere.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::printed::complain;

/// The progress of a run, on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    family: String,
    done: usize,
    total: usize,
}

impl Progress {
    /// Nothing done of `total` groups.
    pub fn new(total: usize) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            let template = "{bar:30} {pos}/{len} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Progress {
            bar,
            family: String::new(),
            done: 0,
            total,
        }
    }

    /// The group of that name begins, with so much time left for the run.
    pub fn begin(&mut self, name: &str, left: Duration) {
        let family = name.split('/').next().unwrap_or(name);
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done as u64);
                bar.set_message(format!("{name}  (at most {} s)", left.as_secs() + 1));
            }
            None if family != self.family => {
                complain(format_args!(
                    "[{:>3}/{}] {family}",
                    self.done + 1,
                    self.total
                ));
            }
            None => {}
        }
        self.family = family.to_owned();
        self.done += 1;
    }

    /// All is done.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
