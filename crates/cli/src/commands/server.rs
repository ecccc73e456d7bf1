//! `vedette server`: findings and activity kept, searched and shown.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

use crate::serving;

/// Keep findings and activity of agents, and serve the API and the screens
///
/// Listens on this machine only unless told otherwise. At the first start a token to sign in with is printed and kept in
/// DIR/admin-token. Ends at SIGINT or SIGTERM.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: serving::Options,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stop = stop_signal()?;
    let ready = serving::open(&args.options)?;
    announce(&args.options, &ready)?;
    ready.server.run(&stop)?;
    Ok(ExitCode::SUCCESS)
}

/// A flag that SIGINT and SIGTERM set.
pub(crate) fn stop_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("listening for signals")?;
    }
    Ok(stop)
}

/// Says on standard output where the server is; with port 0 this is how one learns the port.
pub(crate) fn announce(options: &serving::Options, ready: &serving::Ready) -> anyhow::Result<()> {
    let scheme = if options.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {scheme}://{}", ready.server.address())?;
    out.flush()?;
    Ok(())
}
