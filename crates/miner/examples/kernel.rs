//! Computes the hashes that miners compute, for nobody: the model's training runs and tests need real ones.
//!
//! `kernel NAME THREADS SECONDS [PERCENT [SLICE]]`: NAME is sha256d (Bitcoin's), scrypt (Litecoin's), argon2d (memory-hard, in the
//! manner of RandomX's cache), or walk (random reads over a dataset, in the manner of Ethash); PERCENT is the share of
//! each SLICE (in milliseconds, 100 when not given) that a thread computes, 100 when not given.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Longest run in seconds.
const LONGEST: u64 = 900;

/// Bytes of the dataset that `walk` reads.
const DATASET: usize = 256 << 20;

fn sha256d(nonce: u64) {
    let mut header = [0u8; 80];
    header[72..].copy_from_slice(&nonce.to_le_bytes());
    black_box(Sha256::digest(Sha256::digest(header)));
}

fn scrypt(nonce: u64) {
    let mut out = [0u8; 32];
    if let Ok(params) = scrypt::Params::new(10, 1, 1) {
        let _ = scrypt::scrypt(&nonce.to_le_bytes(), b"header", &params, &mut out);
    }
    black_box(out);
}

fn argon2d(nonce: u64) {
    let mut out = [0u8; 32];
    if let Ok(params) = argon2::Params::new(4096, 1, 1, None) {
        let hasher =
            argon2::Argon2::new(argon2::Algorithm::Argon2d, argon2::Version::V0x13, params);
        let _ = hasher.hash_password_into(&nonce.to_le_bytes(), b"some salt", &mut out);
    }
    black_box(out);
}

fn walk(dataset: &[u64], nonce: u64) {
    let mut mix = nonce.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..64 {
        let at = (mix >> 20) as usize % dataset.len();
        mix = mix.rotate_left(23).wrapping_mul(0x0100_0000_01b3) ^ dataset[at];
    }
    black_box(mix);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        args.get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let name = args.first().map_or("sha256d", String::as_str);
    let (threads, seconds) = (number(1, 1).clamp(1, 64), number(2, 5).min(LONGEST));
    let share = number(3, 100).clamp(1, 100);
    let slice = number(4, 100).clamp(10, 120_000);
    let work = Duration::from_millis(slice * share / 100);
    let rest = Duration::from_millis(slice).saturating_sub(work);
    let dataset: Vec<u64> = if name == "walk" {
        (0..(DATASET / 8) as u64)
            .map(|at| at.wrapping_mul(0x2545_f491_4f6c_dd1d))
            .collect()
    } else {
        Vec::new()
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let dataset = &dataset;
            scope.spawn(move || {
                let mut nonce = thread << 48;
                while Instant::now() < end {
                    let begun = Instant::now();
                    while begun.elapsed() < work {
                        for _ in 0..8 {
                            nonce += 1;
                            match name {
                                "scrypt" => scrypt(nonce),
                                "argon2d" => argon2d(nonce),
                                "walk" => walk(dataset, nonce),
                                _ => sha256d(nonce),
                            }
                        }
                    }
                    std::thread::sleep(rest.min(end.saturating_duration_since(Instant::now())));
                }
            });
        }
    });
}
