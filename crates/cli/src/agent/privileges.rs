//! What the agent may do once it runs: as few capabilities as its work needs, none for anything it starts.
//!
//! `docs/agent.md` has the table of capabilities by tier; a test compares it with [`NEEDS`].

use anyhow::Context;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::config::Config;

/// A capability and what it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// Its name, without `CAP_`.
    pub(crate) name: &'static str,
    /// The capability.
    pub(crate) capability: CapabilitySet,
    /// When it is needed.
    pub(crate) when: When,
    /// What for.
    pub(crate) purpose: &'static str,
}

/// When a capability is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Only until the sensor runs.
    Start,
    /// Until the sensor runs; on kernels before [`LOOSE_BPF`] always.
    StartOrOldKernel,
    /// Always.
    Always,
    /// Until the sensor runs, and always where captures are taken.
    StartOrCaptures,
}

impl When {
    /// In words, for the table.
    #[cfg(test)]
    fn words(self) -> &'static str {
        match self {
            Self::Start => "at start",
            Self::StartOrOldKernel => "at start; always before Linux 6.1",
            Self::Always => "always",
            Self::StartOrCaptures => "at start; always with `capture.dir`",
        }
    }
}

/// From this kernel on, a program that holds a table's descriptor may use the table without CAP_BPF, whatever
/// `kernel.unprivileged_bpf_disabled` says (the change came with 5.19; 6.1 is the first long-term kernel that has it).
const LOOSE_BPF: (u32, u32) = (6, 1);

/// Every capability that the observing agent needs at some time. Nothing here is `CAP_SYS_ADMIN`.
pub(crate) const NEEDS: &[Need] = &[
    Need {
        name: "BPF",
        capability: CapabilitySet::BPF,
        when: When::StartOrOldKernel,
        purpose: "loading the sensor's programs and tables",
    },
    Need {
        name: "PERFMON",
        capability: CapabilitySet::PERFMON,
        when: When::Start,
        purpose: "attaching the programs to tracepoints",
    },
    Need {
        name: "SYS_PTRACE",
        capability: CapabilitySet::SYS_PTRACE,
        when: When::StartOrCaptures,
        purpose: "reading what was there before from /proc",
    },
    Need {
        name: "DAC_READ_SEARCH",
        capability: CapabilitySet::DAC_READ_SEARCH,
        when: When::Always,
        purpose: "reading what container runtimes keep about containers",
    },
];

/// Gives up what is not needed from now on, in this thread and all that it starts, and forbids gaining anything by
/// starting programs. `more` is what stages need. The capabilities that are left come back.
pub(crate) fn drop_to(config: &Config, more: CapabilitySet) -> anyhow::Result<CapabilitySet> {
    rustix::thread::set_no_new_privs(true).context("setting no_new_privs")?;
    let old = kernel_version().is_none_or(|version| version < LOOSE_BPF);
    let needed = NEEDS
        .iter()
        .filter(|need| match need.when {
            When::Start => false,
            When::StartOrOldKernel => old,
            When::Always => true,
            When::StartOrCaptures => config.capture.is_some(),
        })
        .fold(more, |all, need| all | need.capability);
    let have = rustix::thread::capabilities(None).context("reading capabilities")?;
    let kept = have.permitted & needed;
    // Needs CAP_SETPCAP; without it nothing can be gained by exec either, since no_new_privs is set.
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if !needed.contains(one) {
            let _ = rustix::thread::remove_capability_from_bounding_set(one);
        }
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).context("giving up capabilities")?;
    Ok(kept)
}

/// What this process lacks to start the sensor, in words; empty when it lacks nothing or is root on a kernel that only
/// looks at that.
pub(crate) fn missing() -> String {
    let have =
        rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let lacking: Vec<String> = NEEDS
        .iter()
        .filter(|need| !have.contains(need.capability))
        .map(|need| format!("CAP_{} ({})", need.name, need.purpose))
        .collect();
    lacking.join(", ")
}

/// Names of capabilities, for the log.
pub(crate) fn names(set: CapabilitySet) -> String {
    let known: Vec<&str> = NEEDS
        .iter()
        .filter(|need| set.contains(need.capability))
        .map(|need| need.name)
        .collect();
    let others = set.bits().count_ones() as usize - known.len();
    match (known.is_empty(), others) {
        (true, 0) => "none".to_owned(),
        (_, 0) => known.join(","),
        _ => format!("{:#x}", set.bits()),
    }
}

fn kernel_version() -> Option<(u32, u32)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    version(&release)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.trim().split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read() {
        assert_eq!(version("6.1.0-28-amd64\n"), Some((6, 1)));
        assert_eq!(version("5.10.0"), Some((5, 10)));
        assert_eq!(version("7.0-rc1"), Some((7, 0)));
        assert_eq!(version("x"), None);
        assert!((5, 19) < LOOSE_BPF);
    }

    #[test]
    fn the_unit_file_has_these_and_no_others() {
        let unit = include_str!("../../../../deploy/vedette-agent.service");
        let names: Vec<String> = NEEDS
            .iter()
            .map(|need| format!("CAP_{}", need.name))
            .collect();
        for key in ["AmbientCapabilities", "CapabilityBoundingSet"] {
            let line = format!("{key}={}", names.join(" "));
            assert!(
                unit.lines().any(|other| other == line),
                "the unit lacks {line}"
            );
        }
    }

    #[test]
    fn the_reference_page_has_the_table() {
        let page = include_str!("../../../../docs/agent.md");
        for need in NEEDS {
            let row = format!(
                "| `CAP_{}` | {} | {} |",
                need.name,
                need.when.words(),
                need.purpose
            );
            assert!(page.contains(&row), "docs/agent.md lacks this row:\n{row}");
        }
    }
}
