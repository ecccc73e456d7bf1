//! The package manager's look-alikes: `apt-get` fetches from the lab's mirror, `dpkg` puts the program in place.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::{fail, hosts, http};

const MIRROR: &str = "deb.debian.org";
const LISTS: &str = "/var/lib/apt/lists";
const ARCHIVES: &str = "/var/cache/apt/archives";
/// What the real one ends with when it cannot take its lock.
const CANNOT: u8 = 100;

/// `apt-get update` and `apt-get [-y] install PACKAGE…`.
pub(crate) fn apt_get(arguments: &[String]) -> ExitCode {
    let mut words = arguments.iter().filter(|word| !word.starts_with('-'));
    let outcome = match words.next().map(String::as_str) {
        Some("update") => update(),
        Some("install") => words.try_for_each(|package| install(package)),
        _ => Err(io::Error::other("update or install?")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("E", CANNOT, error),
    }
}

/// Takes a lock file, as the first thing that needs root.
fn lock(path: &str) -> io::Result<()> {
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    opened.map(drop).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("Could not open lock file {path} ({error})"),
        )
    })
}

fn fetch(path: &str) -> io::Result<Vec<u8>> {
    let mirror =
        hosts::socket(MIRROR, 80).ok_or_else(|| io::Error::other("the mirror has no address"))?;
    match http::ask(mirror, "GET", path, "", b"")? {
        (200, body) => Ok(body),
        (status, _) => Err(io::Error::other(format!("{MIRROR}{path}: {status}"))),
    }
}

fn update() -> io::Result<()> {
    lock(&format!("{LISTS}/lock"))?;
    let packages = fetch("/apt/Packages")?;
    fs::write(format!("{LISTS}/{MIRROR}_Packages"), packages)?;
    println!("Reading package lists...");
    Ok(())
}

fn install(package: &str) -> io::Result<()> {
    lock("/var/lib/dpkg/lock-frontend")?;
    // a name becomes part of a path
    if !package
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err(io::Error::other(format!(
            "Unable to locate package {package}"
        )));
    }
    let archive = format!("{ARCHIVES}/{package}.deb");
    fs::write(&archive, fetch(&format!("/apt/{package}.deb"))?)?;
    let status = Command::new("dpkg").args(["--unpack", &archive]).status()?;
    if status.success() {
        println!("Setting up {package} ...");
        Ok(())
    } else {
        Err(io::Error::other("Sub-process dpkg returned an error code"))
    }
}

/// `dpkg --unpack FILE`: the lab's archives hold one program and nothing else.
pub(crate) fn dpkg(arguments: &[String]) -> ExitCode {
    let [action, archive] = arguments else {
        return fail("dpkg", 2, "need an action and an archive");
    };
    if action == "--print-architecture" {
        println!("amd64");
        return ExitCode::SUCCESS;
    }
    match unpack(Path::new(archive)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("dpkg", 1, error),
    }
}

fn unpack(archive: &Path) -> io::Result<()> {
    let name = archive
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| io::Error::other("the archive has no name"))?;
    let new = format!("/usr/bin/{name}.dpkg-new");
    fs::write(&new, fs::read(archive)?)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(&new, format!("/usr/bin/{name}"))?;
    let mut status = OpenOptions::new()
        .append(true)
        .create(true)
        .open("/var/lib/dpkg/status")?;
    writeln!(status, "Package: {name}\nStatus: install ok installed\n")
}
