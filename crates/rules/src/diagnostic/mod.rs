//! Complaints about rule files: what is wrong, where, on which item, under which of Falco's result codes.

mod render;

use serde_json::{Value, json};
use vedette_yaml::Span;

/// Falco's result codes: warnings first, then errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "Code::meaning says what each is")]
pub enum Code {
    UnknownSource,
    UnsafeNaCheck,
    NoEvttype,
    UnknownFilter,
    UnusedMacro,
    UnusedList,
    UnknownItem,
    DeprecatedItem,
    WarningExtension,
    AppendNoValues,
    ExceptionNameNotUnique,
    InvalidMacroName,
    InvalidListName,
    WarnCompileCondition,
    UnknownKey,
    ErrFileRead,
    ErrYamlParse,
    ErrYamlValidate,
    ErrCompileCondition,
    ErrCompileOutput,
    ErrValidate,
    ErrExtension,
}

impl Code {
    /// The name that Falco's result JSON carries.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownSource => "LOAD_UNKNOWN_SOURCE",
            Self::UnsafeNaCheck => "LOAD_UNSAFE_NA_CHECK",
            Self::NoEvttype => "LOAD_NO_EVTTYPE",
            Self::UnknownFilter => "LOAD_UNKNOWN_FILTER",
            Self::UnusedMacro => "LOAD_UNUSED_MACRO",
            Self::UnusedList => "LOAD_UNUSED_LIST",
            Self::UnknownItem => "LOAD_UNKNOWN_ITEM",
            Self::DeprecatedItem => "LOAD_DEPRECATED_ITEM",
            Self::WarningExtension => "LOAD_WARNING_EXTENSION",
            Self::AppendNoValues => "LOAD_APPEND_NO_VALUES",
            Self::ExceptionNameNotUnique => "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
            Self::InvalidMacroName => "LOAD_INVALID_MACRO_NAME",
            Self::InvalidListName => "LOAD_INVALID_LIST_NAME",
            Self::WarnCompileCondition => "LOAD_COMPILE_CONDITION",
            Self::UnknownKey => "LOAD_UNKNOWN_KEY",
            Self::ErrFileRead => "LOAD_ERR_FILE_READ",
            Self::ErrYamlParse => "LOAD_ERR_YAML_PARSE",
            Self::ErrYamlValidate => "LOAD_ERR_YAML_VALIDATE",
            Self::ErrCompileCondition => "LOAD_ERR_COMPILE_CONDITION",
            Self::ErrCompileOutput => "LOAD_ERR_COMPILE_OUTPUT",
            Self::ErrValidate => "LOAD_ERR_VALIDATE",
            Self::ErrExtension => "LOAD_ERR_EXTENSION",
        }
    }

    /// What the code means in general, in one sentence without a full stop.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::UnknownSource => "no event source has the name that the rule asks for",
            Self::UnsafeNaCheck => "a comparison with <NA> does not tell whether a field exists",
            Self::NoEvttype => "the condition does not narrow the event types, which costs speed",
            Self::UnknownFilter => {
                "a field or event type is unknown, and the rule asked to be skipped in that case"
            }
            Self::UnusedMacro => "nothing uses the macro",
            Self::UnusedList => "nothing uses the list",
            Self::UnknownItem => "the object is no list, macro, rule or requirement",
            Self::DeprecatedItem => "something is used that will go away",
            Self::WarningExtension => "an extension has a remark",
            Self::AppendNoValues => "an exception is appended to without values",
            Self::ExceptionNameNotUnique => "two exceptions of a rule share a name",
            Self::InvalidMacroName => "conditions cannot name the macro",
            Self::InvalidListName => "conditions cannot name the list",
            Self::WarnCompileCondition => "the condition may not mean what it seems to",
            Self::UnknownKey => "the object has a key that nothing reads",
            Self::ErrFileRead => "the file cannot be read",
            Self::ErrYamlParse => "the file is not YAML",
            Self::ErrYamlValidate => "the YAML does not have the shape of rules",
            Self::ErrCompileCondition => "the condition is not sound",
            Self::ErrCompileOutput => "the output format is not sound",
            Self::ErrValidate => "rules, macros, lists or exceptions do not fit together",
            Self::ErrExtension => "an extension refuses the file",
        }
    }

    /// True for the codes that make Falco refuse a file.
    pub fn is_error(self) -> bool {
        self >= Self::ErrFileRead
    }
}

