//! What a server knows of the services that a client has named on a connection.

use crate::client_side::Verdict;
use crate::codecs::Format;
use crate::frame::CallHead;
use crate::server_side::{Incoming, ServerSide};
use rpc_core::{
    Code, Context, MethodDescriptor, MethodKind, Peer, Served, ServiceDescriptor, Status,
};
use std::time::{Duration, Instant};

/// The services that were named, by number.
#[derive(Debug, Default)]
pub(crate) struct Named {
    bound: Vec<Option<Bound>>,
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    service: &'static ServiceDescriptor,
    format: Format,
}

impl Named {
    /// Answers a client that names a service.
    pub(crate) fn bind(
        &mut self,
        machine: &mut ServerSide,
        served: &Served,
        (binding, codec, fingerprint, name): (u16, u8, [u8; 16], &[u8]),
    ) {
        let name = std::str::from_utf8(name).unwrap_or_default();
        let (service, format) = (served.find(name), Format::from_number(codec));
        let (mut verdict, mut text, mut bound) = (Verdict::Good, String::new(), None);
        match (service, format) {
            (None, _) => verdict = Verdict::Unknown,
            (_, None) => verdict = Verdict::UnknownCodec,
            (Some(service), Some(_)) if service.contract().fingerprint() != fingerprint => {
                (verdict, text) = (Verdict::OtherContract, service.contract().text());
            }
            (Some(service), Some(format)) => bound = Some(Bound { service, format }),
        }
        // The machine has checked that it is between 1 and the limit.
        let index = usize::from(binding).saturating_sub(1);
        if self.bound.len() <= index {
            self.bound.resize(index + 1, None);
        }
        self.bound[index] = bound;
        machine.bound(binding, verdict, &text);
    }

    /// What a call is for.
    pub(crate) fn target(
        &self,
        incoming: &Incoming,
    ) -> Result<(&'static MethodDescriptor, Format), Status> {
        let (method, format) = self.method(&incoming.head)?;
        let oneway = method.kind == MethodKind::Oneway;
        if oneway != (incoming.call == 0)
            || method.kind.client_streams() == incoming.message.is_some()
        {
            let text = format!("{} is {}", method.name, method.kind.name());
            return Err(Status::new(Code::InvalidArgument, text));
        }
        Ok((method, format))
    }

    /// The unary method that a call of one message is for, if it is one.
    pub(crate) fn unary(&self, head: &CallHead) -> Option<(&'static MethodDescriptor, Format)> {
        let target = self.method(head).ok()?;
        (target.0.kind == MethodKind::Unary).then_some(target)
    }

    fn method(&self, head: &CallHead) -> Result<(&'static MethodDescriptor, Format), Status> {
        let index = usize::from(head.binding).wrapping_sub(1);
        let Some(bound) = self.bound.get(index).copied().flatten() else {
            let text = "the service was not named, or was refused, on this connection";
            return Err(Status::new(Code::FailedPrecondition, text));
        };
        let Some(method) = bound.service.method(head.method) else {
            let text = format!("{} has no such method", bound.service.name());
            return Err(Status::new(Code::Unimplemented, text));
        };
        Ok((method, bound.format))
    }
}

/// What a handler learns of a call beside its message.
pub(crate) fn context(peer: &Peer, head: &CallHead, now: Instant) -> Context {
    let mut context = Context::inbound(peer.clone()).with_metadata(head.metadata.clone());
    if let Some(trace) = head.trace {
        context = context.trace(trace);
    }
    if let Some(micros) = head.timeout_micros
        && let Some(deadline) = now.checked_add(Duration::from_micros(micros))
    {
        context.set_deadline(deadline);
    }
    context
}
