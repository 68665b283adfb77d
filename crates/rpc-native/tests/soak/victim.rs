//! Somebody's calls while a server is attacked, and what the attack makes of their times.

use ipc_testkit::crash::Tally;
use rpc_core::Context;
use rpc_native::{Connection, Options};
use rpc_testkit::calculator::CalculatorClient;
use std::time::{Duration, Instant};

/// After so many calls over a connection that stands, the caller comes in once more.
const CALLS_A_CONNECTION: usize = 50;
/// What an attack may make of the 99th percentile.
const WORSE: f64 = 2.0;
/// Over how long one percentile is taken.
const SLICE: Duration = Duration::from_secs(1);

/// Times of calls over a connection that stands, and over new ones, in a slice of time.
#[derive(Default)]
struct Slice {
    calls: Vec<Duration>,
    ways_in: Vec<Duration>,
}

/// What one caller has measured, slice by slice.
#[derive(Default)]
pub(crate) struct Times(Vec<Slice>);

impl Times {
    /// Calls one after the other until it is told to stop; each failure is the tally's.
    pub(crate) async fn take(
        &mut self,
        (options, endpoint): (&Options, &str),
        connection: &Connection,
        tally: &mut Tally,
        more: impl Fn() -> bool,
    ) {
        let mut since = Instant::now();
        let mut slice = Slice::default();
        while more() {
            for _ in 0..CALLS_A_CONNECTION {
                let begun = Instant::now();
                tally.trial(sum(connection).await);
                slice.calls.push(begun.elapsed());
            }
            let begun = Instant::now();
            tally.trial(match options.connect(endpoint).await {
                Ok(new) => sum(&new).await,
                Err(status) => Err(format!("no way in: {status}")),
            });
            slice.ways_in.push(begun.elapsed());
            if since.elapsed() > SLICE {
                self.0.push(std::mem::take(&mut slice));
                since = Instant::now();
            }
        }
        // Too short a rest has no percentiles of its own.
        match self.0.last_mut() {
            Some(last) if since.elapsed() < SLICE / 2 => {
                last.calls.append(&mut slice.calls);
                last.ways_in.append(&mut slice.ways_in);
            }
            _ => self.0.push(slice),
        }
    }
}

async fn sum(connection: &Connection) -> Result<(), String> {
    let calculator = CalculatorClient::new(connection.clone());
    match calculator.add(&Context::new(), 2, 3).await {
        Ok(5) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn percentile(times: &[Duration], share: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(at).copied().unwrap_or_default().as_secs_f64()
}

/// Times without and under attack, taken in turns.
#[derive(Default)]
pub(crate) struct Compared {
    rounds: Vec<(Times, Times)>,
}

impl Compared {
    pub(crate) fn push(&mut self, calm: Times, stormy: Times) {
        self.rounds.push((calm, stormy));
    }

    /// The ratio of the 99th percentiles, of which `judged` may not come to twice: of calls the
    /// median of all slices, at the upper end of its interval; of ways in, of which a slice has too
    /// few, that of all together.
    pub(crate) fn enter(&self, tally: &mut Tally, judged: &[&str]) -> String {
        type Part = fn(&Slice) -> &[Duration];
        let parts: [(&str, Part); 2] = [
            ("calls", |slice| &slice.calls),
            ("ways in", |slice| &slice.ways_in),
        ];
        let words = parts.map(|(what, part)| {
            let (mut calm, mut stormy, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for (quiet, attacked) in &self.rounds {
                for (quiet, attacked) in quiet.0.iter().zip(&attacked.0) {
                    let p99 = |slice| percentile(part(slice), 0.99);
                    ratios.push(p99(attacked) / p99(quiet));
                }
                quiet.0.iter().for_each(|slice| calm.extend(part(slice)));
                let attacked = attacked.0.iter();
                attacked.for_each(|slice| stormy.extend(part(slice)));
            }
            let (low, median, high) = median(&mut ratios);
            let interval = match (low, high) {
                (Some(low), Some(high)) => format!("[{low:.2}, {high:.2}]"),
                _ => "[too few]".into(),
            };
            let whole = percentile(&stormy, 0.99) / percentile(&calm, 0.99);
            let worst = match what {
                "calls" => high.unwrap_or(f64::INFINITY),
                _ => whole,
            };
            if judged.contains(&what) && worst >= WORSE {
                tally.fail(format!("{what}: p99 {worst:.2} x"));
            }
            let micros = |times: &[Duration]| 1e6 * percentile(times, 0.99);
            let (calm, stormy) = (micros(&calm), micros(&stormy));
            format!(
                "{what} p99 {median:.2} x {interval} of {} slices; all {calm:.0} us, attacked \
                 {stormy:.0} us, {whole:.2} x",
                ratios.len()
            )
        });
        words.join("; ")
    }
}

/// The median, and its interval at 95 %, which fewer than six do not have.
fn median(values: &mut [f64]) -> (Option<f64>, f64, Option<f64>) {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    // Ranks of a binomial of a half, as a normal.
    let reach = 1.96 * n.sqrt() / 2.0;
    let middle = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    if values.len() < 6 {
        return (None, middle, None);
    }
    let low = (n / 2.0 - reach).floor().max(1.0) as usize - 1;
    let high = ((n / 2.0 + reach).ceil() as usize).min(values.len() - 1);
    (Some(values[low]), middle, Some(values[high]))
}
