//! The words of the core, each used as a caller that is generic over mechanisms would.

#[cfg(feature = "uds")]
use ipc_facade::{
    ByteSink, ByteSource, Duplex, Flush, Framed, HalfClose, TryAccept, TryRecv, TrySend,
};
use ipc_facade::{Credentials, Debt, Error, ErrorKind, Mode, Name, Turn, Until};
#[cfg(any(feature = "event", feature = "uds"))]
use ipc_facade::{Interest, Result};
#[cfg(feature = "event")]
use ipc_facade::{Pollable, TryWait};
use std::time::Duration;

#[test]
fn values_say_what_they_are() {
    assert_eq!(Name::new("/a").expect("a name").as_str(), "a");
    assert_eq!(Mode::PRIVATE.bits(), 0o600);
    assert_eq!(
        Error::new("recv", ErrorKind::TimedOut).kind(),
        ErrorKind::TimedOut
    );
    assert!(Until::after(Duration::MAX).remaining().is_none());
    assert!(!Debt::default().owes());
    assert!(Turn::new(()).take(Until::Now).is_some());
    let nobody = Credentials {
        pid: 0,
        uid: 65534,
        gid: 65534,
    };
    assert!(!nobody.identify());
}

/// A word there by the traits of messages alone.
#[cfg(feature = "uds")]
fn goes_as_message(tx: &(impl TrySend + Flush), rx: &impl TryRecv) -> Result<()> {
    tx.try_send(b"word")?;
    tx.try_flush()?;
    rx.wait_ready(&[Interest::Read], Until::Forever)?;
    let mut word = [0; 8];
    assert_eq!(rx.try_recv(&mut word)?, 4);
    Ok(())
}

/// A word there by the traits of byte streams alone.
#[cfg(feature = "uds")]
fn goes_as_bytes(tx: &impl HalfClose, rx: &impl ByteSource) -> Result<()> {
    assert!(!ByteSink::debt(tx).owes());
    assert_eq!(tx.write_until(b"wo", b"rd", Until::Forever)?, 4);
    tx.close_write()?;
    let mut word = [0; 8];
    assert_eq!(rx.read_until(&mut word, Until::Forever)?, 4);
    assert_eq!(rx.read_until(&mut word, Until::Forever)?, 0);
    Ok(())
}

/// Whatever carries bytes in both directions.
#[cfg(feature = "uds")]
fn is_duplex(_: &impl Duplex) {}

#[cfg(feature = "uds")]
#[test]
fn traits_do_what_the_verbs_do() {
    let (left, right) = ipc_facade::uds::pair().expect("sockets");
    goes_as_message(&left, &right).expect("a word");
    is_duplex(&right);
    goes_as_bytes(&left, &right).expect("a word");
    let (left, right) = ipc_facade::uds::pair().expect("sockets");
    goes_as_message(&Framed::new(left), &Framed::new(right)).expect("a word");
}

#[cfg(feature = "uds")]
#[test]
fn connections_are_accepted_by_the_trait() {
    fn accept<T: TryAccept>(listener: &T) -> Result<T::Connection> {
        listener.wait_ready(&[Interest::Read], Until::Forever)?;
        listener.try_accept()
    }
    let dir = ipc_testkit::TempDir::new();
    let listener = ipc_facade::uds::bind(dir.join("socket")).expect("a new path");
    let client = ipc_facade::uds::connect(dir.join("socket")).expect("it listens");
    let server = accept(&listener).expect("one has come");
    goes_as_message(&client, &server).expect("a word");
}

#[cfg(feature = "event")]
#[test]
fn events_are_awaited_by_the_trait() {
    fn happened<T: Pollable + TryWait>(of: &T) -> Result<T::Happened> {
        of.wait_ready(&[Interest::Read], Until::Forever)?;
        of.try_wait()
    }
    let event = ipc_facade::event::create().expect("an event");
    event.notify().expect("room");
    assert_eq!(happened(&event).expect("it is there"), 1);
}
