//! Generated inputs of System V queues, held against a model.

use crate::generator::Generator;
use crate::sysv::queue;
use ipc_mq::ErrorKind;
use ipc_mq::sysv::{Queue, Select};

const SEED: u64 = 0x7376;
const ROUNDS: usize = 5_000;

/// What a queue should hold: type and bytes, the oldest first.
type Model = Vec<(i64, Vec<u8>)>;

fn place(model: &Model, select: Select) -> Option<usize> {
    let matches = |wanted: &dyn Fn(i64) -> bool| model.iter().position(|(kind, _)| wanted(*kind));
    match select {
        Select::First => matches(&|_| true),
        Select::Exact(wanted) => matches(&|kind| kind == wanted),
        Select::Except(other) => matches(&|kind| kind != other),
        Select::UpTo(highest) => {
            let kinds = model.iter().map(|(kind, _)| *kind);
            let lowest = kinds.filter(|kind| *kind <= highest).min()?;
            matches(&|kind| kind == lowest)
        }
        _ => None,
    }
}

const KINDS: [i64; 12] = [
    1,
    2,
    3,
    4,
    5,
    6,
    i64::MAX,
    i64::MAX - 1,
    0,
    -1,
    i64::MIN,
    i64::MIN + 1,
];

fn selection(random: &mut Generator) -> (Select, bool) {
    let kind = random.pick(&KINDS);
    let select = match random.below(4) {
        0 => return (Select::First, true),
        1 => Select::Exact(kind),
        2 => Select::UpTo(kind),
        _ => Select::Except(kind),
    };
    (select, kind > 0)
}

fn send(random: &mut Generator, queue: &Queue, model: &mut Model) {
    let kind = random.pick(&KINDS);
    let length = match random.below(8) {
        0 => 8192,
        1 => 8193 + random.below(100_000),
        _ => random.below(300),
    };
    let message = random.bytes(length);
    let held: usize = model.iter().map(|(_, bytes)| bytes.len()).sum();
    match queue.try_send(&message, kind) {
        Ok(()) => {
            assert!(kind > 0);
            model.push((kind, message));
        }
        Err(error) => match error.kind() {
            ErrorKind::InvalidInput => assert!(kind <= 0, "{error}"),
            ErrorKind::TooLarge => assert!(length > 8192, "{error}"),
            ErrorKind::WouldBlock => assert!(held + length > 16_000, "{error}"),
            _ => panic!("{error}"),
        },
    }
}

fn receive(random: &mut Generator, queue: &Queue, model: &mut Model) {
    let (select, valid) = selection(random);
    let room = random.pick(&[0, 1, 7, 100, 299, 300, 8192, 200_000]);
    let mut buffer = vec![0xee; room];
    let truncates = random.below(2) == 0;
    let outcome = match truncates {
        true => queue.try_recv_truncated(&mut buffer, select),
        false => queue.try_recv(&mut buffer, select),
    };
    let place = place(model, select);
    match outcome {
        Ok(received) => {
            let (kind, bytes) = model.remove(place.expect("one matches"));
            let kept = bytes.len().min(room);
            assert_eq!((received.kind, received.length), (kind, kept));
            assert_eq!(received.truncated, bytes.len() > room);
            assert_eq!(buffer[..kept], bytes[..kept]);
            assert!(buffer[kept..].iter().all(|byte| *byte == 0xee));
        }
        Err(error) => {
            assert!(buffer.iter().all(|byte| *byte == 0xee));
            match error.kind() {
                ErrorKind::InvalidInput => assert!(!valid, "{error}"),
                ErrorKind::WouldBlock => assert!(place.is_none(), "{error}"),
                ErrorKind::TooLarge => {
                    let (_, bytes) = &model[place.expect("one matches")];
                    assert!(!truncates && bytes.len() > room, "{error}");
                }
                _ => panic!("{error}"),
            }
        }
    }
}

fn peek(random: &mut Generator, queue: &Queue, model: &Model) {
    let index = random.pick(&[0, 1, 2, 5, 50, usize::MAX]);
    let room = random.pick(&[0, 100, 8192]);
    let mut buffer = vec![0; room];
    match queue.peek(&mut buffer, index) {
        Ok(peeked) => {
            let (kind, bytes) = &model[index];
            assert_eq!((peeked.kind, &buffer[..peeked.length]), (*kind, &bytes[..]));
        }
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => assert!(index >= model.len(), "{error}"),
            ErrorKind::TooLarge => assert!(model[index].1.len() > room, "{error}"),
            ErrorKind::Unsupported => {}
            _ => panic!("{error}"),
        },
    }
}

#[test]
fn five_thousand_inputs_do_what_the_model_does() {
    let mut random = Generator::new(SEED);
    let queue = queue();
    let queue = &queue.0;
    let mut model = Model::new();
    for _ in 0..ROUNDS {
        match random.below(5) {
            0 | 1 => send(&mut random, queue, &mut model),
            2 | 3 => receive(&mut random, queue, &mut model),
            _ => peek(&mut random, queue, &model),
        }
        let status = queue.status().expect("there");
        let bytes = model.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!((status.messages, status.bytes), (model.len(), bytes));
    }
}

#[test]
fn five_hundred_ids_that_are_no_queue_are_refused() {
    let mut random = Generator::new(SEED + 1);
    for _ in 0..500 {
        // Negative ones are no ids; small ones may be another program's.
        let id = -(random.below(i32::MAX as usize) as i32) - 1;
        let error = Queue::from_id(id).map(drop).expect_err("no queue");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{id}: {error}");
    }
}
