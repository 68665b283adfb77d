//! What a client knows of the services that it has named on a connection.

use crate::client_side::{ClientSide, Verdict};
use crate::codecs::Format;
use bytes::Bytes;
use rpc_core::{Code, Comparison, Contract, MethodDescriptor, ServiceDescriptor, Status};

/// The services that were named, by name.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    /// Few, and each asked for by the very name that it was named by: that is not hashed.
    known: Vec<(&'static str, Binding)>,
}

#[derive(Debug)]
enum Binding {
    /// Named with this number; the server has not answered.
    Asked(u16, &'static ServiceDescriptor),
    /// Named again, by the server's own fingerprint.
    AskedAgain(u16),
    Good(u16),
    Refused(Status),
}

impl Bindings {
    /// The number under which calls of this service can be made; `None` until the server has
    /// answered. The first question is asked here.
    pub(crate) fn number(
        &mut self,
        machine: &mut ClientSide,
        method: &'static MethodDescriptor,
        format: Format,
    ) -> Result<Option<u16>, Status> {
        // Whoever waits for the word on a lost connection would wait for ever.
        machine.usable()?;
        match self.of(method.service) {
            Some(Binding::Good(number)) => return Ok(Some(*number)),
            Some(Binding::Asked(..) | Binding::AskedAgain(_)) => return Ok(None),
            Some(Binding::Refused(status)) => return Err(status.clone()),
            None => {}
        }
        let service = method.descriptor.get();
        let fingerprint = service.contract().fingerprint();
        let number = machine.bind(method.service, fingerprint, format.number());
        let asked = Binding::Asked(number, service);
        self.known.push((method.service, asked));
        Ok(None)
    }

    fn of(&self, service: &'static str) -> Option<&Binding> {
        let same = |(name, _): &&(&'static str, _)| std::ptr::eq(*name, service);
        let equal = |(name, _): &&(&'static str, _)| *name == service;
        let mut known = self.known.iter();
        let found = known.find(same).or_else(|| self.known.iter().find(equal));
        found.map(|(_, binding)| binding)
    }

    /// Takes the server's word. A server with another contract is asked again under its own
    /// fingerprint, if the two understand each other.
    pub(crate) fn bound(
        &mut self,
        machine: &mut ClientSide,
        number: u16,
        verdict: Verdict,
        text: &Bytes,
        format: Format,
    ) {
        let asked = self
            .known
            .iter_mut()
            .find_map(|(name, binding)| match binding {
                Binding::Asked(asked, service) if *asked == number => {
                    Some((*name, Some(*service), binding))
                }
                Binding::AskedAgain(asked) if *asked == number => Some((*name, None, binding)),
                _ => None,
            });
        let Some((name, service, binding)) = asked else {
            return;
        };
        let refused =
            |code, text: String| Binding::Refused(Status::new(code, text).before_running());
        *binding = match verdict {
            Verdict::Good => Binding::Good(number),
            Verdict::Unknown => refused(
                Code::Unimplemented,
                format!("the server has no service {name}"),
            ),
            Verdict::UnknownCodec => {
                let text = format!("the server does not read {}", format.codec().name());
                refused(Code::Unimplemented, text)
            }
            Verdict::OtherContract => {
                // Not its own contract either: asked a third time it would lie again.
                let Some(service) = service else {
                    let text = "the server denies the contract that it told".to_owned();
                    *binding = refused(Code::FailedPrecondition, text);
                    return;
                };
                let theirs = std::str::from_utf8(text).ok().and_then(Contract::parse);
                match theirs {
                    None => {
                        let text = "the server's contract is unreadable".to_owned();
                        refused(Code::FailedPrecondition, text)
                    }
                    Some(theirs) => match service.contract().compare(&theirs) {
                        change @ Comparison::Incompatible(_) => {
                            refused(Code::FailedPrecondition, format!("{name}: {change}"))
                        }
                        _ => {
                            let fingerprint = theirs.fingerprint();
                            let number = machine.bind(name, fingerprint, format.number());
                            Binding::AskedAgain(number)
                        }
                    },
                }
            }
        };
    }
}
