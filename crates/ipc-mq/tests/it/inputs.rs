//! Generated bad inputs of POSIX queues: names, sizes, priorities, attributes.

use crate::generator::{Generator, name};
use ipc_mq::{ErrorKind, MAX_PRIORITY, Options};

const SEED: u64 = 0x6d71;
const NASTY: usize = 300;

/// Names that break the grammar, each in its own way and mixed.
fn nasty_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        "/",
        "//",
        "//a",
        "/a/b",
        "a/b",
        "a/",
        "..",
        ".",
        "/..",
        "/.",
        "...",
        ".hidden",
        "/.hidden",
        "-rf",
        "/-rf",
        "--",
        "-",
        "a\0b",
        "\0",
        "a\0",
        "/\0",
        "a\nb",
        "\n",
        "a\tb",
        "a b",
        " ",
        " a",
        "a ",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{202e}abc",
        "\u{200b}",
        "\u{feff}a",
        "a\u{7f}",
        "\u{1b}[31m",
        "a;rm -rf",
        "$(id)",
        "`id`",
        "a*",
        "a?",
        "[a]",
        "a|b",
        "a&b",
        "a\"b",
        "a'b",
        "a\\b",
        "~",
        "~root",
        "%s%n",
        "%00",
        "a:b",
        "a,b",
        "a=b",
        "a@b",
        "a#b",
        "a+b",
        "COM1:",
        "\u{1F600}",
        "e\u{301}",
        "\u{e9}",
        "\u{212a}",
        "\u{130}",
        "..%2f",
        "../etc",
    ]
    .map(str::to_owned)
    .into();
    for length in [
        101, 102, 127, 128, 200, 254, 255, 256, 257, 4095, 4096, 100_000,
    ] {
        names.push("a".repeat(length));
        names.push(format!("/{}", "a".repeat(length)));
    }
    let mut random = Generator::new(SEED);
    let bad: Vec<char> = (0..0x300)
        .filter_map(char::from_u32)
        .filter(|c| !c.is_ascii_alphanumeric() && !"._-".contains(*c))
        .collect();
    while names.len() < NASTY {
        let mut nasty: Vec<char> = (0..random.below(40))
            .map(|_| random.pick(&['a', '.', '9']))
            .collect();
        // A leading slash alone would be good.
        nasty.insert(0, 'x');
        let at = 1 + random.below(nasty.len());
        nasty.insert(at, random.pick(&bad));
        names.push(nasty.into_iter().collect());
    }
    names
}

#[test]
fn three_hundred_nasty_names_are_refused_by_each_verb_before_the_kernel_sees_them() {
    let names = nasty_names();
    assert!(names.len() >= NASTY);
    let directory = ipc_testkit::TempDir::new();
    let mut sysv = ipc_mq::sysv::Options::new();
    sysv.directory(directory.join("run"));
    for nasty in &names {
        for error in [
            ipc_mq::create(nasty).map(drop).expect_err(nasty),
            ipc_mq::open(nasty).map(drop).expect_err(nasty),
            ipc_mq::open_or_create(nasty).map(drop).expect_err(nasty),
            ipc_mq::unlink(nasty).expect_err(nasty),
            sysv.create(nasty).map(drop).expect_err(nasty),
            sysv.open(nasty).map(drop).expect_err(nasty),
            sysv.unlink(nasty).expect_err(nasty),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{nasty:?}: {error}");
            assert_eq!(error.raw_os_error(), None);
            assert!(error.to_string().len() < 1000);
        }
    }
    assert!(!directory.join("run").exists(), "no file of any of them");
}

#[test]
fn good_names_are_good_with_and_without_a_slash() {
    let process = std::process::id();
    for good in [
        format!("a{process}"),
        format!("0{process}"),
        format!("_{process}"),
        format!("A.b-c_d..{process}"),
        format!("{}{process}", "x".repeat(100 - process.to_string().len())),
    ] {
        let made = ipc_mq::create(&good).expect(&good);
        ipc_mq::open(&format!("/{good}")).expect("the same");
        let twice = ipc_mq::create(&format!("/{good}"))
            .map(drop)
            .expect_err("there");
        assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
        ipc_mq::unlink(&format!("/{good}")).expect("there");
        drop(made);
    }
}

