//! A server in another process, and calls to it through a host that loses every third packet.

use rpc_core::{Context, Router, Server, Status, service};
use rpc_udp::Options;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

#[service(name = "counter.v1.Counter")]
trait Counter {
    /// One more: calling it twice would be once too often.
    async fn next(&self, cx: &Context) -> Result<u64, Status>;
}

#[derive(Default)]
struct Count(AtomicU64);

impl Counter for Count {
    async fn next(&self, _: &Context) -> Result<u64, Status> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Any process of this host that finds the port may call.
fn options() -> Options {
    Options::new().insecure_plain_text(true).clone()
}

/// Carries packets of one client to a server and back, but for every third.
fn carry(front: &UdpSocket, server: &str) -> std::io::Result<()> {
    let back = UdpSocket::bind("127.0.0.1:0")?;
    back.connect(server)?;
    let (mut buffer, mut count) = ([0; 2048], 0_u64);
    let mut lost = || {
        count += 1;
        count.is_multiple_of(3)
    };
    loop {
        let (length, client) = front.recv_from(&mut buffer)?;
        if lost() {
            continue;
        }
        back.send(&buffer[..length])?;
        let length = back.recv(&mut buffer)?;
        if !lost() {
            front.send_to(&buffer[..length], client)?;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        // Whoever started it may be killed before it can say so.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        let serving = options().bind("udp:127.0.0.1:0")?;
        println!("{}", serving.endpoint()?);
        let router = Router::new().service(CounterServer::new(Count::default()));
        return Ok(Server::new(router).with(serving)?.run().await?);
    }
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut place = String::new();
    let said = server.stdout.take().ok_or("it has an output")?;
    BufReader::new(said).read_line(&mut place)?;
    let address = place.trim().trim_start_matches("udp:").to_owned();

    let front = UdpSocket::bind("127.0.0.1:0")?;
    let way = format!("udp:{}", front.local_addr()?);
    // It ends with this process.
    std::thread::spawn(move || carry(&front, &address));

    let counter = CounterClient::new(options().connect(&way).await?);
    for expected in 1..=20 {
        assert_eq!(counter.next(&Context::new()).await?, expected);
    }
    println!("20 calls ran once each, though packets were lost");
    server.kill()?;
    server.wait()?;
    Ok(())
}
