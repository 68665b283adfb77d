//! The timed loops of both sides: what happens within one slice.

mod fan_in;
mod one_thread;
mod wakes;

use std::{hint, io, time::Instant};

use crate::{
    burn::{self, Burner},
    calls::{Batch, Flow},
    cost,
    family::Endpoint,
    payload,
    protocol::{SliceOrder, SliceReport},
    scenario::{Scenario, Shape, Side},
    stage::Stage,
};

/// Messages before the timed ones of a slice; their payload is compared byte by byte.
const WARM_SMALL: u32 = 4;
/// The same for messages above [`LARGE`], where comparing takes long.
const WARM_LARGE: u32 = 1;
const LARGE: usize = 64 << 10;

/// What a slice is measured on.
pub enum Ends<'a> {
    /// One end; the other process has the other.
    One(&'a mut dyn Endpoint),
    /// Both, in this thread: the client's and the server's.
    Both(&'a mut dyn Endpoint, &'a mut dyn Endpoint),
}

/// What is measured in a slice.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Size and scenario.
    pub shape: Shape,
    /// What is received is what was sent.
    pub verifies: bool,
    /// A message is the argument of a call.
    pub calls: bool,
    /// How many messages may be under way.
    pub window: u32,
    /// The two workers have a CPU each.
    pub two_cpus: bool,
    /// Which sender of a fan-in this process is; 0 is the client.
    pub sender: usize,
    /// The order.
    pub slice: SliceOrder,
}

/// What a worker keeps between slices, so that a slice allocates nothing while it is timed.
#[derive(Debug)]
pub struct Rig {
    stage: Stage,
    burner: Burner,
    out: Vec<u8>,
    back: Vec<u8>,
    laps: Vec<u64>,
    sequence: u64,
}

impl Rig {
    /// A rig on that stage.
    pub fn new(stage: Stage, burner: Burner) -> Rig {
        let (out, back, laps) = (Vec::new(), Vec::new(), Vec::new());
        Rig {
            stage,
            burner,
            out,
            back,
            laps,
            sequence: 0,
        }
    }

    /// Makes room for messages of `size` bytes, all pages present.
    pub fn prepare(&mut self, size: usize) {
        self.out = vec![1; size];
        self.back = vec![2; size];
    }

    /// Runs one slice: probe, warm-up, timed part, probe.
    pub fn run(&mut self, side: Side, ends: Ends<'_>, case: &Case) -> io::Result<SliceReport> {
        // Both sides count alike, so each knows what the other will have stamped.
        self.sequence = 0;
        self.laps.clear();
        self.laps.reserve(case.slice.messages as usize);
        match (ends, side) {
            (Ends::Both(client, server), _) => self.single_thread(client, server, case),
            (Ends::One(end), Side::Client) if case.sender > 0 => self.other_sender(end, case),
            (Ends::One(end), Side::Client) => self.client(end, case),
            (Ends::One(end), Side::Server) => self.server(end, case),
        }
    }

