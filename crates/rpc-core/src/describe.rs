//! Types as data: what a contract knows of its messages.

use std::collections::BTreeMap;

/// A protobuf scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Scalar {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    String,
    Bytes,
}

impl Scalar {
    /// As `.proto` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Sint32 => "sint32",
            Self::Sint64 => "sint64",
            Self::Fixed32 => "fixed32",
            Self::Fixed64 => "fixed64",
            Self::Sfixed32 => "sfixed32",
            Self::Sfixed64 => "sfixed64",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
        }
    }
}

/// How often a field may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// Once; what is not there has its default value.
    Singular,
    /// Once or not, which is told apart.
    Optional,
    /// Any number of times.
    Repeated,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A scalar.
    Scalar(Scalar),
    /// A message, by name.
    Message(String),
    /// An enumeration, by name.
    Enum(String),
    /// A map.
    Map(Scalar, Box<FieldKind>),
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDesc {
    /// Its name in text formats.
    pub name: String,
    /// Its number in binary formats.
    pub number: u32,
    /// How often it may be there.
    pub label: Label,
    /// What it holds.
    pub kind: FieldKind,
    /// The oneof that it is a case of.
    pub oneof: Option<String>,
    /// Its documentation.
    pub doc: String,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Fields.
    Message(Vec<FieldDesc>),
    /// Named numbers.
    Enum(Vec<(String, i32)>),
}

/// A described type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDesc {
    /// Its full name, or a plain one, which belongs to the package of the service.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// What it is.
    pub shape: Shape,
}

/// A message or enumeration that a contract can name. Derive it beside prost's derive, whose
/// attributes it reads.
///
/// ```
/// use rpc_core::{Describe, TypeSet};
/// #[derive(Clone, PartialEq, prost::Message, Describe)]
/// struct Item {
///     #[prost(string, tag = 1)]
///     sku: String,
/// }
/// let mut types = TypeSet::default();
/// Item::describe(&mut types);
/// assert!(types.get("Item").is_some());
/// ```
pub trait Describe {
    /// The type's name.
    const NAME: &'static str;
    /// Adds it, and all it names, to `types`.
    fn describe(types: &mut TypeSet);
}

/// A prost oneof: its cases become fields of the message around it.
pub trait DescribeOneof {
    /// Adds the cases.
    fn describe(fields: &mut Fields<'_>);
}

/// The types of a contract, by name.
#[derive(Clone, Debug, Default)]
pub struct TypeSet {
    types: BTreeMap<String, TypeDesc>,
}

impl TypeSet {
    /// Adds a message, unless it is there already.
    pub fn message(&mut self, name: &str, doc: &str, fill: impl FnOnce(&mut Fields<'_>)) {
        // Put in before its fields are read, so that a type may name itself.
        if !self.begin(name, doc, Shape::Message(Vec::new())) {
            return;
        }
        let mut fields = Fields {
            types: self,
            list: Vec::new(),
            oneof: None,
        };
        fill(&mut fields);
        let list = fields.list;
        self.finish(name, Shape::Message(list));
    }

    /// Adds an enumeration, unless it is there already.
    pub fn enumeration(&mut self, name: &str, doc: &str, fill: impl FnOnce(&mut Values)) {
        if !self.begin(name, doc, Shape::Enum(Vec::new())) {
            return;
        }
        let mut values = Values(Vec::new());
        fill(&mut values);
        self.finish(name, Shape::Enum(values.0));
    }

    /// The type of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TypeDesc> {
        self.types.get(name)
    }

    /// All types, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &TypeDesc> {
        self.types.values()
    }

    /// Adds a type that was read, unless it is there already.
    pub(crate) fn insert(&mut self, ty: TypeDesc) {
        self.types.entry(ty.name.clone()).or_insert(ty);
    }

    fn begin(&mut self, name: &str, doc: &str, shape: Shape) -> bool {
        if self.types.contains_key(name) {
            return false;
        }
        let description = TypeDesc {
            name: name.into(),
            doc: doc.into(),
            shape,
        };
        self.types.insert(name.into(), description);
        true
    }

