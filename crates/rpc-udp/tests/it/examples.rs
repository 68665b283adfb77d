//! The examples, where nobody can be told what they print.

#[test]
fn an_example_that_can_print_no_more_leaves_nothing() {
    ipc_testkit::loses_its_output("two_processes");
}
