//! What is sent to the lab while the sensor watches: the steps of the attack.

use std::io;
use std::time::Duration;

use vedette_lab::Gate;
use vedette_range::{Request, Steps};

/// Pause after a step's last answer, in which the processes that it started end and say so.
const SETTLE: Duration = Duration::from_millis(200);

/// Takes every step in order, with a mark before and after it. `go_on` is asked before each.
///
/// Answers are not looked at: a verdict comes from what the sensor saw. A request that fails is therefore no error here.
pub(super) fn attack(gate: &Gate, steps: &Steps, go_on: impl Fn() -> bool) -> io::Result<()> {
    for step in &steps.steps {
        if !go_on() {
            return Ok(());
        }
        gate.mark(&format!("{}.begin", step.id))?;
        for request in &step.requests {
            let _ = send(gate, request);
        }
        std::thread::sleep(SETTLE);
        gate.mark(&format!("{}.end", step.id))?;
    }
    Ok(())
}

fn send(gate: &Gate, request: &Request) -> io::Result<String> {
    match request {
        Request::Get(path) => gate.get(path),
        Request::Post { path, content } => gate.post(path, content),
        Request::Exec(command) => gate.exec(command),
    }
}
