//! The collection compiled: lists expanded, macros resolved, rules checked.

mod rule;

use std::collections::BTreeSet;

use super::{Loaded, LoadedList, LoadedMacro, Options, missing_plugin};
use crate::catalogue::Catalogue;
use crate::collection::Collection;
use crate::condition::{self, At, Expr, SyntaxError};
use crate::diagnostic::{Code, Context, Diagnostic, Files, Item, Place, closest};
use crate::kinds::{self, Kinds};
use crate::resolve::Texts;
use crate::resolve::lists::{Lists, MAX_TEXT};
use crate::resolve::macros::{self, Known, Tree};
use crate::source::objects::PluginVersion;
use crate::source::text::Text;
use crate::version::Version;

pub(super) fn compile(
    collection: &Collection,
    catalogue: &Catalogue,
    options: &Options,
    files: &Files<'_>,
    stop: bool,
) -> Loaded {
    let mut compiler = Compiler {
        collection,
        catalogue,
        options,
        files,
        stop,
        lists: Lists::expand(collection),
        texts: Texts::default(),
        macros: Vec::new(),
        used: BTreeSet::new(),
        out: Loaded {
            required_engine: collection.engine,
            required_plugins: collection.plugins.clone(),
            ..Loaded::default()
        },
    };
    compiler.plugins();
    if compiler.run().is_ok() {
        compiler.unused();
    }
    compiler.finish()
}

/// A macro on its way.
struct Parsed {
    tree: Option<Tree>,
    resolved: bool,
    macros: Vec<String>,
    lists: Vec<String>,
}

struct Compiler<'a> {
    collection: &'a Collection,
    catalogue: &'a Catalogue,
    options: &'a Options,
    files: &'a Files<'a>,
    stop: bool,
    lists: Lists,
    texts: Texts,
    macros: Vec<Parsed>,
    /// Names of macros that something uses.
    used: BTreeSet<String>,
    out: Loaded,
}

/// Stopped at the first error.
struct Stopped;

