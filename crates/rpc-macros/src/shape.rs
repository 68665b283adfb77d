//! What a Rust type is in protobuf, told from how it is written.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericArgument, PathArguments, Type};

/// The type inside, if `ty` is written `name<…>`.
pub(crate) fn inside<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident != name {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The prost name of a scalar type.
pub(crate) fn scalar(ty: &Type) -> Option<TokenStream> {
    if let Some(element) = inside(ty, "Vec") {
        return is_named(element, "u8").then(|| quote!(bytes = "vec"));
    }
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if !last.arguments.is_empty() {
        return None;
    }
    Some(match last.ident.to_string().as_str() {
        "bool" => quote!(bool),
        "i32" => quote!(int32),
        "i64" => quote!(int64),
        "u32" => quote!(uint32),
        "u64" => quote!(uint64),
        "f32" => quote!(float),
        "f64" => quote!(double),
        "String" => quote!(string),
        _ => return None,
    })
}

/// The prost attribute of a parameter of this type at this place.
pub(crate) fn parameter(ty: &Type, tag: u32) -> syn::Result<TokenStream> {
    if let Some(kind) = scalar(ty) {
        return Ok(quote!(#[prost(#kind, tag = #tag)]));
    }
    if let Some(wrong) = unfit(ty) {
        return Err(syn::Error::new_spanned(ty, wrong));
    }
    let (label, element) = match (inside(ty, "Vec"), inside(ty, "Option")) {
        (Some(element), _) => (quote!(repeated), element),
        (_, Some(element)) => (quote!(optional), element),
        _ => return Ok(quote!(#[prost(message, required, tag = #tag)])),
    };
    if inside(element, "Vec").is_some() && scalar(element).is_none()
        || inside(element, "Option").is_some()
    {
        return Err(syn::Error::new_spanned(
            ty,
            "protobuf has no list of lists and no list of options: put the inner one into a message",
        ));
    }
    let kind = scalar(element).unwrap_or_else(|| quote!(message));
    Ok(quote!(#[prost(#kind, #label, tag = #tag)]))
}

/// Why a type cannot travel, for those that people try first.
fn unfit(ty: &Type) -> Option<&'static str> {
    const INTEGERS: &str = "protobuf has integers of 32 and 64 bits: use i32, u32, i64 or u64";
    match ty {
        Type::Reference(_) => {
            Some("an argument travels to another process: take it by value (String, Vec<u8>)")
        }
        Type::Tuple(_) => Some("protobuf has no tuples: name the parts in a message"),
        Type::ImplTrait(_) => {
            Some("a stream of arguments is written `Streaming<T>`; other arguments have one type")
        }
        Type::Path(path) => {
            let name = path.path.segments.last()?.ident.to_string();
            match name.as_str() {
                "usize" | "isize" | "u8" | "i8" | "u16" | "i16" | "u128" | "i128" => Some(INTEGERS),
                "char" => Some("protobuf has no char: use String"),
                "HashMap" | "BTreeMap" => {
                    Some("a map as an argument: put it into a message with #[prost(map = …)]")
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Why a type cannot be an answer, if it cannot.
pub(crate) fn unfit_answer(ty: &Type) -> Option<&'static str> {
    if let Type::Tuple(tuple) = ty
        && tuple.elems.is_empty()
    {
        return None;
    }
    if scalar(ty).is_some() {
        return None;
    }
    if inside(ty, "Vec").is_some() || inside(ty, "Option").is_some() {
        return Some("an answer is one message: put the list or option into one");
    }
    unfit(ty)
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}