#[test]
fn three_hundred_sizes_make_the_queue_that_was_asked_for_or_an_error_by_name() {
    let mut random = Generator::new(SEED + 1);
    let sizes = [
        0,
        1,
        2,
        9,
        10,
        11,
        8191,
        8192,
        8193,
        65_536,
        65_537,
        16 << 20,
        (16 << 20) + 1,
    ];
    let name = name("sizes");
    let mut made = 0;
    for _ in 0..300 {
        let (messages, bytes) = match random.below(4) {
            0 => (random.pick(&sizes), random.pick(&sizes)),
            1 => (1 + random.below(10), 1 + random.below(8192)),
            2 => (random.below(20), random.below(10_000)),
            _ => (
                random.pick(&[usize::MAX, usize::MAX / 2, 0, 1]),
                random.pick(&[usize::MAX, 1, 0]),
            ),
        };
        let mut options = Options::new();
        options.max_messages(messages).message_size_bytes(bytes);
        match options.create(&name) {
            Ok(queue) => {
                made += 1;
                ipc_mq::unlink(&name).expect("there");
                assert_eq!(
                    (queue.max_messages(), queue.message_size_bytes()),
                    (messages, bytes)
                );
                let message = random.bytes(bytes.min(9000));
                queue.try_send(&message, 1).expect("room");
                let mut buffer = vec![0; bytes];
                assert_eq!(queue.try_recv(&mut buffer).expect("there"), message.len());
                assert_eq!(buffer[..message.len()], message);
            }
            Err(error) => {
                let nothing = messages == 0 || bytes == 0;
                let kind = if nothing {
                    ErrorKind::InvalidInput
                } else {
                    ErrorKind::LimitReached
                };
                assert_eq!(error.kind(), kind, "{messages} of {bytes}: {error}");
                assert!(nothing || error.to_string().contains(['_', '6']), "{error}");
            }
        }
    }
    assert!(made > 30, "{made} of 300 were possible");
}

#[test]
fn three_hundred_messages_of_any_length_and_priority_are_sent_or_refused_whole() {
    let mut random = Generator::new(SEED + 2);
    let queue = Options::new()
        .max_messages(10)
        .message_size_bytes(100)
        .create_unnamed();
    let queue = queue.expect("a queue");
    let priorities = [
        0,
        1,
        32_766,
        MAX_PRIORITY,
        32_768,
        65_535,
        i32::MAX as u32,
        u32::MAX,
    ];
    let mut model: Vec<(u32, Vec<u8>)> = Vec::new();
    for _ in 0..300 {
        let (length, priority) = (random.below(130), random.pick(&priorities));
        let message = random.bytes(length);
        let fits = length <= 100 && priority <= MAX_PRIORITY;
        match queue.try_send(&message, priority) {
            Ok(()) => {
                assert!(fits && model.len() < 10);
                model.push((priority, message));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(fits && model.len() == 10);
                while let Some(at) = first(&model) {
                    let (priority, message) = model.remove(at);
                    let mut buffer = [0; 100];
                    let received = queue.try_recv_with_priority(&mut buffer).expect("there");
                    assert_eq!(received, (message.len(), priority));
                    assert_eq!(buffer[..received.0], message);
                }
            }
            Err(error) => {
                assert!(!fits);
                let kind = if length > 100 {
                    ErrorKind::TooLarge
                } else {
                    ErrorKind::InvalidInput
                };
                assert_eq!(error.kind(), kind, "{error}");
            }
        }
        assert_eq!(queue.status().expect("there").messages, model.len());
    }
}

/// The place of the oldest message of the highest priority.
fn first(model: &[(u32, Vec<u8>)]) -> Option<usize> {
    let highest = model.iter().map(|(priority, _)| *priority).max()?;
    model.iter().position(|(priority, _)| *priority == highest)
}
