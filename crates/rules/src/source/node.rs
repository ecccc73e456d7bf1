//! Questions that the reader asks of YAML nodes, each with its complaint.

use vedette_yaml::{Node, Span};

use super::Step;
use super::objects::Action;
use crate::diagnostic::{Code, Context, Diagnostic, FileId, Item, Place, closest};

/// Collects what one file asks for.
pub(super) struct Reader {
    pub(super) file: FileId,
    pub(super) steps: Vec<Step>,
}

/// What an `override` key asks for.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    /// Keys to append.
    pub(super) append: Vec<String>,
    /// Keys to replace.
    pub(super) replace: Vec<String>,
}

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }
}

type Read<T> = Result<T, Box<Diagnostic>>;

/// The value under a key. With duplicate keys the first one, as Falco's YAML reader has it.
pub(super) fn get<'n>(item: &'n Node, key: &str) -> Option<&'n Node> {
    item.as_map()?
        .iter()
        .find(|(k, _)| k.as_str() == Some(key))
        .map(|(_, value)| value)
}

pub(super) fn wrong(message: impl Into<String>, context: &Context) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(
        Code::ErrYamlValidate,
        message,
        context.clone(),
    ))
}

pub(super) fn missing(key: &str, context: &Context) -> Box<Diagnostic> {
    wrong(format!("the key \"{key}\" is missing"), context)
}

impl Reader {
    pub(super) fn act(&mut self, action: Action) {
        self.steps.push(Step::Do(action));
    }

    pub(super) fn fail(&mut self, diagnostic: Diagnostic) {
        self.act(Action::Fail(Box::new(diagnostic)));
    }

    pub(super) fn warn(&mut self, diagnostic: Diagnostic) {
        self.steps.push(Step::Warn(Box::new(diagnostic)));
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place {
            file: self.file,
            span,
        }
    }

    /// A sequence of scalars.
    pub(super) fn scalars(&self, node: &Node, key: &str, context: &Context) -> Read<Vec<String>> {
        let inner = context.down(Item::ValueFor, key, node.span);
        let mut out = Vec::new();
        for item in sequence(node, key, &inner)? {
            match item.as_str() {
                Some(text) if !item.is_null() => out.push(text.to_owned()),
                _ => {
                    let place = self.place(item.span);
                    let message = format!(
                        "\"{key}\" must hold single values, and this is {}",
                        item.describe()
                    );
                    return Err(Box::new(wrong(message, &inner).at(place)));
                }
            }
        }
        Ok(out)
    }

    /// The deprecated `append` key.
    pub(super) fn append_flag(&mut self, item: &Node, context: &Context) -> Read<bool> {
        let append = flag(item, "append", context)?.unwrap_or(false);
        if append {
            self.warn(
                Diagnostic::new(
                    Code::DeprecatedItem,
                    "the key \"append\" is deprecated",
                    context.clone(),
                )
                .expecting("an \"override\" map that says which keys to append"),
            );
        }
        Ok(append)
    }

    /// Warns about keys that nothing reads.
    pub(super) fn unknown_keys(&mut self, item: &Node, known: &[&str], context: &Context) {
        for (key, _) in item.as_map().unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                let place = self.place(key.span);
                self.warn(
                    Diagnostic::new(
                        Code::UnknownKey,
                        format!("nothing reads the key \"{name}\""),
                        context.clone(),
                    )
                    .at(place)
                    .suggesting(closest(name, known.iter().copied())),
                );
            }
        }
    }
}

/// The scalar under a key, neither null nor empty.
pub(super) fn scalar<'n>(item: &'n Node, key: &str, context: &Context) -> Read<&'n Node> {
    let Some(value) = get(item, key) else {
        return Err(missing(key, context));
    };
    if value.is_null() {
        return Err(wrong(
            format!("nothing is written behind \"{key}\""),
            context,
        ));
    }
    let inner = context.down(Item::ValueFor, key, value.span);
    match value.as_str() {
        None => Err(wrong(
            format!(
                "\"{key}\" must be a single value, and this is {}",
                value.describe()
            ),
            &inner,
        )),
        Some("") => Err(wrong(format!("\"{key}\" must not be empty"), &inner)),
        Some(_) => Ok(value),
    }
}

/// The text under a key.
pub(super) fn text(item: &Node, key: &str, context: &Context) -> Read<String> {
    scalar(item, key, context).map(|node| node.as_str().unwrap_or_default().to_owned())
}

