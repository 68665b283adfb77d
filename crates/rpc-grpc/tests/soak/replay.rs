//! A6: what was captured of a call over mutual TLS, sent again, on its own connection and on
//! others.

use crate::there::{PATIENCE, There, Wanted, runtime};
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_testkit::identities::Identities;
use rpc_testkit::inventory::{StockClient, item};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

/// One replay in so many is on the captured connection itself.
const SAME: u64 = 50;

/// Somebody on the way, who keeps what goes to the server.
struct OnPath {
    listener: TcpListener,
    server: String,
}

impl OnPath {
    fn before(there: &There) -> Self {
        let server = there.endpoint.split_once(':').expect("a string binding").1;
        Self {
            listener: TcpListener::bind("127.0.0.1:0").expect("a port"),
            server: server.to_owned(),
        }
    }

    fn endpoint(&self) -> String {
        format!("mtls:{}", self.listener.local_addr().expect("bound"))
    }

    /// Carries one connection; when told so, sends again what last went to the server, and waits
    /// for what comes of it. What went to the server in all.
    fn carry(&self, again: &Receiver<()>, told: &Sender<bool>) -> Vec<u8> {
        let (near, _) = self.listener.accept().expect("a client");
        let far = TcpStream::connect(&self.server).expect("it listens");
        let (back_from, back_to) = (
            far.try_clone().expect("a descriptor"),
            near.try_clone().expect("a descriptor"),
        );
        let back = std::thread::spawn(move || copy(back_from, back_to));
        let (mut kept, mut last, mut buffer) = (Vec::new(), Vec::new(), [0; 16 << 10]);
        let (mut from, mut to) = (near, far);
        let short = Some(std::time::Duration::from_millis(1));
        from.set_read_timeout(short).expect("a time");
        loop {
            if again.try_recv().is_ok() {
                let _ = to.write_all(&last);
                // The server ends it.
                back.join().expect("no panic");
                let _ = told.send(true);
                return kept;
            }
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    kept.extend(&buffer[..length]);
                    last = buffer[..length].to_vec();
                    if to.write_all(&last).is_err() {
                        break;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        back.join().expect("no panic");
        kept
    }
}

/// Copies until the end.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Captured calls of a method that is not idempotent are never accepted again.
pub(crate) fn of_captured_calls(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    let replays = lab.count(200, 10_000, 100_000);
    let mut tally = Tally::new("A6", "captured calls over mutual TLS, sent again");
    let identities = Identities::new();
    let there = There::wanted(
        "mtls",
        &Wanted {
            identities: Some(&identities),
            ..Wanted::default()
        },
    );
    let client = There::known(&identities, "clerk");
    // Of two threads: connections go on, and end, while nobody waits.
    let runtime = runtime(2);
    let direct = StockClient::new(
        runtime
            .block_on(client.connect(&there.endpoint))
            .expect("it listens"),
    );
    let counted = |sku: &str| {
        let count = runtime.block_on(direct.put(&Context::new(), item(sku, 0)));
        count.map_err(|status| status.to_string())
    };
    let on_path = OnPath::before(&there);
    // A call of its own, through whom is on the way.
    let captured = |sku: &str, replay: bool| {
        let ((tell, again), (tells, told)) = (channel(), channel());
        std::thread::scope(|scope| {
            let carrying = scope.spawn(|| {
                let (again, tells) = (again, tells);
                on_path.carry(&again, &tells)
            });
            runtime.block_on(async {
                let connection = client.connect(&on_path.endpoint()).await;
                let stock = StockClient::new(connection.expect("it listens"));
                let put = stock.put(&Context::new(), item(sku, 1)).await;
                assert_eq!(put, Ok(1), "nothing was there");
                if replay {
                    tell.send(()).expect("it carries");
                    let _ = told.recv();
                }
            });
            carrying.join().expect("no panic")
        })
    };
    let kept = captured("once", false);
    for number in 0..replays {
        let once = if number.is_multiple_of(SAME) {
            let sku = format!("same{number}");
            captured(&sku, true);
            counted(&sku)
        } else {
            let mut again = TcpStream::connect(&on_path.server).expect("it listens");
            let _ = again.write_all(&kept);
            let _ = again.shutdown(Shutdown::Write);
            let mut came = Vec::new();
            let _ = again.read_to_end(&mut came);
            counted("once")
        };
        tally.trial(match once {
            Ok(1) => Ok(()),
            other => Err(format!("it counts {other:?}")),
        });
    }
    lab.enter(tally);
    drop(direct);
    there.server.kill();
}
