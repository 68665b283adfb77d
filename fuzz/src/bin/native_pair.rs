//! Both machines of the native protocol against each other and a model.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_native::fuzzing::pair);
