//! Whether a file that is opened is an interpreter's program: what a security hook cannot see from an execution.
//!
//! The same rules as the kernel side's (`bpf/include/verdict.h`), for mechanisms that decide in user space: a shell's
//! script is any of its arguments that is no option, another interpreter's is the first, or a file whose name ends as
//! scripts' names do. A program that comes over standard input or inside an argument has no file and is not seen.

/// How an interpreter takes its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// Any argument.
    Shell,
    /// The first argument that is no option.
    Language,
    /// A program of many names; an interpreter when it is called as a shell.
    Multicall,
}

const SHELLS: &[&str] = &[
    "sh", "ash", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh",
];
const LANGUAGES: &[&str] = &[
    "python", "pypy", "perl", "ruby", "node", "nodejs", "deno", "bun", "php", "php-cli", "lua",
    "luajit", "tclsh", "guile", "Rscript", "awk", "gawk", "mawk",
];
const MULTICALL: &[&str] = &["busybox", "toybox"];
const ENDINGS: &[&str] = &[
    "sh", "bash", "py", "pl", "pm", "rb", "js", "mjs", "cjs", "php", "lua", "tcl",
];
/// Arguments that are looked at.
const ARGUMENTS: usize = 6;

/// What a program is, by the name of its file up to the first digit. Its file's name, not its own: a process can change
/// its own.
pub fn interpreter(executable: &str) -> Option<Interpreter> {
    let name = last(executable);
    let name = name
        .find(|c: char| c.is_ascii_digit())
        .map_or(name, |at| &name[..at]);
    if SHELLS.contains(&name) {
        Some(Interpreter::Shell)
    } else if LANGUAGES.contains(&name) {
        Some(Interpreter::Language)
    } else if MULTICALL.contains(&name) {
        Some(Interpreter::Multicall)
    } else {
        None
    }
}

/// Whether a file's name ends as scripts' names do.
pub fn has_ending(path: &str) -> bool {
    last(path)
        .rsplit_once('.')
        .is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// Whether a file is what the interpreter was told to run.
pub fn is_operand(kind: Interpreter, arguments: &[String], path: &str) -> bool {
    let name = last(path);
    let mut kind = kind;
    for (index, argument) in arguments.iter().take(ARGUMENTS).enumerate() {
        if kind == Interpreter::Multicall {
            if argument.ends_with("sh") {
                kind = Interpreter::Shell;
            } else if index > 0 {
                return false;
            }
            continue;
        }
        if index == 0 || argument.starts_with(['-', '+']) {
            continue;
        }
        if last(argument) == name {
            return true;
        }
        if kind == Interpreter::Language {
            return false;
        }
    }
    false
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_and_their_programs() {
        for (exe, arguments, path, expected) in [
            ("/bin/dash", "sh /tmp/x", "/tmp/x", true),
            ("/bin/bash", "bash -o pipefail -x ./x", "/tmp/x", true),
            ("/bin/bash", "bash", "/tmp/x", false),
            (
                "/usr/bin/python3.11",
                "python3 -u /tmp/tool",
                "/tmp/tool",
                true,
            ),
            (
                "/usr/bin/python3.11",
                "python3 app /tmp/data",
                "/tmp/data",
                false,
            ),
            ("/usr/bin/python3.11", "python3 -c 1", "/tmp/mod.py", true),
            ("/usr/bin/perl5.36", "perl x.pl", "/tmp/x.pl", true),
            ("/bin/busybox", "busybox sh /tmp/x", "/tmp/x", true),
            ("/bin/busybox", "/bin/sh -x /tmp/x", "/tmp/x", true),
            ("/bin/busybox", "cat /tmp/x.sh", "/tmp/x.sh", false),
            ("/bin/busybox", "busybox cat /tmp/x", "/tmp/x", false),
            ("/bin/cat", "cat /tmp/x.sh", "/tmp/x.sh", false),
            ("/usr/bin/node18", "node /app/x.mjs", "/tmp/y.mjs", true),
        ] {
            let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
            let found = interpreter(exe).is_some_and(|kind| {
                has_ending(path) && kind != Interpreter::Multicall
                    || is_operand(kind, &arguments, path)
            });
            assert_eq!(found, expected, "{exe} {arguments:?} {path}");
        }
    }
}
