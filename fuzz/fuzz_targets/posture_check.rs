//! Any text through reading, every check, every fix and every output: nothing may panic, and a fix made twice
//! changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_manifest::Source;
use vedette_posture::check::Severity;
use vedette_posture::checks::ALL;
use vedette_posture::fix::fix;
use vedette_posture::input::{Input, Settings, load};
use vedette_posture::output::{html, junit, policy_report, sarif, table};
use vedette_posture::result::{Plan, evaluate};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let sources = [Source {
        name: "f.yaml".into(),
        text: text.into(),
    }];
    let loaded = load(&sources);
    let input = Input::new(&loaded.objects, Settings::default());
    let plan = Plan {
        checks: ALL.iter().collect(),
        benchmark: vedette_posture::benchmark::by_id("cis-eks-1.8"),
        exceptions: &[],
        today: "2026-01-01",
        least: Severity::Low,
    };
    let report = evaluate(&input, &plan);
    let _ = table::render(&report).len()
        + sarif::render(&report, "0").len()
        + junit::render(&report).len()
        + html::render(&report, "t").len()
        + policy_report::render(&report).len();
    let checks: Vec<_> = ALL.iter().collect();
    let once = fix(&sources, &checks, &Settings::default());
    let twice = fix(&once.sources, &checks, &Settings::default());
    assert_eq!(once.sources[0].text, twice.sources[0].text);
});
