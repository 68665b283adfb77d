//! A method that is not async.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    fn take(&self, cx: &Context) -> Result<u32, Status>;
}

fn main() {}
