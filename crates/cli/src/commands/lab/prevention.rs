//! Drift prevention for a lab: an agent of its own with one policy, as any node would run it.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;
use vedette_lab::{Gate, Profile};

/// How long the agent may take until it prevents.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to end.
const END: Duration = Duration::from_secs(5);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Most characters of the agent's complaint that are told.
const MAX_COMPLAINT: usize = 300;
/// A program of the image, copied and started: what prevention refuses, while the image's own shell runs. The service's
/// answer is trusted here, because this only tells when the attack may begin, not what became of it.
const CANARY: &str =
    "cp /bin/busybox /tmp/busybox && echo alive; /tmp/busybox true && echo ran; rm -f /tmp/busybox";

/// An agent that prevents. It ends when this is dropped.
pub(super) struct Prevention {
    agent: Child,
    _directory: TempDir,
}

impl Prevention {
    /// Starts an agent for the profile's namespace and waits until it refuses a copied program. The inner error says why
    /// it does not.
    pub(super) fn start(profile: Profile, gate: &Gate) -> anyhow::Result<Result<Self, String>> {
        let directory = tempfile::tempdir().context("making a directory for the policy")?;
        let policy = directory.path().join("policy.yaml");
        std::fs::write(&policy, policy_for(profile)).context("writing the policy")?;
        let said = directory.path().join("said");
        let errors = File::create(&said).context("making the agent's log")?;
        let program = std::env::current_exe().context("finding this program")?;
        let agent = Command::new("setpriv")
            // it goes with the thread that started it, however that ends
            .args(["--pdeathsig", "TERM"])
            .arg(program)
            .args(["agent", "--quiet", "--policy"])
            .arg(&policy)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("starting an agent")?;
        let mut prevention = Self {
            agent,
            _directory: directory,
        };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !matches!(prevention.agent.try_wait(), Ok(Some(_))) {
            if gate
                .exec(CANARY)
                .is_ok_and(|answer| answer.trim() == "alive")
            {
                return Ok(Ok(prevention));
            }
            std::thread::sleep(PAUSE);
        }
        let complaint = std::fs::read_to_string(said).unwrap_or_default();
        let complaint: String = complaint.trim().chars().take(MAX_COMPLAINT).collect();
        Ok(Err(format!("drift prevention is not at work: {complaint}")))
    }
}

impl Drop for Prevention {
    fn drop(&mut self) {
        // asked first, so that it takes down what it put up
        let _ = Command::new("kill")
            .args(["-TERM", &self.agent.id().to_string()])
            .stderr(Stdio::null())
            .status();
        let deadline = Instant::now() + END;
        while Instant::now() < deadline && matches!(self.agent.try_wait(), Ok(None)) {
            std::thread::sleep(PAUSE);
        }
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// The one policy: nothing runs in the namespace that did not come with an image.
fn policy_for(profile: Profile) -> String {
    format!(
        "- name: No drift in the lab\n  severity: high\n  mode: deny\n  scope:\n    namespaces: [{}]\n  detectors:\n    \
         drift:\n      executables: deny\n      libraries: deny\n      scripts: deny\n      injection: audit\n",
        profile.namespace()
    )
}
