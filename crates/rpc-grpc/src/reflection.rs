//! Server reflection, v1 and v1alpha: what a server offers, for tools that have no `.proto`.

use crate::generated::Generated;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use rpc_core::{Code, Router, Status};
use std::collections::BTreeMap;
use tonic_reflection::pb;
use tonic_reflection::server::Builder;

/// The router with the two reflection services more, which tell of all that it has so far. They
/// are services like any other: a policy says who may ask.
///
/// # Errors
/// [`Code::Internal`] for contracts that contradict each other.
pub fn reflect(router: Router) -> Result<Router, Status> {
    let files = files(&router)?;
    let failed = |error: tonic_reflection::server::Error| {
        Status::new(Code::Internal, format!("reflection: {error}"))
    };
    let builder = || {
        let own = Builder::configure().register_file_descriptor_set(files.clone());
        // Each of the two tells of both.
        own.register_encoded_file_descriptor_set(pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(pb::v1alpha::FILE_DESCRIPTOR_SET)
            .include_reflection_service(false)
    };
    let v1 = builder().build_v1().map_err(failed)?;
    let name = "grpc.reflection.v1.ServerReflection";
    let v1 = Generated::new(v1, name, pb::v1::FILE_DESCRIPTOR_SET)?;
    let alpha = builder().build_v1alpha().map_err(failed)?;
    let name = "grpc.reflection.v1alpha.ServerReflection";
    let alpha = Generated::new(alpha, name, pb::v1alpha::FILE_DESCRIPTOR_SET)?;
    Ok(router.service(v1).service(alpha))
}

/// The contracts of all services, one file for each package, since a tool takes each name once.
fn files(router: &Router) -> Result<FileDescriptorSet, Status> {
    let mut packages: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
    let mut others: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
    for file in [empty(), wrappers()] {
        others.insert(file.name().to_owned(), file);
    }
    for service in router.descriptors() {
        let set = service.file_descriptor_set();
        let set = FileDescriptorSet::decode(&set[..])
            .map_err(|error| Status::new(Code::Internal, format!("{}: {error}", service.name())))?;
        for file in set.file {
            // A file that others wrote keeps its name, since others name it.
            let own = file.name() == format!("{}.proto", service.name().replace('.', "/"));
            if own {
                let name = file.package().to_owned();
                packages
                    .entry(name)
                    .and_modify(|all| merge(all, &file))
                    .or_insert(file);
            } else {
                others.insert(file.name().to_owned(), file);
            }
        }
    }
    let file = packages.into_values().chain(others.into_values()).collect();
    Ok(FileDescriptorSet { file })
}

fn merge(all: &mut FileDescriptorProto, file: &FileDescriptorProto) {
    all.service.extend(file.service.iter().cloned());
    for message in &file.message_type {
        if all
            .message_type
            .iter()
            .all(|own| own.name() != message.name())
        {
            all.message_type.push(message.clone());
        }
    }
    for enumeration in &file.enum_type {
        if all
            .enum_type
            .iter()
            .all(|own| own.name() != enumeration.name())
        {
            all.enum_type.push(enumeration.clone());
        }
    }
    for import in &file.dependency {
        if !all.dependency.contains(import) {
            all.dependency.push(import.clone());
        }
    }
}

/// `google/protobuf/empty.proto`, which contracts import.
fn empty() -> FileDescriptorProto {
    let message = DescriptorProto {
        name: Some("Empty".to_owned()),
        ..DescriptorProto::default()
    };
    of_google("empty", vec![message])
}

/// `google/protobuf/wrappers.proto`, which contracts import.
fn wrappers() -> FileDescriptorProto {
    let wrapper = |(name, kind): (&str, Type)| DescriptorProto {
        name: Some(format!("{name}Value")),
        field: vec![FieldDescriptorProto {
            name: Some("value".to_owned()),
            number: Some(1),
            label: Some(Label::Optional as i32),
            r#type: Some(kind as i32),
            json_name: Some("value".to_owned()),
            ..FieldDescriptorProto::default()
        }],
        ..DescriptorProto::default()
    };
    let wrappers = [
        ("Double", Type::Double),
        ("Float", Type::Float),
        ("Int64", Type::Int64),
        ("UInt64", Type::Uint64),
        ("Int32", Type::Int32),
        ("UInt32", Type::Uint32),
        ("Bool", Type::Bool),
        ("String", Type::String),
        ("Bytes", Type::Bytes),
    ];
    of_google("wrappers", wrappers.into_iter().map(wrapper).collect())
}

fn of_google(name: &str, message_type: Vec<DescriptorProto>) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(format!("google/protobuf/{name}.proto")),
        package: Some("google.protobuf".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type,
        ..FileDescriptorProto::default()
    }
}
