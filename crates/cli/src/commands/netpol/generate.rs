//! `vedette netpol generate`: least-privilege policies from recorded flows.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use vedette_netpol::flow::complete;
use vedette_netpol::generate::{Format, Options, emit, generate};

use super::whatif::read_flows;
use super::{code, out, read, remark};

/// Arguments.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Recorded flows, one JSON object per line; `-` reads standard input
    flows: PathBuf,
    /// Files or directories with the workloads; may be left out when the flows carry labels
    #[arg(short, long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Language of the policies
    #[arg(short, long = "output", value_enum, default_value_t = Language::Kubernetes)]
    output: Language,
    /// Directions to write policies for
    #[arg(long, value_enum, default_value_t = Directions::Both)]
    direction: Directions,
    /// Only for workloads of this namespace
    #[arg(short, long)]
    namespace: Option<String>,
    /// Prefix length that external IPv4 addresses are widened to
    #[arg(long, value_name = "BITS", default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=32))]
    widen_ipv4: u8,
    /// Prefix length that external IPv6 addresses are widened to
    #[arg(long, value_name = "BITS", default_value_t = 128, value_parser = clap::value_parser!(u8).range(1..=128))]
    widen_ipv6: u8,
    /// When to allow DNS to the cluster's DNS pods
    #[arg(long, value_enum, default_value_t = Dns::Observed)]
    dns: Dns,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    /// networking.k8s.io/v1
    Kubernetes,
    /// projectcalico.org/v3
    Calico,
    /// projectcalico.org/v3, staged: watched and not enforced
    CalicoStaged,
    /// cilium.io/v2
    Cilium,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Directions {
    Both,
    Ingress,
    Egress,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dns {
    /// Where a lookup was recorded
    Observed,
    /// For every workload that gets an egress policy
    Always,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (flows, mut broken) = read_flows(&args.flows)?;
    let mut input = read(&args.files)?;
    broken |= input.has_errors();
    complete(&mut input.world, &flows);
    let options = Options {
        ingress: args.direction != Directions::Egress,
        egress: args.direction != Directions::Ingress,
        widen_v4: args.widen_ipv4,
        widen_v6: args.widen_ipv6,
        dns_always: args.dns == Dns::Always,
        namespace: args.namespace.as_deref().map(Into::into),
    };
    let found = generate(&input.world, &flows, &options);
    for note in &found.notes {
        remark(&format!("note: {note}"));
    }
    let format = match args.output {
        Language::Kubernetes => Format::Kubernetes,
        Language::Calico => Format::Calico,
        Language::CalicoStaged => Format::CalicoStaged,
        Language::Cilium => Format::Cilium,
    };
    let mut out = out();
    out.write_all(emit(&found.policies, format).as_bytes())?;
    out.flush()?;
    Ok(code(false, broken))
}
