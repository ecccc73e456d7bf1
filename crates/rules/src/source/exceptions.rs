//! Exceptions as rule objects hold them.

use vedette_yaml::{Kind, Node};

use super::node::{self, Reader, missing, wrong};
use super::objects::{Entry, Exception};
use crate::diagnostic::{Code, Context, Diagnostic, Item, Place};

type Read<T> = Result<T, Box<Diagnostic>>;

/// Deepest nesting of values; tuples of lists need two.
const MAX_NESTING: usize = 8;

impl Reader {
    /// The exceptions of a rule object; with `update` they may leave out what the rule already has.
    pub(super) fn exceptions(
        &mut self,
        item: &Node,
        context: &Context,
        update: bool,
    ) -> Read<Vec<Exception>> {
        let mut out: Vec<Exception> = Vec::new();
        let Some(value) = node::get(item, "exceptions").filter(|v| !v.is_null()) else {
            return Ok(out);
        };
        let all = context.down(Item::Exceptions, "", value.span);
        for node in node::sequence(value, "exceptions", &all)? {
            let unnamed = all.down(Item::Exception, "", node.span);
            node::map(node, "an exception", &unnamed)?;
            let name = node::text(node, "name", &unnamed)?;
            let own = context.down(Item::Exception, &name, node.span);
            if out.iter().any(|other| other.name == name) {
                self.warn(
                    Diagnostic::new(
                        Code::ExceptionNameNotUnique,
                        format!("the rule has another exception named \"{name}\""),
                        own.clone(),
                    )
                    .expecting("a name of its own for each exception"),
                );
            }
            let fields = match node::get(node, "fields") {
                None if !update => return Err(missing("fields", &own)),
                None => Entry::None,
                Some(value) => entry(value, "fields", &own, 0)?,
            };
            let comps = match node::get(node, "comps") {
                None => Entry::None,
                Some(value) => entry(value, "comps", &own, 0)?,
            };
            let mut values = Vec::new();
            if let Some(list) = node::get(node, "values") {
                let inner = own.down(Item::ExceptionValues, "", list.span);
                for value in node::sequence(list, "values", &inner)? {
                    values.push(entry(
                        value,
                        "",
                        &inner.down(Item::ExceptionValue, "", value.span),
                        0,
                    )?);
                }
            } else if update {
                self.warn(Diagnostic::new(
                    Code::AppendNoValues,
                    "the exception is changed, and has no values",
                    own.clone(),
                ));
            }
            out.push(Exception {
                name,
                fields,
                comps,
                values,
                context: own,
            });
        }
        Ok(out)
    }
}

fn entry(node: &Node, key: &str, context: &Context, depth: usize) -> Read<Entry> {
    let inner = context.down(Item::ValueFor, key, node.span);
    if depth > MAX_NESTING {
        return Err(wrong("lists are nested too deeply", &inner));
    }
    match &node.kind {
        _ if node.is_null() => Ok(Entry::None),
        Kind::Scalar(text, _) if text.is_empty() => {
            Err(wrong("the value must not be empty", &inner))
        }
        Kind::Scalar(text, _) => Ok(Entry::One(text.clone())),
        Kind::Seq(items) => items
            .iter()
            .map(|item| {
                entry(
                    item,
                    "",
                    &inner.down_to(
                        Item::Exception,
                        "",
                        Place {
                            span: item.span,
                            ..inner.last().place
                        },
                    ),
                    depth + 1,
                )
            })
            .collect::<Read<Vec<Entry>>>()
            .map(Entry::Many),
        Kind::Map(_) => Ok(Entry::None),
    }
}
