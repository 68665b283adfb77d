//! A contract as protobuf's own tools read it: `.proto` text and a FileDescriptorSet.

use crate::contract::full_name;
use crate::describe::{FieldDesc, FieldKind, Label, Scalar, Shape, TypeDesc};
use crate::descriptor::{Idempotency, MethodDescriptor, ServiceDescriptor};
use prost::Message;
use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::method_options::IdempotencyLevel;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, MethodDescriptorProto, MethodOptions,
    OneofDescriptorProto, ServiceDescriptorProto,
};
use std::collections::BTreeSet;
use std::fmt::Write;

impl ServiceDescriptor {
    /// The contract as `.proto` text. All types that it names stand in it, but protobuf's own.
    #[must_use]
    pub fn proto(&self) -> String {
        let mut out = String::from("syntax = \"proto3\";\n");
        if !self.package().is_empty() {
            let _ = write!(out, "\npackage {};\n", self.package());
        }
        for import in self.imports() {
            let _ = write!(out, "\nimport \"{import}\";");
        }
        out.push('\n');
        self.write_service(&mut out);
        for ty in self.own_types() {
            out.push('\n');
            write_doc(&mut out, "", &ty.doc);
            match &ty.shape {
                Shape::Message(fields) => self.write_message(&mut out, &ty, fields),
                Shape::Enum(values) => write_enum(&mut out, &ty, values),
            }
        }
        out
    }

    /// The contract as an encoded `FileDescriptorSet`, which needs no other file but protobuf's
    /// own.
    #[must_use]
    pub fn file_descriptor_set(&self) -> Vec<u8> {
        if let Some(source) = self.source() {
            return source.to_vec();
        }
        let file = FileDescriptorProto {
            name: Some(format!("{}.proto", self.name().replace('.', "/"))),
            package: Some(self.package().to_owned()).filter(|package| !package.is_empty()),
            dependency: self.imports().map(ToOwned::to_owned).collect(),
            syntax: Some("proto3".to_owned()),
            service: vec![self.service_proto()],
            message_type: self
                .own_types()
                .filter_map(|ty| match &ty.shape {
                    Shape::Message(fields) => Some(self.message_proto(&ty, fields)),
                    Shape::Enum(_) => None,
                })
                .collect(),
            enum_type: self
                .own_types()
                .filter_map(|ty| match &ty.shape {
                    Shape::Enum(values) => Some(enum_proto(&ty, values)),
                    Shape::Message(_) => None,
                })
                .collect(),
            ..FileDescriptorProto::default()
        };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    fn own_types(&self) -> impl Iterator<Item = TypeDesc> {
        let types: Vec<_> = self.types().iter().cloned().collect();
        types
            .into_iter()
            .filter(|ty| !ty.name.starts_with("google.protobuf."))
    }

    /// Protobuf's own files that the contract needs.
    fn imports(&self) -> impl Iterator<Item = &'static str> {
        let mut files = BTreeSet::new();
        for ty in self.types().iter() {
            match ty.name.strip_prefix("google.protobuf.") {
                Some("Empty") => files.insert("google/protobuf/empty.proto"),
                Some(_) => files.insert("google/protobuf/wrappers.proto"),
                None => continue,
            };
        }
        files.into_iter()
    }

    fn full(&self, name: &str) -> String {
        full_name(self.package(), name)
    }

