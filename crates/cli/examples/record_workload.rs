//! Writes the synthetic workload that `make bench` replays: `record_workload OUTPUT [EVENTS [SEED]]`. An output that ends
//! in `.gz` is compressed, at the level that Falco's recorder uses.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, bail};
use vedette_scap::{Compression, Item, Writer};
use vedette_testkit::workload::{self, Part, Plan};

/// Number of events unless told otherwise: that of the capture with which Falco was measured.
const EVENTS: u64 = 901_686;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let Some(path) = args.next() else {
        bail!("usage: record_workload OUTPUT [EVENTS [SEED]]")
    };
    let mut number = |default| {
        args.next()
            .map_or(Ok(default), |word| word.parse().context("not a number"))
    };
    let plan = Plan {
        events: number(EVENTS)?,
        seed: number(1)?,
    };
    let compression = Path::new(&path)
        .extension()
        .is_some_and(|extension| extension == "gz")
        .then(Compression::default);
    let mut writer = Writer::new(
        File::create(&path).with_context(|| path.clone())?,
        compression,
    );
    workload::record(plan, &mut |part| {
        writer.write(&match part {
            Part::Machine(machine) => Item::Machine(machine),
            Part::Process(process) => Item::Process(process),
            Part::Known(event) => Item::State(event),
            Part::Event(event) => Item::Event(event),
        })
    })?;
    writer.finish()?;
    Ok(())
}
