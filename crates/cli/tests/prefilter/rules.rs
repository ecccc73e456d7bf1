//! Rules made by chance: conditions over paths, descriptors and names.

use super::RULES;
use super::dice::Dice;

pub(super) const PATHS: &[&str] = &[
    "/etc/shadow",
    "/etc/passwd",
    "/etc/pam.d/login",
    "/etc",
    "/var/log/auth.log",
    "/var/lib/x",
    "/tmp/x",
    "/tmp/../etc/shadow",
    "/tmp//x",
    "/tmp/./x",
    "/home/a/.ssh/id_rsa",
    "/root/.bashrc",
    "/proc/1/environ",
    "/usr/lib/libc.so",
    "/dev/sda",
    "shadow",
    "a/b",
    "../etc/passwd",
    "x",
    "/",
    "/etc/",
    "",
    "/etc/..",
    ".",
];
pub(super) const WORDS: &[&str] = &[
    "/etc",
    "/etc/",
    "/etc/shadow",
    "shadow",
    "passwd",
    "ssh",
    "/tmp",
    "/tmp/x",
    "x",
    "id_rsa",
    "/proc/*/environ",
    "*.log",
    "/home/*/.ssh/*",
    "/var/log",
    "lib",
    "/",
    "../",
    "rc",
    "/etc/pam.d",
    "a/b",
];
pub(super) const NAMES: &[&str] = &["tar", "cat", "nginx", "bash"];

pub(super) fn comparison(dice: &mut Dice) -> String {
    let word = dice.pick(WORDS);
    let field = dice.pick(&[
        "fd.name",
        "fd.name",
        "fd.name",
        "fd.directory",
        "fd.filename",
        "fd.nameraw",
        "fs.path.name",
    ]);
    match dice.below(20) {
        0..=7 => {
            let op = dice.pick(&[
                "=",
                "startswith",
                "endswith",
                "contains",
                "icontains",
                "glob",
                "pmatch",
                "!=",
            ]);
            format!("{field} {op} \"{word}\"")
        }
        8 => format!("{field} in (\"{word}\", \"{}\")", dice.pick(WORDS)),
        9 => format!("evt.is_open_read={}", dice.pick(&["true", "false"])),
        10 | 11 => format!("evt.is_open_write={}", dice.pick(&["true", "false"])),
        12 => format!("proc.name={}", dice.pick(NAMES)),
        13 => format!("proc.name in ({}, {})", dice.pick(NAMES), dice.pick(NAMES)),
        14 => format!(
            "evt.arg.flags contains {}",
            dice.pick(&["O_CREAT", "O_TRUNC", "O_CLOEXEC"])
        ),
        15 => dice
            .pick(&[
                "fd.num>=0",
                "fd.num=-1",
                "evt.failed=true",
                "evt.rawres<0",
                "evt.res=SUCCESS",
                "fd.num<5",
            ])
            .to_owned(),
        16 => dice
            .pick(&["container.id=host", "container.id!=host"])
            .to_owned(),
        17 => dice
            .pick(&[
                "fd.typechar='f'",
                "fd.typechar='d'",
                "fd.type=file",
                "fd.type=ipv4",
            ])
            .to_owned(),
        18 => "evt.is_open_exec=true".to_owned(),
        _ => "proc.cmdline exists".to_owned(),
    }
}

pub(super) fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.one_in(4) {
        let check = comparison(dice);
        return if dice.one_in(4) {
            format!("not ({check})")
        } else {
            check
        };
    }
    let parts: Vec<String> = (0..2 + dice.below(2))
        .map(|_| condition(dice, depth - 1))
        .collect();
    let joined = parts.join(dice.pick(&[" and ", " and ", " or "]));
    if dice.one_in(6) {
        format!("not ({joined})")
    } else {
        format!("({joined})")
    }
}

pub(super) fn rules(dice: &mut Dice) -> String {
    let mut text = String::new();
    for number in 0..RULES {
        let types = dice.pick(&[
            "open, openat, openat2",
            "openat",
            "open, openat",
            "dup2, fchmod",
            "fchmod",
            "unlinkat",
            "openat, dup2",
            "execve",
            "openat, close",
            "fcntl",
        ]);
        // Closes switch the filter of opens off, so they come seldom.
        let types = if types.contains("close") && !dice.one_in(4) {
            "openat"
        } else {
            types
        };
        text += &format!(
            "- rule: r{number}\n  desc: d\n  priority: NOTICE\n  output: \"%evt.type %fd.name %fd.num %proc.name %evt.args %fd.ino\"\n  \
             condition: evt.type in ({types}) and {}\n",
            serde_json::to_string(&condition(dice, 2))
                .unwrap()
                .trim_matches('"')
                .replace("\\\"", "\"")
        );
    }
    text
}
