//! What is read while it comes is what was sent, and what does not come is told.

use super::*;

impl<R: FnMut(&mut [u8]) -> Option<usize>> Source for R {
    fn read(&mut self, room: &mut [u8]) -> Option<usize> {
        self(room)
    }
}

#[test]
fn what_comes_in_pieces_is_one_message_and_nothing_behind_it_is_read() {
    let all: Vec<u8> = (0..10_000).map(|at| (at % 251) as u8).collect();
    for step in [1, 7, 300, 5000] {
        let (mut buffer, mut spare) = ([0; 512], Vec::new());
        buffer[3..20].copy_from_slice(&all[..17]);
        let mut at = 17;
        let read = |room: &mut [u8]| {
            let length = room.len().min(step);
            room[..length].copy_from_slice(&all[at..at + length]);
            at += length;
            Some(length)
        };
        let mut arriving = Arriving::new((&mut buffer, &mut spare), (3, 20), 8_000 - 17, read);
        assert_eq!(arriving.remaining(), 8_000);
        arriving.advance(5);
        assert_eq!(arriving.copy_to_bytes(6_000), all[5..6_005]);
        assert_eq!(arriving.outcome(), Ok(()));
        assert_eq!((arriving.read_to_end().0, at), (0, 8_000));
    }
}

#[test]
fn what_does_not_come_is_nought_and_then_the_end_and_told() {
    let (mut buffer, mut spare) = ([7; 8], Vec::new());
    let reads = std::cell::Cell::new(0);
    let read = |room: &mut [u8]| {
        reads.set(reads.get() + 1);
        (reads.get() == 1).then_some(room.len())
    };
    let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 8), 20, read);
    assert_eq!(arriving.copy_to_bytes(14)[..], [7; 14]);
    assert_eq!((arriving.remaining(), arriving.missing), (14, 0));
    assert_eq!(arriving.get_u64(), 0x0707_0000_0000_0000);
    assert_eq!((arriving.remaining(), arriving.missing), (2, 12));
    let mut room = [7; 20];
    arriving.copy_to_slice(&mut room);
    assert_eq!((room, arriving.remaining()), ([0; 20], 0));
    arriving.advance(4);
    assert_eq!(arriving.copy_to_bytes(4), Bytes::new());
    assert!(arriving.outcome().is_err());
    assert_eq!((arriving.read_to_end().0, reads.get()), (12, 2));
    let (mut buffer, mut spare) = ([7; 8], Vec::new());
    let arriving = Arriving::new((&mut buffer, &mut spare), (8, 8), 20, |_: &mut [u8]| None);
    assert!(arriving.outcome().is_err());
    assert_eq!(arriving.read_to_end().0, 20);
}

#[test]
fn a_long_field_is_put_together_and_its_memory_is_used_again() {
    let all: Vec<u8> = (0..200_000).map(|at| (at % 251) as u8).collect();
    let (mut buffer, mut spare, mut places) = ([0; 512], Vec::new(), Vec::new());
    for keeps in [false, false, true, false] {
        buffer[..100].copy_from_slice(&all[..100]);
        let (mut at, mut ahead) = (100, 0);
        let read = |room: &mut [u8]| {
            ahead = ahead.max(room.len().saturating_sub(at.max(LONG_BYTES)));
            let length = room.len().min(5_000);
            room[..length].copy_from_slice(&all[at..at + length]);
            at += length;
            Some(length)
        };
        let more = all.len() - 100;
        let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 100), more, read);
        arriving.advance(50);
        let long = arriving.copy_to_bytes(150_000);
        assert_eq!(long, all[50..150_050]);
        places.push(long.as_ptr());
        let kept = keeps.then_some(long);
        assert_eq!(arriving.copy_to_bytes(1_000), all[150_050..151_050]);
        assert_eq!(arriving.outcome(), Ok(()));
        assert_eq!((arriving.read_to_end().0, at), (0, all.len()));
        assert_eq!(spare.len() >= 150_000, !keeps, "{kept:?} has it");
    }
    assert_eq!(places[0], places[1]);
    assert_eq!(places[1], places[2]);
}

#[test]
fn a_long_field_that_does_not_come_is_what_has_come_of_it() {
    let (mut buffer, mut spare, mut reads) = ([7; 512], Vec::new(), 0);
    let read = |room: &mut [u8]| {
        reads += 1;
        room.fill(7);
        (reads == 1).then_some(room.len())
    };
    let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 512), 4 << 20, read);
    let long = arriving.copy_to_bytes(4 << 20);
    assert!(long.iter().all(|byte| *byte == 7) && long.len() < 2 * LONG_BYTES + 512);
    assert!(arriving.outcome().is_err());
    let came = long.len();
    drop(long);
    assert_eq!(arriving.read_to_end().0, 512 + (4 << 20) - came);
    assert!(spare.len() <= 2 * came, "{}", spare.len());
}

#[test]
fn however_it_is_waited_for_and_read_it_is_the_same() {
    let all: Vec<u8> = (0..400_000).map(|at| (at % 251) as u8).collect();
    let mut seed = 7_u64;
    let mut any = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    for round in 0..200 {
        let (mut buffer, mut spare) = ([0; 512], vec![9; 64 * (round % 9)]);
        let (mut come, step) = (0, 1 + any(60_000));
        let read = |room: &mut [u8]| {
            let length = room.len().min(step);
            room[..length].copy_from_slice(&all[come..come + length]);
            come += length;
            Some(length)
        };
        let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 0), all.len(), read);
        let (mut at, mut kept) = (0, Vec::new());
        while arriving.remaining() > 0 {
            assert_eq!(arriving.remaining(), all.len() - at);
            let most = [9, 900, 90_000][any(3)];
            let length = (1 + any(most)).min(all.len() - at);
            match any(4) {
                0 => {
                    arriving.wait_for(length);
                    assert!(arriving.chunk().len() >= length);
                    continue;
                }
                1 => arriving.advance(length),
                2 => kept.push((at, arriving.copy_to_bytes(length))),
                _ => {
                    let mut room = vec![0; length];
                    arriving.copy_to_slice(&mut room);
                    assert_eq!(room, all[at..at + length]);
                }
            }
            at += length;
            kept.truncate(any(4));
            assert!(
                kept.iter()
                    .all(|(at, is)| is[..] == all[*at..at + is.len()])
            );
        }
        assert_eq!((arriving.outcome(), arriving.read_to_end().0), (Ok(()), 0));
    }
}