    fn client(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<SliceReport> {
        let mut report = SliceReport::default();
        self.stage.forget_received();
        self.stage.barrier()?;
        report.probes.0 = self.probe(case)?;
        let scenario = case.shape.scenario;
        report.verified = match scenario {
            Scenario::FanIn => self.warm_senders(end, case)?,
            _ => self.warm_client(end, case)?,
        };
        self.stage.barrier()?;

        let before = cost::begin(case.slice.counted)?;
        let start = Instant::now();
        match scenario {
            Scenario::FanIn => self.first_share(end, case)?,
            _ if self.bulk(end, case)? => {}
            Scenario::OneWay => self.stream(end, case)?,
            Scenario::Wake => self.wake(end, case)?,
            Scenario::OpenLoop => self.load(end, case)?,
            _ if scenario.polls() => self.spin_round_trips(end, case)?,
            _ => self.round_trips(end, case)?,
        }
        if scenario.is_rate() {
            cost::mark_end(case.slice.counted);
            self.stage.wait_received(case.slice.messages)?;
            self.laps.push(start.elapsed().as_nanos() as u64);
        }
        // The pauses of a wake are the harness's own: it has no rate.
        if scenario != Scenario::Wake {
            report.elapsed_ns = start.elapsed().as_nanos() as u64;
        }
        report.usage = cost::end(before, case.slice.counted)?;
        report.usage.add(end.cost_elsewhere());

        self.stage.barrier()?;
        report.probes.1 = self.probe(case)?;
        if scenario == Scenario::FanIn {
            self.stage.cue()?;
        }
        if scenario.is_rate() {
            self.summarise(case.slice.messages, &mut report);
        } else if case.calls || !scenario.is_timed_by_server() {
            self.summarise(case.slice.group, &mut report);
        }
        Ok(report)
    }

    fn server(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<SliceReport> {
        let mut report = SliceReport::default();
        self.stage.barrier()?;
        report.probes.0 = self.probe(case)?;
        let scenario = case.shape.scenario;
        report.verified = match scenario {
            Scenario::FanIn => self.warm_receiver(end, case)?,
            _ => self.warm_server(end, case)?,
        };
        self.stage.barrier()?;

        let before = cost::begin(case.slice.counted)?;
        match scenario {
            _ if end.serve(Flow::of(scenario), case.slice.messages)? => {
                cost::mark_end(case.slice.counted);
                self.stage.acknowledge(case.slice.messages)?;
            }
            Scenario::OneWay => self.drain(end, case)?,
            Scenario::ServerStream => self.stream(end, case)?,
            Scenario::FanIn => self.gather(end, case)?,
            Scenario::Wake => self.woken(end, case)?,
            Scenario::OpenLoop if !case.calls => self.loaded(end, case)?,
            _ => self.echo(end, case)?,
        }
        if scenario.is_of_calls() {
            self.stage.acknowledge(case.slice.messages)?;
        }
        report.usage = cost::end(before, case.slice.counted)?;
        report.usage.add(end.cost_elsewhere());

        self.stage.barrier()?;
        report.probes.1 = self.probe(case)?;
        if scenario.is_timed_by_server() && !case.calls {
            self.summarise(1, &mut report);
        }
        Ok(report)
    }

    fn probe(&mut self, case: &Case) -> io::Result<f64> {
        if case.slice.counted {
            Ok(0.0)
        } else if case.two_cpus {
            self.stage.line_probe()
        } else {
            Ok(Stage::call_probe())
        }
    }

    /// The first messages of a slice, compared byte by byte on both sides.
    fn warm_client(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<bool> {
        for _ in 0..warm_messages(case) {
            self.sequence += 1;
            if case.verifies {
                payload::fill(&mut self.out, self.sequence);
            }
            send(end, &self.out, case)?;
            recv(end, &mut self.back, case)?;
            if case.verifies {
                payload::compare(&self.back, self.sequence)?;
            }
        }
        Ok(case.verifies)
    }

    fn warm_server(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<bool> {
        if end.serve(Flow::Calls, warm_messages(case))? {
            return Ok(case.verifies);
        }
        for _ in 0..warm_messages(case) {
            self.sequence += 1;
            recv(end, &mut self.back, case)?;
            if case.verifies {
                payload::compare(&self.back, self.sequence)?;
            }
            send(end, &self.back, case)?;
        }
        Ok(case.verifies)
    }

    /// What clients of calls do besides one call after the other; false where that is asked for.
    fn bulk(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<bool> {
        let scenario = case.shape.scenario;
        let Some(calls) = end.calls() else {
            return Ok(false);
        };
        let batch = Batch {
            message: &self.out,
            first: self.sequence + 1,
            messages: case.slice.messages,
        };
        match scenario {
            Scenario::OneWay => calls.stream(&batch)?,
            Scenario::ServerStream => calls.receive_stream(&batch)?,
            Scenario::BothStreams => calls.both_streams(&batch)?,
            _ if scenario.share().is_some() => match case.slice.every_ns {
                0 => calls.saturate(&batch)?,
                every_ns => calls.at_rate(&batch, every_ns, &mut self.laps)?,
            },
            Scenario::OpenLoop => {
                let every_ns = wakes::call_interval_ns(case.shape.size);
                calls.at_rate(&batch, every_ns, &mut self.laps)?;
            }
            _ if scenario.under_way() > 1 => calls.keep_under_way(&batch, scenario.under_way())?,
            _ => return calls.one_after_another(&batch, &mut self.laps),
        }
        Ok(true)
    }

    fn round_trips(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let steps = self.burner.steps(case.slice.planted_ns);
        let mut last = Instant::now();
        for number in 1..=case.slice.messages {
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            end.send(&self.out)?;
            end.recv(&mut self.back)?;
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            burn::burn(steps);
            if number % case.slice.group == 0 {
                last = lap(&mut self.laps, last);
            }
        }
        Ok(())
    }

    fn spin_round_trips(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let mut last = Instant::now();
        for number in 1..=case.slice.messages {
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            send(end, &self.out, case)?;
            recv(end, &mut self.back, case)?;
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            if number % case.slice.group == 0 {
                last = lap(&mut self.laps, last);
            }
        }
        Ok(())
    }

    fn echo(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        for _ in 0..case.slice.messages {
            self.sequence += 1;
            recv(end, &mut self.back, case)?;
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            send(end, &self.back, case)?;
        }
        Ok(())
    }

    fn stream(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let steps = self.burner.steps(case.slice.planted_ns);
        for number in 0..case.slice.messages {
            if number > 0 && number.is_multiple_of(case.window) {
                self.stage.wait_received(number)?;
            }
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            end.send(&self.out)?;
            burn::burn(steps);
        }
        end.flush()
    }

    fn drain(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        // On one CPU the sender's own slowdown is the stream's; on two the slower side counts.
        let planted_ns = if case.two_cpus {
            case.slice.planted_ns
        } else {
            0.0
        };
        let steps = self.burner.steps(planted_ns);
        for number in 1..=case.slice.messages {
            self.sequence += 1;
            end.recv(&mut self.back)?;
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            burn::burn(steps);
            if number.is_multiple_of(case.window) {
                self.stage.acknowledge(number)?;
            }
        }
        cost::mark_end(case.slice.counted);
        self.stage.acknowledge(case.slice.messages)
    }

    /// Turns the laps, each of `group` operations, into times per operation.
    fn summarise(&mut self, group: u32, report: &mut SliceReport) {
        self.laps.sort_unstable();
        let per_operation = |lap: u64| lap as f64 / f64::from(group.max(1));
        if let Some(&middle) = self.laps.get(self.laps.len() / 2) {
            report.typical_ns = per_operation(middle);
        }
        for &lap in &self.laps {
            let tenths = three_digits((per_operation(lap) * 10.0).round() as u64);
            match report.times.last_mut() {
                Some((value, count)) if *value == tenths => *count += 1,
                _ => report.times.push((tenths, 1)),
            }
        }
    }
}

fn warm_messages(case: &Case) -> u32 {
    if case.shape.size > LARGE {
        WARM_LARGE
    } else {
        WARM_SMALL
    }
}

fn send(end: &mut dyn Endpoint, message: &[u8], case: &Case) -> io::Result<()> {
    if !case.shape.scenario.polls() {
        end.send(message)?;
        return end.flush();
    }
    while !end.try_send(message)? {
        hint::spin_loop();
    }
    Ok(())
}

fn recv(end: &mut dyn Endpoint, into: &mut [u8], case: &Case) -> io::Result<()> {
    if !case.shape.scenario.polls() {
        return end.recv(into);
    }
    while !end.try_recv(into)? {
        hint::spin_loop();
    }
    Ok(())
}

fn lap(laps: &mut Vec<u64>, last: Instant) -> Instant {
    let now = Instant::now();
    laps.push((now - last).as_nanos() as u64);
    now
}

/// Keeps the first three digits: what a histogram of that precision would keep.
fn three_digits(value: u64) -> u64 {
    let mut unit = 1;
    while value / unit >= 1000 {
        unit *= 10;
    }
    value / unit * unit
}
