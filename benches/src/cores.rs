//! How far apart the CPUs are: the round trip of a cache line between any two that a run may use.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use crate::{placement, results::CorePair, scenario::Side, stage::Stage};

/// More CPUs than this are sampled evenly: the picture stays legible, and the probes short.
const MOST: usize = 48;
/// No more time than this is spent on all pairs.
const PATIENCE: Duration = Duration::from_secs(3);
/// And of a run whose time was named no more than one part of so many.
const SHARE: u32 = 8;
/// A pair is probed so often; the smallest counts, since whatever disturbs only adds.
const REPEATS: usize = 3;

/// The round trips of all pairs, or why there are none; in a run of so much time a part of it.
pub fn probe(allowed: &[usize], time: Option<Duration>) -> Result<Vec<CorePair>, String> {
    if allowed.len() < 3 {
        return Err(format!(
            "a picture of two CPUs at most has nothing to show: this process may use {}",
            allowed.len()
        ));
    }
    let step = allowed.len().div_ceil(MOST);
    let sampled: Vec<usize> = allowed.iter().copied().step_by(step).collect();
    let begun = Instant::now();
    let patience = time.map_or(PATIENCE, |time| PATIENCE.min(time / SHARE));
    let mut pairs = Vec::new();
    for (index, &one) in sampled.iter().enumerate() {
        for &other in &sampled[index + 1..] {
            if begun.elapsed() > patience {
                return Err("the CPUs are too busy to be probed two by two".to_owned());
            }
            let nanoseconds = pair(one, other).map_err(|error| error.to_string())?;
            pairs.push(CorePair {
                cpus: (one, other),
                nanoseconds,
            });
        }
    }
    Ok(pairs)
}

/// The smallest of some round trips between two CPUs, by two threads of this process.
fn pair(one: usize, other: usize) -> io::Result<f64> {
    let page = Stage::create()?;
    let (mut client, mut server) = (
        Stage::open(&page, Side::Client)?,
        Stage::open(&page, Side::Server)?,
    );
    let mut least = f64::INFINITY;
    thread::scope(|scope| {
        let answering = scope.spawn(move || -> io::Result<()> {
            placement::pin(other)?;
            for _ in 0..REPEATS {
                server.line_probe()?;
            }
            Ok(())
        });
        let asking = scope.spawn(move || -> io::Result<f64> {
            placement::pin(one)?;
            for _ in 0..REPEATS {
                least = least.min(client.line_probe()?);
            }
            Ok(least)
        });
        let gone = |_| io::Error::other("a probing thread panicked");
        answering.join().map_err(gone)??;
        asking.join().map_err(gone)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Cpus;

    #[test]
    fn two_cpus_are_apart_by_some_time() {
        let cpus = Cpus::pick().expect("this process runs somewhere");
        let (one, Some(other)) = cpus.pair else {
            ipc_testkit::skip!("needs two CPUs");
        };
        let nanoseconds = pair(one, other).expect("both may be used");
        assert!(nanoseconds > 0.0 && nanoseconds.is_finite());
    }

    #[test]
    fn two_cpus_make_no_picture() {
        assert!(probe(&[0, 1], None).is_err_and(|why| why.contains("two CPUs")));
    }
}
