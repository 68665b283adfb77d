//! The examples, where nobody can be told what they print.

#[test]
fn an_example_that_can_print_no_more_leaves_nothing() {
    for example in ["calculator", "large_calls", "shm_cost"] {
        ipc_testkit::loses_its_output(example);
    }
}
