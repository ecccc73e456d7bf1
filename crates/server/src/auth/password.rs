//! Passwords: argon2id in the PHC text form, with parameters that may grow later.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::secret;

/// Memory in KiB, passes and lanes: OWASP's recommendation for argon2id (19 MiB, 2, 1).
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Greatest memory cost in KiB that a stored hash may ask for: 256 MiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// Greatest number of passes that a stored hash may ask for.
const MAX_PASSES: u32 = 16;
/// Bytes of salt, as RFC 9106 recommends.
const SALT: usize = 16;
/// Bytes of hash.
const HASH: usize = 32;
/// Fewest characters of a password, as NIST SP 800-63B asks of passwords used alone.
pub(crate) const MIN_LENGTH: usize = 12;
/// Most bytes of a password: hashing more would be work that anybody can ask for.
pub(crate) const MAX_LENGTH: usize = 512;

/// Why a password cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PasswordError {
    /// Too short.
    #[error("a password needs at least {MIN_LENGTH} characters")]
    Short,
    /// Too long.
    #[error("a password may have at most {MAX_LENGTH} bytes")]
    Long,
    /// The machine failed.
    #[error("hashing the password failed")]
    Failed,
}

/// Hashes a new password.
///
/// # Errors
/// When it is too short or too long.
pub(crate) fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < MIN_LENGTH {
        return Err(PasswordError::Short);
    }
    if password.len() > MAX_LENGTH {
        return Err(PasswordError::Long);
    }
    let mut salt = [0; SALT];
    secret::fill(&mut salt).map_err(|_| PasswordError::Failed)?;
    let (m, t, p) = COST;
    let hash = compute(password, &salt, (m, t, p), HASH).ok_or(PasswordError::Failed)?;
    Ok(format!(
        "$argon2id$v=19$m={m},t={t},p={p}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    ))
}

/// Whether the password is the one that was hashed. A hash that cannot be read fits no password.
pub(crate) fn verify(password: &str, stored: &str) -> bool {
    if password.len() > MAX_LENGTH {
        return false;
    }
    let Some((cost, salt, wanted)) = read(stored) else {
        return false;
    };
    let Some(found) = compute(password, &salt, cost, wanted.len()) else {
        return false;
    };
    found
        .iter()
        .zip(&wanted)
        .fold(0, |sum, (a, b)| sum | (a ^ b))
        == 0
}

/// Does the work of [`verify`] for a user who does not exist, so that the time taken does not tell who does.
pub(crate) fn verify_nobody(password: &str) {
    let _ = compute(
        &password[..floor(password, MAX_LENGTH)],
        &[0; SALT],
        COST,
        HASH,
    );
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0)
}

fn compute(password: &str, salt: &[u8], cost: (u32, u32, u32), size: usize) -> Option<Vec<u8>> {
    let params = Params::new(cost.0, cost.1, cost.2, Some(size)).ok()?;
    let mut out = vec![0; size];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut out)
        .ok()?;
    Some(out)
}

fn read(stored: &str) -> Option<((u32, u32, u32), Vec<u8>, Vec<u8>)> {
    let mut parts = stored.strip_prefix("$argon2id$v=19$")?.split('$');
    let (cost, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut numbers = cost
        .split(',')
        .map(|part| part.get(2..)?.parse::<u32>().ok());
    let (m, t, p) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let hash = STANDARD_NO_PAD.decode(hash).ok()?;
    let sound = m <= MAX_MEMORY && t <= MAX_PASSES && p == 1 && (16..=64).contains(&hash.len());
    sound.then_some(((m, t, p), STANDARD_NO_PAD.decode(salt).ok()?, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let stored = hash("correct horse battery").unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert!(verify("correct horse battery", &stored));
        assert!(!verify("correct horse batterz", &stored));
        assert_eq!(hash("short"), Err(PasswordError::Short));
        assert_eq!(hash(&"x".repeat(600)), Err(PasswordError::Long));
        for broken in [
            "",
            "$argon2id$v=19$m=1",
            "$argon2id$v=19$m=999999999,t=2,p=1$AA$AA",
        ] {
            assert!(!verify("correct horse battery", broken), "{broken}");
        }
        verify_nobody(&"ü".repeat(400));
    }
}
