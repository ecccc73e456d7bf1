//! What a rules file asks for: definitions, appends, replacements, requirements.

use std::collections::BTreeSet;

use vedette_event::Priority;

use super::text::Text;
use crate::diagnostic::{Context, Diagnostic};
use crate::version::Version;

/// Something to be done to the collection of lists, macros and rules.
#[derive(Clone, Debug)]
pub enum Action {
    /// The file needs an engine of this version.
    RequireEngine(Version, Context),
    /// The file needs one of these plugins.
    RequirePlugin(Vec<PluginVersion>, Context),
    /// Defines or redefines a list.
    DefineList(List),
    /// Adds items to a list.
    AppendList(List),
    /// Defines or redefines a macro.
    DefineMacro(Macro),
    /// Adds to a macro's condition.
    AppendMacro(Macro),
    /// Defines or redefines a rule.
    DefineRule(Box<Rule>),
    /// Adds to parts of a rule.
    AppendRule(Box<Update>),
    /// Replaces parts of a rule.
    ReplaceRule(Box<Update>),
    /// Switches a rule on or off (the deprecated stand-alone key).
    EnableRule(String, bool, Context),
    /// The object is not sound; what came before this action in it still holds.
    Fail(Box<Diagnostic>),
}

/// A plugin and the least version of it that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    /// Name of the plugin.
    pub name: String,
    /// Version as written.
    pub version: String,
}

/// A list object.
#[derive(Clone, Debug)]
pub struct List {
    /// Name.
    pub name: String,
    /// Items: values or names of other lists.
    pub items: Vec<String>,
    /// Where it stands.
    pub context: Context,
}

/// A macro object.
#[derive(Clone, Debug)]
pub struct Macro {
    /// Name.
    pub name: String,
    /// Condition.
    pub condition: Text,
    /// Where it stands.
    pub context: Context,
    /// Where its condition stands.
    pub condition_context: Context,
}

/// A rule object that defines the whole rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name.
    pub name: String,
    /// Description.
    pub desc: String,
    /// Condition.
    pub condition: Text,
    /// Output format.
    pub output: Text,
    /// Priority.
    pub priority: Priority,
    /// Event source.
    pub source: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Exceptions.
    pub exceptions: Vec<Exception>,
    /// Whether a capture is taken when it fires.
    pub capture: bool,
    /// Length of that capture in milliseconds, 0 for the default.
    pub capture_duration: u64,
    /// Whether a condition without event types is worth a warning.
    pub warn_evttypes: bool,
    /// Whether unknown fields skip the rule instead of failing the file.
    pub skip_if_unknown: bool,
    /// Where it stands.
    pub context: Context,
    /// Where its condition stands.
    pub condition_context: Context,
    /// Where its output stands.
    pub output_context: Context,
}

/// A rule object that changes parts of a rule.
#[derive(Clone, Debug)]
pub struct Update {
    /// Name.
    pub name: String,
    /// Condition.
    pub condition: Option<Text>,
    /// Output format.
    pub output: Option<Text>,
    /// Description.
    pub desc: Option<String>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
    /// Exceptions.
    pub exceptions: Option<Vec<Exception>>,
    /// Priority.
    pub priority: Option<Priority>,
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// Whether a capture is taken.
    pub capture: Option<bool>,
    /// Length of that capture in milliseconds.
    pub capture_duration: Option<u64>,
    /// Whether a condition without event types is worth a warning.
    pub warn_evttypes: Option<bool>,
    /// Whether unknown fields skip the rule.
    pub skip_if_unknown: Option<bool>,
    /// Where it stands.
    pub context: Context,
}

impl Update {
    /// An update of nothing.
    pub fn new(name: &str, context: Context) -> Self {
        Self {
            name: name.to_owned(),
            condition: None,
            output: None,
            desc: None,
            tags: None,
            exceptions: None,
            priority: None,
            enabled: None,
            capture: None,
            capture_duration: None,
            warn_evttypes: None,
            skip_if_unknown: None,
            context,
        }
    }

    /// True when it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.condition.is_none()
            && self.output.is_none()
            && self.desc.is_none()
            && self.tags.is_none()
            && self.exceptions.is_none()
            && self.priority.is_none()
            && self.enabled.is_none()
            && self.capture.is_none()
            && self.capture_duration.is_none()
            && self.warn_evttypes.is_none()
            && self.skip_if_unknown.is_none()
    }
}

/// One value or a list of them, as exceptions have them for fields, operators and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Not given.
    None,
    /// A scalar.
    One(String),
    /// A sequence.
    Many(Vec<Self>),
}

impl Entry {
    /// True when something was given.
    pub fn is_given(&self) -> bool {
        match self {
            Self::None => false,
            Self::One(text) => !text.is_empty(),
            Self::Many(items) => !items.is_empty(),
        }
    }

    /// The text of a scalar, empty for the others.
    pub fn text(&self) -> &str {
        match self {
            Self::One(text) => text,
            _ => "",
        }
    }

    /// The items of a sequence, none for the others.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Many(items) => items,
            _ => &[],
        }
    }
}

/// An exception of a rule.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Name, unique in the rule.
    pub name: String,
    /// One field or several.
    pub fields: Entry,
    /// One operator or several.
    pub comps: Entry,
    /// Values, or tuples of them.
    pub values: Vec<Entry>,
    /// Where it stands.
    pub context: Context,
}