impl Compiler<'_> {
    fn warn(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    fn fail(&mut self, diagnostic: Diagnostic) -> Result<(), Stopped> {
        self.out.diagnostics.push(diagnostic);
        if self.stop { Err(Stopped) } else { Ok(()) }
    }

    fn plugins(&mut self) {
        let Some(there) = &self.options.plugins else {
            return;
        };
        let met = |wanted: &PluginVersion| {
            wanted.version.parse::<Version>().is_ok_and(|version| {
                there
                    .iter()
                    .any(|(name, have)| *name == wanted.name && have.satisfies(version))
            })
        };
        self.out.missing_plugins = self
            .collection
            .plugins
            .iter()
            .filter(|group| !group.iter().any(met))
            .cloned()
            .collect();
    }

    fn run(&mut self) -> Result<(), Stopped> {
        self.parse_macros()?;
        self.resolve_macros()?;
        for entry in self.collection.rules.iter() {
            if entry.info.unknown_source {
                continue;
            }
            match self.rule(&entry.info) {
                Ok(Some(rule)) => self.out.rules.push(rule),
                Ok(None) => {}
                Err(diagnostic) => self.fail(*diagnostic)?,
            }
        }
        Ok(())
    }

    fn parse_macros(&mut self) -> Result<(), Stopped> {
        for entry in self.collection.macros.iter() {
            let object = &entry.info;
            let (tree, lists) =
                match self.parse(object.condition.clone(), &object.condition_context) {
                    Ok((expr, lists)) => (Some(Tree::new(expr)), lists),
                    Err(diagnostic) => {
                        self.fail(*diagnostic)?;
                        (None, Vec::new())
                    }
                };
            self.macros.push(Parsed {
                tree,
                resolved: false,
                macros: Vec::new(),
                lists,
            });
        }
        Ok(())
    }

    fn resolve_macros(&mut self) -> Result<(), Stopped> {
        for (i, entry) in self.collection.macros.iter().enumerate() {
            let Some(tree) = self.macros[i].tree.clone() else {
                continue;
            };
            match self.splice(&tree.expr, entry.visibility, &entry.info.context) {
                Ok((tree, names)) => {
                    let parsed = &mut self.macros[i];
                    parsed.tree = Some(tree);
                    parsed.resolved = true;
                    parsed.macros = names;
                }
                Err(diagnostic) => {
                    self.macros[i].tree = None;
                    self.fail(*diagnostic)?;
                }
            }
        }
        Ok(())
    }

    /// Substitutes lists in a text and parses it.
    fn parse(
        &mut self,
        mut text: Text,
        context: &Context,
    ) -> Result<(Expr, Vec<String>), Box<Diagnostic>> {
        let Ok(lists) = self.lists.substitute(&mut text) else {
            let message = format!("with its lists the condition is longer than {MAX_TEXT} bytes");
            let context = context.down_to(Item::ConditionExpression, "", context.last().place);
            return Err(Box::new(Diagnostic::new(
                Code::ErrCompileCondition,
                message,
                context,
            )));
        };
        let parsed = condition::parse(text.as_str(), self.texts.next());
        self.texts.add(text);
        match parsed {
            Ok(expr) => Ok((expr, lists)),
            Err(SyntaxError {
                at,
                message,
                expected,
            }) => {
                let mut d = self.about(Code::ErrCompileCondition, message, context, at);
                d.expected = expected;
                Err(Box::new(d))
            }
        }
    }

    /// A complaint about a stretch of a condition.
    fn about(&self, code: Code, message: String, context: &Context, at: At) -> Diagnostic {
        let place = self.place(at, context);
        Diagnostic::new(
            code,
            message,
            context.down_to(Item::ConditionExpression, "", place),
        )
    }

    fn place(&self, at: At, context: &Context) -> Place {
        self.texts
            .place(at, self.files)
            .unwrap_or(context.last().place)
    }

    /// Splices macros that were defined before the moment `visibility`.
    fn splice(
        &mut self,
        expr: &Expr,
        visibility: u32,
        context: &Context,
    ) -> Result<(Tree, Vec<String>), Box<Diagnostic>> {
        let look_up = |name: &str| {
            let position = self.collection.macros.position(name)?;
            let entry = self.collection.macros.get(name)?;
            if entry.index >= visibility {
                return None;
            }
            let parsed = self.macros.get(position)?;
            Some(match &parsed.tree {
                None => Known::Broken,
                Some(tree) if parsed.resolved => Known::Resolved(tree.clone()),
                Some(tree) => Known::Raw(tree.clone()),
            })
        };
        let mut names = Vec::new();
        match macros::splice(expr, &look_up, &mut names) {
            Ok(tree) => {
                self.used.extend(names.iter().cloned());
                names.sort_unstable();
                names.dedup();
                Ok((tree, names))
            }
            Err((word, problem)) => Err(Box::new(
                self.macro_problem(&word, &problem, visibility, context),
            )),
        }
    }

    fn macro_problem(
        &self,
        word: &condition::Word,
        problem: &macros::Problem,
        visibility: u32,
        context: &Context,
    ) -> Diagnostic {
        let name = &word.text;
        let later = self
            .collection
            .macros
            .get(name)
            .filter(|entry| entry.index >= visibility);
        let message = match problem {
            macros::Problem::Undefined if later.is_some() => {
                format!(
                    "the macro \"{name}\" is defined later, and macros only see those before them"
                )
            }
            macros::Problem::Undefined => format!("there is no macro \"{name}\""),
            macros::Problem::Broken => format!("the macro \"{name}\" is not sound"),
            macros::Problem::Loop => format!("the macro \"{name}\" leads back to itself"),
            macros::Problem::TooLarge => {
                format!("with the macro \"{name}\" the condition grows too large")
            }
        };
        let mut d = self.about(Code::ErrValidate, message, context, word.at);
        if *problem == macros::Problem::Undefined && later.is_none() {
            d.suggestion = closest(name, self.collection.macros.names());
            if self.collection.lists.get(name).is_some() {
                d.expected = Some("a macro; this name is a list".to_owned());
            }
        }
        if let (macros::Problem::Broken, Some(entry)) = (problem, self.collection.macros.get(name))
        {
            d = d.note(entry.info.context.last().place, "it is defined here");
        }
        d
    }

    fn unused(&mut self) {
        for entry in self.collection.macros.iter() {
            if !self.used.contains(&entry.info.name) {
                let message = format!("nothing uses the macro \"{}\"", entry.info.name);
                self.warn(Diagnostic::new(
                    Code::UnusedMacro,
                    message,
                    entry.info.context.clone(),
                ));
            }
        }
        let unused: Vec<&str> = self
            .lists
            .iter()
            .filter(|l| !l.used)
            .map(|l| l.name.as_str())
            .collect();
        for name in unused {
            if let Some(entry) = self.collection.lists.get(name) {
                let message = format!("nothing uses the list \"{name}\"");
                let d = Diagnostic::new(Code::UnusedList, message, entry.info.context.clone());
                self.out.diagnostics.push(d);
            }
        }
        for group in &self.out.missing_plugins.clone() {
            let whole = Context::file(crate::diagnostic::FileId(0));
            self.warn(Diagnostic::new(
                Code::WarningExtension,
                missing_plugin(group),
                whole,
            ));
        }
    }

    fn finish(mut self) -> Loaded {
        for (entry, parsed) in self.collection.macros.iter().zip(self.macros) {
            let Some(tree) = parsed.tree.filter(|_| parsed.resolved) else {
                continue;
            };
            let expanded = std::rc::Rc::unwrap_or_clone(tree.expr);
            self.out.macros.push(LoadedMacro {
                name: entry.info.name.clone(),
                condition: entry.info.condition.as_str().to_owned(),
                kinds: kinds::infer(&expanded).unwrap_or_else(|_| Kinds::all()),
                expanded,
                macros: parsed.macros,
                lists: parsed.lists,
                used: self.used.contains(&entry.info.name),
                context: entry.info.context.clone(),
            });
        }
        for (entry, list) in self.collection.lists.iter().zip(self.lists.iter()) {
            self.out.lists.push(LoadedList {
                name: list.name.clone(),
                items: entry.info.items.clone(),
                expanded: list.items.clone(),
                lists: list.uses.clone(),
                used: list.used,
                context: entry.info.context.clone(),
            });
        }
        self.out
    }
}
