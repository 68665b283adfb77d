//! Turns every file of `src/mechanisms` into a module and a row of the table of families, so that
//! adding a mechanism is adding one file.

use std::{env, error::Error, fs, path::Path};

/// Mechanisms that only builds with these features have, since they stand on crates that others
/// can do without.
const NEED: &[(&str, &str)] = &[
    ("rpc_grpc", "grpc"),
    ("rpc_grpc_shm", "grpc"),
    ("rpc_grpc_tcp", "grpc"),
    ("rpc_grpc_tls", "grpc"),
    ("rpc_grpc_tls", "tls"),
    ("rpc_native_tls", "tls"),
    ("tls", "peers"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/mechanisms");
    println!("cargo::rerun-if-changed={}", directory.display());

    let (mut names, mut absent) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .ok_or("a name in UTF-8")?;
            match missing(name) {
                None => names.push(name.to_owned()),
                Some(feature) => absent.push((name.replace('_', "-"), feature)),
            }
        }
    }
    names.sort();
    absent.sort();

    let mut text = String::new();
    for name in &names {
        let path = directory.join(format!("{name}.rs"));
        text += &format!("#[path = {path:?}]\npub mod {name};\n");
    }
    let rows: String = names
        .iter()
        .map(|name| format!("    {name}::family(),\n"))
        .collect();
    text += "/// Every family of this build, in the order of their file names.\n";
    text += &format!("pub fn all() -> Vec<crate::family::Family> {{\n    vec![\n{rows}    ]\n}}\n");
    text +=
        "/// The families that this build lacks, and the feature that would have brought each.\n";
    text += &format!("pub const ABSENT: &[(&str, &str)] = &{absent:?};\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("mechanisms.rs"), text)?;
    Ok(())
}

/// The first feature that a mechanism needs and this build has not.
fn missing(name: &str) -> Option<&'static str> {
    let needs = NEED.iter().filter(|(who, _)| *who == name);
    let mut features = needs.map(|(_, feature)| *feature);
    features.find(|feature| {
        let variable = format!("CARGO_FEATURE_{}", feature.to_uppercase());
        env::var_os(variable).is_none()
    })
}
