//! R15: every bit of a log turned, one at a time.

use crate::image::image;
use crate::imitation::Imitation;
use ipc_file::{ErrorKind, Options};
use ipc_testkit::crash::{Lab, Tally};
use std::path::Path;

const LOG: &str = "log";
const RECORDS_AT: u64 = 96;

/// A log of about `bytes`, and where each of its records begins, and the end of the last.
fn log(disk: &Imitation, bytes: usize, record_bytes: usize) -> Vec<u64> {
    let log = Options::new()
        .open_log_in(disk.vfs(), Path::new(LOG))
        .expect("a log");
    let each = 16 + record_bytes.next_multiple_of(16);
    let count = (bytes - RECORDS_AT as usize) / each;
    let records: Vec<Vec<u8>> = (0..count)
        .map(|number| {
            let mut record = (number as u64).to_le_bytes().to_vec();
            record.resize(record_bytes, number as u8 | 0x80);
            record
        })
        .collect();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    records
        .chunks(1_000)
        .for_each(|records| log.append_all(records).expect("room"));
    drop(log);
    // Opened again, so that the state says that all of it was durable.
    drop(
        Options::new()
            .open_log_in(disk.vfs(), Path::new(LOG))
            .expect("a log"),
    );
    (0..=count)
        .map(|number| RECORDS_AT + (number * each) as u64)
        .collect()
}

/// Reads all; which records did not come, and what was said about them.
fn missing(disk: &Imitation, count: usize) -> Result<(Vec<u64>, Vec<String>), String> {
    let reader = Options::new().follow_in(disk.vfs(), Path::new(LOG));
    let reader = reader.map_err(|error| format!("follow: {error}"))?;
    let (mut next, mut missing, mut said) = (0, Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    loop {
        match reader.try_recv_vec(&mut bytes) {
            Ok(()) => {
                let number = bytes.get(..8).and_then(|b| b.try_into().ok());
                let number = u64::from_le_bytes(number.ok_or("a short record")?);
                if number < next || bytes[8..].iter().any(|byte| *byte != number as u8 | 0x80) {
                    return Err(format!("record {number} came where {next} should"));
                }
                missing.extend(next..number);
                next = number + 1;
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => said.push(error.to_string()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(format!("read: {error}")),
        }
    }
    missing.extend(next..count as u64);
    Ok((missing, said))
}

fn judge(disk: &Imitation, starts: &[u64], bit: u64) -> Result<(), String> {
    let count = starts.len() - 1;
    let at = bit / 8;
    if at >= starts[count] {
        return Err("behind the records".into());
    }
    let (missing, said) = missing(disk, count)?;
    if at < RECORDS_AT {
        if !missing.is_empty() || !said.is_empty() {
            return Err(format!(
                "bit {bit} of the header: {missing:?} lost, {said:?}"
            ));
        }
        let log = Options::new().open_log_in(disk.vfs(), Path::new(LOG));
        let log = log.map_err(|error| format!("open: {error}"))?;
        return match log.recovery().header_repaired {
            true => Ok(()),
            false => Err(format!("bit {bit} of the header was not seen")),
        };
    }
    let hit = starts.partition_point(|start| *start <= at) - 1;
    let place = format!("bytes {}..{} are damaged", starts[hit], starts[hit + 1]);
    if missing != [hit as u64] || said.len() != 1 || !said[0].contains(&place) {
        return Err(format!(
            "bit {bit} hit record {hit}: {missing:?} lost, {said:?}"
        ));
    }
    Ok(())
}

fn turn(disk: &Imitation, bit: u64) {
    disk.spoil(LOG, |bytes| bytes[(bit / 8) as usize] ^= 1 << (bit % 8));
}

pub(crate) fn of_a_small_log(lab: &mut Lab) {
    let disk = Imitation::default();
    let starts = log(&disk, 66_200, 480);
    let bits = starts[starts.len() - 1] * 8;
    let count = lab.count(5_000, bits, bits);
    let mut tally = Tally::new("R15", format!("a log of {} bytes, a bit turned", bits / 8));
    for trial in 0..count {
        let bit = if count < bits { lab.below(bits) } else { trial };
        turn(&disk, bit);
        tally.trial(judge(&disk, &starts, bit));
        if bit / 8 >= RECORDS_AT {
            turn(&disk, bit);
        }
    }
    lab.enter(tally);
}

pub(crate) fn of_a_large_log(lab: &mut Lab) {
    let disk = Imitation::default();
    let megabytes = lab.count(2, 100, 100) as usize;
    let starts = log(&disk, megabytes << 20, 8_000);
    let bits = starts[starts.len() - 1] * 8;
    let mut tally = Tally::new(
        "R15",
        format!("a log of {megabytes} MiB, a random bit turned"),
    );
    for _ in 0..lab.count(20, 300, 3_000) {
        let bit = lab.below(bits);
        turn(&disk, bit);
        tally.trial(judge(&disk, &starts, bit));
        if bit / 8 >= RECORDS_AT {
            turn(&disk, bit);
        }
    }
    lab.enter(tally);
}

/// The end cut off at each byte: what is whole is read, and what is missing is said.
pub(crate) fn cut_at_each_byte(lab: &mut Lab) {
    let mut tally = Tally::new("R15", "a log cut off at each byte");
    let disk = Imitation::default();
    let starts = log(&disk, 8 * 1024, 96);
    let count = starts.len() - 1;
    let whole = image(&disk, &[], 0, &mut |_| 0);
    let step = lab.count(7, 1, 1);
    for length in (0..starts[count]).step_by(step as usize) {
        let cut = image(&whole, &[], 0, &mut |_| 0);
        cut.spoil(LOG, |bytes| bytes.truncate(length as usize));
        tally.trial(judge_cut(&cut, &starts, length));
    }
    lab.enter(tally);
}

fn judge_cut(cut: &Imitation, starts: &[u64], length: u64) -> Result<(), String> {
    let count = starts.len() - 1;
    let kept = starts
        .partition_point(|start| *start <= length)
        .saturating_sub(1);
    if length >= RECORDS_AT {
        let (missing, said) = missing(cut, count)?;
        let expected: Vec<u64> = (kept as u64..count as u64).collect();
        if missing != expected || said.len() != 1 {
            return Err(format!("cut at {length}: {} lost, {said:?}", missing.len()));
        }
    }
    let log = match Options::new().open_log_in(cut.vfs(), Path::new(LOG)) {
        Ok(log) => log,
        // Less than one copy of the header: it is no log any more, and is left alone.
        Err(error) if length < 32 && error.kind() == ErrorKind::Corrupt => return Ok(()),
        Err(error) => return Err(format!("open at {length}: {error}")),
    };
    if length >= RECORDS_AT && log.recovery().missing_bytes != starts[count] - length {
        return Err(format!("cut at {length}: {:?}", log.recovery()));
    }
    log.append(&(kept as u64).to_le_bytes())
        .map_err(|error| format!("append: {error}"))?;
    let (left, said) = missing(cut, kept + 1)?;
    match (left.as_slice(), said.len()) {
        ([], _) => Ok(()),
        _ => Err(format!(
            "cut at {length}, then appended: {left:?}, {said:?}"
        )),
    }
}
