//! Each rule of what a changed contract does, by a lock file and by binding alike.

use crate::remote::PATIENCE;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::export::Stream;
use rpc_core::{
    Channel, Code, Context, Describe, Router, Server, ServiceDescriptor, Status, service,
};
use rpc_native::Options;
use rpc_testkit::lockfile;
use rpc_transport::Wire;
use serde::{Deserialize, Serialize};
use std::pin::Pin;

/// One version of the contract: the fields of its message, the values of its enumeration, its
/// methods, and what calls one of them.
macro_rules! version {
    ($name:ident, { $($field:tt)* }, { $($value:tt)* }, { $($method:tt)* }) => {
        version!($name, ask, { $($field)* }, { $($value)* }, { $($method)* });
    };
    ($name:ident, $call:ident, { $($field:tt)* }, { $($value:tt)* }, { $($method:tt)* }) => {
        // Only the first is served.
        #[allow(dead_code)]
        mod $name {
            use super::*;

            #[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
            #[describe(name = "rules.v1.Question")]
            pub(super) struct Question { $($field)* }

            #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration, Describe)]
            #[describe(name = "rules.v1.Colour")]
            #[repr(i32)]
            pub(super) enum Colour { $($value)* }

            #[service(name = "rules.v1.Rules")]
            pub(super) trait Rules { $($method)* }

            pub(super) fn service() -> &'static ServiceDescriptor {
                &RULES_SERVICE
            }

            pub(super) fn call(
                channel: impl Channel + 'static,
            ) -> Pin<Box<dyn Future<Output = Result<(), Status>>>> {
                Box::pin(async move {
                    let rules = RulesClient::new(channel);
                    rules.$call(&Context::new(), Question::default()).await.map(drop)
                })
            }
        }
    };
}

version!(base, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(documented, {
    /// What is asked.
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    /// With words and a policy.
    #[rpc(idempotency = "idempotent", deadline = "2s")]
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(more_fields, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
    #[prost(bytes = "vec", tag = 4)] pub blob: Vec<u8>,
}, { None = 0, Red = 1, Blue = 2, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(fewer, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
});
version!(other_type, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(string, tag = 2)] pub count: String,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(other_label, {
    #[prost(string, repeated, tag = 1)] pub text: Vec<String>,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(other_field_name, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub number: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(other_value, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Green = 1, }, {
    async fn ask(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(other_method_name, inquire, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    async fn inquire(&self, cx: &Context, question: Question) -> Result<u32, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});
version!(another_kind, {
    #[prost(string, tag = 1)] pub text: String,
    #[prost(uint32, tag = 2)] pub count: u32,
    #[prost(enumeration = "Colour", tag = 3)] pub colour: i32,
}, { None = 0, Red = 1, }, {
    async fn ask(&self, cx: &Context, question: Question)
        -> Result<impl Stream<Item = Result<u32, Status>>, Status>;
    async fn more(&self, cx: &Context, number: u32) -> Result<u32, Status>;
});

/// The server of every version: it has the first.
struct Answers;

impl base::Rules for Answers {
    async fn ask(&self, _: &Context, question: base::Question) -> Result<u32, Status> {
        Ok(question.count)
    }
    async fn more(&self, _: &Context, number: u32) -> Result<u32, Status> {
        Ok(number)
    }
}

fn server() -> Server {
    Server::new(Router::new().service(base::RulesServer::new(Answers)))
}

type Call<C> = fn(C) -> Pin<Box<dyn Future<Output = Result<(), Status>>>>;

/// A version, and what a lock file of it says to the server's source; what says "incompatible"
/// names what is.
macro_rules! rules {
    ($($name:ident: $verdict:literal,)*) => {
        [$((
            stringify!($name),
            base::service as fn() -> &'static ServiceDescriptor,
            $name::service as fn() -> &'static ServiceDescriptor,
            $name::call as Call<rpc_native::Connection>,
            $verdict,
        ),)*]
    };
}

#[tokio::test]
async fn each_rule_says_the_same_by_lock_file_by_greeting_and_within_the_process() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let place = "inproc:the rules of contracts";
    let serving = rpc_native::bind(place).expect("a free name");
    let within = tokio::spawn(server().with(serving).expect("it carries all").run());
    for (rule, theirs, ours, call, verdict) in rules! {
        base: "identical",
        documented: "identical",
        more_fields: "compatible: only the client has field rules.v1.Question 4; \
                      only the client has value rules.v1.Colour 2",
        fewer: "compatible: only the server has field rules.v1.Question 2; \
                only the server has field rules.v1.RulesMoreRequest 1; \
                only the server has message rules.v1.RulesMoreRequest; \
                only the server has method More; only the server has value rules.v1.Colour 1",
        other_type: "incompatible, because field rules.v1.Question 2: the client has \
                     `singular string count`, the server `singular uint32 count`",
        other_label: "incompatible, because field rules.v1.Question 1: the client has \
                      `repeated string text`, the server `singular string text`",
        other_field_name: "incompatible, because field rules.v1.Question 2: the client has \
                           `singular uint32 number`, the server `singular uint32 count`",
        other_value: "incompatible, because value rules.v1.Colour 1: the client has \
                      `COLOUR_GREEN`, the server `COLOUR_RED`",
        other_method_name: "incompatible, because method Inquire: the server has none",
        another_kind: "incompatible, because method Ask: ",
    } {
        let lock = directory.join("rules.v1.Rules.txt");
        std::fs::write(lock, ours().contract().text()).expect("room");
        let told = lockfile::told(directory.path(), &[theirs()]).expect("readable");
        let [told] = &told[..] else {
            panic!("one service: {told:?}")
        };
        assert!(told.starts_with(verdict), "{rule}: {told}, not {verdict}");

        let (client, far) = Wire::pair().expect("a pair");
        tokio::spawn(Options::new().serve(far, server().served()));
        let over = Options::new().over(client).await.expect("greeted");
        let inside = rpc_native::connect(place).await.expect("it is here");
        for (way, connection) in [("by greeting", over), ("within the process", inside)] {
            let outcome = call(connection).await;
            let Some(because) = told.strip_prefix("incompatible") else {
                assert_eq!(outcome, Ok(()), "{rule}, {way}");
                continue;
            };
            let refused = outcome.expect_err(rule);
            assert_eq!(refused.code(), Code::FailedPrecondition, "{rule}, {way}");
            assert!(refused.did_not_run(), "{rule}, {way}");
            let expected = format!("rules.v1.Rules: incompatible{because}");
            assert_eq!(refused.message(), expected, "{rule}, {way}");
        }
    }
    within.abort();
}
