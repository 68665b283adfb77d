//! Examples whose starter ends before they are through, as by `| head -1`.

/// Those whose children serve until they are told to end.
const EXAMPLES: [&str; 7] = [
    "client_and_server",
    "database",
    "device",
    "near_or_far",
    "notifications",
    "service_registry",
    "substations",
];

#[test]
fn whoever_can_print_no_more_leaves_no_process() {
    for example in EXAMPLES {
        ipc_testkit::loses_its_output(example);
    }
}
