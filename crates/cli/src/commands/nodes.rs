//! `vedette nodes`: nodes that report to a server; and how one joins.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::hostname;
use crate::remote::show::{self, Column};
use crate::remote::{Remote, answered};
use crate::serving::{read_secret, write_secret};

/// List the nodes that report to a server, or let this machine join
///
/// With --join the server gives this node a token of its own for a join token, and the token is written to --token-file,
/// which the agent's configuration names as server.token_file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Join with the token in this file
    #[arg(long, value_name = "FILE", requires = "token_file")]
    join: Option<PathBuf>,
    /// Name of this node; the host name when not given
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Where the node's own token is written
    #[arg(long, value_name = "FILE", requires = "join")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

const COLUMNS: &[Column] = &[
    ("NAME", false, |item| show::text(item, "/name")),
    ("STATE", false, state),
    ("TIER", false, |item| show::text(item, "/tier")),
    ("VERSION", false, |item| show::text(item, "/version")),
    ("KERNEL", true, |item| show::text(item, "/kernel")),
    ("CANARY", true, |item| show::text(item, "/canary")),
    ("EVENTS", false, |item| show::text(item, "/events")),
    ("LOST", false, lost),
    ("SPOOLED", true, |item| show::text(item, "/spooled")),
    ("LAST SEEN", false, |item| show::time(item, "/last_seen")),
];

fn state(item: &Json) -> String {
    if item["silent"] == true {
        return "silent".to_owned();
    }
    if item["dropping"] == true {
        return "losing events".to_owned();
    }
    show::text(item, "/state")
}

fn lost(item: &Json) -> String {
    let drops = item["drops"].as_object().into_iter().flatten();
    drops
        .filter_map(|(_, count)| count.as_u64())
        .sum::<u64>()
        .to_string()
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let server = args.remote.connect()?;
    let (Some(join), Some(file)) = (&args.join, &args.token_file) else {
        let answer = server.get("/nodes", &[])?;
        let items = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        show::list(args.remote.output, items, COLUMNS)?;
        return Ok(answered(items.len()));
    };
    let node = args.node.clone().unwrap_or_else(hostname::current);
    let answer = server.send(
        "POST",
        "/join",
        &json!({"token": read_secret(join)?, "node": node}),
    )?;
    let Some(token) = answer["node_token"].as_str() else {
        anyhow::bail!("the server's answer has no token; is this a Vedette server?");
    };
    write_secret(file, token)?;
    writeln!(
        std::io::stderr(),
        "vedette: {node} has joined; its token is in {}",
        file.display()
    )?;
    Ok(ExitCode::SUCCESS)
}
