//! What an experiment found: trials, failures, and how sure that makes us.

use std::fmt;
use std::time::Duration;

/// How many failures are kept in words.
const EXAMPLES: usize = 3;

/// The outcome of one experiment.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Which claim it bears on: `R1`, `R9` …
    pub claim: &'static str,
    /// What was done, to what.
    pub what: String,
    /// Independent trials.
    pub trials: u64,
    /// Trials that broke the claim.
    pub failures: u64,
    /// The first failures in words.
    pub examples: Vec<String>,
    /// Why it could not run here.
    pub skipped: Option<String>,
    note: Option<String>,
    times: Vec<Duration>,
}

impl Tally {
    /// An empty tally for `claim`.
    #[must_use]
    pub fn new(claim: &'static str, what: impl Into<String>) -> Self {
        Self {
            claim,
            what: what.into(),
            ..Self::default()
        }
    }

    /// One trial.
    pub fn trial(&mut self, outcome: Result<(), String>) {
        self.trials += 1;
        if let Err(failure) = outcome {
            self.failures += 1;
            if self.examples.len() < EXAMPLES {
                self.examples
                    .push(format!("trial {}: {failure}", self.trials));
            }
        }
    }

    /// A failure that is no trial's own: a leak, seen at the end.
    pub fn fail(&mut self, failure: String) {
        self.failures += 1;
        self.examples.push(failure);
    }

    /// What the table says besides.
    pub fn note(&mut self, note: impl Into<String>) {
        self.note = Some(note.into());
    }

    /// One time, of which the table shows percentiles.
    pub fn time(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// Notes that the experiment cannot run on this host.
    pub fn skip(&mut self, reason: impl Into<String>) {
        self.skipped = Some(reason.into());
    }

    /// With no failure in n independent trials the failure rate is below 3/n with 95 %
    /// confidence.
    #[must_use]
    pub fn bound(&self) -> Option<f64> {
        (self.failures == 0 && self.trials > 0).then(|| (3.0 / self.trials as f64).min(1.0))
    }

    fn percentile(&self, share: f64) -> Option<Duration> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
        times.get(at).copied()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<4} {:<52} ", self.claim, self.what)?;
        if let Some(reason) = &self.skipped {
            return write!(f, "SKIPPED: {reason}");
        }
        write!(
            f,
            "{:>9} trials {:>4} failures  ",
            self.trials, self.failures
        )?;
        match self.bound() {
            // Four decimals would make nought of what millions of trials show.
            Some(bound) if bound < 1e-6 => write!(f, "rate < {:.0e} %", 100.0 * bound)?,
            Some(bound) => write!(f, "rate < {:.4} %", 100.0 * bound)?,
            None if self.trials == 0 => f.write_str("NOTHING RAN")?,
            None => write!(
                f,
                "rate {:.4} %",
                100.0 * self.failures as f64 / self.trials as f64
            )?,
        }
        if let (Some(p50), Some(p99)) = (self.percentile(0.5), self.percentile(0.99)) {
            let max = self.percentile(1.0).unwrap_or_default();
            write!(f, "  p50 {p50:.0?} p99 {p99:.0?} max {max:.0?}")?;
        }
        if let Some(note) = &self.note {
            write!(f, "  {note}")?;
        }
        for example in &self.examples {
            write!(f, "\n       {example}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_three_over_n_and_only_without_failures() {
        let mut tally = Tally::new("R0", "nothing");
        assert_eq!(tally.bound(), None);
        (0..1000).for_each(|_| tally.trial(Ok(())));
        assert_eq!(tally.bound(), Some(0.003));
        tally.trial(Err("broken".into()));
        assert_eq!(tally.bound(), None);
        assert!(tally.to_string().contains("trial 1001: broken"));
    }
}
