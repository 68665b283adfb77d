//! A program in C at the other end, both ways, of both kinds of queues.

use crate::generator::Named;
use ipc_mq::sysv::{self, Select};
use ipc_mq::{MAX_PRIORITY, Options};
use ipc_testkit::{TempDir, skip, watchdog};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: u32 = 100;
const SIZE: usize = 128;

/// Answers each message by one of the same bytes, each one more, of the next lower priority or of
/// the next type.
const PROGRAM: &str = r#"
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
struct message { long type; unsigned char bytes[128]; };
static void more(unsigned char *bytes, long length) {
    for (long at = 0; at < length; at++) bytes[at]++;
}
static int posix(const char *in, const char *out, int rounds) {
    struct mq_attr attributes;
    mqd_t from = mq_open(in, O_RDONLY), to;
    memset(&attributes, 0, sizeof attributes);
    attributes.mq_maxmsg = 3;
    attributes.mq_msgsize = 128;
    to = mq_open(out, O_WRONLY | O_CREAT | O_EXCL, 0600, &attributes);
    if (from == (mqd_t)-1 || to == (mqd_t)-1) return 1;
    while (rounds--) {
        unsigned char bytes[128];
        unsigned priority;
        long length = mq_receive(from, (char *)bytes, sizeof bytes, &priority);
        if (length < 0) return 2;
        more(bytes, length);
        if (mq_send(to, (char *)bytes, length, priority - 1)) return 3;
    }
    return 0;
}
static int sysv(int in, int out, int rounds) {
    while (rounds--) {
        struct message message;
        long length = msgrcv(in, &message, sizeof message.bytes, 0, 0);
        if (length < 0) return 4;
        more(message.bytes, length);
        message.type++;
        if (msgsnd(out, &message, length, 0)) return 5;
    }
    struct message message;
    /* The queue goes while it waits, or before it does. */
    if (msgrcv(in, &message, sizeof message.bytes, 0, 0) != -1) return 6;
    return errno == EIDRM || errno == EINVAL ? 0 : 7;
}
int main(int count, char **words) {
    if (count != 5) return 9;
    if (!strcmp(words[1], "posix")) return posix(words[2], words[3], atoi(words[4]));
    return sysv(atoi(words[2]), atoi(words[3]), atoi(words[4]));
}
"#;

/// The program, or why there is none.
fn build(dir: &TempDir) -> Result<PathBuf, String> {
    let (source, program) = (dir.join("peer.c"), dir.join("peer"));
    std::fs::write(&source, PROGRAM).map_err(|error| error.to_string())?;
    let ran = Command::new("cc")
        .args(["-std=gnu99", "-Wall", "-Werror", "-o"])
        .args([&program, &source])
        .arg("-lrt")
        .output();
    let output = ran.map_err(|error| format!("no C compiler (cc): {error}"))?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(program)
}

fn question(round: u32) -> Vec<u8> {
    vec![round as u8; round as usize % (SIZE + 1)]
}

fn answer(round: u32) -> Vec<u8> {
    question(round).iter().map(|byte| byte + 1).collect()
}

#[test]
fn a_posix_queue_of_ours_and_one_of_a_c_program_carry_the_same() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let program = match build(&dir) {
        Ok(program) => program,
        Err(why) => skip!("{why}"),
    };
    let (ours, theirs) = (Named::new("from-rust"), Named::new("from-c"));
    let mut options = Options::new();
    let to = options
        .max_messages(3)
        .message_size_bytes(SIZE)
        .create(&ours.0)
        .expect("new");
    let mut child = Command::new(program)
        .args(["posix", &ours.0, &theirs.0, &ROUNDS.to_string()])
        .spawn()
        .expect("it runs");
    let mut from = None;
    let mut buffer = [0; SIZE];
    for round in 0..ROUNDS {
        let priority = MAX_PRIORITY - round;
        to.send(&question(round), priority).expect("it receives");
        // It has made its queue, whole, before it receives the first.
        while from.is_none() {
            from = options.open(&theirs.0).ok();
            std::thread::yield_now();
        }
        let from = from.as_ref().expect("opened");
        let received = from.recv_with_priority_timeout(&mut buffer, PATIENCE);
        let (length, answered) = received.expect("it answers");
        assert_eq!(
            (&buffer[..length], answered),
            (&answer(round)[..], priority - 1)
        );
    }
    assert_eq!(child.wait().expect("ours").code(), Some(0));
}

#[test]
fn a_system_v_queue_carries_the_same_to_and_from_a_c_program() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let program = match build(&dir) {
        Ok(program) => program,
        Err(why) => skip!("{why}"),
    };
    let queues = [(); 2].map(|()| sysv::Options::new().create_unnamed().expect("a queue"));
    let [to, from] = &queues;
    let mut child = Command::new(program)
        .args([
            "sysv",
            &to.id().to_string(),
            &from.id().to_string(),
            &ROUNDS.to_string(),
        ])
        .spawn()
        .expect("it runs");
    let mut buffer = [0; SIZE];
    for round in 0..ROUNDS {
        let kind = i64::from(round) * 1_000_000_007 + 1;
        to.send(&question(round), kind).expect("it receives");
        let received = from
            .recv(&mut buffer, Select::Exact(kind + 1))
            .expect("it answers");
        assert_eq!(buffer[..received.length], answer(round));
    }
    // It waits for one more, and learns of the removal as we do.
    to.remove().expect("there");
    from.remove().expect("there");
    assert_eq!(child.wait().expect("ours").code(), Some(0));
}
