//! Rule files: from YAML text to what is to be defined, appended or replaced.
//!
//! A file is read object by object; an object that is not sound fails alone. Whoever wants Falco's verdict stops at the
//! first [`Action::Fail`].

mod exceptions;
mod node;
pub mod objects;
mod rule;
pub mod text;

use vedette_yaml::{Kind, Node};

use crate::condition;
use crate::diagnostic::{Code, Context, Diagnostic, FileId, Item, closest};
use node::Reader;
use objects::{Action, List, Macro, PluginVersion};
use text::Text;

/// An action, or a remark on the way.
#[derive(Clone, Debug)]
pub enum Step {
    /// To be done.
    Do(Action),
    /// A warning.
    Warn(Box<Diagnostic>),
}

/// Reads one file. What is not YAML comes first, as Falco looks at nothing else then.
pub fn read(file: FileId, text: &str) -> Vec<Step> {
    let parsed = vedette_yaml::parse(text);
    let whole = Context::file(file);
    let mut reader = Reader {
        file,
        steps: Vec::new(),
    };
    for error in &parsed.errors {
        let context = whole.down(Item::ValueFor, "", error.span);
        reader.fail(Diagnostic::new(
            Code::ErrYamlParse,
            error.message.clone(),
            context,
        ));
    }
    for document in &parsed.documents {
        match &document.root.kind {
            _ if document.root.is_null() => {}
            Kind::Seq(items) => {
                for item in items.iter().filter(|item| !item.is_null()) {
                    if let Err(diagnostic) = reader.object(item, &whole) {
                        reader.fail(*diagnostic);
                    }
                }
            }
            _ => {
                let found = document.root.describe();
                let message = format!("rules must be a list of objects, and this is {found}");
                let place = reader.place(document.root.span);
                reader.fail(
                    Diagnostic::new(Code::ErrYamlValidate, message, whole.clone())
                        .at(place)
                        .expecting("'- rule: …', '- macro: …' or '- list: …'"),
                );
            }
        }
    }
    reader.steps
}

const KINDS: [&str; 5] = [
    "required_engine_version",
    "required_plugin_versions",
    "list",
    "macro",
    "rule",
];

