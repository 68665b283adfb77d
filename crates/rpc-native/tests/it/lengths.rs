//! Ten thousand lengths that lie: memory follows what has come, not what was said.

use crate::raw::{LAST, METADATA, Raw, Serving, bind, call, frame, hello};
use crate::remote::PATIENCE;
use ipc_testkit::watchdog;
use rpc_core::Router;
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockServer};
use std::sync::Arc;

const LIES: u32 = 10_000;
const WARM: u32 = 1_000;

/// The most that this process ever had in memory, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}

/// Ten bytes behind a length of much more, in one of the places where a length stands.
fn lie(number: u32) -> Vec<u8> {
    let mut bytes = hello();
    match number % 6 {
        // Beyond every limit, and at the limit: it waits for the rest.
        0 | 1 => {
            let length = [u32::MAX, 1 << 31, 5 << 20, 4 << 20][number as usize / 6 % 4];
            bytes.extend(length.to_le_bytes());
            bytes.extend([4, LAST, 0, 0, 1, 0, 0, 0]);
            bytes.extend([7; 10]);
        }
        2 => {
            bytes.extend(call(
                1,
                "Get",
                LAST | METADATA,
                &[&[0xff, 0xff, 7, 7, 7, 7, 7, 7, 7, 7]],
            ));
        }
        // A string of 2^63 bytes, and one of 4 GiB.
        3 => {
            let long = [&[0x0a][..], &[0xff; 8], &[0x7f, b'a']].concat();
            bytes.extend(bind(1, 1, &STOCK_SERVICE));
            bytes.extend(call(1, "Get", LAST, &[&long]));
        }
        4 => {
            bytes.extend(bind(1, 1, &STOCK_SERVICE));
            bytes.extend(call(
                1,
                "Put",
                LAST,
                &[&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, b'a']],
            ));
        }
        // A service's name.
        _ => bytes.extend(frame(
            2,
            0,
            0,
            &[&[1, 0, 1, 255][..], &[0; 16], b"ten bytes!"].concat(),
        )),
    }
    bytes
}

#[test]
fn ten_thousand_lengths_that_lie_take_less_than_a_megabyte() {
    // The first runtime of a process may make a pair of sockets for signals, which stays.
    drop(Serving::awaited());
    ipc_testkit::isolated!({
        let _watchdog = watchdog(PATIENCE);
        let router = Router::new().service(StockServer::new(Arc::<Shop>::default()));
        let serving = Serving::awaited();
        let mut warm = 0;
        for number in 0..WARM + LIES {
            if number == WARM {
                warm = peak();
            }
            let (raw, wire) = Raw::pair();
            serving.serve(router.clone(), wire);
            raw.send(&lie(number));
            if number % 2 == 0 {
                raw.end();
            }
        }
        let more = peak() - warm;
        println!("{LIES} lies: {more} KiB more");
        assert!(more < 1024, "{more} KiB more");
    });
}
