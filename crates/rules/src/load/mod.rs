//! From files to rules that can be compiled.
//!
//! Two ways: [`load`] lets everything sound through and reports the rest; [`verdicts`] does what Falco does, file after
//! file, and stops where Falco stops.

mod compile;

use crate::catalogue::{Catalogue, SYSCALL};
use crate::collection::Collection;
use crate::condition::Expr;
use crate::diagnostic::{Code, Diagnostic, FileId, Files};
use crate::kinds::Kinds;
use crate::output::{AppendOutput, Format};
use crate::source::objects::{Entry, PluginVersion};
use crate::source::{self, Step};
use crate::typed;
use crate::version::{ENGINE, Version};

/// How to load.
#[derive(Clone, Debug)]
pub struct Options {
    /// Event sources that exist; rules of others are skipped with a warning. `None` is every source with fields.
    pub sources: Option<Vec<String>>,
    /// Plugins that are there, as name and version; requirements are checked against them. `None` checks nothing.
    pub plugins: Option<Vec<(String, Version)>>,
    /// Version of the rules engine that files may ask for.
    pub engine: Version,
    /// What is put behind outputs.
    pub append_output: Vec<AppendOutput>,
    /// Give no rules at all when Falco would refuse one of the files, and stop at that file.
    pub strict: bool,
}

impl Default for Options {
    /// Every source, the newest engine, suggested fields behind the outputs, one bad rule disables only itself.
    fn default() -> Self {
        Self {
            sources: None,
            plugins: None,
            engine: ENGINE,
            append_output: vec![AppendOutput::suggested()],
            strict: false,
        }
    }
}

impl Options {
    fn catalogue(&self) -> Catalogue {
        let mut catalogue = match &self.sources {
            None => Catalogue::default(),
            Some(sources) => {
                Catalogue::new(std::iter::once(SYSCALL).chain(sources.iter().map(String::as_str)))
            }
        };
        catalogue.engine = self.engine;
        catalogue
    }
}

/// What the files held.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Rules in order of first definition, those switched off included.
    pub rules: Vec<LoadedRule>,
    /// Macros in order of first definition, unsound ones left out.
    pub macros: Vec<LoadedMacro>,
    /// Lists in order of first definition.
    pub lists: Vec<LoadedList>,
    /// Complaints, in the order in which they were found.
    pub diagnostics: Vec<Diagnostic>,
    /// The highest engine version that a file asked for.
    pub required_engine: Option<Version>,
    /// Plugins asked for: one of each group is enough.
    pub required_plugins: Vec<Vec<PluginVersion>>,
    /// Groups of plugins of which none is there.
    pub missing_plugins: Vec<Vec<PluginVersion>>,
}

impl Loaded {
    /// The rules that are switched on, ready for the compiler.
    pub fn enabled(&self) -> Vec<typed::Rule> {
        self.rules
            .iter()
            .filter(|r| r.enabled)
            .map(|r| r.rule.clone())
            .collect()
    }

    /// The rule of this name.
    pub fn rule(&self, name: &str) -> Option<&LoadedRule> {
        self.rules.iter().find(|r| r.rule.name == name)
    }

    /// True when there is an error among the complaints.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// A rule that is sound.
#[derive(Clone, Debug)]
pub struct LoadedRule {
    /// The rule as the compiler takes it.
    pub rule: typed::Rule,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Its output, parsed.
    pub format: Format,
    /// Fields that only `output_fields` gets: name, and how to fill it.
    pub extra_fields: Vec<(String, ExtraFormat)>,
    /// Condition as written, appended parts included, exceptions not.
    pub condition: String,
    /// Output as written, appended parts of rule files included, `append_output` not.
    pub output: String,
    /// Condition with exceptions folded in, lists substituted and macros spliced.
    pub expanded: Expr,
    /// Event types at which it can be true, before those that never come are left out.
    pub kinds: Kinds,
    /// Macros its condition names itself, sorted.
    pub macros: Vec<String>,
    /// Lists its condition names itself.
    pub lists: Vec<String>,
    /// Its exceptions.
    pub exceptions: Vec<LoadedException>,
    /// Where it was defined last.
    pub context: crate::diagnostic::Context,
}

/// How a field that only `output_fields` gets is filled.
#[derive(Clone, Debug, PartialEq)]
pub enum ExtraFormat {
    /// With the value of a field.
    Field(Box<vedette_event::FieldRef>),
    /// With a text.
    Text(Format),
}

/// An exception of a rule, for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedException {
    /// Name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<String>,
    /// Its operators.
    pub comps: Vec<String>,
    /// Number of values or tuples.
    pub values: usize,
}

/// A macro that is sound.
#[derive(Clone, Debug)]
pub struct LoadedMacro {
    /// Name.
    pub name: String,
    /// Condition as written.
    pub condition: String,
    /// Condition with lists substituted and macros spliced.
    pub expanded: Expr,
    /// Event types at which it can be true.
    pub kinds: Kinds,
    /// Macros it names itself, sorted.
    pub macros: Vec<String>,
    /// Lists it names itself.
    pub lists: Vec<String>,
    /// Whether anything uses it.
    pub used: bool,
    /// Where it was defined last.
    pub context: crate::diagnostic::Context,
}

