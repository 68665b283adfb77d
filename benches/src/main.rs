//! Measures every IPC mechanism on this machine.
fn main() {}
