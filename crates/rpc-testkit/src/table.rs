//! The table of cases: what each kind of call answers, whatever carries it.

use crate::calculator::CalculatorClient;
use crate::inventory::{StockClient, item};
use rpc_core::{Channel, Code, Context, Status, items};
use std::time::Duration;

/// Every kind of call of the inventory, the refusals, a panic, and a deadline.
///
/// Items are put under names that begin with `prefix`, so that one shop can be asked several times.
///
/// # Panics
/// Where an outcome is not that of the table.
pub async fn of_the_inventory<C: Channel>(channel: C, prefix: &str) {
    let stock = StockClient::new(channel);
    let cx = Context::new();
    let [one, two, three] = [1, 2, 3].map(|n| format!("{prefix}{n}"));
    assert_eq!(stock.put(&cx, item(&one, 2)).await, Ok(2));
    assert_eq!(stock.get(&cx, one.clone()).await, Ok(item(&one, 2)));
    let missing = refused(stock.get(&cx, "none".into()).await, Code::NotFound);
    assert_eq!(missing.message(), "no item `none`");
    let many = items([item(&two, 1), item(&three, 1)]);
    assert_eq!(stock.fill(&cx, many).await, Ok(2));

    let mut list = stock.list(&cx, prefix.into()).await.expect("a stream");
    for (name, count) in [(&one, 2), (&two, 1), (&three, 1)] {
        assert_eq!(list.next().await, Some(Ok(item(name, count))));
    }
    assert_eq!(list.next().await, None);
    let mut bad = stock.list(&cx, "bad".into()).await.expect("a stream");
    refused(bad.next().await.expect("an item"), Code::InvalidArgument);

    let names = items([two.clone(), "none".to_owned()]);
    let mut look = stock.look(&cx, names).await.expect("a stream");
    assert_eq!(look.next().await, Some(Ok(item(&two, 1))));
    refused(look.next().await.expect("an item"), Code::NotFound);
    assert_eq!(look.next().await, None);

    stock.note(&cx, "hello".into()).await.expect("sent");
    refused(stock.get(&cx, "panic".into()).await, Code::Internal);
    let short = Context::new().timeout(Duration::from_millis(20));
    let late = stock.get(&short, "never".into()).await;
    refused(late, Code::DeadlineExceeded);
    assert_eq!(stock.get(&cx, one.clone()).await, Ok(item(&one, 2)));
}

/// What a server that does one thing at a time, or one in another language, answers.
///
/// # Panics
/// Where an outcome is not that of the table.
pub async fn of_the_calculator<C: Channel>(channel: C) {
    let calculator = CalculatorClient::new(channel);
    let cx = Context::new();
    assert_eq!(calculator.add(&cx, 2, u64::MAX).await, Ok(1));
    calculator.note(&cx, "hello".into()).await.expect("sent");
    let mut counted = calculator.count(&cx, 20_000).await.expect("a stream");
    for number in 0..20_000 {
        assert_eq!(counted.next().await, Some(Ok(number)));
    }
    assert_eq!(counted.next().await, None);
    let short = Context::new().timeout(Duration::from_millis(20));
    refused(calculator.never(&short).await, Code::DeadlineExceeded);
    // More than a window, left in the middle.
    let mut dropped = calculator.count(&cx, 1_000_000).await.expect("a stream");
    assert_eq!(dropped.next().await, Some(Ok(0)));
    drop(dropped);
    assert_eq!(calculator.add(&cx, 3, 4).await, Ok(7));
}

/// The status of what must fail.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code) -> Status {
    let status = outcome.expect_err("it is refused");
    assert_eq!(status.code(), code, "{status}");
    status
}
