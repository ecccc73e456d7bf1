//! Loading: what appends, overrides, exceptions and mistakes do.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use vedette_rules::condition::Printer;
use vedette_rules::diagnostic::{Diagnostic, Files};
use vedette_rules::load::{Loaded, verdicts};
use vedette_rules::output::{AppendOutput, ExtraField};
use vedette_rules::{Options, load};

fn files(texts: &[&str]) -> Vec<(String, String)> {
    texts
        .iter()
        .enumerate()
        .map(|(i, text)| (format!("{i}.yaml"), (*text).to_owned()))
        .collect()
}

fn plain() -> Options {
    Options {
        append_output: Vec::new(),
        ..Options::default()
    }
}

fn loaded(texts: &[&str]) -> Loaded {
    load(&files(texts), &plain())
}

fn condition(texts: &[&str], rule: &str) -> String {
    let loaded = loaded(texts);
    let found = loaded.rule(rule);
    Printer::print(
        &found
            .unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
            .expanded,
    )
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics.iter().map(|d| d.code.name()).collect()
}

fn rule(name: &str, condition: &str, more: &str) -> String {
    format!(
        "- {{rule: {name}, desc: d, condition: '{condition}', output: o, priority: INFO{more}}}\n"
    )
}

#[test]
fn a_redefinition_keeps_its_place_and_appends_join_with_a_blank() {
    let text = rule("a", "evt.type=open or evt.type=close", "")
        + &rule("b", "evt.type=open", "")
        + "- {rule: a, condition: and proc.name=x, desc: e, output: '%proc.name', tags: [t], override: {condition: append, \
           desc: append, output: append, tags: append}}\n";
    let loaded = loaded(&[&text, &rule("b", "evt.type=dup", "")]);
    let names: Vec<&str> = loaded.rules.iter().map(|r| r.rule.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(loaded.diagnostics, []);
    let a = loaded.rule("a").unwrap();
    assert_eq!(
        Printer::print(&a.expanded),
        "(evt.type = open or (evt.type = close and proc.name = x))"
    );
    assert_eq!(
        (a.rule.desc.as_str(), a.rule.output.as_str()),
        ("d e", "o %proc.name")
    );
    assert!(a.rule.tags.contains("t"));
    assert_eq!(
        Printer::print(&loaded.rule("b").unwrap().expanded),
        "evt.type = dup"
    );
}

#[test]
fn overrides_replace_and_need_an_entry_for_each_key() {
    let base = rule("a", "evt.type=open", "");
    let replaced = "- {rule: a, condition: evt.type=close, priority: ERROR, enabled: no, override: {condition: replace, \
                    priority: replace, enabled: replace}}\n";
    let loaded_rules = loaded(&[&(base.clone() + replaced)]);
    assert_eq!(loaded_rules.diagnostics, []);
    let a = loaded_rules.rule("a").unwrap();
    assert_eq!((a.rule.priority.name(), a.enabled), ("Error", false));
    assert!(loaded_rules.enabled().is_empty());
    for bad in [
        "- {rule: a, condition: and x, output: y, override: {condition: append}}\n",
        "- {rule: a, override: {condition: append}}\n",
        "- {rule: a, priority: INFO, override: {priority: append}}\n",
        "- {rule: a, condition: x, append: true, override: {condition: append}}\n",
        "- {rule: nobody, condition: and x, override: {condition: append}}\n",
        "- {rule: a, condition: x, override: {condition: prepend}}\n",
    ] {
        let got = loaded(&[&(base.clone() + bad)]);
        assert!(got.has_errors(), "{bad}");
        assert_eq!(got.rules.len(), 1, "the rule as it was stays: {bad}");
    }
}

#[test]
fn lists_and_macros_are_resolved_where_they_can_be_seen() {
    let text = "- {list: inner, items: [a, 'b c']}\n- {list: outer, items: [inner, d]}\n"
        .to_owned()
        + "- {macro: m, condition: proc.name in (outer) or fd.num=1}\n- {macro: n, condition: not m}\n"
        + &rule("r", "evt.type=open and n", "");
    assert_eq!(
        condition(&[&text], "r"),
        r#"(evt.type = open and not (proc.name in (a, "b c", d) or fd.num = 1))"#
    );
    // A list that comes later counts, a macro only when a rule asks.
    let later = rule("r", "proc.name in (l) and m", ", warn_evttypes: false")
        + "- {list: l, items: [x]}\n- {macro: m, condition: fd.num=1}\n";
    assert_eq!(
        condition(&[&later], "r"),
        "(proc.name in (x) and fd.num = 1)"
    );
    let unseen = "- {macro: m, condition: n}\n- {macro: n, condition: fd.num=1}\n".to_owned()
        + &rule("r", "m", "");
    assert_eq!(
        codes(&loaded(&[&unseen]).diagnostics)
            .iter()
            .filter(|c| c.contains("ERR"))
            .count(),
        2,
        "the macro, and the rule that uses it"
    );
    let looped = "- {macro: m, condition: fd.num=1}\n- {macro: m, condition: or m, override: {condition: append}}\n";
    assert!(loaded(&[looped]).has_errors());
}

#[test]
fn exceptions_become_part_of_the_condition() {
    let text = rule(
        "r",
        "evt.type=open or evt.type=close",
        ", exceptions: [{name: one, fields: proc.name, values: [a, 'b c']}, {name: many, fields: [proc.name, fd.name], comps: \
         [in, startswith], values: [[[x, y], /etc], [z, /tmp]]}, {name: plain, fields: [fd.num], values: [[3]]}, {name: slot, \
         fields: [proc.name]}, {name: mod, fields: tolower(proc.name), comps: startswith anyof, values: [k]}]",
    );
    assert_eq!(
        condition(&[&text], "r"),
        r#"((evt.type = open or evt.type = close) and not proc.name in (a, "b c") and not ((proc.name in (x, y) and fd.name startswith /etc) or (proc.name in (z) and fd.name startswith /tmp)) and not fd.num = 3 and not tolower(proc.name) startswith anyof (k))"#
    );
    let appended = text.clone()
        + "- {rule: r, exceptions: [{name: slot, values: [[late]]}], override: {exceptions: append}}\n";
    assert!(condition(&[&appended], "r").contains("not proc.name = late"));
}

#[test]
fn one_bad_rule_disables_only_itself() {
    let text = rule("good", "evt.type=open", "")
        + &rule("bad", "proc.nmae=x", "")
        + "- {rule: half, condition: x}\n- just text\n- {macro: broken, condition: 'a ='}\n- {rle: typo}\n"
        + &rule("unsure", "proc.nope=x", ", skip-if-unknown-filter: true")
        + &rule("last", "evt.type=close", "");
    let loaded = loaded(&[&text]);
    let names: Vec<&str> = loaded.rules.iter().map(|r| r.rule.name.as_str()).collect();
    assert_eq!(names, ["good", "last"]);
    let nmae = loaded
        .diagnostics
        .iter()
        .find(|d| d.message.contains("nmae"))
        .unwrap();
    assert_eq!(nmae.suggestion.as_deref(), Some("proc.name"));
    let place = nmae.place.span;
    assert_eq!(&text[place.start..place.end], "proc.nmae");
    let typo = loaded
        .diagnostics
        .iter()
        .find(|d| d.code.name() == "LOAD_UNKNOWN_ITEM")
        .unwrap();
    assert_eq!(typo.suggestion.as_deref(), Some("rule"));
    let strict = load(
        &files(&[&text]),
        &Options {
            strict: true,
            ..plain()
        },
    );
    assert!(strict.rules.is_empty() && strict.has_errors());
}

#[test]
fn complaints_inside_folded_conditions_point_at_the_word() {
    let text = "- macro: m\n  condition: >\n    fd.num > 1 and\n    fd.nmae = x\n- rule: r\n  desc: d\n  condition: evt.type=open\n    \
                and m\n  output: \"x %fd.nme\"\n  priority: INFO\n";
    let files = files(&[text]);
    let verdict = &verdicts(&files, &plain())[0];
    let shown = verdict.diagnostics[0].render(&Files(&files));
    assert!(shown.contains("0.yaml:9:15"), "{shown}");
    let fixed = text.replace("%fd.nme", "%fd.name");
    let loaded = loaded(&[&fixed]);
    let place = loaded.diagnostics[0].place.span;
    assert_eq!((place.line, place.column), (4, 5));
}

#[test]
fn types_decide_what_may_be_compared() {
    for (condition, accepted) in [
        ("fd.num = 3", true),
        ("fd.num = 0x3", false),
        ("fd.num contains 3", false),
        ("fd.sip = 10.0.0.1", true),
        ("fd.sip = 10.0.0.0/8", false),
        ("fd.snet = 10.0.0.0/8", true),
        ("fd.sip > 10.0.0.1", false),
        ("fd.sport = https", true),
        ("evt.failed = true", true),
        ("evt.failed = yes", false),
        ("evt.failed > true", false),
        ("evt.arg.data bcontains cafe", false),
        ("evt.rawarg.data bcontains cafe", true),
        ("evt.rawarg.data bcontains caf", false),
        ("evt.rawarg.res < 0", true),
        ("evt.arg.nosuch = 1", false),
        ("evt.type = nosuch", false),
        ("evt.type = getpid", true),
        ("proc.name regex ^a.*b$", true),
        ("proc.name regex \"(\"", false),
        ("proc.name = val(proc.pname)", true),
        ("proc.name = val(fd.num)", false),
        ("proc.aname = val(proc.name)", false),
        ("proc.name pmatch val(proc.pname)", false),
        ("tolower(fd.num) = a", false),
        ("tolower(proc.aname[1]) = a", false),
        ("len(proc.name) > 3", true),
        ("len(proc.name) contains 3", false),
        ("ka.verb = get", false),
        ("evt.type = val(proc.name)", false),
        ("proc.name startswith anyof (a, b)", true),
        ("proc.aname[x] = a", false),
        ("proc.name[1] = a", false),
    ] {
        let text = format!(
            "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: |\n    {condition}\n"
        );
        let verdict = &verdicts(&files(&[&text]), &plain())[0];
        assert_eq!(
            verdict.accepted(),
            accepted,
            "{condition}: {:?}",
            verdict.diagnostics
        );
    }
}

#[test]
fn requirements_are_kept_and_checked() {
    let text = "- required_engine_version: 31\n- required_engine_version: 0.26.0\n- required_plugin_versions: [{name: k8saudit, \
                version: 0.7.0, alternatives: [{name: other, version: 1.0.0}]}]\n";
    let files = files(&[text]);
    let with = |name: &str, version: &str| Options {
        plugins: Some(vec![(name.into(), version.parse().unwrap())]),
        ..plain()
    };
    let loaded = load(&files, &plain());
    assert_eq!(
        loaded.required_engine.map(|v| v.to_string()).as_deref(),
        Some("0.31.0")
    );
    assert!(
        load(&files, &with("other", "1.2.0"))
            .missing_plugins
            .is_empty()
    );
    assert_eq!(
        load(&files, &with("k8saudit", "0.6.0"))
            .missing_plugins
            .len(),
        1
    );
}

#[test]
fn outputs_are_appended_to_as_configured() {
    let text = rule("r", "evt.type=open", ", tags: [t, u]");
    let entry = AppendOutput {
        tags: ["t".to_owned()].into(),
        format: "x=%fd.name".into(),
        suggested: true,
        fields: vec![
            ExtraField::Field("evt.hostname".into()),
            ExtraField::Named("n".into(), "<%proc.name>".into()),
        ],
        ..AppendOutput::default()
    };
    let other = AppendOutput {
        rule: "s".into(),
        format: "y".into(),
        ..AppendOutput::default()
    };
    let loaded = load(
        &files(&[&text]),
        &Options {
            append_output: vec![entry, other],
            ..Options::default()
        },
    );
    let r = loaded.rule("r").unwrap();
    assert!(
        r.rule
            .output
            .starts_with("o x=%fd.name container_id=%container.id container_name="),
        "{}",
        r.rule.output
    );
    assert!(r.rule.output.ends_with("k8s_ns_name=%k8s.ns.name"));
    assert_eq!(r.extra_fields.len(), 2);
}
