//! One rule compiled: exceptions, output, condition, types, event types, in the order in which Falco looks at them.

use super::Compiler;
use crate::catalogue::SYSCALL;
use crate::check::{Checker, Lint, Problem, deprecated};
use crate::collection::RuleInfo;
use crate::diagnostic::{Code, Context, Diagnostic};
use crate::kinds::{self, Kinds};
use crate::load::{ExtraFormat, LoadedException, LoadedRule, texts};
use crate::output::{ExtraField, Format, FormatError, appended};
use crate::resolve::exceptions;
use crate::source::text::Text;
use crate::typed;

/// Fields whose mention in an output is worth a warning.
const DEPRECATED_IN_OUTPUT: [&str; 6] = [
    "evt.dir",
    "evt.latency",
    "evt.latency.s",
    "evt.latency.ns",
    "evt.latency.human",
    "evt.wait_latency",
];

/// Deprecated, expands to nothing.
const CONTAINER_INFO: &str = "%container.info";

impl Compiler<'_> {
    pub(super) fn rule(&mut self, info: &RuleInfo) -> Result<Option<LoadedRule>, Box<Diagnostic>> {
        let rule = &info.rule;
        let text = exceptions::condition(info)?;
        let mut checker = Checker::new(self.catalogue, &rule.source);

        let (behind, extra) = appended(
            &self.options.append_output,
            &rule.name,
            &rule.source,
            &rule.tags,
        );
        let mut output = rule.output.clone();
        output.push_generated(&behind, rule.output_context.last().place);
        if output.as_str().contains(CONTAINER_INFO) {
            self.warn(
                Diagnostic::new(
                    Code::DeprecatedItem,
                    "%container.info is deprecated and stands for nothing",
                    rule.context.clone(),
                )
                .at(rule.output_context.last().place),
            );
            while let Some(at) = output.as_str().find(CONTAINER_INFO) {
                output.substitute(&[(at..at + CONTAINER_INFO.len(), String::new())]);
            }
        }
        let format = match Format::parse(output.as_str(), &mut checker) {
            Ok(format) => format,
            Err(why) => return self.bad_output(info, &output, why).map(|()| None),
        };
        self.deprecated_in(output.as_str(), &rule.output_context);
        let mut extra_fields = Vec::new();
        for field in extra {
            match extra_format(field, &mut checker) {
                Ok(made) => extra_fields.push(made),
                Err(why) => {
                    return self
                        .bad_output(
                            info,
                            &output,
                            FormatError {
                                unknown: false,
                                ..why
                            },
                        )
                        .map(|()| None);
                }
            }
        }

        let (expr, lists) = self.parse(text, &rule.condition_context)?;
        let (tree, macros) = self.splice(&expr, u32::MAX, &rule.context)?;
        let checked = checker.condition(&tree.expr);
        let lints = std::mem::take(&mut checker.lints);
        // Falco looks for these two before it compiles, and for the others while it does.
        let early = |lint: &&Lint| matches!(lint.code, Code::UnsafeNaCheck | Code::DeprecatedItem);
        self.lints(lints.iter().filter(early), info);
        let condition = match checked {
            Ok(condition) => condition,
            Err(problem) => return self.bad_condition(info, *problem).map(|()| None),
        };
        self.lints(lints.iter().filter(|lint| !early(lint)), info);
        let kinds = if rule.source == SYSCALL {
            match kinds::infer(&tree.expr) {
                Ok(kinds) => kinds,
                Err(kinds::Unknowable(at)) => {
                    let message = "evt.type can only be compared with names".to_owned();
                    return Err(Box::new(self.about(
                        Code::ErrCompileCondition,
                        message,
                        &rule.condition_context,
                        at,
                    )));
                }
            }
        } else {
            kinds::of_plugins()
        };
        if rule.source == SYSCALL && rule.warn_evttypes {
            let named = kinds::named_by(&tree.expr).unwrap_or_else(|_| Kinds::all());
            if named.is_empty() || named.len() > kinds::MANY {
                self.no_event_types(info, &named);
            }
        }
        Ok(Some(LoadedRule {
            rule: typed::Rule {
                name: rule.name.clone(),
                desc: rule.desc.clone(),
                priority: rule.priority,
                source: rule.source.clone(),
                tags: rule.tags.clone(),
                condition,
                kinds: kinds::live(&kinds),
                output: output.as_str().to_owned(),
                capture: rule.capture,
                capture_duration: rule.capture_duration,
            },
            enabled: rule.enabled,
            format,
            extra_fields,
            condition: rule.condition.as_str().to_owned(),
            output: rule.output.as_str().to_owned(),
            expanded: std::rc::Rc::unwrap_or_clone(tree.expr),
            kinds,
            macros,
            lists,
            exceptions: rule
                .exceptions
                .iter()
                .map(|e| LoadedException {
                    name: e.name.clone(),
                    fields: texts(&e.fields),
                    comps: texts(&e.comps),
                    values: e.values.len(),
                })
                .collect(),
            context: rule.context.clone(),
        }))
    }

    fn no_event_types(&mut self, info: &RuleInfo, kinds: &Kinds) {
        let message = if kinds.is_empty() {
            "the condition can be true at no event type at all".to_owned()
        } else {
            format!(
                "the condition can be true at {} event types, which costs speed",
                kinds.len()
            )
        };
        self.warn(
            Diagnostic::new(Code::NoEvttype, message, info.rule.context.clone())
                .expecting("a comparison of evt.type that narrows it"),
        );
    }

    fn lints<'l>(&mut self, lints: impl Iterator<Item = &'l Lint>, info: &RuleInfo) {
        for lint in lints {
            let d = self.about(
                lint.code,
                lint.message.clone(),
                &info.rule.condition_context,
                lint.at,
            );
            self.warn(d);
        }
    }

    fn deprecated_in(&mut self, output: &str, context: &Context) {
        for name in DEPRECATED_IN_OUTPUT {
            if output.contains(name) {
                self.warn(Diagnostic::new(
                    Code::DeprecatedItem,
                    deprecated(name),
                    context.clone(),
                ));
            }
        }
    }

    fn bad_output(
        &mut self,
        info: &RuleInfo,
        output: &Text,
        why: FormatError,
    ) -> Result<(), Box<Diagnostic>> {
        let skip = why.unknown && info.rule.skip_if_unknown;
        let code = if skip {
            Code::UnknownFilter
        } else {
            Code::ErrCompileOutput
        };
        let place = output.place(why.range.start, why.range.end, self.files);
        let mut d = Diagnostic::new(code, why.message, info.rule.output_context.clone())
            .suggesting(why.suggestion);
        d.place = place.unwrap_or(d.place);
        if skip {
            self.warn(d);
            return Ok(());
        }
        Err(Box::new(d))
    }

    fn bad_condition(&mut self, info: &RuleInfo, problem: Problem) -> Result<(), Box<Diagnostic>> {
        let skip = problem.unknown && info.rule.skip_if_unknown;
        let code = if skip {
            Code::UnknownFilter
        } else {
            Code::ErrCompileCondition
        };
        let mut d = self.about(
            code,
            problem.message,
            &info.rule.condition_context,
            problem.at,
        );
        d.expected = problem.expected;
        d.suggestion = problem.suggestion;
        if skip {
            self.warn(d);
            return Ok(());
        }
        Err(Box::new(d))
    }
}

fn extra_format(
    field: &ExtraField,
    checker: &mut Checker<'_>,
) -> Result<(String, ExtraFormat), FormatError> {
    match field {
        ExtraField::Field(name) => {
            let format = Format::parse(&format!("%{name}"), checker)?;
            match format.only_field() {
                Some(field) => Ok((name.clone(), ExtraFormat::Field(Box::new(field.clone())))),
                None => Ok((name.clone(), ExtraFormat::Text(format))),
            }
        }
        ExtraField::Named(name, format) => Ok((
            name.clone(),
            ExtraFormat::Text(Format::parse(format, checker)?),
        )),
    }
}
