//! `derive(Describe)`: what prost's attributes say of a type, as a description.

use crate::attributes::{documentation, is_full_name, snake_case};
use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Lit, Meta, Token, Type};

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let (ident, doc) = (&input.ident, documentation(&input.attrs));
    let (name, path) = options(&input)?;
    if !input.generics.params.is_empty() {
        let message = "a message of a contract has no type parameters";
        return Err(syn::Error::new_spanned(&input.generics, message));
    }
    match &input.data {
        Data::Struct(data) => {
            let fields = data
                .fields
                .iter()
                .map(|field| {
                    let name = field.ident.as_ref().ok_or_else(|| {
                        syn::Error::new_spanned(field, "a message has named fields")
                    })?;
                    let name = name.to_string();
                    let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
                    one_field(&path, &name, &field.attrs, &field.ty)
                })
                .collect::<syn::Result<Vec<_>>>()?;
            Ok(quote! {
                impl #path::Describe for #ident {
                    const NAME: &'static str = #name;
                    fn describe(types: &mut #path::TypeSet) {
                        types.message(#name, #doc, |fields| { let _ = &fields; #(#fields)* });
                    }
                }
            })
        }
        Data::Enum(data) if data.variants.iter().all(|v| v.fields.is_empty()) => {
            let mut values = Vec::new();
            for variant in &data.variants {
                let Some((_, number)) = &variant.discriminant else {
                    let message = "say the number: `Name = 1`; it is what travels";
                    return Err(syn::Error::new_spanned(variant, message));
                };
                let value = format!("{ident}_{}", variant.ident);
                let value = snake_case(&value).to_uppercase().replace("__", "_");
                values.push(quote!(values.value(#value, #number);));
            }
            Ok(quote! {
                impl #path::Describe for #ident {
                    const NAME: &'static str = #name;
                    fn describe(types: &mut #path::TypeSet) {
                        types.enumeration(#name, #doc, |values| { #(#values)* });
                    }
                }
            })
        }
        Data::Enum(data) => {
            let mut variants = Vec::new();
            for variant in &data.variants {
                let name = snake_case(&variant.ident.to_string());
                let Some(field) = variant.fields.iter().next() else {
                    let message = "each variant of a oneof has one field";
                    return Err(syn::Error::new_spanned(variant, message));
                };
                variants.push(one_field(&path, &name, &variant.attrs, &field.ty)?);
            }
            Ok(quote! {
                impl #path::DescribeOneof for #ident {
                    fn describe(fields: &mut #path::Fields<'_>) { #(#variants)* }
                }
            })
        }
        Data::Union(_) => Err(syn::Error::new_spanned(ident, "a union cannot travel")),
    }
}

/// `#[describe(name = "…", path = "…")]`, with the defaults.
fn options(input: &DeriveInput) -> syn::Result<(String, TokenStream)> {
    let (mut name, mut path) = (input.ident.to_string(), quote!(::rpc_core));
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("describe")) {
        attribute.parse_nested_meta(|meta| {
            let text: syn::LitStr = meta.value()?.parse()?;
            if meta.path.is_ident("name") {
                name = text.value();
                if !is_full_name(&name) {
                    return Err(syn::Error::new(
                        text.span(),
                        "a full name is dotted identifiers: `shop.v1.Item`",
                    ));
                }
            } else if meta.path.is_ident("path") {
                path = text.value().parse()?;
            } else {
                return Err(meta.error("known here: name, path"));
            }
            Ok(())
        })?;
    }
    Ok((name, path))
}

/// What one `#[prost(…)]` says.
#[derive(Default)]
struct Prost {
    kind: Option<String>,
    /// The enumeration, the map's kinds, or the oneof.
    of: Option<String>,
    tag: Option<u32>,
    label: &'static str,
}

fn one_field(
    path: &TokenStream,
    name: &str,
    attributes: &[Attribute],
    ty: &Type,
) -> syn::Result<TokenStream> {
    let doc = documentation(attributes);
    let prost = read_prost(attributes, ty)?;
    let kind = prost.kind.as_deref().unwrap_or_default();
    if kind == "oneof" {
        let oneof = element(ty);
        return Ok(quote!(fields.oneof::<#oneof>(#name);));
    }
    let Some(tag) = prost.tag else {
        return Err(syn::Error::new(
            ty.span(),
            "this field's prost attribute has no tag",
        ));
    };
    let label = match prost.label {
        "repeated" => quote!(#path::Label::Repeated),
        "optional" if kind != "message" => quote!(#path::Label::Optional),
        _ => quote!(#path::Label::Singular),
    };
    Ok(match kind {
        "message" => {
            let element = element(ty);
            quote!(fields.message::<#element>(#name, #tag, #label, #doc);)
        }
        "enumeration" => {
            let of: Type = syn::parse_str(prost.of.as_deref().unwrap_or_default())?;
            quote!(fields.enumeration::<#of>(#name, #tag, #label, #doc);)
        }
        "map" => map_field(path, name, &prost, tag, ty, &doc)?,
        scalar => {
            let scalar = scalar_of(path, scalar, ty.span())?;
            quote!(fields.scalar(#name, #tag, #label, #scalar, #doc);)
        }
    })
}

fn map_field(
    path: &TokenStream,
    name: &str,
    prost: &Prost,
    tag: u32,
    ty: &Type,
    doc: &str,
) -> syn::Result<TokenStream> {
    let kinds = prost.of.clone().unwrap_or_default();
    let (key, value) = kinds
        .split_once(',')
        .ok_or_else(|| syn::Error::new(ty.span(), "a map is `map = \"key, value\"`"))?;
    let key = scalar_of(path, key.trim(), ty.span())?;
    let value = value.trim();
    if value == "message" {
        let element = last_argument(ty);
        return Ok(quote!(fields.map_of_messages::<#element>(#name, #tag, #key, #doc);));
    }
    if let Some(of) = value.strip_prefix("enumeration(") {
        let of: Type = syn::parse_str(of.trim_end_matches(')'))?;
        return Ok(quote!(fields.map_of_enumerations::<#of>(#name, #tag, #key, #doc);));
    }
    let value = scalar_of(path, value, ty.span())?;
    Ok(quote!(fields.map(#name, #tag, #key, #value, #doc);))
}

fn read_prost(attributes: &[Attribute], ty: &Type) -> syn::Result<Prost> {
    let mut out = Prost::default();
    let mut seen = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("prost")) {
        seen = true;
        let parts = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        for part in &parts {
            match part {
                Meta::Path(path) => {
                    let word = path
                        .get_ident()
                        .map(ToString::to_string)
                        .unwrap_or_default();
                    match word.as_str() {
                        "optional" => out.label = "optional",
                        "repeated" => out.label = "repeated",
                        "required" | "boxed" | "packed" => {}
                        "group" => {
                            let message = "groups are not offered: use a message";
                            return Err(syn::Error::new_spanned(path, message));
                        }
                        _ => out.kind = Some(word),
                    }
                }
                Meta::NameValue(pair) => {
                    let word = pair
                        .path
                        .get_ident()
                        .map(ToString::to_string)
                        .unwrap_or_default();
                    let value = literal(&pair.value).unwrap_or_default();
                    match word.as_str() {
                        "tag" => out.tag = value.parse().ok(),
                        "enumeration" | "oneof" => (out.kind, out.of) = (Some(word), Some(value)),
                        "map" | "btree_map" | "hash_map" => {
                            (out.kind, out.of) = (Some("map".into()), Some(value));
                        }
                        "bytes" => out.kind = Some(word),
                        _ => {}
                    }
                }
                Meta::List(_) => {}
            }
        }
    }
    if !seen || out.kind.is_none() {
        let message = "a described field has a prost attribute that says its kind and tag: \
                       #[prost(string, tag = 1)]";
        return Err(syn::Error::new(ty.span(), message));
    }
    Ok(out)
}

fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => Some(number.base10_digits().into()),
        _ => None,
    }
}

fn scalar_of(path: &TokenStream, kind: &str, span: proc_macro2::Span) -> syn::Result<TokenStream> {
    const KNOWN: &[&str] = &[
        "bool", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
        "sfixed32", "sfixed64", "float", "double", "string", "bytes",
    ];
    if !KNOWN.contains(&kind) {
        return Err(syn::Error::new(
            span,
            format!("`{kind}` is no kind of protobuf"),
        ));
    }
    let name = crate::attributes::camel_case(kind);
    let variant = proc_macro2::Ident::new(&name, span);
    Ok(quote!(#path::Scalar::#variant))
}

/// The message type inside `Option`, `Vec` and `Box`.
fn element(ty: &Type) -> &Type {
    for wrapper in ["Option", "Vec", "Box"] {
        if let Some(inner) = crate::shape::inside(ty, wrapper) {
            return element(inner);
        }
    }
    ty
}

/// The last type argument: the value of a map.
fn last_argument(ty: &Type) -> &Type {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(syn::GenericArgument::Type(value)) = arguments.args.last()
    {
        return value;
    }
    ty
}
