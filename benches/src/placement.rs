//! Which CPUs a run may use, who runs where, and the processes that keep CPUs awake.

use std::{
    hint, io,
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{Pid, Signal, getppid, set_parent_process_death_signal},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::{results::Placement, sys};

/// The hidden subcommand of a process that only keeps its CPU awake.
pub const SPINNER: &str = "spinner";

/// The CPUs of a run.
#[derive(Clone, Debug)]
pub struct Cpus {
    /// All that this process may use.
    pub allowed: Vec<usize>,
    /// Where the pair runs: two CPUs, or one where there is no second.
    pub pair: (usize, Option<usize>),
}

impl Cpus {
    /// Picks the last two CPUs: the first ones of a machine take more interrupts.
    pub fn pick() -> io::Result<Cpus> {
        let set = sched_getaffinity(None)?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .collect();
        match allowed.as_slice() {
            [] => Err(io::Error::other("this process may run on no CPU")),
            &[only] => Ok(Cpus {
                allowed,
                pair: (only, None),
            }),
            &[.., first, second] => Ok(Cpus {
                allowed,
                pair: (first, Some(second)),
            }),
        }
    }

    /// The CPUs of client and server, or why there are not enough.
    pub fn of(&self, placement: Placement) -> Result<(usize, usize), String> {
        match (placement, self.pair) {
            (Placement::SameCore, (first, _)) => Ok((first, first)),
            (_, (first, Some(second))) => Ok((first, second)),
            (_, (_, None)) => Err("this process may use one CPU only".to_owned()),
        }
    }

    /// Keeps the orchestrator away from the pair where there are CPUs to spare.
    pub fn step_aside(&self) -> io::Result<()> {
        let mut rest = CpuSet::new();
        let (first, second) = self.pair;
        for &cpu in self
            .allowed
            .iter()
            .filter(|&&cpu| cpu != first && Some(cpu) != second)
        {
            rest.set(cpu);
        }
        if rest.count() > 0 {
            sched_setaffinity(None, &rest)?;
        }
        Ok(())
    }
}

/// Binds this process to one CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// Lets this process run on any of these CPUs; where it was before if there are none.
pub fn allow(cpus: &[usize]) -> io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

/// Has the kernel kill this process when its parent dies.
pub fn die_with_parent(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the call: then nobody would ever send that signal.
    if getppid()
        .map(Pid::as_raw_nonzero)
        .map(|pid| pid.get() as u32)
        != Some(parent)
    {
        return Err(io::Error::other("who started this process is gone"));
    }
    Ok(())
}

/// Processes of the lowest class that keep two CPUs awake, until dropped.
#[derive(Debug)]
pub struct Spinners(Vec<Child>);

impl Spinners {
    /// Starts one on each CPU where the placement wants it.
    pub fn start(placement: Placement, cpus: (usize, usize)) -> io::Result<Spinners> {
        let mut spinners = Spinners(Vec::new());
        if placement == Placement::OtherAwake {
            for cpu in [cpus.0, cpus.1] {
                let child = Command::new(std::env::current_exe()?)
                    .args([SPINNER, &cpu.to_string(), &std::process::id().to_string()])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .spawn()?;
                spinners.0.push(child);
            }
        }
        Ok(spinners)
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // An error means that it has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a spinner process does, for ever.
pub fn spin(cpu: usize, orchestrator: u32) -> io::Result<()> {
    die_with_parent(orchestrator)?;
    sys::become_idle_class()?;
    pin(cpu)?;
    loop {
        hint::spin_loop();
    }
}
