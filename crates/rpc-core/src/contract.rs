//! What both sides of a call must agree on, as sorted lines, a fingerprint and a readable diff.

use crate::describe::{FieldDesc, FieldKind, Label, Shape};
use crate::descriptor::ServiceDescriptor;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// The structure of a service, without what does not travel (documentation, policies).
///
/// Its text has one line for the service, each method, field and enumeration value, sorted; the
/// [fingerprint](Contract::fingerprint) is a hash of the text. The text is also the lock file of
/// a contract: keep it, and [`compare`](Contract::compare) tells what a change does to the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    lines: BTreeMap<String, String>,
    fingerprint: [u8; 16],
}

/// What changed between two contracts, as the callers of the second see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing.
    Identical,
    /// Something, and each side still understands what the other sends.
    Compatible(Vec<String>),
    /// Something that the other side would misread or refuse.
    Incompatible(Vec<String>),
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identical => f.write_str("identical"),
            Self::Compatible(changes) => write!(f, "compatible: {}", changes.join("; ")),
            Self::Incompatible(reasons) => {
                write!(f, "incompatible, because {}", reasons.join("; "))
            }
        }
    }
}

impl Contract {
    /// How long the text of a contract may be that a peer sends.
    pub const MAX_BYTES: usize = 256 * 1024;

    pub(crate) fn of(service: &ServiceDescriptor) -> Self {
        let full = |name: &str| full_name(service.package(), name);
        let mut lines = BTreeMap::new();
        lines.insert(format!("service {}", service.name()), String::new());
        for method in service.methods() {
            let value = format!(
                "{} {} -> {}",
                method.kind.name(),
                full(method.input),
                full(method.output)
            );
            lines.insert(format!("method {}", method.name), value);
        }
        for ty in service.types().iter() {
            let name = full(&ty.name);
            match &ty.shape {
                Shape::Message(fields) => {
                    lines.insert(format!("message {name}"), String::new());
                    for field in fields {
                        let key = format!("field {name} {}", field.number);
                        lines.insert(key, field_text(field, &full));
                    }
                }
                Shape::Enum(values) => {
                    lines.insert(format!("enum {name}"), String::new());
                    for (value, number) in values {
                        lines.insert(format!("value {name} {number}"), value.clone());
                    }
                }
            }
        }
        Self::from_lines(lines)
    }

    /// Reads the text of a contract.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let mut lines = BTreeMap::new();
        for line in text.split_terminator('\n') {
            // It is shown to people, and must be the same when it is written again.
            if line.contains(char::is_control) {
                return None;
            }
            let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
            let known = [
                "service ", "method ", "message ", "field ", "enum ", "value ",
            ];
            if !known.iter().any(|word| key.starts_with(word)) {
                return None;
            }
            lines.insert(key.to_owned(), value.to_owned());
        }
        Some(Self::from_lines(lines))
    }

    /// The text: a line for each part, sorted, each ended by a line feed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.lines {
            text.push_str(key);
            if !value.is_empty() {
                text.push_str(" = ");
                text.push_str(value);
            }
            text.push('\n');
        }
        text
    }

    /// The first 16 bytes of the SHA-256 of the text.
    #[must_use]
    pub const fn fingerprint(&self) -> [u8; 16] {
        self.fingerprint
    }

    /// What changes for a client built from `self` that calls a server built from `server`.
    ///
    /// ```
    /// use rpc_core::{Comparison, Contract};
    /// let client = Contract::parse("method Get = unary A -> B\nfield A 1 = singular string x\n");
    /// let server = Contract::parse("method Get = unary A -> B\nfield A 1 = singular bytes x\n");
    /// let change = client.unwrap().compare(&server.unwrap());
    /// assert_eq!(
    ///     change.to_string(),
    ///     "incompatible, because field A 1: the client has `singular string x`, \
    ///      the server `singular bytes x`"
    /// );
    /// ```
    #[must_use]
    pub fn compare(&self, server: &Self) -> Comparison {
        let (mut changes, mut breaks) = (Vec::new(), Vec::new());
        for (key, client) in &self.lines {
            match server.lines.get(key) {
                Some(other) if other == client => {}
                Some(other) => breaks.push(format!(
                    "{key}: the client has `{client}`, the server `{other}`"
                )),
                None if key.starts_with("method ") || key.starts_with("service ") => {
                    breaks.push(format!("{key}: the server has none"));
                }
                // Neither side reads what the other does not know.
                None => changes.push(format!("only the client has {key}")),
            }
        }
        for key in server.lines.keys() {
            if !self.lines.contains_key(key) {
                changes.push(format!("only the server has {key}"));
            }
        }
        match (breaks.is_empty(), changes.is_empty()) {
            (false, _) => Comparison::Incompatible(breaks),
            (true, false) => Comparison::Compatible(changes),
            (true, true) => Comparison::Identical,
        }
    }

    fn from_lines(lines: BTreeMap<String, String>) -> Self {
        let mut contract = Self {
            lines,
            fingerprint: [0; 16],
        };
        let hash = Sha256::digest(contract.text().as_bytes());
        contract.fingerprint.copy_from_slice(&hash[..16]);
        contract
    }
}

/// A name in the package of its service, unless it has a package itself.
pub(crate) fn full_name(package: &str, name: &str) -> String {
    if name.contains('.') || package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

fn field_text(field: &FieldDesc, full: &impl Fn(&str) -> String) -> String {
    let label = match field.label {
        Label::Singular => "singular",
        Label::Optional => "optional",
        Label::Repeated => "repeated",
    };
    let oneof = field.oneof.as_ref().map(|oneof| format!(" in {oneof}"));
    format!(
        "{label} {} {}{}",
        kind_text(&field.kind, full),
        field.name,
        oneof.unwrap_or_default()
    )
}

fn kind_text(kind: &FieldKind, full: &impl Fn(&str) -> String) -> String {
    match kind {
        FieldKind::Scalar(scalar) => scalar.name().to_owned(),
        FieldKind::Message(name) | FieldKind::Enum(name) => full(name),
        FieldKind::Map(key, value) => format!("map<{},{}>", key.name(), kind_text(value, full)),
    }
}
