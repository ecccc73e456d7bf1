//! Rule objects: definitions, the stand-alone `enabled`, appends and overrides.

use std::collections::BTreeSet;

use vedette_event::Priority;
use vedette_yaml::Node;

use super::node::{self, Overrides, Reader, wrong};
use super::objects::{Action, Rule, Update};
use super::text::Text;
use crate::diagnostic::{Code, Context, Diagnostic, Item, closest};

type Read<T> = Result<T, Box<Diagnostic>>;

const KEYS: [&str; 15] = [
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "append",
    "override",
];

const APPENDABLE: [&str; 5] = ["condition", "exceptions", "output", "desc", "tags"];

const REPLACEABLE: [&str; 11] = [
    "condition",
    "exceptions",
    "output",
    "desc",
    "tags",
    "priority",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

impl Reader {
    pub(super) fn rule(&mut self, item: &Node, parent: &Context) -> Read<()> {
        let name = node::text(item, "rule", &parent.down(Item::Rule, "", item.span))?;
        let context = parent.down(Item::Rule, &name, item.span);
        self.rule_parts(item, name, &context)?;
        self.unknown_keys(item, &KEYS, &context);
        Ok(())
    }

    fn rule_parts(&mut self, item: &Node, name: String, context: &Context) -> Read<()> {
        let append = self.append_flag(item, context)?;
        let overrides = node::overrides(item, &APPENDABLE, &REPLACEABLE, context)?;
        node::not_both(append, &overrides, context)?;
        if !overrides.is_empty() {
            return self.overriding(item, &name, &overrides, context);
        }
        if append {
            let mut update = Update::new(&name, context.clone());
            if node::get(item, "condition").is_some() {
                update.condition = Some(self.positioned(item, "condition", context)?);
            }
            if node::get(item, "exceptions").is_some() {
                update.exceptions = Some(self.exceptions(item, context, true)?);
            }
            self.act(Action::AppendRule(Box::new(update)));
            return Ok(());
        }
        if ["condition", "output", "desc", "priority"]
            .iter()
            .all(|key| node::get(item, key).is_none())
        {
            let Some(enabled) = node::flag(item, "enabled", context)? else {
                return Err(node::missing("condition", context));
            };
            self.warn(
                Diagnostic::new(
                    Code::DeprecatedItem,
                    "switching a rule with \"enabled\" alone is deprecated",
                    context.clone(),
                )
                .expecting("the same with \"override: {enabled: replace}\""),
            );
            self.act(Action::EnableRule(name, enabled, context.clone()));
            return Ok(());
        }
        self.definition(item, name, context.clone())
    }

    fn definition(&mut self, item: &Node, name: String, context: Context) -> Read<()> {
        let condition = node::scalar(item, "condition", &context)?;
        let condition_context = context.down(Item::RuleCondition, "", condition.span);
        let output = node::scalar(item, "output", &context)?;
        let output_context = context.down(Item::RuleOutput, "", output.span);
        let desc = node::text(item, "desc", &context)?;
        let priority = priority(item, &context)?;
        let source = match node::get(item, "source") {
            Some(_) => node::text(item, "source", &context)?,
            None => "syscall".to_owned(),
        };
        let rule = Rule {
            desc,
            condition: Text::of_scalar(self.file, condition),
            output: Text::of_scalar(self.file, output).trimmed(),
            priority,
            source,
            enabled: node::flag(item, "enabled", &context)?.unwrap_or(true),
            capture: node::flag(item, "capture", &context)?.unwrap_or(false),
            capture_duration: node::number(item, "capture_duration", &context)?.unwrap_or(0),
            warn_evttypes: node::flag(item, "warn_evttypes", &context)?.unwrap_or(true),
            skip_if_unknown: node::flag(item, "skip-if-unknown-filter", &context)?.unwrap_or(false),
            tags: self.tags(item, &context)?,
            exceptions: self.exceptions(item, &context, false)?,
            name,
            context,
            condition_context,
            output_context,
        };
        self.act(Action::DefineRule(Box::new(rule)));
        Ok(())
    }

    /// What is appended comes first, then what is replaced, then complaints about keys without an `override` entry.
    fn overriding(
        &mut self,
        item: &Node,
        name: &str,
        overrides: &Overrides,
        context: &Context,
    ) -> Read<()> {
        let mut actions = Vec::new();
        for (keys, word) in [
            (&overrides.append, "append"),
            (&overrides.replace, "replace"),
        ] {
            if keys.is_empty() {
                continue;
            }
            let mut update = Update::new(name, context.clone());
            for key in keys {
                if node::get(item, key).is_none() {
                    let message = format!(
                        "\"override\" wants to {word} \"{key}\", and the object has no such key"
                    );
                    return Err(wrong(message, context));
                }
                self.change(item, key, &mut update, context)?;
            }
            let update = Box::new(update);
            actions.push(if word == "append" {
                Action::AppendRule(update)
            } else {
                Action::ReplaceRule(update)
            });
        }
        for key in REPLACEABLE {
            let Some(value) = node::get(item, key) else {
                continue;
            };
            if !overrides
                .append
                .iter()
                .chain(&overrides.replace)
                .any(|k| k == key)
            {
                let inner = context.down(Item::Overrides, key, value.span);
                return Err(Box::new(
                    wrong(format!("\"{key}\" has no entry under \"override\""), &inner).expecting(
                        format!(
                            "\"{key}: {}\" there",
                            if APPENDABLE.contains(&key) {
                                "append\" or \"replace"
                            } else {
                                "replace"
                            }
                        ),
                    ),
                ));
            }
        }
        for action in actions {
            self.act(action);
        }
        Ok(())
    }

    fn change(
        &mut self,
        item: &Node,
        key: &str,
        update: &mut Update,
        context: &Context,
    ) -> Read<()> {
        match key {
            "condition" => update.condition = Some(self.positioned(item, key, context)?),
            "output" => update.output = Some(self.positioned(item, key, context)?),
            "desc" => update.desc = Some(node::text(item, key, context)?),
            "tags" => update.tags = Some(self.tags(item, context)?),
            "exceptions" => update.exceptions = Some(self.exceptions(item, context, true)?),
            "priority" => update.priority = Some(priority(item, context)?),
            "enabled" => update.enabled = node::flag(item, key, context)?,
            "capture" => update.capture = node::flag(item, key, context)?,
            "capture_duration" => update.capture_duration = node::number(item, key, context)?,
            "warn_evttypes" => update.warn_evttypes = node::flag(item, key, context)?,
            _ => update.skip_if_unknown = node::flag(item, key, context)?,
        }
        Ok(())
    }

    fn positioned(&self, item: &Node, key: &str, context: &Context) -> Read<Text> {
        node::scalar(item, key, context).map(|node| Text::of_scalar(self.file, node))
    }

    fn tags(&self, item: &Node, context: &Context) -> Read<BTreeSet<String>> {
        match node::get(item, "tags") {
            None => Ok(BTreeSet::new()),
            Some(node) => Ok(self.scalars(node, "tags", context)?.into_iter().collect()),
        }
    }
}

fn priority(item: &Node, context: &Context) -> Read<Priority> {
    let node = node::scalar(item, "priority", context)?;
    let text = node.as_str().unwrap_or_default();
    text.parse().map_err(|why: vedette_event::UnknownPriority| {
        let inner = context.down(Item::RulePriority, "", node.span);
        let names = Priority::ALL.map(Priority::name);
        let meant = closest(
            &text.to_ascii_lowercase(),
            names
                .map(str::to_ascii_lowercase)
                .iter()
                .map(String::as_str),
        );
        Box::new(
            wrong(format!("\"{text}\" is no priority"), &inner)
                .expecting(why.to_string())
                .suggesting(meant),
        )
    })
}