impl Reader {
    fn object(&mut self, item: &Node, parent: &Context) -> Result<(), Box<Diagnostic>> {
        if item.as_map().is_none() {
            let context = parent.down(Item::RulesContentItem, "", item.span);
            let message = format!("an object must be a map, and this is {}", item.describe());
            return Err(Box::new(Diagnostic::new(
                Code::ErrYamlValidate,
                message,
                context,
            )));
        }
        let kind = KINDS.into_iter().find(|key| node::get(item, key).is_some());
        match kind {
            Some("required_engine_version") => self.engine_version(item, parent),
            Some("required_plugin_versions") => self.plugin_versions(item, parent),
            Some("list") => self.list(item, parent),
            Some("macro") => self.macro_object(item, parent),
            Some(_) => self.rule(item, parent),
            None => {
                let context = parent.down(Item::RulesContentItem, "", item.span);
                let keys = item
                    .as_map()
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|(key, _)| key.as_str());
                let meant = keys.clone().find_map(|key| closest(key, KINDS.into_iter()));
                self.warn(
                    Diagnostic::new(
                        Code::UnknownItem,
                        "the object is no rule, macro, list or requirement and is passed over",
                        context,
                    )
                    .expecting(format!("one of the keys {}", KINDS.join(", ")))
                    .suggesting(meant),
                );
                Ok(())
            }
        }
    }

    fn engine_version(&mut self, item: &Node, parent: &Context) -> Result<(), Box<Diagnostic>> {
        let context = parent.down(Item::RequiredEngineVersion, "", item.span);
        let text = node::text(item, "required_engine_version", &context)?;
        let version = match text.parse::<u32>() {
            Ok(minor) => crate::version::Version::new(0, minor, 0),
            Err(_) => text.parse().map_err(|why: crate::version::NotAVersion| {
                let message = format!("\"{text}\" is no engine version");
                Box::new(
                    Diagnostic::new(Code::ErrYamlValidate, message, context.clone())
                        .expecting(why.to_string()),
                )
            })?,
        };
        self.act(Action::RequireEngine(version, context));
        Ok(())
    }

    fn plugin_versions(&mut self, item: &Node, parent: &Context) -> Result<(), Box<Diagnostic>> {
        let Some(value) = node::get(item, "required_plugin_versions") else {
            return Ok(());
        };
        let context = parent.down(Item::RequiredPluginVersions, "", value.span);
        let plugins = node::sequence(value, "required_plugin_versions", &context)?;
        for plugin in plugins {
            let unnamed = context.down(Item::RequiredPluginVersionsEntry, "", plugin.span);
            node::map(plugin, "a plugin requirement", &unnamed)?;
            let name = node::text(plugin, "name", &unnamed)?;
            let entry = context.down(Item::RequiredPluginVersionsEntry, &name, plugin.span);
            let version = node::text(plugin, "version", &entry)?;
            let mut any_of = vec![PluginVersion { name, version }];
            if let Some(alternatives) = node::get(plugin, "alternatives") {
                for alternative in node::sequence(alternatives, "alternatives", &entry)? {
                    let unnamed = entry.down(
                        Item::RequiredPluginVersionsAlternative,
                        "",
                        alternative.span,
                    );
                    node::map(alternative, "an alternative", &unnamed)?;
                    let name = node::text(alternative, "name", &unnamed)?;
                    let named = entry.down(
                        Item::RequiredPluginVersionsAlternative,
                        &name,
                        alternative.span,
                    );
                    let version = node::text(alternative, "version", &named)?;
                    any_of.push(PluginVersion { name, version });
                }
            }
            self.act(Action::RequirePlugin(any_of, entry));
        }
        Ok(())
    }

    fn list(&mut self, item: &Node, parent: &Context) -> Result<(), Box<Diagnostic>> {
        let name = node::text(item, "list", &parent.down(Item::List, "", item.span))?;
        let context = parent.down(Item::List, &name, item.span);
        if !condition::is_bare_word(&name) {
            self.warn(
                Diagnostic::new(
                    Code::InvalidListName,
                    "no condition can name this list",
                    context.clone(),
                )
                .expecting("a name without blanks, quotes, parentheses, commas and '='"),
            );
        }
        let Some(items) = node::get(item, "items") else {
            return Err(node::missing("items", &context));
        };
        let items = self.scalars(items, "items", &context)?;
        let append = self.append_flag(item, &context)?;
        let overrides = node::overrides(item, &["items"], &["items"], &context)?;
        node::not_both(append, &overrides, &context)?;
        self.unknown_keys(item, &["list", "items", "append", "override"], &context);
        let list = List {
            name,
            items,
            context,
        };
        let append = append || overrides.append.iter().any(|key| key == "items");
        self.act(if append {
            Action::AppendList(list)
        } else {
            Action::DefineList(list)
        });
        Ok(())
    }

    fn macro_object(&mut self, item: &Node, parent: &Context) -> Result<(), Box<Diagnostic>> {
        let name = node::text(item, "macro", &parent.down(Item::Macro, "", item.span))?;
        let context = parent.down(Item::Macro, &name, item.span);
        if !condition::is_identifier(&name) {
            self.warn(
                Diagnostic::new(
                    Code::InvalidMacroName,
                    "no condition can name this macro",
                    context.clone(),
                )
                .expecting("a letter, then letters, digits and underscores"),
            );
        }
        let condition = node::scalar(item, "condition", &context)?;
        let condition_context = context.down(Item::MacroCondition, "", condition.span);
        let condition = Text::of_scalar(self.file, condition);
        let append = self.append_flag(item, &context)?;
        let overrides = node::overrides(item, &["condition"], &["condition"], &context)?;
        node::not_both(append, &overrides, &context)?;
        self.unknown_keys(
            item,
            &["macro", "condition", "append", "override"],
            &context,
        );
        let object = Macro {
            name,
            condition,
            context,
            condition_context,
        };
        let append = append || overrides.append.iter().any(|key| key == "condition");
        self.act(if append {
            Action::AppendMacro(object)
        } else {
            Action::DefineMacro(object)
        });
        Ok(())
    }
}
