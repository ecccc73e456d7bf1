//! Any lines as recorded flows and as probes: reading and generating do not panic, and output reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_manifest::Source;
use vedette_netpol::check::{Checker, Probe};
use vedette_netpol::evaluate::Assumptions;
use vedette_netpol::flow::{Flow, complete};
use vedette_netpol::generate::{Format, Options, emit, generate};
use vedette_netpol::load::from_sources;
use vedette_netpol::model::World;

fuzz_target!(|text: &str| {
    let flows: Vec<Flow> = text
        .lines()
        .take(16)
        .filter_map(|line| Flow::parse(line).ok())
        .collect();
    let mut world = World::default();
    complete(&mut world, &flows);
    let generated = generate(&world, &flows, &Options::default());
    for format in [Format::Kubernetes, Format::Calico, Format::Cilium] {
        let yaml = emit(&generated.policies, format);
        let input = from_sources(&[Source {
            name: "out.yaml".into(),
            text: yaml.as_str().into(),
        }]);
        assert!(
            !input
                .diagnostics
                .iter()
                .any(|d| d.problem.message.contains("YAML")),
            "{yaml}"
        );
    }
    let assumptions = Assumptions::default();
    let mut checker = Checker::new(&world, &assumptions);
    for line in text.lines().take(16) {
        if let Ok(probe) = Probe::parse(line) {
            let _ = checker.answer(&probe);
        }
    }
});
