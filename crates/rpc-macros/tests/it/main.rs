//! What the compiler says of a contract that cannot travel.

#[test]
fn a_contract_that_cannot_travel_is_refused_where_it_is_written() {
    trybuild::TestCases::new().compile_fail("tests/errors/*.rs");
}
