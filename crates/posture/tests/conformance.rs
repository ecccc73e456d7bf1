//! Agreement with the test suites of other tools, case by case.
//!
//! A case agrees when the same objects fail, and, where the suite names fields, when they are fields we name.
//! Each deliberate difference stands in a table with its reason; a suite that is not there is told and skipped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

mod suites {
    pub(crate) mod kube_linter;
    pub(crate) mod kubescape;
    pub(crate) mod polaris;
    pub(crate) mod trivy;
}

use std::path::{Path, PathBuf};

use vedette_manifest::{Loaded, Object, Source};
use vedette_posture::check::{Finding, Findings};
use vedette_posture::checks::by_id;
use vedette_posture::input::{Input, Settings, load};

/// The folder with the suites of others, when it lies beside the workspace.
pub(crate) fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/posture");
    if !root.is_dir() {
        println!("skipped: no posture conformance data beside the workspace");
        return None;
    }
    Some(root)
}

/// Reads texts as one input.
pub(crate) fn read(texts: Vec<(String, String)>) -> Loaded {
    let sources: Vec<Source> = texts
        .into_iter()
        .map(|(name, text)| Source {
            name: name.into(),
            text: text.into(),
        })
        .collect();
    load(&sources)
}

/// Runs the checks with these ids over objects.
pub(crate) fn findings(objects: &[Object], ids: &[&str], settings: Settings) -> Vec<Finding> {
    let input = Input::new(objects, settings);
    let mut out = Findings::new(objects);
    for id in ids {
        let check = by_id(id).unwrap_or_else(|| panic!("no check {id}"));
        (check.run)(&input, &mut out);
    }
    out.into_vec()
}

/// Counts agreements and prints the rest.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) ran: usize,
    pub(crate) agreed: usize,
    pub(crate) deliberate: usize,
    pub(crate) wrong: Vec<String>,
}

impl Tally {
    /// Counts one case; `reason` says why a difference is meant.
    pub(crate) fn count(&mut self, case: &str, agrees: bool, reason: Option<&str>, detail: &str) {
        self.ran += 1;
        match (agrees, reason) {
            (true, _) => self.agreed += 1,
            (false, Some(reason)) => {
                self.deliberate += 1;
                println!("differs on purpose: {case}: {reason}");
            }
            (false, None) => self.wrong.push(format!("{case}: {detail}")),
        }
    }

    /// Prints the figures and fails below the bar of 98 % of the covered cases.
    pub(crate) fn finish(self, suite: &str, coverage: &str) {
        println!(
            "{suite}: {} cases covered ({coverage}), {} agree, {} differ on purpose, {} disagree",
            self.ran,
            self.agreed,
            self.deliberate,
            self.wrong.len()
        );
        for wrong in &self.wrong {
            println!("  {wrong}");
        }
        let fine = self.agreed + self.deliberate;
        assert!(
            fine * 100 >= self.ran * 98,
            "{suite}: only {fine} of {} cases agree or differ on purpose",
            self.ran
        );
    }
}
