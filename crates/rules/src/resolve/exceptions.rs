//! Exceptions: the text that is put behind a rule's condition.

use crate::collection::RuleInfo;
use crate::condition::takes_list;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::source::objects::{Entry, Exception};
use crate::source::text::Text;

use super::lists::quote;

/// The rule's condition with its exceptions: `(condition) and not (…)` for each that has values.
///
/// # Errors
/// The complaint when values do not fit the fields.
pub fn condition(info: &RuleInfo) -> Result<Text, Box<Diagnostic>> {
    let rule = &info.rule;
    if rule.exceptions.is_empty() {
        return Ok(rule.condition.clone());
    }
    let own: Place = rule.condition_context.last().place;
    let mut text = Text::generated("(", own);
    text.join(&rule.condition);
    text.push_generated(")", own);
    for exception in &rule.exceptions {
        let suffix = match &exception.fields {
            Entry::Many(fields) => tuples(fields, exception)?,
            fields => single(fields.text(), exception)?,
        };
        if !suffix.is_empty() {
            text.push_generated(
                &format!(" and not {suffix}"),
                exception.context.last().place,
            );
        }
    }
    Ok(text)
}

fn refuse(exception: &Exception, message: String, expected: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(Code::ErrValidate, message, exception.context.clone()).expecting(expected),
    )
}

/// One field: all values in one list.
fn single(field: &str, exception: &Exception) -> Result<String, Box<Diagnostic>> {
    let mut values = Vec::new();
    for value in &exception.values {
        if matches!(value, Entry::Many(_)) {
            let message = "with one field, each value must be a single one".to_owned();
            return Err(refuse(exception, message, "values: [a, b, …]"));
        }
        values.push(quote(value.text()));
    }
    if values.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        "({field} {} ({}))",
        exception.comps.text(),
        values.join(", ")
    ))
}

/// Several fields: each entry of the values is a tuple with one value, or list of values, for each field.
fn tuples(fields: &[Entry], exception: &Exception) -> Result<String, Box<Diagnostic>> {
    let comps = exception.comps.items();
    let mut rows = Vec::new();
    for row in &exception.values {
        let values = row.items();
        if values.len() != fields.len() {
            let message = format!(
                "a tuple has {} values for {} fields",
                values.len(),
                fields.len()
            );
            return Err(refuse(exception, message, "one value for each field"));
        }
        let checks: Vec<String> = fields
            .iter()
            .zip(comps)
            .zip(values)
            .map(|((field, comp), value)| {
                let value = match value {
                    Entry::Many(items) => {
                        let items: Vec<String> =
                            items.iter().map(|item| quote(item.text())).collect();
                        format!("({})", items.join(", "))
                    }
                    one if takes_list(comp.text()) => {
                        if one.text().starts_with('(') {
                            one.text().to_owned()
                        } else {
                            format!("({})", one.text())
                        }
                    }
                    one => quote(one.text()),
                };
                format!("{} {} {value}", field.text(), comp.text())
            })
            .collect();
        rows.push(format!("({})", checks.join(" and ")));
    }
    if rows.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("({})", rows.join(" or ")))
}
