//! Embeds the built screens of `ui/dist`, compressed once here instead of at every request.
//!
//! Without `ui/dist` the table is empty and the server shows a page that says so; building never needs Node.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Extensions whose files are text and shrink; the rest (fonts, pictures) is compressed already.
const COMPRESSED: &[&str] = &[
    "css",
    "html",
    "ico",
    "js",
    "json",
    "map",
    "svg",
    "txt",
    "webmanifest",
];

fn main() -> io::Result<()> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../ui/dist");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed={}", root.display());
    let mut table = String::from("&[\n");
    if root.join("index.html").is_file() {
        let root = root.canonicalize()?;
        let mut files = Vec::new();
        walk(&root, &mut files)?;
        files.sort();
        for (number, file) in files.iter().enumerate() {
            println!("cargo::rerun-if-changed={}", file.display());
            let name = file
                .strip_prefix(&root)
                .unwrap_or(file)
                .to_string_lossy()
                .replace('\\', "/");
            let extension = file.extension().unwrap_or_default().to_string_lossy();
            let gzip = if COMPRESSED.contains(&&*extension) {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(&fs::read(file)?)?;
                let path = out.join(format!("{number}.gz"));
                fs::write(&path, encoder.finish()?)?;
                format!("Some(include_bytes!({:?}))", path.to_string_lossy())
            } else {
                "None".to_owned()
            };
            let _ = writeln!(
                table,
                "    Asset {{ path: {name:?}, plain: include_bytes!({:?}), gzip: {gzip} }},",
                file.to_string_lossy()
            );
        }
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table)
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, out)?;
        } else {
            out.push(path);
        }
    }
    Ok(())
}
