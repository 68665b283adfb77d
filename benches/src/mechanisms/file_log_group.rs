//! Records appended by thirty-two threads at once, each durable before the next of its thread.

use std::{
    fs::File,
    io::{self, Write},
    sync::{Arc, Barrier, Mutex, PoisonError},
    thread::JoinHandle,
};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::{file_lock::place, file_log::appended, permit::alone},
    meet::Meet,
    scenario::{Shape, Side},
};

const WRITERS: usize = 32;
/// How many records each of them appends, one after the other, in one send: to begin and to end
/// together costs more than an append.
const EACH: usize = 8;

/// Durable appends of many at once.
pub fn family() -> Family {
    let durable = |maker| Maker {
        copies: "1 (into the page cache), and to the disk",
        fits: alone,
        verifies: false,
        ..maker
    };
    Family {
        name: "file-log-group",
        about: "32 threads append 8 durable records each (raw: each by write, fdatasync; in turn: one thread)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: true,
        makers: vec![
            durable(Maker::raw(connect_raw)),
            durable(Maker::ours("ipc-file", connect_ours)),
            Maker {
                name: "in turn",
                ..durable(Maker::std(connect_in_turn))
            },
        ],
        sweep: None,
    }
}

/// What a writer does with its record.
type Append = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// Threads that append once for each send.
struct Writers {
    message: Arc<Mutex<Option<Vec<u8>>>>,
    begin: Arc<Barrier>,
    end: Arc<Barrier>,
    failed: Arc<Mutex<Option<io::Error>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    fn new(mut appends: Vec<Append>) -> Writers {
        let message = Arc::new(Mutex::new(None::<Vec<u8>>));
        let failed = Arc::new(Mutex::new(None));
        let barrier = || Arc::new(Barrier::new(WRITERS + 1));
        let (begin, end) = (barrier(), barrier());
        let threads = appends.drain(..).map(|mut append| {
            let (message, failed) = (Arc::clone(&message), Arc::clone(&failed));
            let (begin, end) = (Arc::clone(&begin), Arc::clone(&end));
            std::thread::spawn(move || {
                loop {
                    begin.wait();
                    let record = locked(&message).clone();
                    let Some(record) = record else {
                        return;
                    };
                    for _ in 0..EACH {
                        if let Err(error) = append(&record) {
                            *locked(&failed) = Some(error);
                        }
                    }
                    end.wait();
                }
            })
        });
        let threads = threads.collect();
        Writers {
            message,
            begin,
            end,
            failed,
            threads,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Endpoint for Writers {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        *locked(&self.message) = Some(message.to_vec());
        self.begin.wait();
        self.end.wait();
        locked(&self.failed).take().map_or(Ok(()), Err)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        *locked(&self.message) = None;
        self.begin.wait();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let path = place(meet, side, "group-raw");
    let appends = (0..WRITERS).map(|_| -> io::Result<Append> {
        let mut file = appended(&path)?;
        Ok(Box::new(move |record: &[u8]| {
            file.write_all(record)?;
            file.sync_data()
        }))
    });
    let appends = appends.collect::<io::Result<Vec<Append>>>()?;
    Ok(Box::new(Writers::new(appends)))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let log = Arc::new(ipc_file::open_log(place(meet, side, "group-ours"))?);
    let appends = (0..WRITERS).map(|_| -> Append {
        let log = Arc::clone(&log);
        Box::new(move |record: &[u8]| Ok(log.append(record)?))
    });
    Ok(Box::new(Writers::new(appends.collect())))
}

/// One thread, one record after the other.
fn connect_in_turn(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let file = appended(&place(meet, side, "group-turn"))?;
    Ok(Box::new(InTurn(file)))
}

struct InTurn(File);

impl Endpoint for InTurn {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        for _ in 0..WRITERS * EACH {
            self.0.write_all(message)?;
            self.0.sync_data()?;
        }
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}
