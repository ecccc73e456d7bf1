//! Makes system calls of one kind at a fixed rate or flat out, and says how many: what `tools/bench-live` measures under.
//!
//! `load KIND RATE SECONDS`; a rate of 0 is flat out. Prints the number of system calls, the seconds they took, and the
//! processor seconds of this process and its children.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for measuring"
)]

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Rounds between two looks at the clock.
const ROUNDS: u32 = 16;

fn call(nr: libc::c_long, a: i64, b: i64, c: i64) -> i64 {
    // SAFETY: the loads pass valid pointers.
    unsafe { libc::syscall(nr, a, b, c) }
}

/// What the rounds work on.
struct Place {
    buffer: [u8; 64],
    null: i64,
    zero: i64,
    address: [u8; 16],
    listener: Option<std::net::SocketAddr>,
}

impl Place {
    fn new(kind: &str) -> Self {
        let open = |path: &std::ffi::CStr, flags| {
            call(libc::SYS_openat, -100, path.as_ptr() as i64, flags)
        };
        Self {
            buffer: [0; 64],
            null: open(c"/dev/null", 1),
            zero: open(c"/dev/zero", 0),
            // 127.0.0.1, port 9
            address: [2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            listener: (kind == "connections").then(listen),
        }
    }

    /// One round; gives the number of system calls.
    fn round(&mut self, kind: &str) -> u64 {
        let buffer = self.buffer.as_mut_ptr() as i64;
        match kind {
            "getpid" => {
                call(libc::SYS_getpid, 0, 0, 0);
                1
            }
            "storm" => {
                call(libc::SYS_getpid, 0, 0, 0);
                call(libc::SYS_read, self.zero, buffer, 64);
                call(libc::SYS_write, self.null, buffer, 64);
                3
            }
            "open-close" => {
                let fd = call(libc::SYS_openat, -100, c"/etc/hostname".as_ptr() as i64, 0);
                call(libc::SYS_close, fd, 0, 0);
                2
            }
            "mixed" => {
                let path = c"/proc/self/stat";
                let fd = call(libc::SYS_openat, -100, path.as_ptr() as i64, 0);
                call(libc::SYS_read, fd, buffer, 64);
                call(libc::SYS_read, fd, buffer, 64);
                call(libc::SYS_fcntl, fd, 3, 0);
                call(libc::SYS_close, fd, 0, 0);
                let socket = call(libc::SYS_socket, 2, 2, 0);
                call(libc::SYS_connect, socket, self.address.as_ptr() as i64, 16);
                call(libc::SYS_close, socket, 0, 0);
                8
            }
            "connections" => {
                if let Some(address) = self.listener {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.read_exact(&mut self.buffer[..1]).unwrap();
                }
                // socket, connect, recv, close; accept4, send, close
                7
            }
            "forks" => {
                Command::new("/bin/true").status().unwrap();
                1
            }
            other => panic!("no load is called {other}"),
        }
    }
}

fn listen() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"x").unwrap();
        }
    });
    address
}

/// Processor seconds so far, of this process and of the children it waited for.
fn processor_seconds() -> f64 {
    let of = |who| {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer is to room for the structure, which zeroes fill validly.
        let usage = unsafe {
            libc::getrusage(who, usage.as_mut_ptr());
            usage.assume_init()
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, kind, rate, seconds] = args.as_slice() else {
        panic!("load KIND RATE SECONDS");
    };
    let rate: f64 = rate.parse().unwrap();
    let seconds: f64 = seconds.parse().unwrap();
    let mut place = Place::new(kind);
    let rounds = if kind == "forks" || kind == "connections" {
        1
    } else {
        ROUNDS
    };
    let begun = Instant::now();
    let mut calls = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        for _ in 0..rounds {
            calls += place.round(kind);
        }
        if rate > 0.0 {
            let due = Duration::from_secs_f64(calls as f64 / rate);
            if let Some(ahead) = due.checked_sub(begun.elapsed())
                && ahead > Duration::from_millis(1)
            {
                std::thread::sleep(ahead);
            }
        }
    }
    println!(
        "{calls} {} {}",
        begun.elapsed().as_secs_f64(),
        processor_seconds()
    );
}
