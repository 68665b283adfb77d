//! One method of a service: its kind, its argument message, and what it says in `#[rpc(…)]`.

use crate::attributes::{camel_case, documentation, microseconds};
use crate::shape::{inside, parameter, unfit_answer};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    FnArg, GenericArgument, Ident, Pat, PathArguments, ReturnType, TraitItemFn, Type,
    TypeParamBound,
};

/// How messages flow.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Unary,
    Oneway,
    ServerStream,
    ClientStream,
    Bidirectional,
}

/// A method, read and checked.
pub(crate) struct Method {
    pub(crate) ident: Ident,
    /// As protobuf writes it: `GetItem`.
    pub(crate) wire_name: String,
    pub(crate) doc: String,
    pub(crate) attributes: Vec<syn::Attribute>,
    pub(crate) kind: Kind,
    /// The argument message that the macro makes; a stream has none.
    pub(crate) request: Option<Ident>,
    pub(crate) parameters: Vec<(Ident, Type)>,
    /// What one item of the stream of arguments is.
    pub(crate) incoming: Option<Type>,
    /// What is answered, or one item of it.
    pub(crate) answer: Type,
    /// The return type as the trait declares it.
    pub(crate) output: TokenStream,
    pub(crate) policy: Policy,
}

/// What `#[rpc(…)]` says.
pub(crate) struct Policy {
    pub(crate) idempotency: Ident,
    pub(crate) deadline_micros: Option<u64>,
    pub(crate) http: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) max_message_bytes: Option<u32>,
    oneway: bool,
}

impl Method {
    pub(crate) fn read(service: &Ident, function: &TraitItemFn) -> syn::Result<Self> {
        let signature = &function.sig;
        let refuse = |at: &dyn quote::ToTokens, why: &str| Err(syn::Error::new_spanned(at, why));
        if signature.asyncness.is_none() {
            return refuse(
                &signature.fn_token,
                "a method of a service is an `async fn`",
            );
        }
        if !signature.generics.params.is_empty() {
            return refuse(
                &signature.generics,
                "a method of a service has no type parameters: what travels has one type",
            );
        }
        if let Some(body) = &function.default {
            return refuse(
                body,
                "a method of a service has no default body: the body is the server's",
            );
        }
        let policy = Policy::read(function)?;
        let mut inputs = signature.inputs.iter();
        match inputs.next() {
            Some(FnArg::Receiver(receiver))
                if receiver.reference.is_some() && receiver.mutability.is_none() => {}
            other => {
                let message = "the first parameter is `&self`: many calls run at once";
                return match other {
                    Some(other) => refuse(other, message),
                    None => refuse(&signature.ident, message),
                };
            }
        }
        match inputs.next() {
            Some(FnArg::Typed(cx)) if is_context(&cx.ty) => {}
            other => {
                let message = "the second parameter is `cx: &Context`: it has the deadline, \
                               who calls, and the metadata";
                return match other {
                    Some(other) => refuse(other, message),
                    None => refuse(&signature.ident, message),
                };
            }
        }
        let (parameters, incoming) = read_parameters(inputs)?;
        let (answer, output, streams) = read_output(&signature.output, &policy, &signature.ident)?;
        let kind = match (policy.oneway, incoming.is_some(), streams) {
            (true, false, _) => Kind::Oneway,
            (true, true, _) => {
                return refuse(
                    &signature.ident,
                    "a oneway call has arguments, no stream of them",
                );
            }
            (false, false, false) => Kind::Unary,
            (false, false, true) => Kind::ServerStream,
            (false, true, false) => Kind::ClientStream,
            (false, true, true) => Kind::Bidirectional,
        };
        let wire_name = camel_case(&signature.ident.to_string());
        let request = incoming
            .is_none()
            .then(|| format_ident!("{service}{wire_name}Request", span = signature.ident.span()));
        Ok(Self {
            ident: signature.ident.clone(),
            wire_name,
            doc: documentation(&function.attrs),
            attributes: function
                .attrs
                .iter()
                .filter(|attribute| !attribute.path().is_ident("rpc"))
                .cloned()
                .collect(),
            kind,
            request,
            parameters,
            incoming,
            answer,
            output,
            policy,
        })
    }

