//! `vedette activity`: what was run, opened and connected to, as a server keeps it.

use std::process::ExitCode;

use serde_json::Value as Json;

use crate::remote::show::{self, Column};
use crate::remote::{Remote, answered};

/// List activity that a server keeps, or the interactive sessions that it belongs to
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which activity, as in `vedette events`
    filter: Option<String>,
    /// command, connection, file or kubernetes
    #[arg(long)]
    kind: Option<String>,
    /// Only what this session did, oldest first
    #[arg(long)]
    session: Option<String>,
    /// List sessions instead
    #[arg(long, conflicts_with_all = ["kind", "session"])]
    sessions: bool,
    /// Begin of the time: RFC 3339, or now-3h
    #[arg(long, default_value = "now-24h")]
    from: String,
    /// End of the time
    #[arg(long, default_value = "now")]
    to: String,
    /// Most items, up to 1000
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

const ACTIVITY: &[Column] = &[
    ("TIME", false, |item| show::time(item, "/time")),
    ("KIND", false, |item| show::text(item, "/kind")),
    ("WHERE", false, show::place),
    ("NODE", true, |item| show::text(item, "/node")),
    ("USER", true, |item| show::text(item, "/process/user")),
    ("PID", true, |item| show::text(item, "/process/pid")),
    ("PARENT", true, |item| show::text(item, "/parent/name")),
    ("SESSION", true, |item| show::text(item, "/session")),
    ("WHAT", false, what),
];

const SESSIONS: &[Column] = &[
    ("STARTED", false, |item| show::time(item, "/started")),
    ("LAST", true, |item| show::time(item, "/last")),
    ("WHERE", false, show::place),
    ("USER", false, |item| show::text(item, "/user")),
    ("COMMANDS", false, |item| show::text(item, "/commands")),
    ("FILES", false, |item| show::text(item, "/files")),
    ("CONNECTIONS", false, |item| {
        show::text(item, "/connections")
    }),
    ("OPENED BY", true, |item| {
        show::text(item, "/opened_by/fields/ka.user.name")
    }),
    ("SESSION", false, |item| show::text(item, "/session")),
];

/// The command, file, connection or request.
fn what(item: &Json) -> String {
    let field = |name: &str| match &item["fields"][name] {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    let command = show::text(item, "/process/cmdline");
    // Removing and renaming have no descriptor, but arguments.
    let file = [
        "fd.name",
        "evt.arg.name",
        "evt.arg.path",
        "evt.arg.oldpath",
        "evt.arg.newpath",
    ]
    .into_iter()
    .map(field)
    .find(|name| !name.is_empty())
    .unwrap_or_else(|| field("evt.type"));
    match item["kind"].as_str() {
        Some("file" | "connection") => {
            format!("{file} by {}", show::text(item, "/process/name"))
        }
        Some("kubernetes") => format!(
            "{} {} {}",
            field("ka.user.name"),
            field("ka.verb"),
            field("ka.target.name")
        ),
        _ if command.is_empty() => show::text(item, "/process/name"),
        _ => command,
    }
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let server = args.remote.connect()?;
    let limit = args.limit.to_string();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (filter, kind, session) = (text(&args.filter), text(&args.kind), text(&args.session));
    let query = [
        ("filter", filter.as_str()),
        ("from", args.from.as_str()),
        ("to", args.to.as_str()),
        ("limit", limit.as_str()),
    ];
    if args.sessions {
        let answer = server.get("/activity/sessions", &query)?;
        let items = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        show::list(args.remote.output, items, SESSIONS)?;
        return Ok(answered(items.len()));
    }
    let order = if args.session.is_some() {
        "oldest"
    } else {
        "newest"
    };
    let more = [
        ("kind", kind.as_str()),
        ("session", session.as_str()),
        ("order", order),
    ];
    let answer = server.get("/activity", &[&query[..], &more[..]].concat())?;
    let items = answer["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    show::list(args.remote.output, items, ACTIVITY)?;
    Ok(answered(items.len()))
}
