//! Any text as manifests: loading, compiling, evaluating and linting neither panic nor disagree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_manifest::Source;
use vedette_netpol::compile::Compiled;
use vedette_netpol::evaluate::{Assumptions, Party, Question, evaluate};
use vedette_netpol::lint::lint;
use vedette_netpol::load::from_sources;
use vedette_netpol::traffic::Protocol;

fuzz_target!(|text: &str| {
    let input = from_sources(&[Source {
        name: "fuzz.yaml".into(),
        text: text.into(),
    }]);
    for diagnostic in &input.diagnostics {
        let _ = diagnostic.to_string();
    }
    let assumptions = Assumptions::default();
    let mut compiled = Compiled::new(&input.world, &assumptions);
    let mut parties: Vec<Party> = (0..input.world.pods.len().min(4)).map(Party::Pod).collect();
    parties.push(Party::Address([10, 0, 0, 1].into()));
    parties.push(Party::Stranger);
    for from in &parties {
        for to in &parties {
            let question = Question {
                from: from.clone(),
                to: to.clone(),
                protocol: Protocol::TCP,
                port: 80,
            };
            let plain = evaluate(&input.world, &assumptions, &question);
            assert_eq!(compiled.decide(&question), plain.decision, "{question:?}");
        }
    }
    let _ = lint(&input.world, &assumptions);
});
