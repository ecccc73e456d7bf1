//! `vedette netpol`: who may talk to whom, and which clause decided.

mod check;
mod diff;
mod generate;
mod lint;
mod list;
mod whatif;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args as ClapArgs, Subcommand};
use vedette_netpol::evaluate::Assumptions;
use vedette_netpol::load::{Input, from_sources};
use vedette_netpol::net::Cidr;

use super::exit;
use crate::sources;

/// Arguments of `vedette netpol`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says whether one party may connect to another, and which clause decided
    Check(check::Args),
    /// Lists who may talk to whom, workload by workload
    List(list::Args),
    /// Shows the flows that differ between two sets of policies
    Diff(diff::Args),
    /// Shows what a change of policies would do to recorded flows
    WhatIf(whatif::Args),
    /// Finds policies that do not do what their author thinks
    Lint(lint::Args),
    /// Writes least-privilege policies from recorded flows
    Generate(generate::Args),
}

/// Runs a subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Check(args) => check::run(args),
        Command::List(args) => list::run(args),
        Command::Diff(args) => diff::run(args),
        Command::WhatIf(args) => whatif::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Generate(args) => generate::run(args),
    }
}

/// Where policies and workloads are read from.
#[derive(ClapArgs)]
struct Files {
    /// Files or directories with policies and workloads; `-` reads standard input. May be given several times
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
}

impl Files {
    fn read(&self) -> anyhow::Result<Input> {
        read(&self.files)
    }
}

/// Reads a world and reports what was left out.
fn read(paths: &[PathBuf]) -> anyhow::Result<Input> {
    let input = from_sources(&sources::read(paths)?);
    report(&input);
    Ok(input)
}

/// Says on standard error what is wrong with the inputs.
#[allow(
    clippy::print_stderr,
    reason = "problems belong beside the answers, not into them"
)]
fn report(input: &Input) {
    for diagnostic in &input.diagnostics {
        eprintln!("{}", visible(&diagnostic.to_string()));
    }
}

/// Says something on standard error.
#[allow(
    clippy::print_stderr,
    reason = "remarks belong beside the answers, not into them"
)]
fn remark(text: &str) {
    eprintln!("{}", visible(text));
}

/// The exit code when answers were given: 1 for findings, 2 when inputs were left out, else 0.
fn code(findings: bool, broken: bool) -> ExitCode {
    if findings {
        ExitCode::from(exit::FINDINGS)
    } else if broken {
        ExitCode::from(exit::USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// What the inputs do not say, filled in by the user.
#[derive(ClapArgs)]
struct Assume {
    /// Range that pods of unknown address lie in, such as 10.244.0.0/16. May be given several times
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pod_cidr: Vec<Cidr>,
}

impl Assume {
    fn enforced(&self) -> Assumptions {
        Assumptions {
            pod_ranges: self.pod_cidr.clone(),
            ..Assumptions::default()
        }
    }
}

fn cidr(text: &str) -> Result<Cidr, String> {
    Cidr::parse(text, false).ok_or_else(|| "expected a block such as 10.244.0.0/16".into())
}

/// Lines of a file or of standard input, one at a time, each at most `limit` bytes.
/// A longer line is handed on cut one byte behind the limit, so that its reader refuses it.
fn lines(
    path: &Path,
    limit: usize,
    mut each: impl FnMut(usize, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file =
            std::fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
        Box::new(std::io::BufReader::new(file))
    };
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let mut any = false;
        loop {
            let chunk = reader
                .fill_buf()
                .with_context(|| format!("reading {}", path.display()))?;
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&b| b == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = (limit + 1).saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |at| at + 1);
            reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(());
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            each(number, text.trim_end_matches('\r'))?;
        }
    }
}

/// Standard output, buffered; errors come back when it is flushed.
fn out() -> std::io::BufWriter<std::io::StdoutLock<'static>> {
    std::io::BufWriter::new(std::io::stdout().lock())
}

/// Writes a value as indented JSON with a line end.
fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = out();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// A field of a CSV file, quoted where it has to be.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Text with control characters and those that turn the reading direction made visible. Line ends stay.
fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(
                c,
                '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{2028}' | '\u{2029}'
            )
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(
            visible("a\u{1b}[31m\u{202e}b\n"),
            "a\\u{1b}[31m\\u{202e}b\n"
        );
        assert_eq!(csv_field("TCP 1,2"), "\"TCP 1,2\"");
    }
}
