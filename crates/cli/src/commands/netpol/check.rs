//! `vedette netpol check`: one question, or a file of them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use vedette_netpol::check::{Checker, Line, MAX_LINE, Probe, explain, read_port};
use vedette_netpol::model::PortRef;
use vedette_netpol::traffic::Protocol;

use super::{Assume, Files, code, lines, out, visible};

/// Arguments.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    files: Files,
    /// Who connects: `namespace/pod`, `namespace/workload`, `node/name` or an address
    #[arg(required_unless_present = "batch")]
    from: Option<String>,
    /// To whom, with a port: `namespace/pod:80`, `namespace/service:http`, `10.0.0.1:443`, `[2001:db8::1]:443`,
    /// `namespace/pod:53/udp`. Without a port: all of them
    #[arg(required_unless_present = "batch")]
    to: Option<String>,
    /// Protocol: TCP, UDP, SCTP, ICMP, ICMPv6 or a number
    #[arg(long, default_value = "TCP", value_parser = protocol)]
    protocol: Protocol,
    /// Exit with 1 unless the answer is this
    #[arg(long, value_enum)]
    expect: Option<Expect>,
    /// Read questions from a file, one JSON object per line; `-` reads standard input
    #[arg(long, value_name = "PROBES", conflicts_with_all = ["from", "to", "expect"])]
    batch: Option<PathBuf>,
    /// Form of the answers
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    assume: Assume,
}

#[derive(Clone, Copy, ValueEnum)]
enum Expect {
    Allowed,
    Denied,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Words
    Text,
    /// One JSON object per line
    Json,
}

fn protocol(text: &str) -> Result<Protocol, String> {
    Protocol::parse(text).ok_or_else(|| "expected TCP, UDP, SCTP, ICMP, ICMPv6 or a number".into())
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.files.read()?;
    let assumptions = args.assume.enforced();
    let mut checker = Checker::new(&input.world, &assumptions);
    let mut out = out();
    let mut state = State::default();
    if let Some(batch) = &args.batch {
        lines(batch, MAX_LINE, |_, text| {
            let line = match Probe::parse(text) {
                Ok(probe) => checker.answer(&probe),
                Err(error) => Line::broken(text, &error),
            };
            state.note(&line);
            print(&mut out, &line, args.output)
        })?;
    } else {
        let probe = probe(args)?;
        let line = checker.answer(&probe);
        state.note(&line);
        print(&mut out, &line, args.output)?;
    }
    out.flush()?;
    Ok(code(state.failed, state.broken || input.has_errors()))
}

#[derive(Default)]
struct State {
    /// Some expectation was not met.
    failed: bool,
    /// Some question could not be asked.
    broken: bool,
}

impl State {
    fn note(&mut self, line: &Line) {
        self.failed |= line.ok == Some(false);
        self.broken |= line.verdict == "error";
    }
}

fn print(out: &mut impl Write, line: &Line, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Json => {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
        }
        Output::Text => {
            let text = visible(&explain(line));
            if line.ok == Some(false) {
                write!(out, "FAILED EXPECTATION, {text}")?;
            } else {
                write!(out, "{text}")?;
            }
        }
    }
    Ok(())
}

fn probe(args: &Args) -> anyhow::Result<Probe> {
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        anyhow::bail!("name who connects and to whom, or give --batch");
    };
    let (to, port, protocol) = destination(to).context("reading the destination")?;
    Ok(Probe {
        from: from.clone(),
        to,
        protocol: protocol.unwrap_or(args.protocol),
        port,
        expect: args.expect.map(|e| matches!(e, Expect::Allowed)),
    })
}

type Destination = (String, Option<PortRef>, Option<Protocol>);

/// Splits `party:port/protocol`. An IPv6 address with a port stands in brackets.
fn destination(text: &str) -> anyhow::Result<Destination> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok((text.into(), None, None));
    }
    let Some((party, port)) = text.rsplit_once(':') else {
        return Ok((text.into(), None, None));
    };
    let (port, protocol) = match port.split_once('/') {
        Some((port, name)) => {
            let protocol =
                Protocol::parse(name).with_context(|| format!("`{name}` is no protocol"))?;
            (port, Some(protocol))
        }
        None => (port, None),
    };
    let port = read_port(port).with_context(|| format!("`{port}` is no port"))?;
    let party = party
        .strip_prefix('[')
        .and_then(|p| p.strip_suffix(']'))
        .unwrap_or(party);
    Ok((party.into(), Some(port), protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_split() {
        let split = |text: &str| {
            let (party, port, protocol) = destination(text).unwrap();
            (party, port.map(|p| p.to_string()), protocol)
        };
        assert_eq!(split("a/b:80"), ("a/b".into(), Some("80".into()), None));
        assert_eq!(
            split("a/b:dns/udp"),
            ("a/b".into(), Some("dns".into()), Some(Protocol::UDP))
        );
        assert_eq!(split("[::1]:443"), ("::1".into(), Some("443".into()), None));
        assert_eq!(split("::1"), ("::1".into(), None, None));
        assert!(destination("a/b:0").is_err());
        assert!(destination("a/b:99999").is_err());
    }
}
