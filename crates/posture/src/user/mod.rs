//! Checks of your own: CEL expressions over objects, with their tests beside them.
//!
//! ```yaml
//! checks:
//! - id: no-node-port
//!   title: Services are not exposed on nodes
//!   severity: medium
//!   kinds: [Service]                 # "*" for all
//!   variables:
//!   - {name: type, expression: "has(object.spec.type) ? object.spec.type : 'ClusterIP'"}
//!   validations:
//!   - expression: variables.type != 'NodePort'
//!     message: the service is exposed on every node
//!     path: spec.type
//!   tests:
//!   - {name: a node port fails, passes: false, object: {kind: Service, spec: {type: NodePort}}}
//! ```
//!
//! A ValidatingAdmissionPolicy in the same file is read as a check; [`vap`] writes one.
//! Kubernetes' own CEL libraries (quantity, url, ip, authorizer) are not there: an expression that uses them is
//! told as one that cannot be evaluated, never as one that passes.

pub mod builtin;
pub mod vap;

use std::collections::HashMap;

use cel::{Context, Program, Value};
use vedette_manifest::Object;
use vedette_yaml::{Kind, Node, Span, Style};

use crate::value;

/// Longest expression that is compiled, in bytes; the API server's own limit for one is of the same order.
const LONGEST_EXPRESSION: usize = 16 * 1024;

/// A named expression that validations may use as `variables.<name>`.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its expression.
    pub expression: String,
}

/// What has to hold.
#[derive(Clone, Debug)]
pub struct Validation {
    /// True when the object passes.
    pub expression: String,
    /// What to say when it does not.
    pub message: String,
    /// Field to point at.
    pub path: String,
}

/// A test of a check.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Whether the object should pass.
    pub passes: bool,
    /// The object.
    pub object: Node,
}

/// A check of the user.
#[derive(Clone, Debug)]
pub struct UserCheck {
    /// Id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Severity as written.
    pub severity: String,
    /// Kinds, or for an imported policy resources in lower case and plural; `*` for all.
    pub kinds: Vec<String>,
    /// Expressions that must all hold for the check to look at an object.
    pub conditions: Vec<String>,
    /// Variables, in order.
    pub variables: Vec<Variable>,
    /// Validations.
    pub validations: Vec<Validation>,
    /// Tests.
    pub tests: Vec<Case>,
}

/// A mistake in a file of user checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", span.line, span.column)]
pub struct Mistake {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
}

/// A failure of a user check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFailure {
    /// What to say.
    pub message: String,
    /// Field to point at.
    pub path: String,
    /// The expression could not be evaluated; the check counts as failed, as the API server's `Fail` policy does.
    pub error: bool,
}