    /// The name as it stands inside of this file.
    fn local<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.package())
            .and_then(|rest| rest.strip_prefix('.'))
            .filter(|rest| !rest.contains('.'))
            .unwrap_or(name)
    }

    fn write_service(&self, out: &mut String) {
        out.push('\n');
        write_doc(out, "", self.doc());
        let name = self.name().rsplit('.').next().unwrap_or_default();
        let _ = writeln!(out, "service {name} {{");
        for method in self.methods() {
            write_doc(out, "  ", method.doc);
            let stream = |streams: bool| if streams { "stream " } else { "" };
            // A oneway call is a call whose empty answer nobody waits for.
            let _ = write!(
                out,
                "  rpc {}({}{}) returns ({}{})",
                method.name,
                stream(method.kind.client_streams()),
                self.local(method.input),
                stream(method.kind.server_streams()),
                self.local(method.output),
            );
            out.push_str(&match idempotency_level(method) {
                None => ";\n".to_owned(),
                Some(level) => {
                    let level = level.as_str_name();
                    format!(" {{\n    option idempotency_level = {level};\n  }}\n")
                }
            });
        }
        out.push_str("}\n");
    }

    fn write_message(&self, out: &mut String, ty: &TypeDesc, fields: &[FieldDesc]) {
        let _ = writeln!(out, "message {} {{", self.local(&ty.name));
        let mut oneof: Option<&str> = None;
        for field in fields {
            if oneof != field.oneof.as_deref() {
                if oneof.is_some() {
                    out.push_str("  }\n");
                }
                if let Some(name) = &field.oneof {
                    let _ = writeln!(out, "  oneof {name} {{");
                }
                oneof = field.oneof.as_deref();
            }
            let indent = if oneof.is_some() { "    " } else { "  " };
            write_doc(out, indent, &field.doc);
            let label = match field.label {
                Label::Singular => "",
                Label::Optional => "optional ",
                Label::Repeated => "repeated ",
            };
            let kind = self.kind_text(&field.kind);
            let _ = writeln!(
                out,
                "{indent}{label}{kind} {} = {};",
                field.name, field.number
            );
        }
        if oneof.is_some() {
            out.push_str("  }\n");
        }
        out.push_str("}\n");
    }

    fn kind_text(&self, kind: &FieldKind) -> String {
        match kind {
            FieldKind::Scalar(scalar) => scalar.name().to_owned(),
            FieldKind::Message(name) | FieldKind::Enum(name) => self.local(name).to_owned(),
            FieldKind::Map(key, value) => {
                format!("map<{}, {}>", key.name(), self.kind_text(value))
            }
        }
    }

    fn service_proto(&self) -> ServiceDescriptorProto {
        let methods = self.methods().iter().map(|method| MethodDescriptorProto {
            name: Some(method.name.to_owned()),
            input_type: Some(format!(".{}", self.full(method.input))),
            output_type: Some(format!(".{}", self.full(method.output))),
            client_streaming: method.kind.client_streams().then_some(true),
            server_streaming: method.kind.server_streams().then_some(true),
            options: idempotency_level(method).map(|level| MethodOptions {
                idempotency_level: Some(level as i32),
                ..MethodOptions::default()
            }),
        });
        ServiceDescriptorProto {
            name: self.name().rsplit('.').next().map(ToOwned::to_owned),
            method: methods.collect(),
            options: None,
        }
    }

    fn message_proto(&self, ty: &TypeDesc, fields: &[FieldDesc]) -> DescriptorProto {
        let mut message = DescriptorProto {
            name: Some(self.local(&ty.name).to_owned()),
            ..DescriptorProto::default()
        };
        let mut oneofs: Vec<&str> = Vec::new();
        for field in fields {
            if let Some(oneof) = field.oneof.as_deref()
                && !oneofs.contains(&oneof)
            {
                oneofs.push(oneof);
            }
        }
        let mut names: Vec<String> = oneofs.iter().map(|name| (*name).to_owned()).collect();
        for field in fields {
            let mut proto = self.field_proto(field);
            if let Some(oneof) = field.oneof.as_deref() {
                let index = oneofs.iter().position(|name| *name == oneof);
                proto.oneof_index = index.and_then(|index| i32::try_from(index).ok());
            } else if field.label == Label::Optional {
                // Presence is a oneof of one case, as protoc makes it.
                proto.proto3_optional = Some(true);
                proto.oneof_index = i32::try_from(names.len()).ok();
                names.push(format!("_{}", field.name));
            }
            if let FieldKind::Map(key, value) = &field.kind {
                let entry = format!("{}Entry", camel_case(&field.name));
                proto.r#type = Some(Type::Message as i32);
                proto.label = Some(ProtoLabel::Repeated as i32);
                proto.type_name = Some(format!(".{}.{entry}", self.full(&ty.name)));
                message
                    .nested_type
                    .push(self.entry_proto(entry, *key, value));
            }
            message.field.push(proto);
        }
        let oneof = |name| OneofDescriptorProto {
            name: Some(name),
            options: None,
        };
        message.oneof_decl = names.into_iter().map(oneof).collect();
        message
    }

    fn entry_proto(&self, name: String, key: Scalar, value: &FieldKind) -> DescriptorProto {
        let field = |name: &str, number, kind| {
            self.field_proto(&FieldDesc {
                name: name.to_owned(),
                number,
                label: Label::Singular,
                kind,
                oneof: None,
                doc: String::new(),
            })
        };
        DescriptorProto {
            name: Some(name),
            field: vec![
                field("key", 1, FieldKind::Scalar(key)),
                field("value", 2, value.clone()),
            ],
            options: Some(MessageOptions {
                map_entry: Some(true),
                ..MessageOptions::default()
            }),
            ..DescriptorProto::default()
        }
    }

    fn field_proto(&self, field: &FieldDesc) -> FieldDescriptorProto {
        let (kind, type_name) = match &field.kind {
            FieldKind::Scalar(scalar) => (scalar_type(*scalar), None),
            FieldKind::Message(name) => (Type::Message, Some(format!(".{}", self.full(name)))),
            FieldKind::Enum(name) => (Type::Enum, Some(format!(".{}", self.full(name)))),
            FieldKind::Map(..) => (Type::Message, None),
        };
        let label = match field.label {
            Label::Repeated => ProtoLabel::Repeated,
            _ => ProtoLabel::Optional,
        };
        FieldDescriptorProto {
            name: Some(field.name.clone()),
            number: i32::try_from(field.number).ok(),
            label: Some(label as i32),
            r#type: Some(kind as i32),
            type_name,
            json_name: Some(json_name(&field.name)),
            ..FieldDescriptorProto::default()
        }
    }
}

