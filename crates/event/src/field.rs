//! The field catalogue: one table from which the type checker, the extractors, `vedette fields`, the documentation and
//! completion all come.

use std::fmt;

use crate::fields::CLASSES;
use crate::types::ParamType;

/// A class of fields, such as `proc`, with the sources in which its fields have values.
#[derive(Debug)]
pub struct FieldClass {
    /// Short name, such as `process`.
    pub name: &'static str,
    /// Event sources that can give these fields; empty means every source.
    pub sources: &'static [&'static str],
    /// The fields.
    pub fields: &'static [FieldInfo],
}

/// A field of the catalogue.
#[derive(Debug)]
pub struct FieldInfo {
    /// Full name, such as `proc.aname`.
    pub name: &'static str,
    /// Type of its values (of each element, for lists).
    pub ty: ParamType,
    /// Whether it takes an argument.
    pub arg: ArgKind,
    /// What may be done with it.
    pub flags: FieldFlags,
    /// What its value depends on.
    pub scope: Scope,
    /// One sentence for people, without a full stop.
    pub desc: &'static str,
}

/// Whether a field takes an argument, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// None.
    None,
    /// May take one: a number or a text, as the field sees fit.
    Allowed,
    /// Must have one.
    Required,
    /// May take a number.
    AllowedIndex,
    /// Must have a number.
    RequiredIndex,
    /// Must have a text.
    RequiredKey,
}

/// What may be done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldFlags(pub u8);

impl FieldFlags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// Not for outputs.
    pub const FILTER_ONLY: Self = Self(1);
    /// Not for conditions.
    pub const PRINT_ONLY: Self = Self(2);
    /// Hidden from listings.
    pub const TABLE_ONLY: Self = Self(4);
    /// Kept for old rules.
    pub const DEPRECATED: Self = Self(8);
    /// May not be compared with another field.
    pub const NO_RHS: Self = Self(16);
    /// May not be put through a transformer.
    pub const NO_TRANSFORMER: Self = Self(32);
    /// Has a list of values.
    pub const LIST: Self = Self(64);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when every bit of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the value of a field depends on; decides how long a result may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On the event itself (its parameters, its descriptor, the time).
    Event,
    /// Only on the state named by [`crate::StateKey`]: the process, its ancestors, user, container.
    Process,
}

/// Index of a field in the catalogue, classes in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u16);

impl FieldId {
    /// The catalogue entry.
    pub fn info(self) -> &'static FieldInfo {
        let mut index = usize::from(self.0);
        for class in CLASSES {
            match class.fields.get(index) {
                Some(info) => return info,
                None => index -= class.fields.len(),
            }
        }
        // An id is only ever made by the functions below, which number what is in the table.
        &CLASSES[0].fields[0]
    }

    /// The field with exactly this name. Extractors resolve the names they serve once, at start.
    pub fn by_name(name: &str) -> Option<Self> {
        all().find(|(_, info)| info.name == name).map(|(id, _)| id)
    }
}

/// Every class in order.
pub fn classes() -> &'static [&'static FieldClass] {
    CLASSES
}

/// Every field with its id.
pub fn all() -> impl Iterator<Item = (FieldId, &'static FieldInfo)> {
    CLASSES
        .iter()
        .flat_map(|class| class.fields)
        .enumerate()
        .map(|(index, info)| (FieldId(index as u16), info))
}

/// The class that a field belongs to.
pub fn class_of(id: FieldId) -> &'static FieldClass {
    let mut index = usize::from(id.0);
    for class in CLASSES {
        if index < class.fields.len() {
            return class;
        }
        index -= class.fields.len();
    }
    CLASSES[0]
}

/// Argument of a field as written: `proc.aname[2]`, `evt.arg.flags`, `container.mount.dest[/etc]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FieldArg {
    /// None given.
    None,
    /// A number.
    Index(u64),
    /// A text.
    Key(Box<str>),
}

/// A field with its argument: what conditions and outputs ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldRef {
    /// Which field.
    pub id: FieldId,
    /// Its argument.
    pub arg: FieldArg,
    /// The text as the rule author wrote it; the key in `output_fields`.
    pub text: Box<str>,
}

