//! A list as an answer.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    async fn all(&self, cx: &Context) -> Result<Vec<String>, Status>;
}

fn main() {}
