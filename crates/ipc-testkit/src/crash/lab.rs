//! The laboratory's table: which experiments run, how often, and what they found.

use super::Tally;
use crate::printed::{complain, failure, say};
use crate::shared_words;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;

/// How many trials: with each change, by night, by week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// In the tests of each change: seconds.
    Push,
    /// By night, and before a claim is called shown: minutes.
    Nightly,
    /// By week, before a release: hours.
    Weekly,
}

/// One experiment.
pub type Experiment = fn(&mut Lab);

/// What an experiment is given, and gives its tallies to.
#[derive(Debug)]
pub struct Lab {
    /// How many trials are asked for.
    pub tier: Tier,
    random: u64,
    tallies: Vec<Tally>,
    flag: &'static AtomicU64,
}

impl Lab {
    /// The number of trials for the tier.
    #[must_use]
    pub fn count(&self, push: u64, nightly: u64, weekly: u64) -> u64 {
        match self.tier {
            Tier::Push => push,
            Tier::Nightly => nightly,
            Tier::Weekly => weekly,
        }
    }

    /// A number below `bound`, from the seed that the table prints.
    ///
    /// # Panics
    /// For a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // xorshift64*: enough to spread kills, and repeatable.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    /// A word that forked copies share, for the laboratory's own use.
    pub(crate) fn flag(&self) -> &'static AtomicU64 {
        self.flag
    }

    /// Enters a finished tally, and prints its line.
    pub fn enter(&mut self, tally: Tally) {
        say(format_args!("{tally}\n"));
        self.tallies.push(tally);
    }
}

/// The `main` of a test target: runs the experiments whose names contain the words given, prints
/// a line for each tally, and fails where one has failures or where nothing ran.
///
/// Arguments: `--tier push|nightly|weekly` (push), `--seed N` (fixed), words.
#[must_use]
pub fn laboratory(experiments: &[(&str, Experiment)]) -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(complaint) => {
            complain(format_args!("{complaint}"));
            return ExitCode::from(2);
        }
    };
    if options.list {
        experiments
            .iter()
            .for_each(|(name, _)| say(format_args!("{name}: test\n")));
        return ExitCode::SUCCESS;
    }
    say(format_args!(
        "tier {:?}, seed {}\n",
        options.tier, options.seed
    ));
    let mut lab = Lab {
        tier: options.tier,
        random: options.seed.max(1),
        tallies: Vec::new(),
        flag: &shared_words(1)[0],
    };
    for (name, experiment) in experiments {
        let wanted = options.words.is_empty() || options.words.iter().any(|w| name.contains(w));
        if wanted {
            let before = lab.tallies.len();
            experiment(&mut lab);
            assert!(
                lab.tallies.len() > before,
                "experiment {name} entered no tally"
            );
        }
    }
    conclude(&lab.tallies)
}

/// The closing lines are those that test runners print, so that the trials are counted as tests
/// and those that failed are named.
fn conclude(tallies: &[Tally]) -> ExitCode {
    let failed: Vec<&Tally> = tallies
        .iter()
        .filter(|t| t.failures > 0 || (t.trials == 0 && t.skipped.is_none()))
        .collect();
    if !failed.is_empty() {
        say(format_args!("\nfailures:\n"));
    }
    for tally in &failed {
        say(format_args!("    {} {}\n", tally.claim, tally.what));
    }
    let failed = failed.len();
    let skipped = tallies
        .iter()
        .filter(|tally| tally.skipped.is_some())
        .count();
    for tally in tallies {
        if let Some(reason) = &tally.skipped {
            crate::report_skip(&tally.what, reason);
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    say(format_args!(
        "\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered \
         out; finished in 0.00s\n",
        tallies.len() - failed - skipped
    ));
    if let Some(error) = failure() {
        complain(format_args!("error: standard output: {error}"));
        return ExitCode::from(2);
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Options {
    tier: Tier,
    seed: u64,
    words: Vec<String>,
    list: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let seed = 0x1bc_5eed;
        let mut options = Self {
            tier: Tier::Push,
            seed,
            words: Vec::new(),
            list: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--tier" => options.tier = tier(arguments.next())?,
                "--seed" => {
                    let seed = arguments.next().and_then(|seed| seed.parse().ok());
                    options.seed = seed.ok_or("--seed needs a whole number")?;
                }
                "--list" => options.list = true,
                // What test runners pass to every test binary.
                "--nocapture" | "--exact" | "--quiet" | "-q" | "--test-threads=1" => {}
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
                word => options.words.push(word.to_owned()),
            }
        }
        Ok(options)
    }
}

fn tier(name: Option<String>) -> Result<Tier, String> {
    match name.as_deref() {
        Some("push") => Ok(Tier::Push),
        Some("nightly") => Ok(Tier::Nightly),
        Some("weekly") => Ok(Tier::Weekly),
        _ => Err("--tier is push, nightly or weekly".into()),
    }
}
