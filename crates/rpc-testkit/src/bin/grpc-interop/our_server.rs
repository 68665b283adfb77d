//! The server of this toolkit.

use crate::arguments::Arguments;
use crate::compression::Compression;
use crate::outcome::failed;
use crate::witness::Witness;
use rpc_core::{Router, Server, Status};
use rpc_grpc::Encoding;
use rpc_grpc::health::{HealthReporter, ServingStatus};
use rpc_testkit::interop::{EchoMetadata, TestServiceServer, Tester};
use rpc_transport::Endpoint;
use tower_layer::layer_fn;

/// Serves until the standard input ends, and then drains.
pub(crate) async fn serve(arguments: &Arguments) -> Result<(), String> {
    let health = HealthReporter::new();
    health.set("grpc.testing.TestService", ServingStatus::Serving);
    let router = Router::new()
        .service(TestServiceServer::new(Tester))
        .service(health.service());
    let router = rpc_grpc::reflect(router).map_err(failed("reflection"))?;
    let server = Server::new(router)
        .layer(layer_fn(EchoMetadata))
        .layer(layer_fn(Compression));
    // What may be compressed, the layer says.
    let options = arguments.options(Encoding::Gzip);
    let endpoint: Endpoint = arguments.endpoint().parse().map_err(failed("bind"))?;
    let transport = arguments.transport(&[b"h2", b"http/1.1"]);
    let listener = transport.bind(&endpoint).map_err(failed("bind"))?;
    let endpoint = listener.endpoint().map_err(failed("bind"))?.to_string();
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    println!("listening {port}");
    let serving = Witness::new(listener, options);
    let stopper = serving.stopper();
    let server = server.with(serving).map_err(failed("bind"))?;
    let running = tokio::spawn(server.run());
    crate::until_told().await;
    stopper.stop();
    let ended: Result<Result<(), Status>, _> = running.await;
    ended.map_err(failed("serve"))?.map_err(failed("serve"))
}
