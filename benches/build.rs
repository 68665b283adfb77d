//! Turns every file of `src/mechanisms` into a module and a row of the table of families, so that
//! adding a mechanism is adding one file.

use std::{env, error::Error, fs, path::Path};

/// Mechanisms that only builds with the published crates of others have, since they stand on one.
const NEED_PEERS: &[&str] = &["tls"];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/mechanisms");
    println!("cargo::rerun-if-changed={}", directory.display());

    let mut names = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .ok_or("a name in UTF-8")?;
            if NEED_PEERS.contains(&name) && env::var_os("CARGO_FEATURE_PEERS").is_none() {
                continue;
            }
            names.push(name.to_owned());
        }
    }
    names.sort();

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
    fs::write(Path::new(&env::var("OUT_DIR")?).join("mechanisms.rs"), text)?;
    Ok(())
}
