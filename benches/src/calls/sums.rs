//! The calculator of the test kit, called: the smallest call there is, and a stream of numbers.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::StreamExt;
use rpc_core::{Channel, Context, Router, Served, Server, Status, export::Stream};
use rpc_testkit::calculator::{Adder, Calculator, CalculatorClient, CalculatorServer};

use super::{
    Caller, Tally, calls_only,
    client::Messages,
    ours::{Contract, failed},
};
use crate::scenario::{Scenario, Shape};

/// Sums, and streams of numbers.
#[derive(Debug)]
pub struct Sums;

impl Contract for Sums {
    type Stubs<C: Channel + Clone + 'static> = Sum<C>;

    fn fits(shape: &Shape) -> Result<(), String> {
        match shape.scenario {
            Scenario::OneWay | Scenario::BothStreams => {
                Err("the calculator takes no stream of arguments".to_owned())
            }
            _ => calls_only(shape),
        }
    }

    fn served(tally: &Arc<Tally>) -> Served {
        let counted = Counted(Arc::clone(tally));
        Server::new(Router::new().service(CalculatorServer::new(counted))).served()
    }

    fn stubs<C: Channel + Clone + 'static>(channel: C) -> Sum<C> {
        Sum {
            calculator: Arc::new(CalculatorClient::new(channel)),
            next: Arc::default(),
        }
    }
}

/// Calculates, and counts.
struct Counted(Arc<Tally>);

impl Calculator for Counted {
    async fn add(&self, cx: &Context, a: u64, b: u64) -> Result<u64, Status> {
        self.0.count();
        Adder.add(cx, a, b).await
    }

    async fn count(
        &self,
        cx: &Context,
        to: u64,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status> {
        let tally = Arc::clone(&self.0);
        let numbers = Box::pin(Adder.count(cx, to).await?);
        Ok(numbers.inspect(move |_| tally.count()))
    }

    async fn note(&self, cx: &Context, text: String) {
        Adder.note(cx, text).await;
    }

    async fn never(&self, cx: &Context) -> Result<(), Status> {
        Adder.never(cx).await
    }
}

/// Adds one to one number after the other.
pub struct Sum<C> {
    calculator: Arc<CalculatorClient<C>>,
    next: Arc<AtomicU64>,
}

impl<C> Clone for Sum<C> {
    fn clone(&self) -> Sum<C> {
        Sum {
            calculator: Arc::clone(&self.calculator),
            next: Arc::clone(&self.next),
        }
    }
}

impl<C> std::fmt::Debug for Sum<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sum").finish_non_exhaustive()
    }
}

impl<C: Channel + 'static> Caller for Sum<C> {
    async fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let cx = Context::background();
        let sum = self.calculator.add(&cx, number, 1).await.map_err(failed)?;
        match sum == number + 1 {
            true => Ok(message),
            false => Err(io::Error::other(format!("{number} + 1 is not {sum}"))),
        }
    }

    async fn receive(&self, messages: Messages) -> io::Result<()> {
        let cx = Context::background();
        let to = u64::from(messages.all());
        let numbers = self.calculator.count(&cx, to).await;
        let (mut numbers, mut came) = (numbers.map_err(failed)?, 0);
        while let Some(number) = numbers.next().await {
            if number.map_err(failed)? != came {
                return Err(io::Error::other("a number is missing"));
            }
            came += 1;
        }
        match came == to {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
