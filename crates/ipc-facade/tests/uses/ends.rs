//! Examples whose starter ends before they are through, as by `| head -1`.

use crate::run::{PATIENCE, program};
use ipc_testkit::{TempDir, watchdog};
use std::fs::File;
use std::process::{Command, Stdio};

/// Those whose children serve until they are told to end.
const EXAMPLES: [&str; 6] = [
    "client_and_server",
    "database",
    "device",
    "notifications",
    "service_registry",
    "substations",
];

#[test]
fn whoever_can_print_no_more_leaves_no_process() {
    let _watchdog = watchdog(PATIENCE);
    for example in EXAMPLES {
        let home = TempDir::new();
        let full = File::options().write(true).open("/dev/full");
        let child = Command::new(program(example))
            .env("TMPDIR", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .stdout(full.expect("every Linux has it"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        // Until each of its children has ended, too: they share this pipe.
        child.wait_with_output().expect("it is our child");
    }
}
