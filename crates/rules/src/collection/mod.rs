//! The lists, macros and rules collected so far: definition, redefinition, append, replacement.
//!
//! A redefinition replaces an object and keeps its place in the order; visibility is the moment of the last change,
//! which decides what macros and lists inside other macros and lists can be seen.

mod validate;

use std::collections::HashMap;

use crate::catalogue::Catalogue;
use crate::diagnostic::{Code, Context, Diagnostic, Item};
use crate::source::objects::{Action, List, Macro, PluginVersion, Rule, Update};
use crate::version::Version;

/// Things by name, in order of first definition.
#[derive(Clone, Debug)]
pub struct Indexed<T> {
    entries: Vec<Entry<T>>,
    by_name: HashMap<String, usize>,
}

/// A thing with its moments.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The thing.
    pub info: T,
    /// Moment of the first definition.
    pub index: u32,
    /// Moment of the last change.
    pub visibility: u32,
}

impl<T> Default for Indexed<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<T> Indexed<T> {
    /// In order of first definition.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    /// Number of things.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The thing of this name.
    pub fn get(&self, name: &str) -> Option<&Entry<T>> {
        self.by_name.get(name).map(|&i| &self.entries[i])
    }

    /// Number of the thing of this name in the order.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Entry<T>> {
        self.by_name.get(name).map(|&i| &mut self.entries[i])
    }

    fn define(&mut self, name: &str, info: T, now: u32) {
        if let Some(entry) = self.get_mut(name) {
            entry.info = info;
            entry.visibility = now;
            return;
        }
        self.by_name.insert(name.to_owned(), self.entries.len());
        self.entries.push(Entry {
            info,
            index: now,
            visibility: now,
        });
    }
}

/// A rule as collected.
#[derive(Clone, Debug)]
pub struct RuleInfo {
    /// The rule, appends and replacements worked in.
    pub rule: Rule,
    /// True when no source has the name it asks for; it is kept for appends and not compiled.
    pub unknown_source: bool,
}

/// Everything collected so far.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// Lists.
    pub lists: Indexed<List>,
    /// Macros.
    pub macros: Indexed<Macro>,
    /// Rules.
    pub rules: Indexed<RuleInfo>,
    /// The highest engine version asked for.
    pub engine: Option<Version>,
    /// Plugins asked for: one of each group is enough.
    pub plugins: Vec<Vec<PluginVersion>>,
    now: u32,
}

type Applied = Result<(), Box<Diagnostic>>;

impl Collection {
    /// Does what a file asks for. Warnings go to `warn`.
    ///
    /// # Errors
    /// The complaint when the action cannot be done; nothing is changed then, except that parts of an update that were
    /// done stay done.
    pub fn apply(
        &mut self,
        action: Action,
        catalogue: &Catalogue,
        warn: &mut Vec<Diagnostic>,
    ) -> Applied {
        match action {
            Action::Fail(diagnostic) => Err(diagnostic),
            Action::RequireEngine(version, context) => {
                self.require_engine(version, &context, catalogue)
            }
            Action::RequirePlugin(any_of, context) => self.require_plugin(any_of, &context),
            Action::DefineList(list) => {
                let now = self.tick();
                self.lists.define(&list.name.clone(), list, now);
                Ok(())
            }
            Action::AppendList(list) => {
                let now = self.now;
                let Some(entry) = self.lists.get_mut(&list.name) else {
                    return Err(no_previous(
                        Item::List,
                        &list.name,
                        &list.context,
                        self.lists.names(),
                    ));
                };
                entry.info.items.extend(list.items);
                entry.visibility = now;
                self.tick();
                Ok(())
            }
            Action::DefineMacro(object) => {
                let now = self.tick();
                self.macros.define(&object.name.clone(), object, now);
                Ok(())
            }
            Action::AppendMacro(object) => {
                let now = self.now;
                let Some(entry) = self.macros.get_mut(&object.name) else {
                    return Err(no_previous(
                        Item::Macro,
                        &object.name,
                        &object.context,
                        self.macros.names(),
                    ));
                };
                entry.info.condition.append(&object.condition);
                entry.visibility = now;
                self.tick();
                Ok(())
            }
            Action::DefineRule(rule) => self.define_rule(*rule, catalogue, warn),
            Action::AppendRule(update) => self.append_rule(*update, catalogue),
            Action::ReplaceRule(update) => self.replace_rule(*update),
            Action::EnableRule(name, enabled, context) => match self.rules.get_mut(&name) {
                Some(entry) => {
                    entry.info.rule.enabled = enabled;
                    Ok(())
                }
                None => Err(no_previous(Item::Rule, &name, &context, self.rules.names())),
            },
        }
    }

    fn tick(&mut self) -> u32 {
        self.now += 1;
        self.now - 1
    }

    fn require_engine(
        &mut self,
        version: Version,
        context: &Context,
        catalogue: &Catalogue,
    ) -> Applied {
        if !catalogue.engine.satisfies(version) {
            let message = format!(
                "the file needs engine version {version}, and this is {}",
                catalogue.engine
            );
            return Err(Box::new(Diagnostic::new(
                Code::ErrValidate,
                message,
                context.clone(),
            )));
        }
        self.engine = self.engine.max(Some(version));
        Ok(())
    }

    fn require_plugin(&mut self, any_of: Vec<PluginVersion>, context: &Context) -> Applied {
        let refuse = |message: String| {
            Err(Box::new(Diagnostic::new(
                Code::ErrValidate,
                message,
                context.clone(),
            )))
        };
        for (i, plugin) in any_of.iter().enumerate() {
            if plugin.version.parse::<Version>().is_err() {
                return refuse(format!(
                    "\"{}\" is no version of plugin \"{}\"",
                    plugin.version, plugin.name
                ));
            }
            if any_of[..i].iter().any(|other| other.name == plugin.name) {
                return refuse(format!(
                    "plugin \"{}\" is named twice among its alternatives",
                    plugin.name
                ));
            }
        }
        self.plugins.push(any_of);
        Ok(())
    }

