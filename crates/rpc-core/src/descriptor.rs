//! A service and its methods as data: what policies, bindings and generators are keyed by.

use crate::contract::Contract;
use crate::describe::TypeSet;
use crate::{Code, Status};
use std::sync::OnceLock;
use std::time::Duration;

/// How messages flow in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// One message there, one back.
    Unary,
    /// One message there, nothing back, not even a failure.
    Oneway,
    /// One there, many back.
    ServerStream,
    /// Many there, one back.
    ClientStream,
    /// Many there and many back, at the same time.
    Bidirectional,
}

impl MethodKind {
    /// Its name in a contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Oneway => "oneway",
            Self::ServerStream => "server-stream",
            Self::ClientStream => "client-stream",
            Self::Bidirectional => "bidirectional",
        }
    }

    /// Whether the client sends many messages.
    #[must_use]
    pub const fn client_streams(self) -> bool {
        matches!(self, Self::ClientStream | Self::Bidirectional)
    }

    /// Whether the server sends many messages.
    #[must_use]
    pub const fn server_streams(self) -> bool {
        matches!(self, Self::ServerStream | Self::Bidirectional)
    }
}

/// What calling twice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Nothing: it only looks.
    NoSideEffects,
    /// The same as calling once.
    Idempotent,
    /// Something else than calling once; the default.
    NotIdempotent,
}

impl Idempotency {
    /// Whether a call that may have run may be made again.
    #[must_use]
    pub const fn may_repeat(self) -> bool {
        !matches!(self, Self::NotIdempotent)
    }
}

/// A method as data. The macro [`service`](crate::service) makes it.
#[derive(Debug)]
pub struct MethodDescriptor {
    /// The full name of its service.
    pub service: &'static str,
    /// Its service.
    pub descriptor: Owner,
    /// Its name on every wire: `GetItem`.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// Its place in the service.
    pub index: u16,
    /// Its name as a number: [`method_id`].
    pub id: u32,
    /// How messages flow.
    pub kind: MethodKind,
    /// What calling twice does.
    pub idempotency: Idempotency,
    /// How long a call takes at most, where the caller says nothing shorter.
    pub deadline: Option<Duration>,
    /// The HTTP rule: `GET /v1/items/{sku}`.
    pub http: Option<&'static str>,
    /// Who may call, by role, once there is a policy.
    pub roles: &'static [&'static str],
    /// How large a message may be, where that is less than the binding's own limit.
    pub max_message_bytes: Option<u32>,
    /// The name of a message from the client.
    pub input: &'static str,
    /// The name of a message from the server.
    pub output: &'static str,
}

impl MethodDescriptor {
    /// Refuses a message of so many bytes, where the method's own limit is less.
    ///
    /// # Errors
    /// [`Code::ResourceExhausted`].
    pub fn admit(&self, bytes: usize) -> Result<(), Status> {
        match self.max_message_bytes {
            Some(limit) if bytes > limit as usize => {
                let text = format!("{}: {bytes} bytes are above its limit {limit}", self.name);
                Err(Status::new(Code::ResourceExhausted, text))
            }
            _ => Ok(()),
        }
    }
}

/// The service that a method belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Owner(OwnerKind);

#[derive(Clone, Copy, Debug)]
enum OwnerKind {
    Made(fn() -> &'static ServiceDescriptor),
    /// A service whose methods are read before it.
    Parsed(&'static OnceLock<&'static ServiceDescriptor>),
}

impl Owner {
    /// What the macro fills in.
    #[must_use]
    pub const fn new(descriptor: fn() -> &'static ServiceDescriptor) -> Self {
        Self(OwnerKind::Made(descriptor))
    }

    pub(crate) const fn parsed(later: &'static OnceLock<&'static ServiceDescriptor>) -> Self {
        Self(OwnerKind::Parsed(later))
    }

    /// The service.
    ///
    /// # Panics
    /// Never: a method is given out after its service.
    #[must_use]
    pub fn get(&self) -> &'static ServiceDescriptor {
        match &self.0 {
            OwnerKind::Made(descriptor) => descriptor(),
            OwnerKind::Parsed(later) => later.get().expect("set before the method is given out"),
        }
    }
}

/// The number by which the native wire knows a method: FNV-1a of its name. It stays when methods
/// are added or moved.
#[must_use]
pub const fn method_id(name: &str) -> u32 {
    let (bytes, mut hash, mut at) = (name.as_bytes(), 0x811c_9dc5_u32, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash
}

/// A service as data. The macro [`service`](crate::service) makes it.
#[derive(Debug)]
pub struct ServiceDescriptor {
    name: &'static str,
    doc: &'static str,
    methods: &'static [MethodDescriptor],
    types: Types,
    contract: OnceLock<Contract>,
}

#[derive(Debug)]
enum Types {
    Made(fn(&mut TypeSet)),
    /// What was read, and the `FileDescriptorSet` that it was read from.
    Parsed(TypeSet, Vec<u8>),
}

impl ServiceDescriptor {
    /// What the macro fills in.
    #[must_use]
    pub const fn new(
        name: &'static str,
        doc: &'static str,
        methods: &'static [MethodDescriptor],
        types: fn(&mut TypeSet),
    ) -> Self {
        Self {
            name,
            doc,
            methods,
            types: Types::Made(types),
            contract: OnceLock::new(),
        }
    }

    pub(crate) const fn parsed(
        name: &'static str,
        doc: &'static str,
        methods: &'static [MethodDescriptor],
        types: TypeSet,
        source: Vec<u8>,
    ) -> Self {
        Self {
            name,
            doc,
            methods,
            types: Types::Parsed(types, source),
            contract: OnceLock::new(),
        }
    }

    /// The `FileDescriptorSet` that it was read from, if it was.
    pub(crate) fn source(&self) -> Option<&[u8]> {
        match &self.types {
            Types::Made(_) => None,
            Types::Parsed(_, source) => Some(source),
        }
    }

    /// Its full name: `shop.v1.Stock`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its documentation.
    #[must_use]
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// Its methods, in order.
    #[must_use]
    pub const fn methods(&self) -> &'static [MethodDescriptor] {
        self.methods
    }

    /// The method with this number.
    #[must_use]
    pub fn method(&self, id: u32) -> Option<&'static MethodDescriptor> {
        self.methods.iter().find(|method| method.id == id)
    }

    /// Its package: what stands before the last dot.
    #[must_use]
    pub fn package(&self) -> &'static str {
        self.name
            .rsplit_once('.')
            .map_or("", |(package, _)| package)
    }

    /// The types that its methods name.
    #[must_use]
    pub fn types(&self) -> TypeSet {
        match &self.types {
            Types::Made(add) => {
                let mut types = TypeSet::default();
                add(&mut types);
                types
            }
            Types::Parsed(types, _) => types.clone(),
        }
    }

    /// What both sides must agree on.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        self.contract.get_or_init(|| Contract::of(self))
    }
}
