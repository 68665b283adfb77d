//! The table of outcomes, and the calls that show them.

use crate::service::{MissingClient, OutcomesClient};
use crate::{Protocol, Transport, caller};
use rpc_core::{Channel, Context, Status, TraceContext, items};
use std::fmt::Debug;
use std::time::Duration;

/// What the outcome of each case is, over every transport by every protocol.
pub(crate) const TABLE: &[(&str, &str)] = &[
    ("a call", "ok: hello"),
    ("an empty message", "ok: "),
    (
        "a failure with a detail",
        "FAILED_PRECONDITION: on purpose: 100 % ö (1 detail of 4 bytes)",
    ),
    ("a panic", "INTERNAL"),
    ("a deadline", "DEADLINE_EXCEEDED"),
    ("a deadline that is over", "DEADLINE_EXCEEDED, did not run"),
    ("a deadline that travels", "ok: of this minute"),
    ("a call that is given up", "ok: 0"),
    ("a trace", "ok: the same"),
    ("metadata", "ok: of the caller"),
    ("identity", "ok: CALLER"),
    ("what nobody may", "PERMISSION_DENIED"),
    ("a service that is not there", "UNIMPLEMENTED, did not run"),
    ("a message of 1 MiB", "ok: 1048576 bytes"),
    ("a message beyond the limit", "RESOURCE_EXHAUSTED"),
    ("oneway", "ok: 7"),
    ("a stream of answers", "ok: 0 1 2, the end"),
    ("a stream that is left", "ok: hello"),
    ("a stream of arguments", "ok: 6"),
    ("both streams", "ok: 2 4, the end"),
    ("after the server's end", "UNAVAILABLE, did not run"),
];

/// The outcome in the table, with what depends on the cell by its nature.
pub(crate) fn expected(case: &str, protocol: Protocol, transport: Transport) -> String {
    let found = TABLE.iter().find(|(name, _)| *name == case);
    let (_, outcome) = found.expect("each case is in the table");
    let caller = caller(protocol, transport);
    if transport == Transport::Udp
        && let Some((_, outcome)) = OF_DATAGRAMS.iter().find(|(name, _)| *name == case)
    {
        return (*outcome).to_owned();
    }
    match case {
        "identity" => outcome.replace("CALLER", caller),
        // Somebody would have to read while another writes.
        "both streams" if protocol == Protocol::Blocking && caller != "inproc" => {
            "UNIMPLEMENTED".to_owned()
        }
        // The value moves: there is no message that could be too large.
        "a message beyond the limit" if caller == "inproc" => "ok: 5242880 bytes".to_owned(),
        _ => (*outcome).to_owned(),
    }
}

/// What a datagram cannot carry is refused, says what to take, and does not run.
const OF_DATAGRAMS: &[(&str, &str)] = &[
    ("a message of 1 MiB", "RESOURCE_EXHAUSTED: use tcp"),
    ("a message beyond the limit", "RESOURCE_EXHAUSTED: use tcp"),
    ("a stream of answers", "UNIMPLEMENTED: use tcp"),
    ("a stream that is left", "UNIMPLEMENTED: use tcp"),
    ("a stream of arguments", "UNIMPLEMENTED: use tcp"),
    ("both streams", "UNIMPLEMENTED: use tcp"),
    // Whoever sent a datagram that nobody answers cannot know that nobody took it.
    ("after the server's end", "UNAVAILABLE"),
];

