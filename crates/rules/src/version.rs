//! Semantic versions, as requirements in rule files use them.

use std::fmt;
use std::str::FromStr;

/// A version `major.minor.patch`; pre-release and build parts are read and ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number: changes that break.
    pub major: u32,
    /// Second number: additions.
    pub minor: u32,
    /// Third number: corrections.
    pub patch: u32,
}

/// The version of Falco's rules engine that this one equals.
pub const ENGINE: Version = Version::new(0, 63, 0);

impl Version {
    /// A version from its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// True when what has this version satisfies a request for `wanted`: same major, nothing newer asked for.
    pub fn satisfies(self, wanted: Self) -> bool {
        self.major == wanted.major && self >= wanted
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected three numbers joined by points, such as 0.57.0")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let core = text.split(['-', '+']).next().unwrap_or_default();
        let tail_ok = text[core.len()..]
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'));
        let number = |part: Option<&str>| {
            part.filter(|p| {
                !p.is_empty()
                    && p.bytes().all(|b| b.is_ascii_digit())
                    && (*p == "0" || !p.starts_with('0'))
            })
            .and_then(|p| p.parse().ok())
            .ok_or(NotAVersion)
        };
        let mut parts = core.split('.');
        let version = Self::new(
            number(parts.next())?,
            number(parts.next())?,
            number(parts.next())?,
        );
        if parts.next().is_some() || !tail_ok {
            return Err(NotAVersion);
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_and_nothing_else() {
        assert_eq!("0.57.0".parse(), Ok(Version::new(0, 57, 0)));
        assert_eq!("1.2.3-rc.1+b5".parse(), Ok(Version::new(1, 2, 3)));
        for bad in [
            "",
            "1",
            "0.31",
            "1.2.3.4",
            "01.2.3",
            "a.b.c",
            "1.2.3 ",
            "not-a-number",
        ] {
            assert_eq!(bad.parse::<Version>(), Err(NotAVersion), "{bad}");
        }
        assert!(
            ENGINE.satisfies(Version::new(0, 31, 0)) && !ENGINE.satisfies(Version::new(0, 64, 0))
        );
        assert!(!ENGINE.satisfies(Version::new(1, 0, 0)));
    }
}
