//! A sensor, a controller and an actuator, each a process, with a deadline for every cycle and a
//! report of the cycles that missed it.
//!
//! `uds::pair_seqpacket`: a value is a message, in order, `recv_deadline` waits for it exactly as
//! long as its cycle allows, and the end of a peer shows at once. The deadlines stand on one line
//! (start + cycle × period), so that a late cycle does not push the others. For cycles of a few
//! microseconds take `ring` with `Spin::Always`. Run it:
//! `cargo run -p ipc-facade --example control_loop`. It prints how many cycles were in time, and
//! each that was not; with `--stall` the controller hangs at cycle 20 until it is told that it is
//! late, and the actuator goes to the safe position until commands come in time again.

use ipc_facade::{ErrorKind, uds};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A control loop of three processes that reports missed deadlines.

usage: control_loop [--stall]

  --stall  the controller hangs at cycle 20 until it is told that it is late";

const CYCLES: u32 = 60;
const PERIOD: Duration = Duration::from_millis(10);
/// How much later than the first one, in its own cycle, a command may come.
const ALLOWED: Duration = Duration::from_millis(8);
/// What the level is to become, and the valve's position when nobody commands it.
const WANTED: i32 = 500;
const SAFE: i32 = 0;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => start("steady"),
        ["--stall"] => start("stalls"),
        ["sensor"] => sense(),
        ["controller", fate] => control(fate == "stalls"),
        ["actuator"] => actuate(),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// A number of a cycle, and what was measured or commanded in it.
#[derive(Clone, Copy)]
struct Sample {
    cycle: u32,
    value: i32,
}

impl Sample {
    fn send(self, to: &uds::SeqPacket) -> ipc_facade::Result<()> {
        to.send(&self.to_bytes())
    }

    fn try_send(self, to: &uds::SeqPacket) -> ipc_facade::Result<()> {
        to.try_send(&self.to_bytes())
    }

    fn to_bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.cycle.to_le_bytes();
        let [e, f, g, h] = self.value.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// The next one, or none at the end.
    fn recv(from: &uds::SeqPacket, deadline: Option<Instant>) -> ipc_facade::Result<Option<Self>> {
        let mut bytes = [0; 8];
        let received = match deadline {
            Some(deadline) => from.recv_deadline(&mut bytes, deadline),
            None => from.recv(&mut bytes),
        };
        match received {
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(None),
            other => other?,
        };
        let [a, b, c, d, e, f, g, h] = bytes;
        Ok(Some(Self {
            cycle: u32::from_le_bytes([a, b, c, d]),
            value: i32::from_le_bytes([e, f, g, h]),
        }))
    }
}

/// Starts the three, joined in a row: a part's input is its standard input, and its output, a
/// socket too, its standard error, so that all can print.
fn start(fate: &str) -> Outcome {
    let (sensor_out, controller_in) = uds::pair_seqpacket()?;
    let (controller_out, actuator_in) = uds::pair_seqpacket()?;
    let part = |words: &[&str], input: Stdio, output: Stdio| -> Outcome<Child> {
        let mut command = Command::new(env::current_exe()?);
        Ok(command.args(words).stdin(input).stderr(output).spawn()?)
    };
    let stdio = |socket| Stdio::from(OwnedFd::from(socket));
    let parts = [
        part(&["actuator"], stdio(actuator_in), Stdio::inherit()),
        part(
            &["controller", fate],
            stdio(controller_in),
            stdio(controller_out),
        ),
        part(&["sensor"], Stdio::null(), stdio(sensor_out)),
    ];
    for part in parts {
        if !part?.wait()?.success() {
            return Err("a part failed".into());
        }
    }
    Ok(())
}

fn sense() -> Outcome {
    let controller = uds::SeqPacket::from(io::stderr().as_fd().try_clone_to_owned()?);
    let begin = Instant::now();
    for cycle in 0..CYCLES {
        let due = begin + cycle * PERIOD;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let value = 480 + (cycle as i32 * 7) % 41; // what a level might be
        Sample { cycle, value }.send(&controller)?;
    }
    Ok(())
}

fn control(stalls: bool) -> Outcome {
    let sensor = uds::SeqPacket::from(io::stdin().as_fd().try_clone_to_owned()?);
    let actuator = uds::SeqPacket::from(io::stderr().as_fd().try_clone_to_owned()?);
    while let Some(Sample { cycle, value }) = Sample::recv(&sensor, None)? {
        if stalls && cycle == 20 {
            // As if it hung: until it is told that it is late.
            while Sample::recv(&actuator, None)?.is_some_and(|late| late.cycle < cycle) {}
        }
        let value = (WANTED - value) / 2;
        Sample { cycle, value }.send(&actuator)?;
    }
    // The end is said in one direction, and what was said meanwhile is heard: a socket that is
    // closed with something unheard cuts off what it had sent.
    actuator.close_write()?;
    while Sample::recv(&actuator, None)?.is_some() {}
    Ok(())
}

fn actuate() -> Outcome {
    let controller = uds::SeqPacket::from(io::stdin().as_fd().try_clone_to_owned()?);
    let gone = |cycle| format!("the controller is gone at cycle {cycle}");
    // The first command is waited for; from then on the clock says what is late.
    let mut command = Sample::recv(&controller, None)?.ok_or_else(|| gone(0))?;
    let begin = Instant::now();
    let (mut valve, mut in_time, mut missed) = (SAFE, 0, 0);
    for cycle in 0..CYCLES {
        let due = begin + cycle * PERIOD + ALLOWED;
        while command.cycle < cycle {
            match Sample::recv(&controller, Some(due)) {
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                other => command = other?.ok_or_else(|| gone(cycle))?,
            }
        }
        if command.cycle == cycle {
            valve = command.value;
            in_time += 1;
        } else {
            valve = SAFE;
            missed += 1;
            println!("cycle {cycle} missed its deadline: valve to {SAFE}");
            // The controller is told too, if it has room for that: it may well hang.
            let _ = Sample { cycle, value: SAFE }.try_send(&controller);
        }
    }
    println!("{CYCLES} cycles: {in_time} in time, {missed} missed; valve at {valve}");
    // What comes now is too late, but whoever sends it shall not fail.
    while Sample::recv(&controller, None)?.is_some() {}
    Ok(())
}
