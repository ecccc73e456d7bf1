//! `vedette events`: findings that a server keeps, searched, paged, followed live.

use std::process::ExitCode;

use serde_json::Value as Json;

use crate::remote::show::{self, Column};
use crate::remote::{Remote, answered};

/// Findings that one request brings.
const PAGE: usize = 1000;

/// List findings that a server keeps, or follow them live
///
/// FILTER is a condition as rules have them, over the fields of the catalogue and severity, rule, source, tag, node,
/// status, message and more: `k8s.ns.name = shop and severity >= high`. Exits with 1 when nothing matches.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which findings
    filter: Option<String>,
    /// Begin of the time: RFC 3339, or now-3h
    #[arg(long, default_value = "now-24h")]
    from: String,
    /// End of the time
    #[arg(long, default_value = "now")]
    to: String,
    /// Most findings
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// newest, oldest or severity
    #[arg(long, default_value = "newest")]
    order: String,
    /// Go on with what comes in
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What a finding's row shows.
pub(crate) const COLUMNS: &[Column] = &[
    ("TIME", false, |item| show::time(item, "/time")),
    ("SEVERITY", false, |item| show::text(item, "/severity")),
    ("STATUS", false, |item| show::text(item, "/status")),
    ("RULE", false, |item| show::text(item, "/rule")),
    ("WHERE", false, show::place),
    ("NODE", true, |item| show::text(item, "/node")),
    ("SOURCE", true, |item| show::text(item, "/source")),
    ("PROCESS", true, |item| show::text(item, "/process/name")),
    ("ID", false, |item| show::text(item, "/id")),
    ("MESSAGE", true, |item| show::text(item, "/message")),
];

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let server = args.remote.connect()?;
    let filter = args.filter.as_deref().unwrap_or_default();
    let mut items: Vec<Json> = Vec::new();
    let mut cursor = String::new();
    while items.len() < args.limit {
        let limit = (args.limit - items.len()).min(PAGE).to_string();
        let mut page = server.get(
            "/findings",
            &[
                ("filter", filter),
                ("from", &args.from),
                ("to", &args.to),
                ("order", &args.order),
                ("limit", &limit),
                ("cursor", &cursor),
            ],
        )?;
        if let Json::Array(more) = page["items"].take() {
            items.extend(more);
        }
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    if !args.watch {
        show::list(args.remote.output, &items, COLUMNS)?;
        return Ok(answered(items.len()));
    }
    // A live list grows downwards.
    items.sort_by_key(|item| item["sequence"].as_u64());
    let last = items.last().and_then(|item| item["sequence"].as_u64());
    for item in &items {
        show::one(args.remote.output, item, COLUMNS)?;
    }
    args.remote.follow(filter, last, |item| {
        show::one(args.remote.output, item, COLUMNS)
    })
}