    fn finish(&mut self, name: &str, shape: Shape) {
        if let Some(description) = self.types.get_mut(name) {
            description.shape = shape;
        }
    }
}

/// The fields of a message that is being described.
#[derive(Debug)]
pub struct Fields<'a> {
    types: &'a mut TypeSet,
    list: Vec<FieldDesc>,
    oneof: Option<String>,
}

impl Fields<'_> {
    /// A scalar.
    pub fn scalar(&mut self, name: &str, number: u32, label: Label, kind: Scalar, doc: &str) {
        self.push(name, number, label, FieldKind::Scalar(kind), doc);
    }

    /// A message.
    pub fn message<T: Describe>(&mut self, name: &str, number: u32, label: Label, doc: &str) {
        T::describe(self.types);
        self.push(name, number, label, FieldKind::Message(T::NAME.into()), doc);
    }

    /// An enumeration.
    pub fn enumeration<T: Describe>(&mut self, name: &str, number: u32, label: Label, doc: &str) {
        T::describe(self.types);
        self.push(name, number, label, FieldKind::Enum(T::NAME.into()), doc);
    }

    /// A map of scalars.
    pub fn map(&mut self, name: &str, number: u32, key: Scalar, value: Scalar, doc: &str) {
        let kind = FieldKind::Map(key, Box::new(FieldKind::Scalar(value)));
        self.push(name, number, Label::Singular, kind, doc);
    }

    /// A map of messages.
    pub fn map_of_messages<T: Describe>(
        &mut self,
        name: &str,
        number: u32,
        key: Scalar,
        doc: &str,
    ) {
        T::describe(self.types);
        let kind = FieldKind::Map(key, Box::new(FieldKind::Message(T::NAME.into())));
        self.push(name, number, Label::Singular, kind, doc);
    }

    /// A map of enumerations.
    pub fn map_of_enumerations<T: Describe>(
        &mut self,
        name: &str,
        number: u32,
        key: Scalar,
        doc: &str,
    ) {
        T::describe(self.types);
        let kind = FieldKind::Map(key, Box::new(FieldKind::Enum(T::NAME.into())));
        self.push(name, number, Label::Singular, kind, doc);
    }

    /// A oneof: at most one of its cases is there.
    pub fn oneof<T: DescribeOneof>(&mut self, name: &str) {
        self.oneof = Some(name.into());
        T::describe(self);
        self.oneof = None;
    }

    fn push(&mut self, name: &str, number: u32, label: Label, kind: FieldKind, doc: &str) {
        self.list.push(FieldDesc {
            name: name.into(),
            number,
            label,
            kind,
            oneof: self.oneof.clone(),
            doc: doc.into(),
        });
    }
}

/// The values of an enumeration that is being described.
#[derive(Debug)]
pub struct Values(Vec<(String, i32)>);

impl Values {
    /// A named number.
    pub fn value(&mut self, name: &str, number: i32) {
        self.0.push((name.into(), number));
    }
}

macro_rules! wrappers {
    ($($ty:ty => $name:literal, $kind:expr;)*) => {
        $(impl Describe for $ty {
            const NAME: &'static str = concat!("google.protobuf.", $name);
            fn describe(types: &mut TypeSet) {
                types.message(Self::NAME, "", |fields| {
                    fields.scalar("value", 1, Label::Singular, $kind, "");
                });
            }
        })*
    };
}

// A lone value travels as protobuf's well-known wrapper of it, as prost encodes it.
wrappers! {
    bool => "BoolValue", Scalar::Bool;
    i32 => "Int32Value", Scalar::Int32;
    i64 => "Int64Value", Scalar::Int64;
    u32 => "UInt32Value", Scalar::Uint32;
    u64 => "UInt64Value", Scalar::Uint64;
    f32 => "FloatValue", Scalar::Float;
    f64 => "DoubleValue", Scalar::Double;
    String => "StringValue", Scalar::String;
    Vec<u8> => "BytesValue", Scalar::Bytes;
}

impl Describe for () {
    const NAME: &'static str = "google.protobuf.Empty";
    fn describe(types: &mut TypeSet) {
        types.message(Self::NAME, "", |_| {});
    }
}