/// Kinds of items in Falco's words; the names come back in its result JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "Item::name has the words")]
pub enum Item {
    ValueFor,
    Exceptions,
    Exception,
    ExceptionValues,
    ExceptionValue,
    RulesContent,
    RulesContentItem,
    RequiredEngineVersion,
    RequiredPluginVersions,
    RequiredPluginVersionsEntry,
    RequiredPluginVersionsAlternative,
    List,
    Macro,
    MacroCondition,
    Rule,
    RuleCondition,
    ConditionExpression,
    RuleOutput,
    RulePriority,
    Overrides,
}

impl Item {
    /// Falco's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ValueFor => "value for",
            Self::Exceptions => "exceptions",
            Self::Exception => "exception",
            Self::ExceptionValues => "exception values",
            Self::ExceptionValue => "exception value",
            Self::RulesContent => "rules content",
            Self::RulesContentItem => "rules content item",
            Self::RequiredEngineVersion => "required_engine_version",
            Self::RequiredPluginVersions => "required plugin versions",
            Self::RequiredPluginVersionsEntry => "required plugin versions entry",
            Self::RequiredPluginVersionsAlternative => "required plugin versions alternative",
            Self::List => "list",
            Self::Macro => "macro",
            Self::MacroCondition => "macro condition",
            Self::Rule => "rule",
            Self::RuleCondition => "rule condition",
            Self::ConditionExpression => "condition expression",
            Self::RuleOutput => "rule output",
            Self::RulePriority => "rule priority",
            Self::Overrides => "overrides",
        }
    }
}

/// Number of a file among those given to the loader, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A stretch of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub file: FileId,
    /// Which part of it.
    pub span: Span,
}

/// One step on the way from the file to the thing complained about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Kind of the item.
    pub item: Item,
    /// Its name, empty when it has none.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// The way from a file down to an item; what Falco calls the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    steps: Vec<Step>,
}

impl Context {
    /// A file as a whole.
    pub fn file(file: FileId) -> Self {
        let place = Place {
            file,
            span: Span {
                start: 0,
                end: 0,
                line: 1,
                column: 1,
            },
        };
        Self {
            steps: vec![Step {
                item: Item::RulesContent,
                name: String::new(),
                place,
            }],
        }
    }

    /// One step further down, in the same file.
    #[must_use]
    pub fn down(&self, item: Item, name: &str, span: Span) -> Self {
        let place = Place {
            file: self.last().place.file,
            span,
        };
        self.down_to(item, name, place)
    }

    /// One step further down, to a place that may be in another file (an appended condition).
    #[must_use]
    pub fn down_to(&self, item: Item, name: &str, place: Place) -> Self {
        let mut steps = self.steps.clone();
        steps.push(Step {
            item,
            name: name.to_owned(),
            place,
        });
        Self { steps }
    }

    /// The steps from the file down; never empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The innermost step.
    pub fn last(&self) -> &Step {
        self.steps.last().expect("a context starts with its file")
    }
}

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Falco's result code.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// From the file down to the item that Falco would name.
    pub context: Context,
    /// The exact place.
    pub place: Place,
    /// What was expected there.
    pub expected: Option<String>,
    /// A name that may have been meant.
    pub suggestion: Option<String>,
    /// Further places that matter, each with a remark.
    pub notes: Vec<(Place, String)>,
}

impl Diagnostic {
    /// A complaint about the innermost item of `context`.
    pub fn new(code: Code, message: impl Into<String>, context: Context) -> Self {
        let place = context.last().place;
        Self {
            code,
            message: message.into(),
            context,
            place,
            expected: None,
            suggestion: None,
            notes: Vec::new(),
        }
    }

