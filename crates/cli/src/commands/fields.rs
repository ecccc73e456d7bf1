//! `vedette fields`: the field catalogue, searched.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use vedette_event::{ArgKind, FieldFlags, FieldInfo, ParamType};

use crate::commands::Listing;
use crate::table::Table;

/// List the fields that conditions and outputs can use.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only fields whose name or description contains this text
    pattern: Option<String>,
    /// Only fields of this event source, such as syscall or k8s_audit
    #[arg(long)]
    source: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let pattern = args
        .pattern
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let mut table = Table::new(&["FIELD", "TYPE", "ARGUMENT", "DESCRIPTION"]);
    let mut list = Vec::new();
    for class in vedette_event::classes() {
        let wanted = |source: &str| class.sources.is_empty() || class.sources.contains(&source);
        if args.source.as_deref().is_some_and(|source| !wanted(source)) {
            continue;
        }
        for field in class.fields {
            let found =
                field.name.contains(&pattern) || field.desc.to_ascii_lowercase().contains(&pattern);
            if !found || field.flags.has(FieldFlags::TABLE_ONLY) {
                continue;
            }
            table.row([
                field.name.to_owned(),
                type_name(field),
                argument(field.arg).to_owned(),
                field.desc.to_owned(),
            ]);
            list.push(json!({
                "name": field.name,
                "class": class.name,
                "sources": class.sources,
                "type": type_name(field),
                "argument": argument(field.arg),
                "filter": !field.flags.has(FieldFlags::PRINT_ONLY),
                "output": !field.flags.has(FieldFlags::FILTER_ONLY),
                "deprecated": field.flags.has(FieldFlags::DEPRECATED),
                "description": field.desc,
            }));
        }
    }
    let found = !list.is_empty();
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Table => out.write_all(table.render().as_bytes())?,
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?,
    }
    Ok(if found {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(crate::commands::exit::FINDINGS)
    })
}

fn type_name(field: &FieldInfo) -> String {
    let name = match field.ty {
        ParamType::CharBuf | ParamType::FsPath | ParamType::FsRelPath => "text",
        ParamType::ByteBuf => "bytes",
        ParamType::Bool => "boolean",
        ParamType::RelTime => "duration",
        ParamType::AbsTime => "time",
        ParamType::IpAddr => "address",
        ParamType::IpNet => "network",
        ParamType::Port => "port",
        ParamType::Double => "float",
        ParamType::Dyn => "any",
        _ => "number",
    };
    if field.flags.has(FieldFlags::LIST) {
        format!("list of {name}")
    } else {
        name.to_owned()
    }
}

fn argument(arg: ArgKind) -> &'static str {
    match arg {
        ArgKind::None => "",
        ArgKind::Allowed => "optional",
        ArgKind::Required => "required",
        ArgKind::AllowedIndex => "optional number",
        ArgKind::RequiredIndex => "number",
        ArgKind::RequiredKey => "key",
    }
}
