//! A client and a server in Python, written from the wire document alone, talk to ours.

use crate::remote::{PATIENCE, Remote};
use ipc_testkit::{TempDir, skip, watchdog};
use rpc_core::block_on;
use rpc_native::{Format, Options};
use rpc_testkit::table;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn script() -> Command {
    let mut command = Command::new("python3");
    command
        .arg("-I")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire.py"));
    command
}

fn has_python() -> bool {
    let version = Command::new("python3")
        .arg("-c")
        .arg("import hashlib")
        .output();
    version.is_ok_and(|output| output.status.success())
}

#[test]
fn a_client_written_from_the_document_alone_passes_the_cases() {
    if !has_python() {
        skip!("no python3 on this host");
    }
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let path = remote.endpoint.strip_prefix("unix:").expect("a path");
    let output = script().arg("client").arg(path).output().expect("python3");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[test]
fn a_server_written_from_the_document_alone_passes_the_cases() {
    if !has_python() {
        skip!("no python3 on this host");
    }
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let path = directory.join("socket");
    let mut server = script()
        .arg("server")
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut line = String::new();
    let output = server.stdout.take().expect("it is a pipe");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert_eq!(line, "listening\n");
    let endpoint = format!("unix:{}", path.display());
    let mut options = Options::new();
    let connection = options.format(Format::Json).connect_blocking(&endpoint);
    block_on(table::of_the_calculator(connection.expect("it listens")));
    assert!(server.wait().expect("our own").success());
}
