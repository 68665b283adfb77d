//! Generates the services from their `.proto`, as tonic does it, where the feature asks for it.

fn main() {
    println!("cargo::rerun-if-changed=proto");
    #[cfg(feature = "tonic")]
    {
        let folder = std::env::var_os("OUT_DIR").expect("cargo sets it");
        for name in ["inventory", "testing"] {
            let file = format!("proto/{name}.proto");
            let files = protox::compile([file], ["proto"]).expect("it compiles");
            let set = std::path::Path::new(&folder).join(format!("{name}.bin"));
            std::fs::write(set, encode(&files)).expect("a writable folder");
            tonic_prost_build::compile_fds(files).expect("it is generated");
        }
    }
}

#[cfg(feature = "tonic")]
fn encode(files: &tonic_prost_build::FileDescriptorSet) -> Vec<u8> {
    use protox::prost::Message;
    files.encode_to_vec()
}