/// The boolean under a key that may be missing.
pub(super) fn flag(item: &Node, key: &str, context: &Context) -> Read<Option<bool>> {
    if get(item, key).is_none() {
        return Ok(None);
    }
    let node = scalar(item, key, context)?;
    if let Some(value) = yaml_bool(node.as_str().unwrap_or_default()) {
        return Ok(Some(value));
    }
    let inner = context.down(Item::ValueFor, key, node.span);
    let message = format!("\"{key}\" is no boolean");
    Err(Box::new(wrong(message, &inner).expecting("true or false")))
}

/// The number under a key that may be missing.
pub(super) fn number(item: &Node, key: &str, context: &Context) -> Read<Option<u64>> {
    if get(item, key).is_none() {
        return Ok(None);
    }
    let node = scalar(item, key, context)?;
    if let Ok(value) = node.as_str().unwrap_or_default().parse() {
        return Ok(Some(value));
    }
    let inner = context.down(Item::ValueFor, key, node.span);
    let message = format!("\"{key}\" is no number");
    Err(Box::new(
        wrong(message, &inner).expecting("a number of milliseconds"),
    ))
}

pub(super) fn map(node: &Node, what: &str, context: &Context) -> Read<()> {
    match node.as_map() {
        Some(_) => Ok(()),
        None => Err(wrong(
            format!("{what} must be a map, and this is {}", node.describe()),
            context,
        )),
    }
}

pub(super) fn sequence<'n>(node: &'n Node, what: &str, context: &Context) -> Read<&'n [Node]> {
    node.as_seq().ok_or_else(|| {
        wrong(
            format!("\"{what}\" must be a list, and this is {}", node.describe()),
            context,
        )
    })
}

/// The `override` key, checked against what may be appended and replaced.
pub(super) fn overrides(
    item: &Node,
    appendable: &[&str],
    replaceable: &[&str],
    context: &Context,
) -> Read<Overrides> {
    let mut out = Overrides::default();
    let Some(value) = get(item, "override") else {
        return Ok(out);
    };
    let inner = context.down(Item::Overrides, "", value.span);
    for (key_node, action) in value.as_map().unwrap_or_default() {
        let key = key_node.as_str().unwrap_or_default();
        let named = inner.down(Item::Overrides, key, key_node.span);
        let (can_append, can_replace) = (appendable.contains(&key), replaceable.contains(&key));
        let known = || closest(key, appendable.iter().chain(replaceable).copied());
        match action.as_str() {
            Some("append") if can_append => out.append.push(key.to_owned()),
            Some("append") => {
                let message = format!("\"{key}\" cannot be appended to");
                let mut d = wrong(message, &named).suggesting(known());
                if can_replace {
                    d = d.expecting("replace");
                }
                return Err(Box::new(d));
            }
            Some("replace") if can_replace => out.replace.push(key.to_owned()),
            Some("replace") => {
                let message = format!("\"{key}\" cannot be replaced");
                return Err(Box::new(wrong(message, &named).suggesting(known())));
            }
            other => {
                let at = inner.down(Item::ValueFor, key, action.span);
                let message = format!(
                    "\"{}\" is no way to override \"{key}\"",
                    other.unwrap_or_default()
                );
                let allowed: Vec<&str> = [("append", can_append), ("replace", can_replace)]
                    .iter()
                    .filter(|a| a.1)
                    .map(|a| a.0)
                    .collect();
                return Err(Box::new(
                    wrong(message, &at).expecting(allowed.join(" or ")),
                ));
            }
        }
    }
    Ok(out)
}

pub(super) fn not_both(append: bool, overrides: &Overrides, context: &Context) -> Read<()> {
    if append && !overrides.is_empty() {
        return Err(wrong(
            "\"append\" and \"override\" exclude each other",
            context,
        ));
    }
    Ok(())
}

/// Booleans of YAML 1.1, which rule files are written in.
fn yaml_bool(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let first_upper = text.starts_with(|c: char| c.is_ascii_uppercase());
    // Words are all small, all capital, or capitalised; `tRUE` is none.
    let regular = text == lower
        || text == text.to_ascii_uppercase()
        || first_upper && text[1..] == lower[1..];
    if !regular {
        return None;
    }
    match lower.as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}