/// Why a text is not a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// No field has this name.
    Unknown,
    /// The field needs an argument.
    ArgMissing,
    /// The field takes no argument.
    ArgNotAllowed,
    /// The field takes a number.
    ArgNotANumber,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no field has this name",
            Self::ArgMissing => "the field needs an argument in square brackets",
            Self::ArgNotAllowed => "the field takes no argument",
            Self::ArgNotANumber => "the field takes a number as its argument",
        })
    }
}

impl std::error::Error for FieldError {}

impl FieldRef {
    /// Reads `name`, `name[arg]`, `name["arg"]` or `name.arg`, the longest known name winning.
    ///
    /// # Errors
    /// [`FieldError`] says what does not fit.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let (name, bracket) = match text.split_once('[') {
            Some((name, rest)) => {
                let arg = rest.strip_suffix(']').ok_or(FieldError::Unknown)?;
                let quoted = arg.len() >= 2
                    && (arg.starts_with('"') && arg.ends_with('"')
                        || arg.starts_with('\'') && arg.ends_with('\''));
                (
                    name,
                    Some(if quoted { &arg[1..arg.len() - 1] } else { arg }),
                )
            }
            None => (text, None),
        };
        let (id, info, dotted) = all()
            .filter_map(|(id, info)| {
                let rest = name.strip_prefix(info.name)?;
                if rest.is_empty() {
                    Some((id, info, None))
                } else {
                    Some((id, info, Some(rest.strip_prefix('.')?)))
                }
            })
            .max_by_key(|(_, info, _)| info.name.len())
            .ok_or(FieldError::Unknown)?;
        // A dotted rest is an argument only where the field takes one; else the longer name is simply unknown.
        if dotted.is_some() && (info.arg == ArgKind::None || bracket.is_some()) {
            return Err(FieldError::Unknown);
        }
        let arg = match (bracket.or(dotted), info.arg) {
            (None, ArgKind::Required | ArgKind::RequiredKey | ArgKind::RequiredIndex) => {
                return Err(FieldError::ArgMissing);
            }
            (None, _) => FieldArg::None,
            (Some(_), ArgKind::None) => return Err(FieldError::ArgNotAllowed),
            (Some(arg), ArgKind::AllowedIndex | ArgKind::RequiredIndex) => {
                FieldArg::Index(arg.parse().map_err(|_| FieldError::ArgNotANumber)?)
            }
            (Some(arg), ArgKind::RequiredKey) => FieldArg::Key(arg.into()),
            (Some(arg), ArgKind::Allowed | ArgKind::Required) => match arg.parse() {
                Ok(index) => FieldArg::Index(index),
                Err(_) => FieldArg::Key(arg.into()),
            },
        };
        Ok(Self {
            id,
            arg,
            text: text.into(),
        })
    }

    /// The catalogue entry.
    pub fn info(&self) -> &'static FieldInfo {
        self.id.info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_name_wins_and_the_rest_is_its_argument() {
        let parse = |text: &str| FieldRef::parse(text).map(|f| (f.info().name, f.arg));
        assert_eq!(
            parse("proc.aname[2]"),
            Ok(("proc.aname", FieldArg::Index(2)))
        );
        assert_eq!(
            parse("evt.arg.flags"),
            Ok(("evt.arg", FieldArg::Key("flags".into())))
        );
        assert_eq!(parse("evt.arg[0]"), Ok(("evt.arg", FieldArg::Index(0))));
        assert_eq!(parse("evt.args"), Ok(("evt.args", FieldArg::None)));
        assert_eq!(
            parse("container.mount.dest[/etc]"),
            Ok(("container.mount.dest", FieldArg::Key("/etc".into())))
        );
        assert_eq!(parse("evt.arg"), Err(FieldError::ArgMissing));
        assert_eq!(parse("proc.name[1]"), Err(FieldError::ArgNotAllowed));
        assert_eq!(parse("proc.names"), Err(FieldError::Unknown));
    }

    #[test]
    fn names_are_unique_and_ids_lead_back() {
        let mut seen = std::collections::HashSet::new();
        for (id, info) in all() {
            assert!(seen.insert(info.name), "{} is there twice", info.name);
            assert!(std::ptr::eq(id.info(), info));
        }
    }
}
