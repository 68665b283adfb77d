//! A service read from a `FileDescriptorSet`: for services that others have written as `.proto`.

use crate::describe::{FieldDesc, FieldKind, Label, Scalar, Shape, TypeDesc, TypeSet};
use crate::descriptor::{
    Idempotency, MethodDescriptor, MethodKind, Owner, ServiceDescriptor, method_id,
};
use crate::{Code, Status};
use prost::Message;
use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::method_options::IdempotencyLevel;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use std::sync::OnceLock;

impl ServiceDescriptor {
    /// Reads the service of this full name from an encoded `FileDescriptorSet`, as compilers of
    /// `.proto` write it. What is read lives as long as the process, so read each service once.
    ///
    /// Its policy is what a `.proto` says, which is the idempotency level; all else is for layers
    /// to say.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for bytes that are no such set, [`Code::NotFound`] where it has no
    /// such service.
    pub fn parse(file_descriptor_set: &[u8], name: &str) -> Result<&'static Self, Status> {
        let files = FileDescriptorSet::decode(file_descriptor_set).map_err(|error| {
            let text = format!("a FileDescriptorSet: {error}");
            Status::new(Code::InvalidArgument, text)
        })?;
        let services = files.file.iter().flat_map(|file| {
            let services = file.service.iter();
            services.map(move |service| (full(file.package(), service.name()), service))
        });
        let mut services = services.filter(|(own, _)| own == name);
        let Some((_, service)) = services.next() else {
            let text = format!("no service {name} in the FileDescriptorSet");
            return Err(Status::new(Code::NotFound, text));
        };
        let mut types = TypeSet::default();
        for file in &files.file {
            read_file(file, &mut types);
        }
        Ok(publish(name, service, types, file_descriptor_set))
    }
}

fn publish(
    name: &str,
    service: &ServiceDescriptorProto,
    types: TypeSet,
    source: &[u8],
) -> &'static ServiceDescriptor {
    let name = keep(name);
    let later: &'static OnceLock<&'static ServiceDescriptor> = Box::leak(Box::default());
    let methods = service.method.iter().zip(0..);
    let methods: Vec<_> = methods
        .map(|(method, index)| read_method(name, method, index, later))
        .collect();
    let parsed = ServiceDescriptor::parsed(name, "", methods.leak(), types, source.to_vec());
    later.get_or_init(|| Box::leak(Box::new(parsed)))
}

fn read_method(
    service: &'static str,
    method: &MethodDescriptorProto,
    index: u16,
    later: &'static OnceLock<&'static ServiceDescriptor>,
) -> MethodDescriptor {
    let level = method
        .options
        .as_ref()
        .map(|options| options.idempotency_level());
    MethodDescriptor {
        service,
        descriptor: Owner::parsed(later),
        name: keep(method.name()),
        doc: "",
        index,
        id: method_id(method.name()),
        kind: match (method.client_streaming(), method.server_streaming()) {
            (false, false) => MethodKind::Unary,
            (false, true) => MethodKind::ServerStream,
            (true, false) => MethodKind::ClientStream,
            (true, true) => MethodKind::Bidirectional,
        },
        idempotency: match level {
            Some(IdempotencyLevel::NoSideEffects) => Idempotency::NoSideEffects,
            Some(IdempotencyLevel::Idempotent) => Idempotency::Idempotent,
            _ => Idempotency::NotIdempotent,
        },
        deadline: None,
        http: None,
        roles: &[],
        max_message_bytes: None,
        input: keep(plain(method.input_type())),
        output: keep(plain(method.output_type())),
    }
}

fn read_file(file: &FileDescriptorProto, types: &mut TypeSet) {
    for message in &file.message_type {
        read_message(file.package(), message, types);
    }
    for enumeration in &file.enum_type {
        read_enum(file.package(), enumeration, types);
    }
}

fn read_message(around: &str, message: &DescriptorProto, types: &mut TypeSet) {
    let name = full(around, message.name());
    let is_map = |entry: &&DescriptorProto| {
        let options = entry.options.as_ref();
        options.is_some_and(prost_types::MessageOptions::map_entry)
    };
    let entries: Vec<_> = message.nested_type.iter().filter(is_map).collect();
    let fields = message.field.iter().map(|field| {
        let entry = entries
            .iter()
            .find(|entry| plain(field.type_name()) == full(&name, entry.name()));
        read_field(message, field, entry.copied())
    });
    let fields = fields.collect();
    for nested in message.nested_type.iter().filter(|nested| !is_map(nested)) {
        read_message(&name, nested, types);
    }
    for nested in &message.enum_type {
        read_enum(&name, nested, types);
    }
    types.insert(TypeDesc {
        name,
        doc: String::new(),
        shape: Shape::Message(fields),
    });
}

