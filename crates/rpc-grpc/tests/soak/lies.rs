//! D4, D5 and D7: lengths that lie, nesting without end, and messages that unpack to a thousand
//! times what they were.

use crate::raw;
use crate::there::{PATIENCE, There, Wanted, runtime};
use bytes::Bytes;
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::watchdog;
use rpc_core::{Payload, Protobuf};
use std::time::Duration;

const GET: &str = "/inventory.v1.Stock/Get";
/// What a thread of a runtime has by default.
const STACK_BYTES: usize = 2 << 20;

/// D4: a length of up to 4 GiB, and ten bytes.
pub(crate) fn of_lengths(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    let count = lab.count(1_000, 10_000, 100_000);
    let mut tally = Tally::new("D4", "a length that lies, and ten bytes");
    let there = There::start();
    let lengths = [u32::MAX, 1 << 31, (4 << 20) + 1, 4 << 20, 1 << 20, 11];
    let mut before = 0;
    runtime(1).block_on(async {
        let mut sender = raw::sender(&there.endpoint).await;
        // Some are for the allocator to get warm.
        for number in 0..count + 2_000 {
            let length = lengths[number as usize % lengths.len()];
            let body = [&[0][..], &length.to_be_bytes(), &[7; 10]].concat();
            let answered = raw::send(&mut sender, raw::request(GET, &[], &body)).await;
            let status = answered.map(|answered| {
                assert!(answered.body.is_empty(), "a failure has no message");
                answered.grpc_status()
            });
            if number == 2_000 {
                before = there.resident_kib();
            }
            if number >= 2_000 {
                tally.trial(match status {
                    Ok(Some(8 | 13)) => Ok(()),
                    other => Err(format!("{length}: {other:?}")),
                });
            }
        }
    });
    let grown = there.resident_kib().saturating_sub(before);
    if grown >= 1_024 {
        tally.fail(format!("{grown} KiB more"));
    }
    tally.note(format!("rss +{grown} KiB"));
    lab.enter(tally);
    there.server.kill();
}

/// A message that may hold itself.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
struct Tree {
    #[prost(message, optional, boxed, tag = 1)]
    branch: Option<Box<Tree>>,
}

/// So many groups of a field that nobody knows, one in the other.
fn groups(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x1b; depth];
    bytes.resize(2 * depth, 0x1c);
    bytes
}

/// So many messages, one in the other, as field `tag`.
fn messages(tag: u8, depth: usize) -> Vec<u8> {
    let mut backwards = Vec::new();
    for _ in 0..depth {
        let mut length = backwards.len();
        let mut varint = Vec::new();
        while length > 127 {
            varint.push(length as u8 | 128);
            length >>= 7;
        }
        varint.push(length as u8);
        backwards.extend(varint.iter().rev());
        backwards.push(tag << 3 | 2);
    }
    backwards.reverse();
    backwards
}

