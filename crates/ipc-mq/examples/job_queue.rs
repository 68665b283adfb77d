//! Workers that take the most urgent job of a queue, each in a process of its own.

use std::env;
use std::process::Command;
use std::time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const WORKERS: usize = 2;

fn main() -> Outcome {
    match env::args().nth(1) {
        Some(name) => worker(&name),
        None => master(),
    }
}

fn master() -> Outcome {
    let name = format!("/job-queue.{}", std::process::id());
    let mut options = ipc_mq::Options::new();
    let jobs = options
        .max_messages(8)
        .message_size_bytes(64)
        .create(&name)?;
    let work = || -> Outcome {
        for (job, priority) in [("sweep", 0), ("cook", 5), ("put out the fire", 9)] {
            jobs.send_timeout(job.as_bytes(), priority, Duration::from_secs(5))?;
        }
        let program = env::current_exe()?;
        let workers: Result<Vec<_>, _> = (0..WORKERS)
            .map(|_| Command::new(&program).arg(&name).spawn())
            .collect();
        let workers = workers?;
        for _ in &workers {
            jobs.send(b"", 0)?; // behind all others: the end
        }
        for mut worker in workers {
            if !worker.wait()?.success() {
                return Err("a worker failed".into());
            }
        }
        Ok(())
    };
    let outcome = work();
    ipc_mq::unlink(&name)?;
    outcome
}

fn worker(name: &str) -> Outcome {
    let jobs = ipc_mq::open(name)?;
    let mut job = vec![0; jobs.message_size_bytes()];
    loop {
        match jobs.recv_with_priority(&mut job)? {
            (0, _) => return Ok(()),
            (length, priority) => {
                let job = String::from_utf8_lossy(&job[..length]);
                println!(
                    "process {}: {job} (priority {priority})",
                    std::process::id()
                );
            }
        }
    }
}