fn read_enum(around: &str, enumeration: &EnumDescriptorProto, types: &mut TypeSet) {
    let values = enumeration.value.iter();
    let values = values.map(|value| (value.name().to_owned(), value.number()));
    types.insert(TypeDesc {
        name: full(around, enumeration.name()),
        doc: String::new(),
        shape: Shape::Enum(values.collect()),
    });
}

fn read_field(
    message: &DescriptorProto,
    field: &FieldDescriptorProto,
    entry: Option<&DescriptorProto>,
) -> FieldDesc {
    let value = entry.and_then(|entry| Some((entry.field.first()?, entry.field.get(1)?)));
    let (label, kind) = match value {
        Some((key, value)) => match read_kind(key) {
            FieldKind::Scalar(key) => {
                let value = Box::new(read_kind(value));
                (Label::Singular, FieldKind::Map(key, value))
            }
            // No compiler writes such a key.
            other => (Label::Repeated, other),
        },
        None if field.label() == ProtoLabel::Repeated => (Label::Repeated, read_kind(field)),
        None if field.proto3_optional() => (Label::Optional, read_kind(field)),
        None => (Label::Singular, read_kind(field)),
    };
    let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
    let oneof = oneof.and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
    FieldDesc {
        name: field.name().to_owned(),
        number: u32::try_from(field.number()).unwrap_or_default(),
        label,
        kind,
        oneof: oneof.map(|oneof| oneof.name().to_owned()),
        doc: String::new(),
    }
}

fn read_kind(field: &FieldDescriptorProto) -> FieldKind {
    FieldKind::Scalar(match field.r#type() {
        Type::Message | Type::Group => {
            return FieldKind::Message(plain(field.type_name()).to_owned());
        }
        Type::Enum => return FieldKind::Enum(plain(field.type_name()).to_owned()),
        Type::Bool => Scalar::Bool,
        Type::Int32 => Scalar::Int32,
        Type::Int64 => Scalar::Int64,
        Type::Uint32 => Scalar::Uint32,
        Type::Uint64 => Scalar::Uint64,
        Type::Sint32 => Scalar::Sint32,
        Type::Sint64 => Scalar::Sint64,
        Type::Fixed32 => Scalar::Fixed32,
        Type::Fixed64 => Scalar::Fixed64,
        Type::Sfixed32 => Scalar::Sfixed32,
        Type::Sfixed64 => Scalar::Sfixed64,
        Type::Float => Scalar::Float,
        Type::Double => Scalar::Double,
        Type::String => Scalar::String,
        Type::Bytes => Scalar::Bytes,
    })
}

fn full(around: &str, name: &str) -> String {
    match around {
        "" => name.to_owned(),
        _ => format!("{around}.{name}"),
    }
}

/// Without the dot that begins a full name.
fn plain(name: &str) -> &str {
    name.strip_prefix('.').unwrap_or(name)
}

fn keep(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::introspect::{Introspection, IntrospectionServer};
    use crate::{Comparison, Dispatch};

    struct Nobody;

    impl Introspection for Nobody {
        async fn services(
            &self,
            _: &crate::Context,
        ) -> Result<crate::introspect::Services, Status> {
            Err(Status::bare(Code::Unimplemented))
        }
        async fn describe(
            &self,
            _: &crate::Context,
            _: String,
        ) -> Result<crate::introspect::Description, Status> {
            Err(Status::bare(Code::Unimplemented))
        }
        async fn counts(&self, _: &crate::Context) -> Result<crate::introspect::AllCounts, Status> {
            Err(Status::bare(Code::Unimplemented))
        }
    }

    #[test]
    fn a_contract_read_from_what_it_emits_is_the_same() {
        let own = IntrospectionServer::new(Nobody).descriptor();
        let set = own.file_descriptor_set();
        let read = ServiceDescriptor::parse(&set, own.name()).expect("our own");
        let comparison = own.contract().compare(read.contract());
        assert!(
            !matches!(comparison, Comparison::Incompatible(_)),
            "{comparison}"
        );
        for (own, read) in own.methods().iter().zip(read.methods()) {
            assert_eq!(
                (own.name, own.id, own.kind),
                (read.name, read.id, read.kind)
            );
            assert_eq!(read.descriptor.get().name(), own.service);
        }
        assert_eq!(read.file_descriptor_set(), set);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let missing = ServiceDescriptor::parse(&[], "a.B").expect_err("nothing");
        assert_eq!(missing.code(), Code::NotFound);
        let junk = ServiceDescriptor::parse(&[0xff; 9], "a.B").expect_err("junk");
        assert_eq!(junk.code(), Code::InvalidArgument);
    }
}
