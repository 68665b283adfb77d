#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attributes;
mod describe;
mod method;
mod service;
mod shape;

use proc_macro::TokenStream;

/// Makes a service of a trait: the trait with `Send` futures, a client stub `…Client`, a server
/// skeleton `…Server`, the argument messages and the descriptor. See `rpc_core::service`.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    service::expand(arguments.into(), item.clone())
        .unwrap_or_else(|error| service::refuse(&error, item))
        .into()
}

/// Describes a prost message, oneof or enumeration to the contract. See `rpc_core::Describe`.
#[proc_macro_derive(Describe, attributes(prost, describe))]
pub fn describe(item: TokenStream) -> TokenStream {
    describe::expand(item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
