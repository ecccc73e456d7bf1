//! Fixes: edits to the source text that are proved before they are offered.
//!
//! Checks say what to change ([`Edit`]); here the change is made to the text ([`edit`]), the tree is compared
//! (nothing else changed), every check is run again (the finding is gone, and no check fails that passed), and
//! the result is shown as a patch, an overlay or a merge ([`present`]).

pub mod edit;
pub mod present;
pub(crate) mod tree;

use std::collections::{BTreeMap, BTreeSet};

use vedette_manifest::{Object, Source};

use crate::check::{Check, Edit, Finding, Findings};
use crate::input::{Input, Settings, load};
pub use edit::Refusal;

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Index of the object.
    pub object: usize,
    /// Check that asked for it.
    pub check: &'static str,
    /// The failure that it mends.
    pub message: String,
    /// Edits that changed the text.
    pub edits: Vec<Edit>,
    /// What to test, when it may break the workload.
    pub caution: Option<&'static str>,
}

/// A finding whose fix was not made.
#[derive(Clone, Debug)]
pub struct NotApplied {
    /// Index of the object.
    pub object: usize,
    /// Check.
    pub check: &'static str,
    /// Failing field.
    pub path: String,
    /// Why.
    pub reason: Refusal,
}

/// The outcome over all texts.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// The texts afterwards, in the order given; unchanged ones included.
    pub sources: Vec<Source>,
    /// What was changed.
    pub applied: Vec<Applied>,
    /// What was not, and why.
    pub not_applied: Vec<NotApplied>,
}

/// Mends what `checks` find in `sources`. Objects are numbered as [`load`] numbers them.
///
/// Checks are taken one after the other, each on the result of those before it, so that two checks that ask for
/// the same field agree. A fix that would make another check fail is taken back.
pub fn fix(sources: &[Source], checks: &[&'static Check], settings: &Settings) -> Fixed {
    let mut out = Fixed {
        sources: sources.to_vec(),
        ..Fixed::default()
    };
    let mut objects = load(&out.sources).objects;
    let mut failing = failures(&objects, settings);
    for check in checks {
        let found = run(check, &objects, settings);
        let mut by_object: BTreeMap<usize, Vec<&Finding>> = BTreeMap::new();
        for finding in found.iter().filter(|finding| !finding.fix.is_empty()) {
            by_object.entry(finding.object).or_default().push(finding);
        }
        if by_object.is_empty() {
            continue;
        }
        let before = out.sources.clone();
        let mut made = make(check, &by_object, &objects, &mut out);
        if made.is_empty() {
            continue;
        }
        let mut next = load(&out.sources).objects;
        let mut now = failures(&next, settings);
        let broken: BTreeMap<usize, &'static str> = now
            .difference(&failing)
            .map(|(id, object)| (*object, *id))
            .collect();
        if !broken.is_empty() {
            // Take every fix of this check back, then make those again whose objects stayed sound.
            out.sources = before;
            for (object, id) in &broken {
                for finding in by_object.remove(object).unwrap_or_default() {
                    out.not_applied.push(NotApplied {
                        object: *object,
                        check: check.id,
                        path: finding.path().to_owned(),
                        reason: Refusal::Regression((*id).to_owned()),
                    });
                }
            }
            made = make(check, &by_object, &objects, &mut out);
            next = load(&out.sources).objects;
            now = failures(&next, settings);
        }
        out.applied.extend(made);
        objects = next;
        failing = now;
    }
    out
}

/// Makes the edits of one check, object by object.
fn make(
    check: &'static Check,
    by_object: &BTreeMap<usize, Vec<&Finding>>,
    objects: &[Object],
    out: &mut Fixed,
) -> Vec<Applied> {
    let mut made = Vec::new();
    for source in &mut out.sources {
        let mut pieces = pieces(&source.text);
        let mut changed = false;
        for (&index, findings) in by_object {
            let object = &objects[index];
            if object.source.name != source.name {
                continue;
            }
            let Some(piece) = pieces
                .iter_mut()
                .rev()
                .find(|piece| piece.start <= object.node.span.start)
            else {
                continue;
            };
            // Later list items first, so that the indices of earlier ones stay right.
            for finding in findings.iter().rev() {
                match edits(&piece.text, &object.path, &finding.fix) {
                    Ok((_, applied)) if applied.is_empty() => {}
                    Ok((text, applied)) => {
                        piece.text = text;
                        changed = true;
                        made.push(Applied {
                            object: index,
                            check: check.id,
                            message: finding.message.clone(),
                            edits: applied,
                            caution: finding.caution,
                        });
                    }
                    Err(reason) => out.not_applied.push(NotApplied {
                        object: index,
                        check: check.id,
                        path: finding.path().to_owned(),
                        reason,
                    }),
                }
            }
        }
        if changed {
            source.text = pieces
                .into_iter()
                .map(|piece| piece.text)
                .collect::<String>()
                .into();
        }
    }
    made
}

/// Makes all edits of one finding, or none.
fn edits(text: &str, base: &str, wanted: &[Edit]) -> Result<(String, Vec<Edit>), Refusal> {
    let mut text = text.to_owned();
    let mut applied = Vec::new();
    for edit in wanted {
        if let Some(next) = edit::apply(&text, base, edit)? {
            text = next;
            applied.push(edit.clone());
        }
    }
    Ok((text, applied))
}

struct Piece {
    start: usize,
    text: String,
}

/// Cuts a text in front of every `---` line, so that an edit reads one document only.
fn pieces(text: &str) -> Vec<Piece> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace));
        if marker && at > 0 {
            starts.push(at);
        }
        at += line.len();
    }
    starts
        .iter()
        .zip(starts.iter().skip(1).chain([&text.len()]))
        .map(|(&start, &end)| Piece {
            start,
            text: text[start..end].to_owned(),
        })
        .collect()
}

fn run(check: &Check, objects: &[Object], settings: &Settings) -> Vec<Finding> {
    let input = Input::new(objects, settings.clone());
    let mut out = Findings::new(objects);
    (check.run)(&input, &mut out);
    out.into_vec()
}

/// Every check that fails, by object.
fn failures(objects: &[Object], settings: &Settings) -> BTreeSet<(&'static str, usize)> {
    let input = Input::new(objects, settings.clone());
    let mut out = BTreeSet::new();
    for check in crate::checks::ALL {
        let mut found = Findings::new(objects);
        (check.run)(&input, &mut found);
        out.extend(found.into_vec().into_iter().map(|f| (check.id, f.object)));
    }
    out
}
