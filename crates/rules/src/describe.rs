//! Rules described: which events, fields, operators, macros and lists each of them uses, with conditions expanded.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vedette_event::{EventType, FieldRef, class_of};

use crate::condition::{Arg, Expr, Field, Operand, Printer, Rhs, transformer_name};
use crate::kinds::Kinds;
use crate::load::{Loaded, LoadedList, LoadedMacro, LoadedRule};

/// What a condition uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Fields, with arguments.
    pub fields: BTreeSet<String>,
    /// Operators as written.
    pub operators: BTreeSet<&'static str>,
    /// Transformers.
    pub transformers: BTreeSet<&'static str>,
}

impl Uses {
    /// Of an expanded condition.
    pub fn of(expr: &Expr) -> Self {
        let mut uses = Self::default();
        uses.expr(expr);
        uses
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| self.expr(part)),
            Expr::Not(inner) => self.expr(inner),
            Expr::Macro(_) => {}
            Expr::Check(check) => {
                self.operand(&check.lhs);
                self.operators.insert(check.op_text);
                match &check.rhs {
                    Rhs::Val(field) => self.field(field),
                    Rhs::Call(call) => {
                        self.transformers.insert(transformer_name(call.transformer));
                        self.args(&call.args);
                    }
                    Rhs::None | Rhs::Value(_) | Rhs::List(..) => {}
                }
            }
        }
    }

    fn field(&mut self, field: &Field) {
        self.fields.insert(field.text());
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Field(field) => self.field(field),
            Operand::Call(call) => {
                self.transformers.insert(transformer_name(call.transformer));
                self.args(&call.args);
            }
        }
    }

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            match arg {
                Arg::Operand(operand) => self.operand(operand),
                Arg::Value(_) => {}
                Arg::List(items, _) => self.args(items),
            }
        }
    }
}

/// Names of event types, each once, sorted.
pub fn event_names(kinds: &Kinds) -> BTreeSet<&'static str> {
    kinds
        .iter()
        .map(EventType::name)
        .filter(|name| *name != "NA")
        .collect()
}

/// Sources beyond the event source itself that the fields come from, such as `container`.
fn plugins<'a>(fields: impl Iterator<Item = &'a str>) -> BTreeSet<&'static str> {
    // Classes that Falco has in plugins; the others are its own.
    const PLUGINS: [&str; 4] = ["container", "k8smeta", "krsi", "anomaly"];
    fields
        .filter_map(|text| FieldRef::parse(text).ok())
        .map(|field| class_of(field.id))
        .filter(|class| {
            PLUGINS.contains(&class.name)
                || class
                    .sources
                    .iter()
                    .any(|s| *s != crate::catalogue::SYSCALL)
        })
        .map(|class| class.name)
        .collect()
}

/// A rule in Falco's shape of `-L`: `info` as written, `details` worked out.
pub fn rule(rule: &LoadedRule) -> Value {
    let uses = Uses::of(&rule.expanded);
    let output_fields: Vec<&str> = rule.format.fields().iter().map(|f| &*f.text).collect();
    let exception_fields: BTreeSet<&String> =
        rule.exceptions.iter().flat_map(|e| &e.fields).collect();
    let exception_operators: BTreeSet<&String> =
        rule.exceptions.iter().flat_map(|e| &e.comps).collect();
    let exception_names: Vec<&String> = rule.exceptions.iter().map(|e| &e.name).collect();
    let mut kinds = rule.kinds;
    kinds.extend(EventType::by_symbol("ASYNCEVENT_E"));
    json!({
        "info": {
            "name": rule.rule.name,
            "description": rule.rule.desc,
            "condition": rule.condition,
            "output": rule.output,
            "priority": rule.rule.priority.name(),
            "source": rule.rule.source,
            "enabled": rule.enabled,
            "tags": rule.rule.tags,
            "capture": rule.rule.capture,
            "capture_duration": rule.rule.capture_duration,
        },
        "details": {
            "condition_compiled": Printer::print(&rule.expanded),
            "condition_fields": uses.fields,
            "condition_operators": uses.operators,
            "condition_transformers": uses.transformers,
            "output_compiled": rule.rule.output,
            "output_fields": output_fields,
            "events": event_names(&kinds),
            "macros": rule.macros,
            "lists": rule.lists,
            "exception_names": exception_names,
            "exception_fields": exception_fields,
            "exception_operators": exception_operators,
            "plugins": plugins(uses.fields.iter().map(String::as_str).chain(output_fields.iter().copied())),
        },
    })
}

/// A macro in the same shape.
pub fn macro_object(object: &LoadedMacro) -> Value {
    let uses = Uses::of(&object.expanded);
    let mut kinds = object.kinds;
    kinds.extend(EventType::by_symbol("ASYNCEVENT_E"));
    json!({
        "info": { "name": object.name, "condition": object.condition },
        "details": {
            "used": object.used,
            "condition_compiled": Printer::print(&object.expanded),
            "condition_fields": uses.fields,
            "condition_operators": uses.operators,
            "condition_transformers": uses.transformers,
            "events": event_names(&kinds),
            "macros": object.macros,
            "lists": object.lists,
            "plugins": plugins(uses.fields.iter().map(String::as_str)),
        },
    })
}

/// A list in the same shape: items as written without the names of inner lists.
pub fn list(list: &LoadedList) -> Value {
    let own: Vec<&String> = list
        .items
        .iter()
        .filter(|item| !list.lists.contains(item))
        .collect();
    json!({
        "info": { "name": list.name, "items": own },
        "details": { "used": list.used, "items_compiled": list.expanded, "lists": list.lists, "plugins": [] },
    })
}

/// Everything that was loaded.
pub fn all(loaded: &Loaded) -> Value {
    let version = loaded.required_engine.map(|v| v.to_string());
    let plugins: Vec<Value> = loaded
        .required_plugins
        .iter()
        .filter_map(|group| group.split_first())
        .map(|(first, others)| {
            let others: Vec<Value> = others
                .iter()
                .map(|p| json!({"name": p.name, "version": p.version}))
                .collect();
            json!({"name": first.name, "version": first.version, "alternatives": others})
        })
        .collect();
    json!({
        "required_engine_version": version,
        "required_plugin_versions": plugins,
        "lists": loaded.lists.iter().map(list).collect::<Vec<_>>(),
        "macros": loaded.macros.iter().map(macro_object).collect::<Vec<_>>(),
        "rules": loaded.rules.iter().map(rule).collect::<Vec<_>>(),
    })
}
