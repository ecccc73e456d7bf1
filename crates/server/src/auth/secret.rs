//! Random secrets and what is kept of them.
//!
//! A secret has 256 random bits, so its plain SHA-256 at rest cannot be guessed back; a slow hash is for passwords.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub(crate) struct NoRandomness;

/// Fills `room` with random bytes.
///
/// # Errors
/// When the operating system refuses.
pub(crate) fn fill(room: &mut [u8]) -> Result<(), NoRandomness> {
    SystemRandom::new().fill(room).map_err(|_| NoRandomness)
}

/// A new secret behind `prefix`, in letters that need no quoting anywhere.
///
/// # Errors
/// As [`fill`].
pub(crate) fn generate(prefix: &str) -> Result<String, NoRandomness> {
    let mut bytes = [0; SECRET_BYTES];
    fill(&mut bytes)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What is kept of a secret: its SHA-256 in hexadecimal digits.
pub(crate) fn digest(secret: &str) -> String {
    let hash = digest::digest(&digest::SHA256, secret.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A short random name for something that people may see, 16 hexadecimal digits.
///
/// # Errors
/// As [`fill`].
pub(crate) fn identifier() -> Result<String, NoRandomness> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    // Digests of equal length are compared, so neither length nor place shows.
    let (a, b) = (digest(a), digest(b));
    a.bytes()
        .zip(b.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_digests_are_sha256() {
        let (a, b) = (generate("vdt_").unwrap(), generate("vdt_").unwrap());
        assert!(a != b && a.starts_with("vdt_") && a.len() == 47, "{a} {b}");
        assert_eq!(
            digest("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(same("x", "x") && !same("x", "y") && !same("x", "xx"));
    }
}
