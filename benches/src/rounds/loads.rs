//! Loads that are a share of what saturates: the closed loop of the same run says what that is.

use std::time::Duration;

use super::{Bench, Seat};
use crate::{
    lane::{Lane, Pattern},
    pair::Trouble,
    results::MakerKind,
    scenario::Share,
    statistics::median,
};

/// Calls of the first slice that looks for the rate.
const FIRST: u32 = 64;
/// The slices of which the middle one counts. Each takes half as long as a slice of the load.
const SLICES: usize = 5;
/// Calls of a slice of a load at least, of which some are slow; fewer where that takes longer than
/// any slice should, and never less than a handful.
const LEAST: u64 = 64;
const LONGEST: Duration = Duration::from_millis(100);
const HANDFUL: u64 = 4;

impl Bench<'_> {
    /// Finds the rate that saturates each lane, by its closed loop, and from that how long a load
    /// waits from one call to the next. Later pairs of a lane keep what the first has found.
    pub(super) fn calibrate_loads(
        &mut self,
        seats: &[Seat],
        slice: Duration,
        share: Share,
    ) -> Result<(), (usize, Trouble)> {
        for seat in seats {
            if self.lanes[seat.lane].saturation.is_none() {
                let rate = self
                    .saturation(seat, slice / 2)
                    .map_err(|why| (seat.lane, why))?;
                self.lanes[seat.lane].saturation = Some(rate);
            }
        }
        let ours = of_ours(self.lanes);
        for seat in seats {
            let lane = &mut self.lanes[seat.lane];
            let base = if share.of_ours { ours } else { lane.saturation };
            let Some(base) = base else {
                let why = "ours has not been saturated".to_owned();
                return Err((seat.lane, Trouble::Broken(why)));
            };
            let every_ns = (1e9 / (base * share.share)).max(1.0) as u64;
            let within = |time: Duration| time.as_nanos() as u64 / every_ns;
            let least = within(LONGEST).clamp(HANDFUL, LEAST);
            lane.pattern = Some(Pattern {
                messages: within(slice).clamp(least, 1 << 20) as u32,
                group: 1,
                every_ns,
            });
        }
        Ok(())
    }

    /// Calls a second, as fast as they are answered.
    fn saturation(&self, seat: &Seat, long_enough: Duration) -> Result<f64, Trouble> {
        let mut messages = FIRST;
        if self.group.shape.size > super::LARGE {
            messages /= 8;
        }
        let mut rates = Vec::new();
        while rates.len() < SLICES {
            let pattern = Pattern {
                messages,
                group: 1,
                every_ns: 0,
            };
            let rate = self.slice(seat, usize::MAX, pattern)?.per_second;
            let took = f64::from(messages) / rate;
            if took < long_enough.as_secs_f64() {
                messages = messages.saturating_mul(2);
                continue;
            }
            rates.push(rate);
        }
        Ok(median(&rates))
    }
}

/// The rate that saturates ours: of several of ours, the last, which keeps most under way.
fn of_ours(lanes: &[Lane]) -> Option<f64> {
    let ours = lanes
        .iter()
        .filter(|lane| lane.maker.kind == MakerKind::Ours && lane.failed.is_none());
    ours.filter_map(|lane| lane.saturation).next_back()
}