/// What this thread has used of a processor.
fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// D5: on a stack of 2 MiB, and over the wire.
pub(crate) fn of_nesting(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    let deepest = usize::try_from(lab.count(1_000_000, 10_000_000, 10_000_000)).expect("a size");
    let mut tally = Tally::new(
        "D5",
        format!("nesting of 10^5 to {deepest}, 2 MiB of stack"),
    );
    let depths = [100_000, 1_000_000, deepest];
    let bytes = depths
        .iter()
        .flat_map(|depth| [groups(*depth), messages(1, *depth)]);
    let mut slowest = 0.0_f64;
    for bytes in bytes.collect::<Vec<_>>() {
        let mib = bytes.len() as f64 / f64::from(1 << 20);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let payload = Payload::Encoded(&Protobuf, Bytes::from(bytes));
        let decoding = thread.spawn(move || {
            let begun = own_time();
            (payload.take::<Tree>().is_err(), own_time() - begun)
        });
        let (refused, took) = decoding.expect("a thread").join().expect("no overflow");
        let millis = took.as_secs_f64() * 1e3 / mib;
        slowest = slowest.max(millis);
        tally.trial(match refused && millis < 10.0 {
            true => Ok(()),
            false => Err(format!("refused: {refused}, {millis:.1} ms a MiB")),
        });
    }
    let there = There::wanted(
        "unix",
        &Wanted {
            max_message_bytes: 128 << 20,
            ..Wanted::default()
        },
    );
    runtime(1).block_on(async {
        let mut sender = raw::sender(&there.endpoint).await;
        for depth in depths {
            // Within the item of `Put`, and beside what is known.
            for message in [groups(depth), messages(1, depth)] {
                let length = u32::try_from(message.len()).expect("below the limit");
                let body = [&[0][..], &length.to_be_bytes(), &message].concat();
                let request = raw::request("/inventory.v1.Stock/Put", &[], &body);
                let answered = raw::send(&mut sender, request).await;
                let status = answered.map(|answered| answered.grpc_status());
                tally.trial(match status {
                    Ok(Some(3)) => Ok(()),
                    other => Err(format!("{depth} over the wire: {other:?}")),
                });
            }
        }
    });
    tally.note(format!("at most {slowest:.2} ms a MiB"));
    lab.enter(tally);
    there.server.kill();
}

/// D7: what unpacks to far more than the limit.
pub(crate) fn of_bombs(lab: &mut Lab) {
    let unpacked = lab.count(16 << 20, 1 << 30, 10 << 30);
    let count = lab.count(5, 1_000, 1_000);
    for (name, bomb) in [("gzip", gzip(unpacked)), ("zstd", zstd(unpacked))] {
        let _watchdog = watchdog(PATIENCE);
        let ratio = unpacked / bomb.len() as u64;
        let mut tally = Tally::new("D7", format!("{name}: {} bytes, 1:{ratio}", bomb.len()));
        let there = There::start();
        let limit_kib = 4 << 10;
        let mut grown = 0;
        runtime(1).block_on(async {
            let mut sender = raw::sender(&there.endpoint).await;
            let body = |bytes: &[u8], flag| {
                let length = u32::try_from(bytes.len()).expect("below the limit");
                [&[flag][..], &length.to_be_bytes(), bytes].concat()
            };
            let plain = raw::request(GET, &[], &body(&[10, 1, b'x'], 0));
            raw::send(&mut sender, plain).await.expect("an answer");
            there.peak_kib();
            let before = there.resident_kib();
            for _ in 0..count {
                let request = raw::request(GET, &[("grpc-encoding", name)], &body(&bomb, 1));
                let answered = raw::send(&mut sender, request).await;
                let status = answered.map(|answered| answered.grpc_status());
                tally.trial(match status {
                    Ok(Some(8)) => Ok(()),
                    other => Err(format!("{other:?}")),
                });
            }
            grown = there.peak_kib().saturating_sub(before);
        });
        if grown >= 2 * limit_kib || ratio < 1_000 {
            tally.fail(format!("{grown} KiB more at its peak, 1:{ratio}"));
        }
        tally.note(format!("{unpacked} bytes unpacked, peak +{grown} KiB"));
        lab.enter(tally);
        there.server.kill();
    }
}

fn gzip(unpacked: u64) -> Vec<u8> {
    let zeros = std::io::Read::take(std::io::repeat(0), unpacked);
    let mut packed = Vec::new();
    let mut reader = flate2::read::GzEncoder::new(zeros, flate2::Compression::best());
    std::io::Read::read_to_end(&mut reader, &mut packed).expect("in memory");
    packed
}

fn zstd(unpacked: u64) -> Vec<u8> {
    let mut zeros = std::io::Read::take(std::io::repeat(0), unpacked);
    let mut writer = zstd::stream::Encoder::new(Vec::new(), 3).expect("an encoder");
    std::io::copy(&mut zeros, &mut writer).expect("in memory");
    writer.finish().expect("in memory")
}
