//! The soak of ipc-signal.

fn main() {}
