//! Random calls of any contract, made from its descriptor and the types that it names.

use bytes::Bytes;
use futures_util::stream;
use rpc_core::{
    Body, FieldKind, MethodDescriptor, MethodKind, Payload, Protobuf, Scalar, ServiceDescriptor,
    Shape,
};
use rpc_testkit::calculator::CALCULATOR_SERVICE;
use rpc_testkit::inventory::STOCK_SERVICE;
use std::time::Duration;
use tokio::task::yield_now;

/// What both services never answer.
const HANGS: &str = "never";

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A call as it is to be made.
pub(crate) struct Plan {
    pub(crate) method: &'static MethodDescriptor,
    pub(crate) messages: Vec<Bytes>,
    pub(crate) names: u64,
    /// Its strings are a name that all calls share: the twin would hang too.
    pub(crate) hangs: bool,
    pub(crate) timeout: Option<Duration>,
    /// After so many turns of the runtime nobody wants it any more.
    pub(crate) patience: Option<u64>,
    /// Turns of the runtime between two items.
    pub(crate) pause: u64,
    /// How many answers are taken.
    pub(crate) takes: usize,
}

/// A call, whose strings are of such names.
pub(crate) fn plan(random: &mut Random, names: u64) -> Plan {
    let service: &ServiceDescriptor = match random.below(3) {
        0 => &CALCULATOR_SERVICE,
        _ => &STOCK_SERVICE,
    };
    let method = &service.methods()[random.below(service.methods().len() as u64) as usize];
    // A oneway call cannot be given up: it would run as long as the connection.
    let may_hang = method.kind != MethodKind::Oneway;
    let hangs = method.name == "Never" || (may_hang && random.one_in(12));
    let many = match method.kind.client_streams() {
        true => random.below(20),
        false => 1,
    };
    let word = match hangs {
        true => HANGS,
        false => "",
    };
    let messages = (0..many).map(|_| message(random, service, method.input, names, word));
    let messages = messages.collect();
    let limited = hangs || random.one_in(4);
    let by_time = random.one_in(2);
    Plan {
        method,
        messages,
        names,
        hangs,
        timeout: (limited && by_time).then(|| Duration::from_micros(random.below(1_000))),
        patience: (limited && !by_time).then(|| random.below(30)),
        pause: random.below(3),
        takes: match random.one_in(6) {
            true => random.below(5) as usize,
            false => usize::MAX,
        },
    }
}

/// A message of a type, of which only the names of its strings are chosen with care.
fn message(
    random: &mut Random,
    service: &ServiceDescriptor,
    name: &str,
    names: u64,
    word: &str,
) -> Bytes {
    let (types, mut out) = (service.types(), Vec::new());
    let Some(Shape::Message(fields)) = types.get(name).map(|found| &found.shape) else {
        return Bytes::new();
    };
    for field in fields {
        let key = u8::try_from(field.number << 3).expect("small numbers");
        match &field.kind {
            FieldKind::Scalar(Scalar::String) => {
                let text = match word {
                    "" => format!("{names}-{}", random.below(3)),
                    word => word.to_owned(),
                };
                out.extend([key | 2, u8::try_from(text.len()).expect("short")]);
                out.extend(text.as_bytes());
            }
            FieldKind::Scalar(_) => {
                let number = random.below(300) as u16;
                out.extend([key, (number & 127) as u8 | 128, (number >> 7) as u8]);
            }
            FieldKind::Message(inner) => {
                let inner = message(random, service, inner, names, word);
                out.extend([key | 2, u8::try_from(inner.len()).expect("short")]);
                out.extend(inner);
            }
            other => unimplemented!("no contract here has {other:?}"),
        }
    }
    out.into()
}

/// What it sends.
pub(crate) fn body(plan: &Plan) -> Body {
    let mut payloads = plan.messages.clone().into_iter();
    let mut next = move || Some(Payload::Encoded(&Protobuf, payloads.next()?));
    if !plan.method.kind.client_streams() {
        return Body::One(next().expect("one message"));
    }
    let pause = plan.pause;
    Body::Many(Box::pin(stream::unfold(next, move |mut next| async move {
        for _ in 0..pause {
            yield_now().await;
        }
        Some((Ok(next()?), next))
    })))
}
