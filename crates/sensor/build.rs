//! Compiles the kernel side with clang into two stripped objects, the sensor's and the guard's, which the crate embeds.
//!
//! `BPF_CLANG` and `LLVM_STRIP` name other tools. Nothing of the build machine's kernel goes into the object: types come
//! from the committed `bpf/include/vmlinux.h` and are moved to where the running kernel keeps them when it is loaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "live")]
    live::build();
}

#[cfg(feature = "live")]
mod live {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    const HELP: &str = "the kernel side of the sensor is compiled by clang: install it (Debian: apt-get install clang \
                        llvm libelf-dev zlib1g-dev pkg-config), name another with BPF_CLANG, or build without the \
                        feature `live`";

    pub(super) fn build() {
        let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
        let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
        let bpf = root.join("bpf");
        let target = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
            Ok("x86_64") => "x86",
            Ok("aarch64") => "arm64",
            other => panic!("the sensor has no kernel side for this architecture: {other:?}"),
        };
        println!("cargo:rerun-if-changed={}", bpf.display());
        println!("cargo:rerun-if-env-changed=BPF_CLANG");
        println!("cargo:rerun-if-env-changed=LLVM_STRIP");

        let headers = out.join("include/bpf");
        std::fs::create_dir_all(&headers).expect("OUT_DIR can be written");
        for (name, text) in libbpf_sys::API_HEADERS {
            std::fs::write(headers.join(name), text).expect("OUT_DIR can be written");
        }

        for name in ["sensor", "guard"] {
            compile(name, &bpf, &out, target);
        }
    }

    /// Compiles `NAME.bpf.c` to `NAME.bpf.o` and takes out what only a debugger reads.
    fn compile(name: &str, bpf: &Path, out: &Path, target: &str) {
        let object = out.join(format!("{name}.bpf.o"));
        let clang = env::var("BPF_CLANG").unwrap_or_else(|_| "clang".into());
        let status = Command::new(&clang)
            .args([
                "-g", "-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror",
            ])
            .args(["-Wno-unused-function", "-nostdlibinc"])
            .arg(format!("-D__TARGET_ARCH_{target}"))
            .arg("-I")
            .arg(out.join("include"))
            .arg("-I")
            .arg(bpf)
            .arg("-c")
            .arg(bpf.join(format!("{name}.bpf.c")))
            .arg("-o")
            .arg(&object)
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("{clang} could not compile bpf/{name}.bpf.c ({status})"),
            Err(error) => panic!("{clang} cannot be run ({error}): {HELP}"),
        }

        let strip = env::var("LLVM_STRIP").unwrap_or_else(|_| "llvm-strip".into());
        match Command::new(&strip).arg("-g").arg(&object).status() {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("{strip} failed ({status})"),
            Err(error) => panic!("{strip} cannot be run ({error}): {HELP}"),
        }
    }
}
