//! What must hold for an exception before its values are looked at.

use crate::catalogue::Catalogue;
use crate::condition::{is_modified_operator, is_operator, operator_names};
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::source::objects::{Entry, Exception};

pub(super) fn refuse(exception: &Exception, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(
        Code::ErrValidate,
        message,
        exception.context.clone(),
    ))
}

/// Checks fields and operators, filling in the operators that were left out. Without a source (it is unknown) fields
/// are not looked up.
pub(super) fn exception(
    source: Option<&str>,
    exception: &mut Exception,
    catalogue: &Catalogue,
) -> Result<(), Box<Diagnostic>> {
    let Entry::Many(fields) = &exception.fields else {
        return single(source, exception, catalogue);
    };
    if !exception.comps.is_given() {
        exception.comps = Entry::Many(vec![Entry::One("=".into()); fields.len()]);
    }
    let comps = exception.comps.items();
    if fields.len() != comps.len() {
        let message = format!(
            "{} fields stand against {} comps",
            fields.len(),
            comps.len()
        );
        return Err(refuse(exception, message));
    }
    for comp in comps {
        if !is_operator(comp.text()) {
            let message = format!("\"{}\" is no operator", comp.text());
            let mut d = refuse(exception, message);
            d.suggestion = closest(comp.text(), operator_names());
            return Err(d);
        }
    }
    for field in fields {
        known_field(source, field.text(), exception, catalogue)?;
    }
    Ok(())
}

fn single(
    source: Option<&str>,
    exception: &mut Exception,
    catalogue: &Catalogue,
) -> Result<(), Box<Diagnostic>> {
    if !exception.comps.is_given() {
        exception.comps = Entry::One("in".into());
    }
    let Entry::One(comp) = &exception.comps else {
        return Err(refuse(
            exception,
            "one field takes one operator, not a list",
        ));
    };
    if !matches!(comp.as_str(), "in" | "pmatch" | "intersects") && !is_modified_operator(comp) {
        let message = format!("with one field, comps cannot be \"{comp}\"");
        let expected = "in, pmatch, intersects, or a text operator with oneof, anyof or allof";
        return Err(Box::new(refuse(exception, message).expecting(expected)));
    }
    known_field(source, exception.fields.text(), exception, catalogue)
}

fn known_field(
    source: Option<&str>,
    text: &str,
    exception: &Exception,
    catalogue: &Catalogue,
) -> Result<(), Box<Diagnostic>> {
    let Some(source) = source else { return Ok(()) };
    if catalogue.is_operand(text, source) {
        return Ok(());
    }
    let message = format!("\"{text}\" is no field of source \"{source}\"");
    Err(Box::new(
        refuse(exception, message).suggesting(catalogue.suggest_field(text, source)),
    ))
}
