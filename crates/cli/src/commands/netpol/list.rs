//! `vedette netpol list`: the connectivity map.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;
use vedette_netpol::evaluate::Assumptions;
use vedette_netpol::list::{self, Connectivity, Entry, Peer};
use vedette_netpol::networks;

use super::{Assume, Files, code, csv_field, out, remark, visible};

/// Arguments.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    files: Files,
    /// Form of the map
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Only lines that have this workload (`name` or `namespace/name`) at one end. May be given several times
    #[arg(long, value_name = "WORKLOAD")]
    focus: Vec<String>,
    /// Show what a cluster enforces instead of what the policies say: pods on their node's network are not bound,
    /// blocks match pods by address too, and labels of namespaces that are not among the inputs are unknown
    #[arg(long)]
    enforced: bool,
    #[command(flatten)]
    assume: Assume,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines such as `shop/web[Deployment] => shop/db[StatefulSet] : TCP 5432`
    #[value(alias = "txt")]
    Text,
    /// Columns src, dst, conn
    Csv,
    /// A list of objects with src, dst, conn
    Json,
    /// A Graphviz graph
    Dot,
    /// A Mermaid flow chart
    Mermaid,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.files.read()?;
    let assumptions = if args.enforced {
        args.assume.enforced()
    } else {
        Assumptions {
            pod_ranges: args.assume.pod_cidr.clone(),
            ..list::assumptions()
        }
    };
    if input.world.pods.is_empty() {
        remark("warning: no workload among the inputs, so there is nobody to talk");
    }
    if !args.enforced {
        for pod in input.world.pods.iter().filter(|p| p.host_network) {
            remark(&format!(
                "note: {} runs with hostNetwork: its lines show what the policies say, but no policy binds it",
                pod.workload()
            ));
        }
    }
    let maps = networks::maps(&input.world, &assumptions);
    let mut writer = out();
    match args.output {
        Output::Text => text(&mut writer, &maps, &args.focus)?,
        Output::Csv => csv(&mut writer, &maps, &args.focus)?,
        Output::Json => json_lines(&mut writer, &maps, &args.focus)?,
        Output::Dot => dot(&mut writer, &maps, &args.focus)?,
        Output::Mermaid => mermaid(&mut writer, &maps, &args.focus)?,
    }
    writer.flush()?;
    Ok(code(false, input.has_errors()))
}

type Map = (Option<networks::Title>, Connectivity);

fn shown<'m>(map: &'m Connectivity, focus: &'m [String]) -> impl Iterator<Item = Entry<'m>> {
    map.entries().filter(move |entry| {
        focus.is_empty()
            || [entry.from, entry.to].into_iter().any(|peer| match peer {
                Peer::Workload(w) => focus
                    .iter()
                    .any(|f| *f == *w.name || *f == format!("{}/{}", w.namespace, w.name)),
                Peer::IngressController => focus
                    .iter()
                    .any(|f| f == "ingress-controller" || f == list::INGRESS_CONTROLLER),
                Peer::External(_) => false,
            })
    })
}

/// A peer, with the network's name where its namespace is the network's.
fn name(title: Option<&networks::Title>, peer: &Peer) -> String {
    title.map_or_else(|| peer.to_string(), |t| t.peer(peer))
}

fn text(out: &mut impl Write, maps: &[Map], focus: &[String]) -> anyhow::Result<()> {
    for (at, (title, map)) in maps.iter().enumerate() {
        if let Some(title) = title {
            if at > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{}", visible(&title.line()))?;
            if map.is_empty() {
                writeln!(out, "{}", visible(&title.nothing(map)))?;
            }
        }
        for entry in shown(map, focus) {
            let (from, to) = (
                name(title.as_ref(), entry.from),
                name(title.as_ref(), entry.to),
            );
            if !entry.allowed.is_empty() {
                writeln!(
                    out,
                    "{}",
                    visible(&format!("{from} => {to} : {}", entry.allowed))
                )?;
            }
            if !entry.doubtful.is_empty() {
                writeln!(
                    out,
                    "{}",
                    visible(&format!("{from} => {to} : undecidable {}", entry.doubtful))
                )?;
            }
        }
    }
    Ok(())
}

