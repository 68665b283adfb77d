//! The same service between this binding and plain tonic, in both directions.

use crate::shop::{PATIENCE, Served, plain};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Code, Context, items};
use rpc_testkit::generated::stock_client::StockClient as TonicClient;
use rpc_testkit::generated::stock_server::StockServer as TonicServer;
use rpc_testkit::generated::{
    Item, StockGetRequest, StockListRequest, StockNoteRequest, StockPutRequest,
};
use rpc_testkit::generated_shop::GeneratedShop;
use rpc_testkit::inventory::{StockClient, item};
use std::time::Duration;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Server};

async fn tonic_client(served: &Served) -> TonicClient<Channel> {
    let path = served
        .endpoint
        .strip_prefix("unix:")
        .expect("a path")
        .to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move {
            tokio::net::UnixStream::connect(path)
                .await
                .map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connector).await;
    TonicClient::new(channel.expect("it listens"))
}

fn of(sku: &str, count: u32) -> Item {
    let sku = sku.to_owned();
    Item { sku, count }
}

#[tokio::test]
async fn a_plain_tonic_client_calls_every_kind_of_method() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let mut stock = tonic_client(&served).await;
    let put = StockPutRequest {
        item: Some(of("a", 2)),
    };
    assert_eq!(stock.put(put).await.expect("put").into_inner(), 2);
    let get = |sku: &str| StockGetRequest {
        sku: sku.to_owned(),
    };
    assert_eq!(
        stock.get(get("a")).await.expect("there").into_inner(),
        of("a", 2)
    );
    let missing = stock.get(get("none")).await.expect_err("missing");
    assert_eq!(missing.code(), tonic::Code::NotFound);
    assert_eq!(missing.message(), "no item `none`");
    let many = futures_util::stream::iter([of("b", 1), of("c", 1)]);
    assert_eq!(stock.fill(many).await.expect("filled").into_inner(), 2);
    let list = stock
        .list(StockListRequest::default())
        .await
        .expect("a stream");
    let names: Vec<_> = list
        .into_inner()
        .map(|item| item.expect("there").sku)
        .collect()
        .await;
    assert_eq!(names, ["a", "b", "c"]);
    let names = futures_util::stream::iter(["c".to_owned(), "none".to_owned()]);
    let mut look = stock.look(names).await.expect("a stream").into_inner();
    assert_eq!(look.message().await.expect("there"), Some(of("c", 1)));
    let missing = look.message().await.expect_err("missing");
    assert_eq!(missing.code(), tonic::Code::NotFound);
    let note = StockNoteRequest {
        text: "hello".to_owned(),
    };
    stock.note(note).await.expect("sent");
    // The deadline that tonic sends ends the call here, with the code that it belongs to.
    let mut late = Request::new(get("never"));
    late.set_timeout(Duration::from_millis(20));
    let late = stock.get(late).await.expect_err("late");
    assert!(matches!(
        late.code(),
        tonic::Code::DeadlineExceeded | tonic::Code::Cancelled
    ));
    let panicked = stock.get(get("panic")).await.expect_err("it panics");
    assert_eq!(panicked.code(), tonic::Code::Internal);
    assert_eq!(*served.shop.notes.lock().expect("no panic"), ["hello"]);
    drop(stock);
    served.stop().await;
}

#[tokio::test]
async fn a_plain_tonic_server_answers_every_kind_of_method() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("tonic.sock");
    let listener = tokio::net::UnixListener::bind(&path).expect("a free path");
    let incoming = futures_util::stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    });
    let service = TonicServer::new(GeneratedShop::default());
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming);
    let task = tokio::spawn(serving);

    let endpoint = format!("unix:{}", path.display());
    let stock = StockClient::new(rpc_grpc::connect(&endpoint).await.expect("it listens"));
    let cx = Context::new();
    assert_eq!(stock.put(&cx, item("a", 2)).await, Ok(2));
    assert_eq!(stock.get(&cx, "a".into()).await, Ok(item("a", 2)));
    let missing = stock.get(&cx, "none".into()).await.expect_err("missing");
    assert_eq!(
        (missing.code(), missing.message()),
        (Code::NotFound, "no item `none`")
    );
    assert_eq!(
        stock.fill(&cx, items([item("b", 1), item("c", 1)])).await,
        Ok(2)
    );
    let mut list = stock.list(&cx, String::new()).await.expect("a stream");
    for (name, count) in [("a", 2), ("b", 1), ("c", 1)] {
        assert_eq!(list.next().await, Some(Ok(item(name, count))));
    }
    assert_eq!(list.next().await, None);
    let names = items(["c".to_owned(), "none".to_owned()]);
    let mut look = stock.look(&cx, names).await.expect("a stream");
    assert_eq!(look.next().await, Some(Ok(item("c", 1))));
    let missing = look.next().await.expect("an item").expect_err("missing");
    assert_eq!(missing.code(), Code::NotFound);
    stock.note(&cx, "hello".into()).await.expect("sent");
    let short = Context::new().timeout(Duration::from_millis(20));
    let late = stock.get(&short, "never".into()).await.expect_err("late");
    assert_eq!(late.code(), Code::DeadlineExceeded);
    task.abort();
}
