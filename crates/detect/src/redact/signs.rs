//! By what secrets are known: words in names, programs' options, and forms.

use std::sync::LazyLock;

use regex::Regex;

/// Letters whose appearance in a name makes its value a secret, in lower case.
pub(super) const WITHIN: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "api-key",
    "api_key",
    "accesskey",
    "access-key",
    "access_key",
    "privatekey",
    "private-key",
    "private_key",
    "authkey",
    "auth-key",
    "auth_key",
    "encryption-key",
    "encryption_key",
];
/// Whole parts of a name, between `-`, `_` and `.`, that do so.
pub(super) const PARTS: &[&str] = &[
    "pass",
    "passin",
    "passout",
    "pwd",
    "pw",
    "psk",
    "authorization",
    "dsn",
    "cookie",
];
/// Names that only look like it: what follows is no secret.
pub(super) const HARMLESS: &[&str] = &[
    "password-file",
    "password_file",
    "passwd-file",
    "token-file",
    "token_file",
    "secret-name",
    "secret_name",
    "password-stdin",
    "pass-through",
];

/// Short options of programs that take a secret: program, option, and whether the secret is glued to it (`-px`).
pub(super) const OPTIONS: &[(&str, &str, Form)] = &[
    ("mysql", "-p", Form::Glued),
    ("mysqldump", "-p", Form::Glued),
    ("mysqladmin", "-p", Form::Glued),
    ("mariadb", "-p", Form::Glued),
    ("sshpass", "-p", Form::Either),
    ("docker", "-p", Form::Login),
    ("podman", "-p", Form::Login),
    ("crictl", "--creds", Form::Pair),
    ("skopeo", "--creds", Form::Pair),
    ("redis-cli", "-a", Form::Either),
    ("mongo", "-p", Form::Either),
    ("mongosh", "-p", Form::Either),
    ("mongodump", "-p", Form::Either),
    ("sqlcmd", "-P", Form::Either),
    ("ldapsearch", "-w", Form::Either),
    ("ldapmodify", "-w", Form::Either),
    ("curl", "-u", Form::Pair),
    ("curl", "--user", Form::Pair),
    ("curl", "--proxy-user", Form::Pair),
    ("wget", "--user", Form::Next),
    ("rabbitmqadmin", "-p", Form::Either),
    ("smbclient", "-U", Form::Percent),
    ("unzip", "-P", Form::Either),
    ("7z", "-p", Form::Glued),
    ("zip", "-P", Form::Either),
    ("openssl", "-k", Form::Next),
    ("openssl", "-K", Form::Next),
];

/// Where a program's option has its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Behind the option without a blank.
    Glued,
    /// The next word.
    Next,
    /// Either way.
    Either,
    /// The next word, of which what is behind the first colon is secret.
    Pair,
    /// As `Pair`, with a percent sign.
    Percent,
    /// The next word, if `login` came before.
    Login,
}

/// Secrets that show by their own form.
pub(super) static FORMS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?x)",
        // AWS key ids
        r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b",
        // GitHub, GitLab, Slack, Stripe, Google, npm
        r"|\bgh[pousr]_[A-Za-z0-9]{30,255}\b|\bgithub_pat_[A-Za-z0-9_]{30,255}\b|\bglpat-[A-Za-z0-9_-]{20,255}",
        r"|\bxox[abprs]-[A-Za-z0-9-]{10,255}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}\b",
        r"|\bAIza[0-9A-Za-z_-]{35}\b|\bnpm_[A-Za-z0-9]{36}\b",
        // JSON web tokens: two base64 objects and a signature
        r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        // private keys
        r"|-----BEGIN\x20[A-Z\x20]*PRIVATE\x20KEY-----(?:[A-Za-z0-9+/=\s]|\\n)*(?:-----END\x20[A-Z\x20]*PRIVATE\x20KEY-----)?",
    ))
    .expect("a fixed pattern that the tests use")
});

/// A password within a URL.
pub(super) static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:)([^\s/@]+)@")
        .expect("a fixed pattern that the tests use")
});