    /// The argument message: the parameters in order.
    pub(crate) fn request_message(&self, path: &TokenStream) -> syn::Result<TokenStream> {
        let Some(request) = &self.request else {
            return Ok(TokenStream::new());
        };
        let path_text = path.to_string().replace(' ', "");
        let prost_path = format!("{path_text}::export::prost");
        let serde_path = format!("{path_text}::export::serde");
        let mut fields = Vec::new();
        for (tag, (name, ty)) in (1u32..).zip(&self.parameters) {
            let prost = parameter(ty, tag)?;
            let doc = format!("Argument {tag}.");
            fields.push(quote!(#[doc = #doc] #prost pub #name: #ty));
        }
        let doc = format!("The arguments of `{}`.", self.ident);
        Ok(quote! {
            #[doc = #doc]
            #[derive(
                Clone, PartialEq, #path::export::prost::Message, #path::Describe,
                #path::export::serde::Serialize, #path::export::serde::Deserialize,
            )]
            #[prost(prost_path = #prost_path)]
            #[serde(crate = #serde_path)]
            #[describe(path = #path_text)]
            pub struct #request { #(#fields,)* }
        })
    }
}

type Parameters = (Vec<(Ident, Type)>, Option<Type>);

fn read_parameters<'a>(inputs: impl Iterator<Item = &'a FnArg>) -> syn::Result<Parameters> {
    let (mut parameters, mut incoming) = (Vec::new(), None);
    for input in inputs {
        let FnArg::Typed(input) = input else {
            return Err(syn::Error::new_spanned(input, "`self` comes first"));
        };
        let Pat::Ident(name) = &*input.pat else {
            let message = "an argument has a plain name: it becomes a field of the message";
            return Err(syn::Error::new_spanned(&input.pat, message));
        };
        let (mut streams, stream) = (
            usize::from(incoming.is_some()),
            inside(&input.ty, "Streaming"),
        );
        match stream {
            Some(item) => (incoming, streams) = (Some(item.clone()), streams + 1),
            None => parameters.push((name.ident.clone(), (*input.ty).clone())),
        }
        if streams > 1 || (streams == 1 && !parameters.is_empty()) {
            let message = "a method takes arguments or one `Streaming<T>`, not both: \
                           put the arguments into the first item";
            return Err(syn::Error::new_spanned(input, message));
        }
    }
    Ok((parameters, incoming))
}