/// Asks everything but the end.
pub(crate) async fn outcomes(
    channel: impl Channel + Clone,
    awaited: bool,
) -> Vec<(&'static str, String)> {
    let all = OutcomesClient::new(channel.clone());
    let cx = Context::new();
    let mut came = vec![
        ("a call", text(all.echo(&cx, "hello".into()).await)),
        ("an empty message", text(all.echo(&cx, String::new()).await)),
        ("a failure with a detail", in_full(all.fail(&cx).await)),
        ("a panic", code(all.panic(&cx).await)),
    ];
    let short = Context::new().timeout(Duration::from_millis(30));
    came.push(("a deadline", code(all.wait(&short).await)));
    let over = Context::new().timeout(Duration::ZERO);
    came.push((
        "a deadline that is over",
        whether_it_ran(all.echo(&over, "x".into()).await),
    ));
    let minute = Context::new().timeout(Duration::from_secs(60));
    // However long a busy host takes for the call.
    let left = all.left(&minute).await;
    let left = left.map(|seconds| {
        if (1..=60).contains(&seconds) {
            "of this minute"
        } else {
            "another"
        }
    });
    came.push(("a deadline that travels", text(left)));
    if awaited {
        tokio::select! {
            biased;
            _ = all.wait(&cx) => unreachable!("nobody answers it"),
            () = reaches(&all, 1) => {}
        }
    }
    // That of the deadline above, too.
    reaches(&all, 0).await;
    came.push(("a call that is given up", text(all.waiting(&cx).await)));

    let root = TraceContext::root();
    let own = root
        .to_string()
        .split('-')
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let traced = all.trace(&Context::new().trace(root)).await;
    let same = traced.map(|trace| if trace == own { "the same" } else { "another" });
    came.push(("a trace", text(same)));
    let noted = Context::new()
        .entry("note", b"of the caller")
        .expect("a name");
    came.push(("metadata", text(all.note_of(&noted).await)));
    came.push(("identity", text(all.who(&cx).await)));
    came.push(("what nobody may", code(all.denied(&cx).await)));
    let missing = MissingClient::new(channel).ask(&cx).await;
    came.push(("a service that is not there", whether_it_ran(missing)));
    for (case, bytes) in [
        ("a message of 1 MiB", 1 << 20),
        ("a message beyond the limit", 5 << 20),
    ] {
        let echoed = all.echo(&cx, "x".repeat(bytes)).await;
        came.push((
            case,
            match echoed {
                Ok(text) => format!("ok: {} bytes", text.len()),
                Err(status) => code(Err::<(), _>(status)),
            },
        ));
    }
    streams(&all, &mut came).await;
    came
}

async fn streams(
    all: &OutcomesClient<impl Channel + Clone>,
    came: &mut Vec<(&'static str, String)>,
) {
    let cx = Context::new();
    for number in [3, 4] {
        all.add(&cx, number).await.expect("sent");
    }
    // In whatever order they run.
    while all.added(&cx).await.is_ok_and(|sum| sum < 7) {
        tokio::task::yield_now().await;
    }
    came.push(("oneway", text(all.added(&cx).await)));
    let counted = all.count(&cx, 3).await;
    came.push(("a stream of answers", listed(counted).await));
    let left = match all.count(&cx, 1_000_000).await {
        Ok(mut left) => {
            assert_eq!(left.next().await, Some(Ok(0)));
            drop(left);
            text(all.echo(&cx, "hello".into()).await)
        }
        Err(status) => code(Err::<(), _>(status)),
    };
    came.push(("a stream that is left", left));
    let sum = match all.sum(&cx, items([1, 2, 3])).await {
        Ok(sum) => format!("ok: {sum}"),
        Err(status) => code(Err::<(), _>(status)),
    };
    came.push(("a stream of arguments", sum));
    let doubled = all.double(&cx, items([1, 2])).await;
    came.push(("both streams", listed(doubled).await));
}

/// A call over a channel whose server has ended.
pub(crate) async fn after_the_end(channel: impl Channel) -> String {
    let all = OutcomesClient::new(channel);
    whether_it_ran(all.echo(&Context::new(), "hello".into()).await)
}

/// Waits until so many wait in the server.
async fn reaches(all: &OutcomesClient<impl Channel + Clone>, many: u32) {
    while all.waiting(&Context::new()).await != Ok(many) {
        tokio::task::yield_now().await;
    }
}

async fn listed<T: rpc_core::Message + Debug>(
    stream: Result<rpc_core::Streaming<T>, Status>,
) -> String {
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(status) => return code(Err::<(), _>(status)),
    };
    let mut text = "ok:".to_owned();
    while let Some(item) = stream.next().await {
        match item {
            Ok(item) => text.push_str(&format!(" {item:?}")),
            Err(status) => return code(Err::<(), _>(status)),
        }
    }
    text + ", the end"
}

fn text<T: std::fmt::Display>(outcome: Result<T, Status>) -> String {
    match outcome {
        Ok(value) => format!("ok: {value}"),
        Err(status) => status.to_string(),
    }
}

fn code<T>(outcome: Result<T, Status>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(status) if status.message().ends_with("use tcp") && status.did_not_run() => {
            format!("{}: use tcp", status.code().name())
        }
        Err(status) => status.code().name().to_owned(),
    }
}

fn whether_it_ran<T>(outcome: Result<T, Status>) -> String {
    match outcome {
        Err(status) if status.did_not_run() => format!("{}, did not run", status.code().name()),
        outcome => code(outcome),
    }
}

fn in_full<T>(outcome: Result<T, Status>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(status) => {
            let bytes: usize = status
                .details()
                .iter()
                .map(|detail| detail.value.len())
                .sum();
            let (code, many) = (status.code().name(), status.details().len());
            format!(
                "{code}: {} ({many} detail of {bytes} bytes)",
                status.message()
            )
        }
    }
}
