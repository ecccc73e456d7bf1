//! The scanner's look-alike: tries some ports of one host of the lab.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::{fail, hosts};

/// Ports that are tried: a burst, yet a short one.
const PORTS: &[u16] = &[
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 993, 995, 1723, 3306, 3389, 5900,
    8080,
];
/// A closed port of the lab answers at once; this only bounds a broken run.
const PATIENCE: Duration = Duration::from_millis(300);

/// `nmap [-v] HOST`.
pub(crate) fn nmap(arguments: &[String]) -> ExitCode {
    let Some(host) = arguments.iter().find(|argument| !argument.starts_with('-')) else {
        return fail("nmap", 255, "no targets were specified");
    };
    let Some(address) = hosts::address(host) else {
        return fail("nmap", 1, format!("Failed to resolve \"{host}\""));
    };
    println!("Nmap scan report for {host} ({address})\nPORT     STATE");
    for &port in PORTS {
        if let Ok(stream) = TcpStream::connect_timeout(&SocketAddr::new(address, port), PATIENCE) {
            let banner = banner(stream).unwrap_or_default();
            println!("{:<8} open {banner}", format!("{port}/tcp"));
        }
    }
    ExitCode::SUCCESS
}

/// What a service says before it is asked.
fn banner(mut stream: TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = [0; 64];
    let length = stream.read(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..length]);
    Ok(text.trim().to_owned())
}
