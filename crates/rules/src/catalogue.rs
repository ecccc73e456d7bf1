//! What rules may refer to: event sources, their fields, the engine's version.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use vedette_event::{EventType, FieldArg, FieldError, FieldRef, class_of, classes};

use crate::condition::{Arg, Field, Operand, TextId, parse_operand};
use crate::diagnostic::closest;
use crate::version::{ENGINE, Version};

/// The source of system calls.
pub const SYSCALL: &str = "syscall";

/// Most look-ups that are remembered; real rule sets use a few hundred different fields.
const MAX_SEEN: usize = 8192;

/// Looks up sources and fields; remembers what it looked up.
#[derive(Debug)]
pub struct Catalogue {
    sources: BTreeSet<String>,
    /// Version of the rules engine that files may ask for.
    pub engine: Version,
    seen: RefCell<HashMap<String, Result<FieldRef, FieldProblem>>>,
}

/// Why a field cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldProblem {
    /// There is none of this name, in this source at least.
    Unknown,
    /// The argument does not fit.
    Argument(FieldError),
    /// `evt.arg` and `evt.rawarg` with a name that no event has as a parameter.
    Parameter,
}

/// Names of all event parameters.
static PARAMETERS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    EventType::all()
        .filter_map(EventType::info)
        .flat_map(|info| info.params.iter().map(|p| p.name))
        .collect()
});

impl Default for Catalogue {
    /// Every source that some field class names.
    fn default() -> Self {
        let named = classes()
            .iter()
            .flat_map(|class| class.sources.iter().copied());
        Self::new(std::iter::once(SYSCALL).chain(named))
    }
}

impl Catalogue {
    /// A catalogue of these sources.
    pub fn new<'s>(sources: impl IntoIterator<Item = &'s str>) -> Self {
        Self {
            sources: sources.into_iter().map(str::to_owned).collect(),
            engine: ENGINE,
            seen: RefCell::default(),
        }
    }

    /// True when events of this source can come.
    pub fn has_source(&self, source: &str) -> bool {
        self.sources.contains(source)
    }

    /// The sources.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(String::as_str)
    }

    /// The field, if this source can give it.
    ///
    /// # Errors
    /// [`FieldProblem`] says why it cannot be used.
    pub fn field(&self, field: &Field, source: &str) -> Result<FieldRef, FieldProblem> {
        let text = field.text();
        let remembered = self.seen.borrow().get(&text).cloned();
        let known = remembered.unwrap_or_else(|| {
            let found = look_up(field, &text);
            let mut seen = self.seen.borrow_mut();
            if seen.len() < MAX_SEEN {
                seen.insert(text, found.clone());
            }
            found
        })?;
        let class = class_of(known.id);
        if class.sources.is_empty() || class.sources.contains(&source) {
            Ok(known)
        } else {
            Err(FieldProblem::Unknown)
        }
    }

    /// True when the text is a field or transformer expression whose fields this source can give.
    pub fn is_operand(&self, text: &str, source: &str) -> bool {
        match parse_operand(text, TextId::default()) {
            Ok((operand, len)) if len == text.len() => self.operand_known(&operand, source),
            _ => false,
        }
    }

    fn operand_known(&self, operand: &Operand, source: &str) -> bool {
        match operand {
            Operand::Field(field) => self.field(field, source).is_ok(),
            Operand::Call(call) => self.args_known(&call.args, source),
        }
    }

    fn args_known(&self, args: &[Arg], source: &str) -> bool {
        args.iter().all(|arg| match arg {
            Arg::Operand(operand) => self.operand_known(operand, source),
            Arg::Value(_) => true,
            Arg::List(items, _) => self.args_known(items, source),
        })
    }

    /// The field of this source whose name is closest to `name`.
    pub fn suggest_field(&self, name: &str, source: &str) -> Option<String> {
        let name = name.split('[').next().unwrap_or(name);
        let fields = classes()
            .iter()
            .filter(|class| class.sources.is_empty() || class.sources.contains(&source))
            .flat_map(|class| class.fields.iter().map(|f| f.name));
        closest(name, fields)
    }

    /// The sources whose events have a field of this name, when there are any: for "that is a field of …".
    pub fn sources_of(&self, field: &Field) -> Option<&'static [&'static str]> {
        look_up(field, &field.text())
            .ok()
            .map(|known| class_of(known.id).sources)
    }
}

fn look_up(field: &Field, text: &str) -> Result<FieldRef, FieldProblem> {
    let known = FieldRef::parse(text).map_err(|why| match why {
        FieldError::Unknown => FieldProblem::Unknown,
        other => FieldProblem::Argument(other),
    })?;
    let takes_parameter = matches!(known.info().name, "evt.arg" | "evt.rawarg");
    match &known.arg {
        FieldArg::Key(name) if takes_parameter && !PARAMETERS.contains(&**name) => {
            Err(if field.arg.is_some() {
                FieldProblem::Parameter
            } else {
                FieldProblem::Unknown
            })
        }
        _ => Ok(known),
    }
}
