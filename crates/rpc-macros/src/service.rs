//! `#[service]`: the trait, the client stub, the server skeleton and the descriptor.

use crate::attributes::{documentation, is_full_name};
use crate::method::{Kind, Method};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::{Ident, ItemTrait, LitStr, TraitItem};

/// What `#[service(…)]` says.
struct Options {
    name: String,
    path: TokenStream,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = Options::read(arguments)?;
    let input: ItemTrait = syn::parse2(item)?;
    if !input.generics.params.is_empty() {
        let message = "a service has no type parameters: its contract is one";
        return Err(syn::Error::new_spanned(&input.generics, message));
    }
    let mut methods = Vec::new();
    for item in &input.items {
        match item {
            TraitItem::Fn(function) => methods.push(Method::read(&input.ident, function)?),
            other => {
                let message = "a service has methods and nothing else";
                return Err(syn::Error::new_spanned(other, message));
            }
        }
    }
    distinct_ids(&methods)?;
    let requests = methods
        .iter()
        .map(|method| method.request_message(&options.path))
        .collect::<syn::Result<Vec<_>>>()?;
    let declared = trait_item(&input, &methods);
    let descriptor = descriptor(&input, &options, &methods);
    let client = client(&input, &options.path, &methods);
    let server = server(&input, &options.path, &methods);
    Ok(quote!(#declared #(#requests)* #descriptor #client #server))
}

/// The error alone: the trait stays as it was written, so that nothing else is complained of.
pub(crate) fn refuse(error: &syn::Error, item: TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    let Ok(mut input) = syn::parse2::<ItemTrait>(item) else {
        return error;
    };
    for item in &mut input.items {
        if let TraitItem::Fn(function) = item {
            function
                .attrs
                .retain(|attribute| !attribute.path().is_ident("rpc"));
        }
    }
    quote!(#[allow(dead_code)] #input #error)
}

impl Options {
    fn read(arguments: TokenStream) -> syn::Result<Self> {
        let (mut name, mut path) = (None, quote!(::rpc_core));
        let parser = syn::meta::parser(|meta| {
            let text: LitStr = meta.value()?.parse()?;
            if meta.path.is_ident("name") {
                if !is_full_name(&text.value()) {
                    let message = "a full name is dotted identifiers: `shop.v1.Stock`";
                    return Err(syn::Error::new(text.span(), message));
                }
                name = Some(text.value());
            } else if meta.path.is_ident("path") {
                path = text.value().parse()?;
            } else {
                return Err(meta.error("known here: name, path"));
            }
            Ok(())
        });
        parser.parse2(arguments)?;
        let name = name.ok_or_else(|| {
            let message = "say the name by which it is known on every wire: \
                           #[service(name = \"shop.v1.Stock\")]";
            syn::Error::new(Span::call_site(), message)
        })?;
        Ok(Self { name, path })
    }
}

/// A method is known on the wire by a hash of its name, which must tell it from the others.
fn distinct_ids(methods: &[Method]) -> syn::Result<()> {
    let id = |method: &Method| {
        let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        method.wire_name.bytes().fold(0x811c_9dc5, fold)
    };
    for (at, method) in methods.iter().enumerate() {
        if let Some(other) = methods[..at].iter().find(|other| id(other) == id(method)) {
            let message = format!("`{}` is the same on the wire: rename one", other.ident);
            return Err(syn::Error::new_spanned(&method.ident, message));
        }
    }
    Ok(())
}

fn trait_item(input: &ItemTrait, methods: &[Method]) -> TokenStream {
    let (attributes, vis, ident, supertraits) =
        (&input.attrs, &input.vis, &input.ident, &input.supertraits);
    let functions = input.items.iter().zip(methods).map(|(item, method)| {
        let TraitItem::Fn(function) = item else {
            return TokenStream::new();
        };
        let (attributes, name, inputs, output) = (
            &method.attributes,
            &method.ident,
            &function.sig.inputs,
            &method.output,
        );
        quote! {
            #(#attributes)*
            fn #name(#inputs)
            -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
        }
    });
    quote! {
        #(#attributes)*
        #vis trait #ident: ::core::marker::Send + ::core::marker::Sync + 'static + #supertraits {
            #(#functions)*
        }
    }
}

/// The name of the static that holds the descriptor.
fn static_name(ident: &Ident) -> Ident {
    let name = crate::attributes::snake_case(&ident.to_string()).to_uppercase();
    format_ident!("{name}_SERVICE", span = ident.span())
}

fn descriptor(input: &ItemTrait, options: &Options, methods: &[Method]) -> TokenStream {
    let (vis, ident, path, service) = (&input.vis, &input.ident, &options.path, &options.name);
    let (static_name, doc) = (static_name(ident), documentation(&input.attrs));
    let entries = methods.iter().enumerate().map(|(index, method)| {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let (wire_name, doc) = (&method.wire_name, &method.doc);
        let kind = match method.kind {
            Kind::Unary => quote!(Unary),
            Kind::Oneway => quote!(Oneway),
            Kind::ServerStream => quote!(ServerStream),
            Kind::ClientStream => quote!(ClientStream),
            Kind::Bidirectional => quote!(Bidirectional),
        };
        let policy = &method.policy;
        let (idempotency, roles) = (&policy.idempotency, &policy.roles);
        let option = |value: Option<TokenStream>| match value {
            Some(value) => quote!(::core::option::Option::Some(#value)),
            None => quote!(::core::option::Option::None),
        };
        let deadline = option(
            policy
                .deadline_micros
                .map(|micros| quote!(::core::time::Duration::from_micros(#micros))),
        );
        let http = option(policy.http.as_ref().map(|http| quote!(#http)));
        let max = option(policy.max_message_bytes.map(|max| quote!(#max)));
        let (input, output) = (message_of(method), &method.answer);
        quote! {
            #path::MethodDescriptor {
                service: #service,
                descriptor: #path::Owner::new(|| &#static_name),
                name: #wire_name,
                doc: #doc,
                index: #index,
                id: #path::method_id(#wire_name),
                kind: #path::MethodKind::#kind,
                idempotency: #path::Idempotency::#idempotency,
                deadline: #deadline,
                http: #http,
                roles: &[#(#roles),*],
                max_message_bytes: #max,
                input: <#input as #path::Describe>::NAME,
                output: <#output as #path::Describe>::NAME,
            }
        }
    });
    let types = methods.iter().map(|method| {
        let (input, output) = (message_of(method), &method.answer);
        quote! {
            <#input as #path::Describe>::describe(types);
            <#output as #path::Describe>::describe(types);
        }
    });
    let about = format!("The contract of `{service}`.");
    quote! {
        #[doc = #about]
        #vis static #static_name: #path::ServiceDescriptor = #path::ServiceDescriptor::new(
            #service,
            #doc,
            &[#(#entries),*],
            |types| { let _ = &types; #(#types)* },
        );
    }
}

/// What one message from the client is.
fn message_of(method: &Method) -> TokenStream {
    match (&method.request, &method.incoming) {
        (Some(request), _) => quote!(#request),
        (None, Some(item)) => quote!(#item),
        (None, None) => quote!(()),
    }
}

/// A name of the macro's own, which no parameter of a method can meet.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn client(input: &ItemTrait, path: &TokenStream, methods: &[Method]) -> TokenStream {
    let (vis, ident) = (&input.vis, &input.ident);
    let (client, descriptor) = (format_ident!("{ident}Client"), static_name(ident));
    let (method_name, cx, items) = (local("method"), local("cx"), local("items"));
    let functions = methods.iter().enumerate().map(|(index, method)| {
        let (attributes, name, answer) = (&method.attributes, &method.ident, &method.answer);
        let names = method.parameters.iter().map(|(name, _)| name);
        let declared = method
            .parameters
            .iter()
            .map(|(name, ty)| quote!(#name: #ty));
        let request = match &method.request {
            Some(request) => quote!(#request { #(#names),* }),
            None => quote!(#items),
        };
        let (verb, output) = match method.kind {
            Kind::Unary => (quote!(unary), quote!(#answer)),
            Kind::Oneway => (quote!(oneway), quote!(())),
            Kind::ServerStream => (quote!(server_stream), quote!(#path::Streaming<#answer>)),
            Kind::ClientStream => (quote!(client_stream), quote!(#answer)),
            Kind::Bidirectional => (quote!(bidirectional), quote!(#path::Streaming<#answer>)),
        };
        let stream = method.incoming.as_ref().map(|item| {
            let bounds = quote!(::core::marker::Send + 'static);
            quote!(#items: impl #path::export::Stream<Item = #item> + #bounds)
        });
        quote! {
            #(#attributes)*
            pub async fn #name(
                &self, #cx: &#path::Context, #(#declared,)* #stream
            ) -> ::core::result::Result<#output, #path::Status> {
                let #method_name = &#descriptor.methods()[#index];
                #path::stub::#verb(&self.channel, #method_name, #cx, #request).await
            }
        }
    });
    let doc = format!("The client's side of [`{ident}`]: each method is a call.");
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #vis struct #client<C> { channel: C }

        impl<C: #path::Channel> #client<C> {
            /// A stub that calls over `channel`.
            pub const fn new(channel: C) -> Self { Self { channel } }
            #(#functions)*
        }
    }
}

fn server(input: &ItemTrait, path: &TokenStream, methods: &[Method]) -> TokenStream {
    let (vis, ident) = (&input.vis, &input.ident);
    let (server, descriptor) = (format_ident!("{ident}Server"), static_name(ident));
    let (callee, cx, out, items) = (local("service"), local("cx"), local("out"), local("items"));
    let arms = methods.iter().enumerate().map(|(index, method)| {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let (name, names) = (
            &method.ident,
            method.parameters.iter().map(|(name, _)| name),
        );
        let names: Vec<_> = names.collect();
        let (parameter, taken) = match &method.request {
            Some(request) => (
                quote!(#request { #(#names),* }: #request),
                quote!(#(#names),*),
            ),
            None => (quote!(#items), quote!(#items)),
        };
        let call = quote!(#callee.#name(&#cx, #taken).await);
        let (verb, closure) = match method.kind {
            Kind::Unary => (
                quote!(unary),
                quote!(move |#cx, #parameter| async move { #call }),
            ),
            Kind::ClientStream => (
                quote!(client_stream),
                quote!(move |#cx, #parameter| async move { #call }),
            ),
            Kind::Oneway => (
                quote!(oneway),
                quote!(move |#cx, #parameter| async move { #call }),
            ),
            Kind::ServerStream => (
                quote!(server_stream),
                quote!(move |#cx, #parameter, #out| async move { #out.forward(#call?).await }),
            ),
            Kind::Bidirectional => (
                quote!(bidirectional),
                quote!(move |#cx, #parameter, #out| async move { #out.forward(#call?).await }),
            ),
        };
        let direct = matches!(method.kind, Kind::Unary)
            .then(|| quote!(#index => #path::skeleton::unary_directly(request, #closure),));
        let arm = quote!(#index => #path::skeleton::#verb(call, #closure),);
        (arm, direct)
    });
    let (arms, direct): (Vec<_>, Vec<_>) = arms.unzip();
    let doc = format!("The server's side of [`{ident}`]: calls become methods of `S`.");
    quote! {
        #[doc = #doc]
        #[derive(Debug)]
        #vis struct #server<S> { service: ::std::sync::Arc<S> }

        impl<S> ::core::clone::Clone for #server<S> {
            fn clone(&self) -> Self { Self { service: ::std::sync::Arc::clone(&self.service) } }
        }

        impl<S: #ident> #server<S> {
            /// A skeleton that calls `service`.
            pub fn new(service: S) -> Self { Self { service: ::std::sync::Arc::new(service) } }
        }

        impl<S: #ident> #path::Dispatch for #server<S> {
            fn descriptor(&self) -> &'static #path::ServiceDescriptor { &#descriptor }
            fn dispatch(&self, call: #path::Call) -> #path::CallFuture {
                let #callee = ::std::sync::Arc::clone(&self.service);
                match call.method.index {
                    #(#arms)*
                    _ => { let _ = #callee; #path::skeleton::unknown(&call) }
                }
            }
            fn dispatches_directly(&self) -> bool { true }
            fn dispatch_directly(
                &self,
                request: &mut #path::DirectRequest<'_>,
            ) -> ::core::option::Option<::core::result::Result<(), #path::Status>> {
                let #callee = ::std::sync::Arc::clone(&self.service);
                match request.method.index {
                    #(#direct)*
                    _ => { let _ = (#callee, request); ::core::option::Option::None }
                }
            }
        }
    }
}
