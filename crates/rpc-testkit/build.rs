//! Generates the inventory from its `.proto`, as tonic does it, where the feature asks for it.

fn main() {
    println!("cargo::rerun-if-changed=proto");
    #[cfg(feature = "tonic")]
    {
        let files = protox::compile(["proto/inventory.proto"], ["proto"]).expect("it compiles");
        let folder = std::env::var_os("OUT_DIR").expect("cargo sets it");
        let set = std::path::Path::new(&folder).join("inventory.bin");
        std::fs::write(set, encode(&files)).expect("a writable folder");
        tonic_prost_build::compile_fds(files).expect("it is generated");
    }
}

#[cfg(feature = "tonic")]
fn encode(files: &tonic_prost_build::FileDescriptorSet) -> Vec<u8> {
    use protox::prost::Message;
    files.encode_to_vec()
}
