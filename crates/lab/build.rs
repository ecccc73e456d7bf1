//! Builds the program that plays every part in the lab as a static executable, for the library to carry.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=range");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("parts");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args([
            "--edition",
            "2024",
            "--crate-name",
            "parts",
            "range/main.rs",
        ])
        .args([
            "-C",
            "opt-level=s",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
        ])
        .args([
            "-C",
            "codegen-units=1",
            "-C",
            "target-feature=+crt-static",
            "--cap-lints",
            "allow",
        ])
        .arg("--target")
        .arg(env::var_os("TARGET").unwrap_or_default())
        .arg("-o")
        .arg(&out);
    let output = command.output()?;
    if !output.status.success() {
        // Everything but the lab works without it, so the build goes on; the lab then says why it cannot run.
        let why = String::from_utf8_lossy(&output.stderr);
        println!(
            "cargo::warning=the lab's program was not built ({}); the lab will not run. It needs a static C library (libc6-dev)",
            why.lines().next().unwrap_or_default()
        );
        fs::write(&out, b"")?;
    }
    Ok(())
}
