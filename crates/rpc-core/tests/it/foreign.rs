//! What the contract emits, read by protobuf's own compiler and library.

use ipc_testkit::{TempDir, skip};
use prost::Message;
use rpc_core::ServiceDescriptor;
use rpc_testkit::calculator::CALCULATOR_SERVICE;
use rpc_testkit::inventory::STOCK_SERVICE;
use std::path::Path;
use std::process::{Command, Output};

/// The Python to be asked: `IPC_PYTHON`, where that is set.
fn python() -> Command {
    Command::new(std::env::var_os("IPC_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn succeeded(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// Reads a set of descriptors in a pool of its own, and names the methods of its services.
const POOL: &str = "
import sys
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, wrappers_pb2
files = descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[1], 'rb').read())
pool = descriptor_pool.DescriptorPool()
for own in (empty_pb2, wrappers_pb2):
    pool.AddSerializedFile(own.DESCRIPTOR.serialized_pb)
for file in files.file:
    pool.Add(file)
for file in files.file:
    for service in file.service:
        found = pool.FindServiceByName((file.package + '.' + service.name).lstrip('.'))
        print(found.full_name, *[method.name for method in found.methods])
";

fn compiled(service: &ServiceDescriptor, directory: &Path) {
    let name = format!("{}.proto", service.name());
    std::fs::write(directory.join(&name), service.proto()).expect("a file");
    let out = directory.join("out");
    let output = python()
        .args(["-m", "grpc_tools.protoc", "--descriptor_set_out"])
        .arg(&out)
        .arg("--proto_path")
        .arg(directory)
        .arg(&name)
        .output()
        .expect("it was there");
    succeeded(&output);
    let theirs = std::fs::read(&out).expect("it was written");
    let mut theirs = prost_types::FileDescriptorSet::decode(&theirs[..]).expect("a set");
    let ours = service.file_descriptor_set();
    let ours_decoded = prost_types::FileDescriptorSet::decode(&ours[..]).expect("a set");
    theirs.file[0].name.clone_from(&ours_decoded.file[0].name);
    assert_eq!(ours_decoded.file, theirs.file);

    let set = directory.join("set");
    std::fs::write(&set, ours).expect("a file");
    let output = python()
        .args(["-c", POOL])
        .arg(&set)
        .output()
        .expect("it was there");
    succeeded(&output);
    let methods = service.methods().iter().map(|method| method.name);
    let line: Vec<&str> = std::iter::once(service.name()).chain(methods).collect();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim_end(),
        line.join(" ")
    );
}

#[test]
fn protobufs_own_compiler_reads_the_text_as_the_very_set() {
    let version = python().args(["-c", "import grpc_tools.protoc"]).output();
    match version {
        Err(error) => skip!("no Python on this host: {error}"),
        Ok(output) if !output.status.success() => {
            skip!("this Python has no grpcio-tools; IPC_PYTHON names another")
        }
        Ok(_) => {}
    }
    let directory = TempDir::new();
    for service in [&STOCK_SERVICE, &CALCULATOR_SERVICE] {
        compiled(service, &directory.join(""));
    }
}
