//! Embeds the shipped rules: every file of `rules/<source>/`, in byte order of the names.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../rules");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut table = String::from("&[\n");
    for source in sorted(&root)? {
        println!("cargo::rerun-if-changed={}", source.display());
        for file in sorted(&source)? {
            if file
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                let file = file.canonicalize()?;
                let name = |path: &Path| {
                    path.file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned()
                };
                let (source, base) = (name(&source), name(&file));
                let _ = writeln!(
                    table,
                    "    Shipped {{ name: {:?}, text: include_str!({:?}) }},",
                    format!("rules/{source}/{base}"),
                    file.to_string_lossy()
                );
            }
        }
    }
    table.push(']');
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("shipped.rs");
    fs::write(out, table)
}

fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