    fn define_rule(
        &mut self,
        mut rule: Rule,
        catalogue: &Catalogue,
        warn: &mut Vec<Diagnostic>,
    ) -> Applied {
        if let Some(old) = self.rules.get(&rule.name)
            && old.info.rule.source != rule.source
        {
            let message = format!(
                "the rule is defined again with source \"{}\", it had \"{}\"",
                rule.source, old.info.rule.source
            );
            return Err(Box::new(
                Diagnostic::new(Code::ErrValidate, message, rule.context.clone())
                    .note(old.info.rule.context.last().place, "defined here before"),
            ));
        }
        let unknown_source = !catalogue.has_source(&rule.source);
        if unknown_source {
            let message = format!(
                "there is no event source \"{}\", the rule is skipped",
                rule.source
            );
            warn.push(
                Diagnostic::new(Code::UnknownSource, message, rule.context.clone()).suggesting(
                    crate::diagnostic::closest(&rule.source, catalogue.sources()),
                ),
            );
        }
        let source = (!unknown_source).then_some(rule.source.as_str());
        for exception in &mut rule.exceptions {
            if !exception.fields.is_given() {
                return Err(validate::refuse(exception, "the exception names no fields"));
            }
            validate::exception(source, exception, catalogue)?;
        }
        let now = self.tick();
        self.rules.define(
            &rule.name.clone(),
            RuleInfo {
                rule,
                unknown_source,
            },
            now,
        );
        Ok(())
    }

    fn append_rule(&mut self, update: Update, catalogue: &Catalogue) -> Applied {
        let now = self.now;
        let Some(entry) = self.rules.get_mut(&update.name) else {
            return Err(no_previous(
                Item::Rule,
                &update.name,
                &update.context,
                self.rules.names(),
            ));
        };
        if update.is_empty() {
            return Err(Box::new(
                Diagnostic::new(
                    Code::ErrValidate,
                    "there is nothing to append",
                    update.context,
                )
                .expecting("a condition or exceptions"),
            ));
        }
        let source = (!entry.info.unknown_source).then(|| entry.info.rule.source.clone());
        let rule = &mut entry.info.rule;
        if let Some(condition) = &update.condition {
            rule.condition.append(condition);
        }
        if let Some(output) = &update.output {
            rule.output.append(output);
        }
        if let Some(desc) = &update.desc {
            rule.desc.push(' ');
            rule.desc.push_str(desc);
        }
        rule.tags.extend(update.tags.into_iter().flatten());
        for mut new in update.exceptions.into_iter().flatten() {
            match rule.exceptions.iter_mut().find(|old| old.name == new.name) {
                None => {
                    if !new.fields.is_given() {
                        return Err(validate::refuse(
                            &new,
                            "the rule has no such exception, and a new one needs fields",
                        ));
                    }
                    if new.values.is_empty() {
                        return Err(validate::refuse(
                            &new,
                            "the rule has no such exception, and a new one needs values",
                        ));
                    }
                    validate::exception(source.as_deref(), &mut new, catalogue)?;
                    rule.exceptions.push(new);
                }
                Some(_) if new.fields.is_given() => {
                    return Err(validate::refuse(
                        &new,
                        "the rule has this exception; only values can be appended to it, not fields",
                    ));
                }
                Some(_) if new.comps.is_given() => {
                    return Err(validate::refuse(
                        &new,
                        "the rule has this exception; only values can be appended to it, not comps",
                    ));
                }
                Some(old) => old.values.extend(new.values),
            }
        }
        entry.visibility = now;
        self.tick();
        Ok(())
    }

    fn replace_rule(&mut self, update: Update) -> Applied {
        let now = self.now;
        let Some(entry) = self.rules.get_mut(&update.name) else {
            return Err(no_previous(
                Item::Rule,
                &update.name,
                &update.context,
                self.rules.names(),
            ));
        };
        let rule = &mut entry.info.rule;
        let set = |slot: &mut bool, value: Option<bool>| *slot = value.unwrap_or(*slot);
        set(&mut rule.enabled, update.enabled);
        set(&mut rule.capture, update.capture);
        set(&mut rule.warn_evttypes, update.warn_evttypes);
        set(&mut rule.skip_if_unknown, update.skip_if_unknown);
        rule.capture_duration = update.capture_duration.unwrap_or(rule.capture_duration);
        rule.priority = update.priority.unwrap_or(rule.priority);
        if let Some(condition) = update.condition {
            rule.condition = condition;
        }
        if let Some(output) = update.output {
            rule.output = output;
        }
        if let Some(desc) = update.desc {
            rule.desc = desc;
        }
        if let Some(tags) = update.tags {
            rule.tags = tags;
        }
        if let Some(exceptions) = update.exceptions {
            rule.exceptions = exceptions;
        }
        entry.visibility = now;
        self.tick();
        Ok(())
    }
}

fn no_previous<'a>(
    item: Item,
    name: &str,
    context: &Context,
    names: impl Iterator<Item = &'a str>,
) -> Box<Diagnostic> {
    let message = format!(
        "there is no {} \"{name}\" yet that could be changed",
        item.name()
    );
    Box::new(
        Diagnostic::new(Code::ErrValidate, message, context.clone())
            .suggesting(crate::diagnostic::closest(name, names)),
    )
}
