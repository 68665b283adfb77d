//! Messages of 1 to 4 producers to 1 to 4 consumers, each a process, beside one pipe for all.

use ipc_ring::{ErrorKind, Options};
use ipc_uds::SeqPacket;
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::time::Instant;

/// Messages of one run, shared by the producers.
const MESSAGES: u64 = 48_000;
const BYTES: usize = 32;
const ROUNDS: usize = 3;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, way, part, share] = arguments.as_slice() {
        return member(way, part, share.parse()?);
    }
    println!("{MESSAGES} messages of {BYTES} bytes: ns a message, median of {ROUNDS} runs in turn");
    println!("producers × consumers    queue     pipe    ratio of the runs: median, least, most");
    for (producers, consumers) in (1..=4).flat_map(|n| (1..=4).map(move |m| (n, m))) {
        let (mut queue, mut pipe, mut ratios) = (vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let of_queue = run("queue", producers, consumers)?;
            let of_pipe = run("pipe", producers, consumers)?;
            queue.push(of_queue);
            pipe.push(of_pipe);
            ratios.push(of_queue / of_pipe);
        }
        for list in [&mut queue, &mut pipe, &mut ratios] {
            list.sort_by(f64::total_cmp);
        }
        let at = ROUNDS / 2;
        println!(
            "{producers} × {consumers}                 {:8.0} {:8.0}    {:.2}, {:.2}, {:.2}",
            queue[at],
            pipe[at],
            ratios[at],
            ratios[0],
            ratios[ROUNDS - 1]
        );
    }
    Ok(())
}

/// One run: nanoseconds a message, from the word to go to the last message's arrival.
fn run(way: &str, producers: u64, consumers: u64) -> Outcome<f64> {
    let queue = Options::new().capacity_messages(1024).queue()?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut members: Vec<(Child, SeqPacket)> = Vec::new();
    for (part, count) in [("consume", consumers), ("produce", producers)] {
        for _ in 0..count {
            let (ours, theirs) = ipc_uds::pair_seqpacket()?;
            let end = if part == "consume" { &read } else { &write };
            members.push((spawn(way, part, MESSAGES / producers, theirs, end)?, ours));
            let (_, socket) = members.last().expect("just pushed");
            match way {
                "queue" => queue.add(socket.try_clone()?)?,
                _ => assert_eq!(socket.recv(&mut [0; 8])?, 2),
            }
        }
    }
    drop((read, write));
    let start = Instant::now();
    for (_, socket) in &members {
        socket.send(b"go")?;
    }
    let mut came = 0;
    for (_, socket) in &members[..consumers as usize] {
        let mut count = [0; 8];
        socket.recv(&mut count)?;
        came += u64::from_le_bytes(count);
    }
    let elapsed = start.elapsed().as_nanos() as f64;
    assert_eq!(came, MESSAGES / producers * producers, "none is lost");
    for (mut child, _) in members {
        assert!(child.wait()?.success());
    }
    Ok(elapsed / came as f64)
}

fn spawn(way: &str, part: &str, share: u64, socket: SeqPacket, end: &OwnedFd) -> Outcome<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args([way, part, &share.to_string()]);
    let socket = socket.as_fd().try_clone_to_owned()?;
    Ok(command.stdin(socket).stderr(end.try_clone()?).spawn()?)
}

fn member(way: &str, part: &str, share: u64) -> Outcome<()> {
    let socket = SeqPacket::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut go = [0; 8];
    let (message, mut buffer) = ([7; BYTES], [0; BYTES]);
    let mut came = 0_u64;
    match (way, part) {
        ("queue", "produce") => {
            let producer = Options::new().produce_over(socket.try_clone()?)?;
            socket.recv(&mut go)?;
            for _ in 0..share {
                producer.send(&message)?;
            }
        }
        ("queue", _) => {
            let consumer = Options::new().consume_over(socket.try_clone()?)?;
            socket.recv(&mut go)?;
            loop {
                match consumer.recv(&mut buffer) {
                    Ok(_) => came += 1,
                    Err(error) if error.kind() == ErrorKind::Closed => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        (_, part) => {
            let end = std::io::stderr().as_fd().try_clone_to_owned()?;
            // Nobody else may keep the writing end open.
            let closed = std::fs::File::open("/dev/null")?;
            rustix::stdio::dup2_stderr(&closed)?;
            socket.send(b"in")?;
            socket.recv(&mut go)?;
            if part == "produce" {
                for _ in 0..share {
                    rustix::io::write(&end, &message)?;
                }
            } else {
                while rustix::io::read(&end, &mut buffer)? == BYTES {
                    came += 1;
                }
            }
        }
    }
    if part == "consume" {
        socket.send(&came.to_le_bytes())?;
    }
    Ok(())
}
