//! The machine and the settings that move the figures, as far as they can be read.

use std::{fs, io};

use crate::{placement::Cpus, results::Machine};

/// Where the facts that stand alone in a file are.
const FILES: &[(&str, &str)] = &[
    ("hypervisor", "/sys/hypervisor/type"),
    ("machine model", "/sys/class/dmi/id/product_name"),
    ("kernel", "/proc/sys/kernel/osrelease"),
    ("kernel build", "/proc/sys/kernel/version"),
    ("kernel command line", "/proc/cmdline"),
    (
        "governor",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    ),
    (
        "idle driver",
        "/sys/devices/system/cpu/cpuidle/current_driver",
    ),
    (
        "idle governor",
        "/sys/devices/system/cpu/cpuidle/current_governor",
    ),
    (
        "idle polling (ns)",
        "/sys/module/haltpoll/parameters/guest_halt_poll_ns",
    ),
    ("hyper-threading", "/sys/devices/system/cpu/smt/control"),
    (
        "clock source",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    ),
    (
        "transparent huge pages",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ),
    (
        "huge pages in shared memory",
        "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
    ),
    ("fs.pipe-max-size", "/proc/sys/fs/pipe-max-size"),
    (
        "fs.pipe-user-pages-soft",
        "/proc/sys/fs/pipe-user-pages-soft",
    ),
    ("fs.mqueue.msg_max", "/proc/sys/fs/mqueue/msg_max"),
    ("fs.mqueue.msgsize_max", "/proc/sys/fs/mqueue/msgsize_max"),
    ("fs.mqueue.queues_max", "/proc/sys/fs/mqueue/queues_max"),
    ("kernel.msgmax", "/proc/sys/kernel/msgmax"),
    ("kernel.msgmnb", "/proc/sys/kernel/msgmnb"),
    ("kernel.msgmni", "/proc/sys/kernel/msgmni"),
    ("kernel.sem", "/proc/sys/kernel/sem"),
    ("kernel.shmmax", "/proc/sys/kernel/shmmax"),
    ("net.core.wmem_default", "/proc/sys/net/core/wmem_default"),
    ("net.core.rmem_default", "/proc/sys/net/core/rmem_default"),
    (
        "net.unix.max_dgram_qlen",
        "/proc/sys/net/unix/max_dgram_qlen",
    ),
    (
        "kernel.yama.ptrace_scope",
        "/proc/sys/kernel/yama/ptrace_scope",
    ),
    ("load average at start", "/proc/loadavg"),
];

/// Reads what there is to read.
pub fn read(cpus: &Cpus) -> Machine {
    let mut facts = vec![
        fact("CPU", line_of("/proc/cpuinfo", "model name")),
        fact(
            "CPUs",
            Ok(format!("{} usable: {:?}", cpus.allowed.len(), cpus.allowed)),
        ),
        fact("hypervisor flag", hypervisor_flag()),
        fact("memory", line_of("/proc/meminfo", "MemTotal")),
        fact("shared memory in use", line_of("/proc/meminfo", "Shmem")),
        fact("/dev/shm", shm_size()),
    ];
    facts.extend(FILES.iter().map(|(name, path)| fact(name, whole(path))));
    facts.push(fact("mitigations", mitigations()));
    facts.push(fact("instructions", Ok(instructions())));
    facts.push(fact(
        "pinning",
        Ok(match cpus.pair {
            (first, Some(second)) => {
                format!("one core: CPU {first}; two cores: CPUs {first} and {second}")
            }
            (only, None) => format!("CPU {only} only"),
        }),
    ));
    Machine {
        facts,
        cpus: cpus.allowed.clone(),
    }
}

fn fact(name: &str, value: io::Result<String>) -> (String, String) {
    (
        name.to_owned(),
        value.unwrap_or_else(|error| format!("not readable: {error}")),
    )
}

fn whole(path: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The value of the first `key : value` line.
fn line_of(path: &str, key: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim().to_owned())
        .ok_or_else(|| io::Error::other(format!("{path} has no `{key}`")))
}

fn hypervisor_flag() -> io::Result<String> {
    let flags = line_of("/proc/cpuinfo", "flags")?;
    let virtual_machine = flags.split_whitespace().any(|flag| flag == "hypervisor");
    Ok(if virtual_machine {
        "virtual machine"
    } else {
        "bare metal, or hidden"
    }
    .to_owned())
}

fn shm_size() -> io::Result<String> {
    let stat = rustix::fs::statvfs("/dev/shm")?;
    Ok(format!(
        "{} MiB",
        stat.f_blocks.saturating_mul(stat.f_frsize) >> 20
    ))
}

/// A run never counts instructions by itself: many guests have no counters, and a gate on what
/// only some hosts can count would be none. It says what there is.
fn instructions() -> String {
    let counters = ["cpu", "cpu_core", "armv8_pmuv3_0"]
        .map(|unit| fs::exists(format!("/sys/bus/event_source/devices/{unit}")).unwrap_or(false));
    let valgrind = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join("valgrind").is_file())
    });
    let counters = if counters.contains(&true) {
        "hardware counters are here, but not read by a run"
    } else {
        "absent: no hardware counters here"
    };
    let callgrind = if valgrind {
        "count them with callgrind (installed)"
    } else {
        "count them with callgrind (not installed)"
    };
    format!("{counters}; {callgrind}")
}

fn mitigations() -> io::Result<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/sys/devices/system/cpu/vulnerabilities")? {
        let path = entry?.path();
        let state = fs::read_to_string(&path)?;
        if let (Some(name), Some(state)) = (
            path.file_name().and_then(|name| name.to_str()),
            state.trim().strip_prefix("Mitigation: "),
        ) {
            all.push(format!("{name}: {state}"));
        }
    }
    all.sort();
    Ok(if all.is_empty() {
        "none active".to_owned()
    } else {
        all.join("; ")
    })
}