fn csv(out: &mut impl Write, maps: &[Map], focus: &[String]) -> anyhow::Result<()> {
    let doubts = maps
        .iter()
        .any(|(_, map)| map.entries().any(|e| !e.doubtful.is_empty()));
    let networks = maps.iter().any(|(title, _)| title.is_some());
    let mut header = String::from("src,dst,conn");
    if networks {
        header += ",network";
    }
    if doubts {
        header += ",undecidable";
    }
    writeln!(out, "{header}")?;
    for (title, map) in maps {
        for entry in shown(map, focus) {
            let mut fields = vec![
                name(title.as_ref(), entry.from),
                name(title.as_ref(), entry.to),
                entry.allowed.to_string(),
            ];
            if networks {
                fields.push(
                    title
                        .as_ref()
                        .map_or_else(String::new, networks::Title::network),
                );
            }
            if doubts {
                fields.push(if entry.doubtful.is_empty() {
                    String::new()
                } else {
                    entry.doubtful.to_string()
                });
            }
            let fields: Vec<String> = fields.iter().map(|f| csv_field(f)).collect();
            writeln!(out, "{}", fields.join(","))?;
        }
    }
    Ok(())
}

fn json_lines(out: &mut impl Write, maps: &[Map], focus: &[String]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (title, map) in maps {
        for entry in shown(map, focus) {
            let mut row = json!({
                "src": name(title.as_ref(), entry.from),
                "dst": name(title.as_ref(), entry.to),
                "conn": entry.allowed.to_string(),
            });
            if let Some(title) = title {
                row["network"] = title.network().into();
            }
            if !entry.doubtful.is_empty() {
                row["undecidable"] = entry.doubtful.to_string().into();
            }
            rows.push(row);
        }
    }
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)?;
    Ok(())
}

/// What stands on an arrow.
fn label(entry: &Entry<'_>) -> String {
    match (entry.allowed.is_empty(), entry.doubtful.is_empty()) {
        (false, true) => entry.allowed.to_string(),
        (false, false) => format!("{}; undecidable {}", entry.allowed, entry.doubtful),
        _ => format!("undecidable {}", entry.doubtful),
    }
}

fn dot(out: &mut impl Write, maps: &[Map], focus: &[String]) -> anyhow::Result<()> {
    let quote = |text: &str| {
        format!(
            "\"{}\"",
            visible(text).replace('\\', "\\\\").replace('"', "\\\"")
        )
    };
    writeln!(out, "digraph connectivity {{")?;
    writeln!(out, "  rankdir=LR;")?;
    for (title, map) in maps {
        for entry in shown(map, focus) {
            writeln!(
                out,
                "  {} -> {} [label={}];",
                quote(&name(title.as_ref(), entry.from)),
                quote(&name(title.as_ref(), entry.to)),
                quote(&label(&entry))
            )?;
        }
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn mermaid(out: &mut impl Write, maps: &[Map], focus: &[String]) -> anyhow::Result<()> {
    // Mermaid reads quotes in a label as its end; it knows HTML's names for characters.
    let quote = |text: &str| visible(text).replace('&', "#amp;").replace('"', "#quot;");
    let mut known: Vec<String> = Vec::new();
    let mut arrows = Vec::new();
    for (title, map) in maps {
        for entry in shown(map, focus) {
            let mut id = |peer: &Peer| {
                let text = name(title.as_ref(), peer);
                known.iter().position(|k| *k == text).unwrap_or_else(|| {
                    known.push(text);
                    known.len() - 1
                })
            };
            let (from, to) = (id(entry.from), id(entry.to));
            arrows.push(format!(
                "  n{from} -->|\"{}\"| n{to}",
                quote(&label(&entry))
            ));
        }
    }
    writeln!(out, "flowchart LR")?;
    for (at, text) in known.iter().enumerate() {
        writeln!(out, "  n{at}[\"{}\"]", quote(text))?;
    }
    for arrow in arrows {
        writeln!(out, "{arrow}")?;
    }
    Ok(())
}
