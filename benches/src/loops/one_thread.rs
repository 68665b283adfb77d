//! The loop of the single-thread form: both ends in one thread, so that nobody has to be woken.

use std::{io, time::Instant};

use super::{Case, Rig, lap, warm_messages};
use crate::{burn, cost, family::Endpoint, payload, protocol::SliceReport, stage::Stage};

impl Rig {
    pub(super) fn single_thread(
        &mut self,
        client: &mut dyn Endpoint,
        server: &mut dyn Endpoint,
        case: &Case,
    ) -> io::Result<SliceReport> {
        let mut report = SliceReport {
            probes: (Stage::call_probe(), 0.0),
            ..SliceReport::default()
        };
        for _ in 0..warm_messages(case) {
            self.sequence += 1;
            if case.verifies {
                payload::fill(&mut self.out, self.sequence);
            }
            client.send(&self.out)?;
            server.recv(&mut self.back)?;
            if case.verifies {
                payload::compare(&self.back, self.sequence)?;
            }
        }
        report.verified = case.verifies;

        let steps = self.burner.steps(case.slice.planted_ns);
        let before = cost::begin(case.slice.counted)?;
        let start = Instant::now();
        let mut last = start;
        for number in 1..=case.slice.messages {
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            client.send(&self.out)?;
            server.recv(&mut self.back)?;
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            burn::burn(steps);
            if number % case.slice.group == 0 {
                last = lap(&mut self.laps, last);
            }
        }
        report.elapsed_ns = start.elapsed().as_nanos() as u64;
        report.usage = cost::end(before, case.slice.counted)?;
        report.probes.1 = Stage::call_probe();
        self.summarise(case.slice.group, &mut report);
        Ok(report)
    }
}