/// The answer's type, the return type as the trait says it, and whether it is a stream.
fn read_output(
    output: &ReturnType,
    policy: &Policy,
    ident: &Ident,
) -> syn::Result<(Type, TokenStream, bool)> {
    const WANTED: &str = "a method answers `Result<T, Status>`";
    let unit: Type = syn::parse_quote!(());
    let ReturnType::Type(_, ty) = output else {
        if policy.oneway {
            return Ok((unit, quote!(()), false));
        }
        let message = format!("{WANTED}; one that answers nothing is #[rpc(oneway)]");
        return Err(syn::Error::new_spanned(ident, message));
    };
    if policy.oneway {
        let message = "a oneway call answers nothing, not even an error: remove the return type";
        return Err(syn::Error::new_spanned(ty, message));
    }
    let Some(success) = inside(ty, "Result") else {
        return Err(syn::Error::new_spanned(ty, WANTED));
    };
    if let Type::ImplTrait(stream) = success {
        let Some(item) = stream.bounds.iter().find_map(stream_item) else {
            let message = "a stream of answers is `impl Stream<Item = Result<T, Status>>`";
            return Err(syn::Error::new_spanned(success, message));
        };
        let bounds = &stream.bounds;
        let error = second_argument(ty);
        return Ok((
            item,
            quote!(::core::result::Result<impl #bounds + ::core::marker::Send, #error>),
            true,
        ));
    }
    if let Some(item) = inside(success, "Streaming") {
        return Ok((item.clone(), quote!(#ty), true));
    }
    if let Some(wrong) = unfit_answer(success) {
        return Err(syn::Error::new_spanned(success, wrong));
    }
    Ok((success.clone(), quote!(#ty), false))
}

/// `T` of `Stream<Item = Result<T, Status>>`.
fn stream_item(bound: &TypeParamBound) -> Option<Type> {
    let TypeParamBound::Trait(bound) = bound else {
        return None;
    };
    let last = bound
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Stream")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(item) if item.ident == "Item" => {
            inside(&item.ty, "Result").cloned()
        }
        _ => None,
    })
}

/// The error of `Result<T, E>` as it is written; `Status` in scope where an alias hides it.
fn second_argument(ty: &Type) -> TokenStream {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(error) = arguments.args.iter().nth(1)
    {
        return quote!(#error);
    }
    quote!(Status)
}

fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else {
        return false;
    };
    let Type::Path(path) = &*reference.elem else {
        return false;
    };
    reference.mutability.is_none()
        && path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Context")
}

impl Policy {
    fn read(function: &TraitItemFn) -> syn::Result<Self> {
        let mut policy = Self {
            idempotency: Ident::new("NotIdempotent", function.sig.ident.span()),
            deadline_micros: None,
            http: None,
            roles: Vec::new(),
            max_message_bytes: None,
            oneway: false,
        };
        for attribute in function.attrs.iter().filter(|a| a.path().is_ident("rpc")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("oneway") {
                    policy.oneway = true;
                    return Ok(());
                }
                if meta.path.is_ident("max_message_bytes") {
                    let number: syn::LitInt = meta.value()?.parse()?;
                    policy.max_message_bytes = Some(number.base10_parse()?);
                    return Ok(());
                }
                if !["idempotency", "deadline", "http", "roles"]
                    .iter()
                    .any(|known| meta.path.is_ident(known))
                {
                    return Err(meta.error(
                        "known here: oneway, idempotency, deadline, http, roles, max_message_bytes",
                    ));
                }
                let text: syn::LitStr = meta.value()?.parse()?;
                let value = text.value();
                if meta.path.is_ident("idempotency") {
                    let name = match value.as_str() {
                        "no_side_effects" => "NoSideEffects",
                        "idempotent" => "Idempotent",
                        "not_idempotent" => "NotIdempotent",
                        _ => {
                            let message = "one of \"no_side_effects\", \"idempotent\", \
                                           \"not_idempotent\"";
                            return Err(syn::Error::new(text.span(), message));
                        }
                    };
                    policy.idempotency = Ident::new(name, text.span());
                } else if meta.path.is_ident("deadline") {
                    let micros = microseconds(&value).ok_or_else(|| {
                        let message = "a number above 0 with its unit: \"2s\", \"150ms\", \"80us\"";
                        syn::Error::new(text.span(), message)
                    })?;
                    policy.deadline_micros = Some(micros);
                } else if meta.path.is_ident("http") {
                    let verbs = ["GET /", "PUT /", "POST /", "DELETE /", "PATCH /"];
                    if !verbs.iter().any(|verb| value.starts_with(verb)) {
                        let message = "a verb and a path: \"GET /v1/items/{sku}\"";
                        return Err(syn::Error::new(text.span(), message));
                    }
                    policy.http = Some(value);
                } else {
                    let roles = value.split(',').map(|role| role.trim().to_owned());
                    policy.roles = roles.filter(|role| !role.is_empty()).collect();
                    if policy.roles.is_empty() {
                        let message = "roles with commas between: \"clerk, auditor\"";
                        return Err(syn::Error::new(text.span(), message));
                    }
                }
                Ok(())
            })?;
        }
        Ok(policy)
    }
}
