//! Image references taken apart.

/// A reference such as `registry.example:5000/team/app:1.2@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Registry and repository as written.
    pub name: &'a str,
    /// Tag.
    pub tag: Option<&'a str>,
    /// Digest, `algorithm:hex`.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Takes `text` apart; a colon in front of a slash belongs to the registry's port.
    pub fn parse(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        Self { name, tag, digest }
    }

    /// The name with the registry that runtimes assume: `docker.io`, and `library/` for short names.
    pub fn full_name(&self) -> String {
        let first = self.name.split('/').next().unwrap_or_default();
        let registry =
            self.name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        if registry {
            self.name.to_owned()
        } else if self.name.contains('/') {
            format!("docker.io/{}", self.name)
        } else {
            format!("docker.io/library/{}", self.name)
        }
    }

    /// Whether the digest is one that can be checked: lower-case hex of at least 32 digits, and of the right
    /// length where the algorithm fixes it. Source of the grammar: OCI image specification, descriptors.
    pub fn pinned(&self) -> bool {
        let Some((algorithm, hex)) = self.digest.and_then(|digest| digest.split_once(':')) else {
            return false;
        };
        match algorithm {
            "sha256" | "blake3" => hex.len() == 64 && lower_hex(hex),
            "sha384" => hex.len() == 96 && lower_hex(hex),
            "sha512" => hex.len() == 128 && lower_hex(hex),
            _ => {
                let named = algorithm.split(['+', '.', '_', '-']).all(|part| {
                    !part.is_empty()
                        && part
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                });
                named
                    && !hex.is_empty()
                    && hex
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-'))
            }
        }
    }
}

fn lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_not_tags() {
        let image = Image::parse("reg:5000/a/b");
        assert_eq!((image.name, image.tag), ("reg:5000/a/b", None));
        assert_eq!(image.full_name(), "reg:5000/a/b");
        assert_eq!(
            Image::parse("nginx:1").full_name(),
            "docker.io/library/nginx"
        );
        assert_eq!(Image::parse("a/b").full_name(), "docker.io/a/b");
    }
}
