//! Use cases with the network, on this host alone.

use crate::run::{explains_itself, run};

#[test]
fn a_substation_that_dies_is_missed_and_known_again_when_it_is_back() {
    explains_itself("substations");
    let ran = run("substations", &[]);
    for (station, peer) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let hears = format!("station {station} hears station {peer}: breaker closed");
        ran.assert_line(&[&hears]);
    }
    for station in [0, 1] {
        ran.assert_line(&[&format!("station {station} lost station 2")]);
        ran.assert_line(&[&format!("station {station} hears station 2: breaker open")]);
    }
}