/// A list.
#[derive(Clone, Debug)]
pub struct LoadedList {
    /// Name.
    pub name: String,
    /// Items as written.
    pub items: Vec<String>,
    /// Items with inner lists replaced by theirs.
    pub expanded: Vec<String>,
    /// Lists among the items.
    pub lists: Vec<String>,
    /// Whether anything uses it.
    pub used: bool,
    /// Where it was defined last.
    pub context: crate::diagnostic::Context,
}

/// What Falco says of one file.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Which file.
    pub file: FileId,
    /// Errors (at most one, as Falco stops there) and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl Verdict {
    /// True when Falco accepts the file.
    pub fn accepted(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Falco's shape of one entry of `falco_load_results`.
    pub fn to_json(&self, files: &Files<'_>) -> serde_json::Value {
        let of = |errors: bool| -> Vec<serde_json::Value> {
            let wanted = self.diagnostics.iter().filter(|d| d.is_error() == errors);
            wanted.map(|d| d.to_json(files)).collect()
        };
        serde_json::json!({
            "name": files.name(self.file),
            "successful": self.accepted(),
            "errors": of(true),
            "warnings": of(false),
        })
    }
}

/// Loads files, in order, as one set of rules. What is not sound is left out and reported.
pub fn load(files: &[(String, String)], options: &Options) -> Loaded {
    let names = Files(files);
    if options.strict {
        let (verdicts, loaded) = judge(files, options, true);
        let accepted = verdicts.iter().all(Verdict::accepted);
        let mut loaded = loaded.filter(|_| accepted).unwrap_or_default();
        loaded.diagnostics = without_repetitions(verdicts);
        return loaded;
    }
    let catalogue = options.catalogue();
    let mut collection = Collection::default();
    let mut found = Vec::new();
    for (i, (_, text)) in files.iter().enumerate() {
        for step in source::read(FileId(i as u32), text) {
            match step {
                Step::Warn(warning) => found.push(*warning),
                Step::Do(action) => {
                    if let Err(diagnostic) = collection.apply(action, &catalogue, &mut found) {
                        found.push(*diagnostic);
                    }
                }
            }
        }
    }
    let mut loaded = compile::compile(&collection, &catalogue, options, &names, false);
    found.append(&mut loaded.diagnostics);
    loaded.diagnostics = found;
    loaded
}

/// What Falco would say: after each file everything collected so far is compiled again, and reading and compiling stop at
/// the first error. Files after a refused one are judged too, as Falco's validation does.
pub fn verdicts(files: &[(String, String)], options: &Options) -> Vec<Verdict> {
    judge(files, options, false).0
}

fn judge(
    files: &[(String, String)],
    options: &Options,
    stop: bool,
) -> (Vec<Verdict>, Option<Loaded>) {
    let names = Files(files);
    let catalogue = options.catalogue();
    let mut collection = Collection::default();
    let mut verdicts = Vec::new();
    let mut last = None;
    for (i, (_, text)) in files.iter().enumerate() {
        let file = FileId(i as u32);
        let mut diagnostics = Vec::new();
        let read = source::read(file, text)
            .into_iter()
            .try_for_each(|step| match step {
                Step::Warn(warning) => {
                    diagnostics.push(*warning);
                    Ok(())
                }
                Step::Do(action) => collection.apply(action, &catalogue, &mut diagnostics),
            });
        if let Err(diagnostic) = read {
            diagnostics.push(*diagnostic);
        } else {
            let mut loaded = compile::compile(&collection, &catalogue, options, &names, true);
            diagnostics.append(&mut loaded.diagnostics);
            last = Some(loaded);
        }
        verdicts.push(Verdict { file, diagnostics });
        if stop && verdicts.last().is_some_and(|v| !v.accepted()) {
            break;
        }
    }
    (verdicts, last)
}

/// Every file's compilation warns about everything before it again; a reader wants to hear it once. What was unused after
/// one file may be used by a later one, so that only the last file's word on that counts.
fn without_repetitions(verdicts: Vec<Verdict>) -> Vec<Diagnostic> {
    let mut seen = std::collections::HashSet::new();
    let last = verdicts.len().saturating_sub(1);
    let all = verdicts
        .into_iter()
        .enumerate()
        .flat_map(|(i, v)| v.diagnostics.into_iter().map(move |d| (i, d)));
    all.filter(|(i, d)| *i == last || !matches!(d.code, Code::UnusedList | Code::UnusedMacro))
        .map(|(_, d)| d)
        .filter(|d| seen.insert((d.code, d.place.file, d.place.span.start, d.message.clone())))
        .collect()
}

/// The texts of an exception's fields or operators.
fn texts(entry: &Entry) -> Vec<String> {
    match entry {
        Entry::None => Vec::new(),
        Entry::One(text) => vec![text.clone()],
        Entry::Many(items) => items.iter().map(|item| item.text().to_owned()).collect(),
    }
}

/// A complaint that no plugin of a group is there.
fn missing_plugin(group: &[PluginVersion]) -> String {
    let wanted: Vec<String> = group
        .iter()
        .map(|p| format!("{} {}", p.name, p.version))
        .collect();
    format!("the rules need plugin {}", wanted.join(" or "))
}
