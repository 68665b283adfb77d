//! The table of cases, over every transport.

use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::watchdog;
use rpc_testkit::table;

#[tokio::test]
async fn every_case_of_the_table_over_a_unix_socket() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    table::of_the_inventory(served.connect().await, "unix").await;
    table::of_the_calculator(served.connect().await).await;
    served.stop().await;
}

#[tokio::test]
async fn every_case_of_the_table_over_tcp() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::tcp(plain());
    table::of_the_inventory(served.connect().await, "tcp").await;
    table::of_the_calculator(served.connect().await).await;
    served.stop().await;
}
