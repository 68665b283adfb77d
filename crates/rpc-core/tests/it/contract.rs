//! What a contract becomes: a fingerprint, a diff, `.proto` text, a descriptor set.

use prost::Message;
use rpc_core::{Comparison, Context, Contract, Describe, Status, service};
use rpc_testkit::inventory::STOCK_SERVICE;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Everything that a message can hold.
#[derive(Clone, PartialEq, Message, Describe, Serialize, Deserialize)]
struct Everything {
    #[prost(sint64, tag = 1)]
    signed: i64,
    #[prost(bytes = "vec", tag = 2)]
    bytes: Vec<u8>,
    #[prost(string, optional, tag = 3)]
    perhaps: Option<String>,
    #[prost(double, repeated, tag = 4)]
    many: Vec<f64>,
    #[prost(enumeration = "Colour", tag = 5)]
    colour: i32,
    #[prost(map = "string, message", tag = 6)]
    by_name: HashMap<String, Everything>,
    #[prost(message, optional, boxed, tag = 7)]
    inner: Option<Box<Everything>>,
    #[prost(oneof = "Either", tags = "8, 9")]
    either: Option<Either>,
    #[prost(map = "uint32, enumeration(Colour)", tag = 10)]
    colours: HashMap<u32, i32>,
}

/// What one can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration, Describe)]
#[repr(i32)]
enum Colour {
    Unknown = 0,
    DeepRed = 1,
}

#[derive(Clone, PartialEq, prost::Oneof, Describe, Serialize, Deserialize)]
enum Either {
    #[prost(string, tag = 8)]
    Left(String),
    #[prost(fixed32, tag = 9)]
    RightHand(u32),
}

#[service(name = "all.v2.Zoo")]
trait Zoo {
    /// Shows
    /// all.
    async fn show(
        &self,
        cx: &Context,
        number: i32,
        names: Vec<String>,
        perhaps: Option<Everything>,
        list: Vec<Everything>,
        blob: Vec<u8>,
    ) -> Result<Everything, Status>;
    async fn ratio(&self, cx: &Context) -> Result<f64, Status>;
    #[rpc(oneway)]
    async fn tell(&self, cx: &Context, all: Everything);
}

/// What protox says of the text, as a set of descriptors.
fn compiled(text: &str) -> prost_types::FileDescriptorSet {
    struct One(String);
    impl protox::file::FileResolver for One {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            match name {
                "one.proto" => protox::file::File::from_source(name, &self.0),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }
    let mut resolver = protox::file::ChainFileResolver::new();
    resolver.add(One(text.to_owned()));
    resolver.add(protox::file::GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler
        .open_file("one.proto")
        .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    compiler.file_descriptor_set()
}

#[test]
fn the_proto_text_compiles_to_the_very_descriptor_set() {
    for service in [&STOCK_SERVICE, &ZOO_SERVICE] {
        let text = service.proto();
        let set = service.file_descriptor_set();
        let ours = prost_types::FileDescriptorSet::decode(&set[..]).expect("a set");
        let mut theirs = compiled(&text);
        theirs.file[0].source_code_info = None;
        theirs.file[0].name.clone_from(&ours.file[0].name);
        assert_eq!(ours.file[0], theirs.file[0], "{text}");
    }
}

#[test]
fn documentation_travels_into_the_text() {
    let text = STOCK_SERVICE.proto();
    assert!(text.contains("// What is on the shelves.\nservice Stock {\n  // Looks up one item.\n  rpc Get(StockGetRequest) returns (Item) {\n    option idempotency_level = NO_SIDE_EFFECTS;\n  }\n"), "{text}");
    assert!(
        text.contains("rpc List(StockListRequest) returns (stream Item);"),
        "{text}"
    );
    assert!(
        text.contains("// What it is called.\n  string sku = 1;"),
        "{text}"
    );
}

#[test]
fn a_changed_field_is_another_contract_and_an_added_one_a_compatible_one() {
    let ours = STOCK_SERVICE.contract();
    assert_eq!(ours.compare(ours), Comparison::Identical);
    let text = ours.text();
    assert_eq!(Contract::parse(&text).as_ref(), Some(ours));
    let changed = text.replace("singular uint32 count", "singular string count");
    let changed = Contract::parse(&changed).expect("a contract");
    assert_ne!(changed.fingerprint(), ours.fingerprint());
    let verdict = ours.compare(&changed).to_string();
    assert_eq!(
        verdict,
        "incompatible, because field inventory.v1.Item 2: the client has `singular uint32 count`, \
         the server `singular string count`"
    );
    let added = format!("{text}field inventory.v1.Item 3 = singular string place\n");
    let added = Contract::parse(&added).expect("a contract");
    assert!(matches!(ours.compare(&added), Comparison::Compatible(_)));
    let less = text.replace("method Get = unary", "method Take = unary");
    let less = Contract::parse(&less).expect("a contract");
    let verdict = ours.compare(&less).to_string();
    assert!(
        verdict.contains("method Get: the server has none"),
        "{verdict}"
    );
}

#[test]
fn documentation_and_policies_do_not_change_the_fingerprint() {
    mod other {
        use super::{Context, Status, service};
        #[service(name = "all.v2.Plain")]
        pub(super) trait Plain {
            async fn one(&self, cx: &Context, a: u32) -> Result<bool, Status>;
        }
    }
    #[service(name = "all.v2.Plain")]
    /// With words.
    trait Plain {
        /// More words.
        #[rpc(deadline = "1s", idempotency = "idempotent")]
        async fn one(&self, cx: &Context, a: u32) -> Result<bool, Status>;
    }
    assert_eq!(
        PLAIN_SERVICE.contract().fingerprint(),
        other::PLAIN_SERVICE.contract().fingerprint()
    );
}

#[test]
fn parameters_may_have_any_name() {
    #[service(name = "all.v2.Names")]
    trait Names {
        #[allow(clippy::too_many_arguments)]
        async fn all(
            &self,
            cx: &Context,
            service: u32,
            method: u32,
            call: u32,
            out: u32,
            items: u32,
            channel: u32,
            r#type: u32,
        ) -> Result<u32, Status>;
    }
    struct Sum;
    impl Names for Sum {
        async fn all(
            &self,
            _: &Context,
            service: u32,
            method: u32,
            call: u32,
            out: u32,
            items: u32,
            channel: u32,
            r#type: u32,
        ) -> Result<u32, Status> {
            Ok(service + method + call + out + items + channel + r#type)
        }
    }
    let here = rpc_core::Router::new().service(NamesServer::new(Sum));
    let all = NamesClient::new(here);
    let sum = rpc_core::block_on(all.all(&Context::new(), 1, 2, 3, 4, 5, 6, 7));
    assert_eq!(sum, Ok(28));
    assert!(NAMES_SERVICE.proto().contains("uint32 type = 7;"));
}

#[test]
fn the_text_of_a_stranger_is_read_as_it_would_be_written_or_not_at_all() {
    use rpc_core::Contract;
    let good = Contract::parse("service a.B\n").expect("one line");
    assert_eq!(good.text(), "service a.B\n");
    for bad in [
        "service a.B\r\n",
        "service a.B\r",
        "enum \0\n",
        "service a\u{1b}[2J\n",
        "x y\n",
    ] {
        assert!(Contract::parse(bad).is_none(), "{bad:?}");
    }
}