    /// The same, with what was expected.
    #[must_use]
    pub fn expecting(mut self, what: impl Into<String>) -> Self {
        self.expected = Some(what.into());
        self
    }

    /// The same, with a name that may have been meant.
    #[must_use]
    pub fn suggesting(mut self, name: Option<String>) -> Self {
        self.suggestion = name;
        self
    }

    /// The same, pointing somewhere else than at the item.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same, with one more remark.
    #[must_use]
    pub fn note(mut self, place: Place, text: impl Into<String>) -> Self {
        self.notes.push((place, text.into()));
        self
    }

    /// True when the code is an error.
    pub fn is_error(&self) -> bool {
        self.code.is_error()
    }

    /// The innermost rule, macro or list that the complaint is about: kind and name.
    pub fn subject(&self) -> Option<(Item, &str)> {
        self.context.steps().iter().rev().find_map(|step| {
            matches!(step.item, Item::Rule | Item::Macro | Item::List)
                .then_some((step.item, step.name.as_str()))
        })
    }

    /// For a terminal: message, place, source line with a caret, what was expected. No colour, one blank line less than
    /// a paragraph at the end. Text from the files is escaped.
    pub fn render(&self, files: &Files<'_>) -> String {
        render::text(self, files)
    }

    /// Falco's shape of one complaint (`code`, `codedesc`, `message`, `context.locations` with lines and columns from
    /// 0, `context.snippet`), plus `line` and `column` from 1, `file`, `expected` and `suggestion`.
    pub fn to_json(&self, files: &Files<'_>) -> Value {
        let locations: Vec<Value> = self
            .context
            .steps()
            .iter()
            .map(|step| {
                json!({
                    "item_type": step.item.name(),
                    "item_name": step.name,
                    "position": {
                        "name": files.name(step.place.file),
                        "line": step.place.span.line.saturating_sub(1),
                        "column": step.place.span.column.saturating_sub(1),
                        "offset": step.place.span.start,
                    },
                })
            })
            .collect();
        let mut out = json!({
            "code": self.code.name(),
            "codedesc": self.code.meaning(),
            "message": self.message,
            "context": { "locations": locations, "snippet": render::snippet(self.place, files) },
            "file": files.name(self.place.file),
            "line": self.place.span.line,
            "column": self.place.span.column,
        });
        if let Some(expected) = &self.expected {
            out["expected"] = json!(expected);
        }
        if let Some(suggestion) = &self.suggestion {
            out["suggestion"] = json!(suggestion);
        }
        out
    }
}

/// The files a complaint points into: names and texts, in the order of their [`FileId`]s.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a>(pub &'a [(String, String)]);

impl Files<'_> {
    /// Name of a file.
    pub fn name(&self, id: FileId) -> &str {
        self.0.get(id.0 as usize).map_or("?", |(name, _)| name)
    }

    /// Text of a file.
    pub fn text(&self, id: FileId) -> &str {
        self.0.get(id.0 as usize).map_or("", |(_, text)| text)
    }
}

/// The candidate closest to `word`, when it is close enough to be what was meant.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    // A third of the letters may differ; more than that is a guess that misleads.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .filter(|c| c.len().abs_diff(word.len()) <= limit)
        .map(|c| (distance(word, c), c))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, c)| c.to_owned())
}

/// Edits (insert, delete, replace, swap neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    // Words from files may be long; beyond this they are not typing errors of each other.
    const LONGEST: usize = 96;
    if a.chars().count() > LONGEST || b.chars().count() > LONGEST {
        return usize::MAX;
    }
    strsim::osa_distance(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_suggested_and_far_ones_are_not() {
        let names = ["proc.name", "proc.pname", "fd.name"];
        let near = |word| closest(word, names.into_iter());
        assert_eq!(near("proc.nmae"), Some("proc.name".into()));
        assert_eq!(near("fd.nam"), Some("fd.name".into()));
        assert_eq!(near("container.id"), None);
    }
}