/// What the options of a method say of repeating it; nothing where it must not be.
const fn idempotency_level(method: &MethodDescriptor) -> Option<IdempotencyLevel> {
    match method.idempotency {
        Idempotency::NotIdempotent => None,
        Idempotency::Idempotent => Some(IdempotencyLevel::Idempotent),
        Idempotency::NoSideEffects => Some(IdempotencyLevel::NoSideEffects),
    }
}

fn enum_proto(ty: &TypeDesc, values: &[(String, i32)]) -> EnumDescriptorProto {
    let value = |(name, number): &(String, i32)| EnumValueDescriptorProto {
        name: Some(name.clone()),
        number: Some(*number),
        options: None,
    };
    EnumDescriptorProto {
        name: ty.name.rsplit('.').next().map(ToOwned::to_owned),
        value: values.iter().map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}

fn write_enum(out: &mut String, ty: &TypeDesc, values: &[(String, i32)]) {
    let _ = writeln!(
        out,
        "enum {} {{",
        ty.name.rsplit('.').next().unwrap_or_default()
    );
    for (name, number) in values {
        let _ = writeln!(out, "  {name} = {number};");
    }
    out.push_str("}\n");
}

fn write_doc(out: &mut String, indent: &str, doc: &str) {
    for line in doc.lines() {
        let _ = writeln!(out, "{}", format!("{indent}// {line}").trim_end());
    }
}

const fn scalar_type(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Bool => Type::Bool,
        Scalar::Int32 => Type::Int32,
        Scalar::Int64 => Type::Int64,
        Scalar::Uint32 => Type::Uint32,
        Scalar::Uint64 => Type::Uint64,
        Scalar::Sint32 => Type::Sint32,
        Scalar::Sint64 => Type::Sint64,
        Scalar::Fixed32 => Type::Fixed32,
        Scalar::Fixed64 => Type::Fixed64,
        Scalar::Sfixed32 => Type::Sfixed32,
        Scalar::Sfixed64 => Type::Sfixed64,
        Scalar::Float => Type::Float,
        Scalar::Double => Type::Double,
        Scalar::String => Type::String,
        Scalar::Bytes => Type::Bytes,
    }
}

fn camel_case(name: &str) -> String {
    let json = json_name(name);
    let mut letters = json.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// `foo_bar` as `fooBar`, as protoc does.
fn json_name(name: &str) -> String {
    let (mut out, mut upper) = (String::new(), false);
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(letter.to_ascii_uppercase());
        } else {
            out.push(letter);
        }
    }
    out
}
