//! A service without a name.

use rpc_core::{Context, Status, service};

#[service]
trait Bad {
    async fn take(&self, cx: &Context) -> Result<u32, Status>;
}

fn main() {}