/// Reads checks and ValidatingAdmissionPolicies; a wrong one is left out and told.
pub fn parse(text: &str) -> (Vec<UserCheck>, Vec<Mistake>) {
    let parsed = vedette_yaml::parse(text);
    let (mut out, mut mistakes) = (Vec::new(), Vec::new());
    for error in parsed.errors {
        mistakes.push(Mistake {
            span: error.span,
            message: error.message,
        });
    }
    for document in &parsed.documents {
        let root = &document.root;
        let found: Vec<Result<UserCheck, Mistake>> = match value::text(root, &["kind"]) {
            Some("ValidatingAdmissionPolicy") => vec![vap::import(root)],
            Some("ValidatingAdmissionPolicyBinding") => Vec::new(),
            _ if root.get("checks").is_some() => {
                value::list(root, &["checks"]).iter().map(check).collect()
            }
            _ if root.is_null() => Vec::new(),
            _ => vec![Err(Mistake {
                span: root.span,
                message: "expected a list `checks` or a ValidatingAdmissionPolicy".into(),
            })],
        };
        for result in found {
            match result.and_then(|check| compiled(check, root.span)) {
                Ok(check) => out.push(check),
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    (out, mistakes)
}

/// Every expression has to compile before the check counts.
fn compiled(check: UserCheck, span: Span) -> Result<UserCheck, Mistake> {
    let expressions = check
        .conditions
        .iter()
        .chain(check.variables.iter().map(|variable| &variable.expression))
        .chain(
            check
                .validations
                .iter()
                .map(|validation| &validation.expression),
        );
    for expression in expressions {
        compile(expression).map_err(|message| Mistake {
            span,
            message: format!("check {:?}: {expression:?}: {message}", check.id),
        })?;
    }
    Ok(check)
}

fn compile(expression: &str) -> Result<Program, String> {
    if expression.len() > LONGEST_EXPRESSION {
        return Err(format!("longer than {LONGEST_EXPRESSION} bytes"));
    }
    Program::compile(expression).map_err(|error| error.to_string())
}

fn check(node: &Node) -> Result<UserCheck, Mistake> {
    let needed = |node: &Node, key: &str| {
        value::text(node, &[key])
            .map(str::to_owned)
            .ok_or_else(|| Mistake {
                span: node.span,
                message: format!("expected `{key}`"),
            })
    };
    let id = needed(node, "id")?;
    let validations = value::list(node, &["validations"])
        .iter()
        .map(|validation| {
            Ok(Validation {
                expression: needed(validation, "expression")?,
                message: value::text(validation, &["message"])
                    .unwrap_or("the expression does not hold")
                    .to_owned(),
                path: value::text(validation, &["path"])
                    .unwrap_or_default()
                    .to_owned(),
            })
        })
        .collect::<Result<Vec<_>, Mistake>>()?;
    if validations.is_empty() {
        return Err(Mistake {
            span: node.span,
            message: format!("check {id:?} has no validations"),
        });
    }
    let tests = value::list(node, &["tests"])
        .iter()
        .map(|test| {
            Ok(Case {
                name: needed(test, "name")?,
                passes: value::flag(test, &["passes"]).ok_or_else(|| Mistake {
                    span: test.span,
                    message: "expected `passes: true` or `passes: false`".into(),
                })?,
                object: value::field(test, "object")
                    .cloned()
                    .ok_or_else(|| Mistake {
                        span: test.span,
                        message: "expected `object`".into(),
                    })?,
            })
        })
        .collect::<Result<Vec<_>, Mistake>>()?;
    Ok(UserCheck {
        title: value::text(node, &["title"]).unwrap_or(&id).to_owned(),
        severity: value::text(node, &["severity"])
            .unwrap_or("medium")
            .to_owned(),
        kinds: value::texts(node, &["kinds"]).map(str::to_owned).collect(),
        conditions: Vec::new(),
        variables: variables(node)?,
        validations,
        tests,
        id,
    })
}

fn variables(node: &Node) -> Result<Vec<Variable>, Mistake> {
    value::list(node, &["variables"])
        .iter()
        .map(|variable| {
            let text = |key: &str| value::text(variable, &[key]).map(str::to_owned);
            match (text("name"), text("expression")) {
                (Some(name), Some(expression)) => Ok(Variable { name, expression }),
                _ => Err(Mistake {
                    span: variable.span,
                    message: "expected `name` and `expression`".into(),
                }),
            }
        })
        .collect()
}

impl UserCheck {
    /// Whether the check is about objects of this kind.
    pub fn covers(&self, kind: &str) -> bool {
        let plural = vap::plural(kind);
        self.kinds
            .iter()
            .any(|wanted| wanted == "*" || wanted == kind || *wanted == plural)
    }

    /// Judges an object; nothing means that it passes or is none of the check's kinds.
    pub fn judge(&self, object: &Object) -> Vec<UserFailure> {
        if self.covers(&object.kind) {
            self.judge_node(&object.node)
        } else {
            Vec::new()
        }
    }

    /// Judges a tree whatever its kind.
    pub fn judge_node(&self, node: &Node) -> Vec<UserFailure> {
        let mut context = Context::default();
        context.add_variable_from_value("object", to_cel(node));
        context.add_variable_from_value("oldObject", Value::Null);
        context.add_variable_from_value("params", Value::Null);
        context.add_variable_from_value("namespaceObject", Value::Null);
        context.add_variable_from_value("request", request(node));
        for condition in &self.conditions {
            match run(condition, &context) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => return Vec::new(),
                Err(message) => return vec![broken(condition, &message)],
            }
        }
        let mut variables: HashMap<String, Value> = HashMap::new();
        for variable in &self.variables {
            context.add_variable_from_value("variables", variables.clone());
            // A variable that cannot be evaluated is an error only where it is used.
            if let Ok(found) = run(&variable.expression, &context) {
                variables.insert(variable.name.clone(), found);
            }
        }
        context.add_variable_from_value("variables", variables);
        self.validations
            .iter()
            .filter_map(|validation| match run(&validation.expression, &context) {
                Ok(Value::Bool(true)) => None,
                Ok(Value::Bool(false)) => Some(UserFailure {
                    message: validation.message.clone(),
                    path: validation.path.clone(),
                    error: false,
                }),
                Ok(_) => Some(broken(&validation.expression, "it is not a boolean")),
                Err(message) => Some(broken(&validation.expression, &message)),
            })
            .collect()
    }

    /// Runs the tests; gives the names of those that do not hold.
    pub fn test(&self) -> Vec<String> {
        self.tests
            .iter()
            .filter(|case| self.judge_node(&case.object).is_empty() != case.passes)
            .map(|case| case.name.clone())
            .collect()
    }
}

fn broken(expression: &str, message: &str) -> UserFailure {
    UserFailure {
        message: format!("{expression:?} could not be evaluated: {message}"),
        path: String::new(),
        error: true,
    }
}

fn run(expression: &str, context: &Context<'_, '_>) -> Result<Value, String> {
    compile(expression)?
        .execute(context)
        .map_err(|error| error.to_string())
}

/// The `request` variable, as for the creation of the object.
fn request(object: &Node) -> Value {
    let text = |path: &[&str]| Value::from(value::text(object, path).unwrap_or_default());
    let mut request: HashMap<String, Value> = HashMap::new();
    request.insert("operation".into(), Value::from("CREATE"));
    request.insert("namespace".into(), text(&["metadata", "namespace"]));
    request.insert("name".into(), text(&["metadata", "name"]));
    let mut kind: HashMap<String, Value> = HashMap::new();
    kind.insert("kind".into(), text(&["kind"]));
    request.insert("kind".into(), Value::from(kind));
    Value::from(request)
}

/// A tree as CEL sees it. Nulls inside maps are left out, as the API server drops them.
fn to_cel(node: &Node) -> Value {
    match &node.kind {
        _ if node.is_null() => Value::Null,
        Kind::Scalar(text, style) => {
            if let Some(flag) = value::truth(node) {
                Value::Bool(flag)
            } else if let Some(number) = value::number(node) {
                Value::Int(number)
            } else {
                match text.parse::<f64>() {
                    Ok(number) if *style == Style::Plain && number.is_finite() => {
                        Value::Float(number)
                    }
                    _ => Value::from(text.as_str()),
                }
            }
        }
        Kind::Seq(items) => Value::from(items.iter().map(to_cel).collect::<Vec<Value>>()),
        Kind::Map(entries) => {
            let map: HashMap<String, Value> = entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), to_cel(value))))
                .collect();
            Value::from(map)
        }
    }
}
