//! A lineage as a tree for a terminal: the oldest ancestor on top, the process behind the event at the bottom.

use std::fmt::Write as _;

use vedette_event::Process;

use crate::table::visible;

/// Appends the tree, each line indented by two and ended by a line break. `lineage` has the process itself first.
pub(crate) fn write(lineage: &[Process], out: &mut String) {
    for (depth, process) in lineage.iter().rev().enumerate() {
        out.push_str("  ");
        if depth > 0 {
            out.push_str(&"   ".repeat(depth - 1));
            out.push_str("└─ ");
        }
        let _ = write!(out, "{}[{}]", visible(&process.name), process.pid);
        if !process.user.is_empty() {
            let _ = write!(out, " ({})", visible(&process.user));
        }
        let shown = if process.cmdline.is_empty() {
            &process.exepath
        } else {
            &process.cmdline
        };
        if !shown.is_empty() && *shown != process.name {
            let _ = write!(out, " {}", visible(shown));
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_on_top_and_nothing_escapes() {
        let process = |pid, name: &str, cmdline: &str, user: &str| Process {
            pid,
            name: name.to_owned(),
            cmdline: cmdline.to_owned(),
            user: user.to_owned(),
            ..Process::default()
        };
        let lineage = [
            process(3, "nmap", "nmap \u{1b}[31m-v", "root"),
            process(2, "sh", "sh -c x", ""),
            process(1, "init", "init", ""),
        ];
        let mut text = String::new();
        write(&lineage, &mut text);
        assert_eq!(
            text,
            "  init[1]\n  └─ sh[2] sh -c x\n     └─ nmap[3] (root) nmap \\u{1b}[31m-v\n"
        );
    }
}
