//! Suppression rules: findings that are put aside, with an owner, a reason, an end and a count of hits. Criteria are
//! those of GuardDuty's filters, over the finding in GuardDuty's shape.

use serde_json::Value;
use thiserror::Error;

use super::{Finding, Origin};
use crate::format::guardduty;

/// Values of one criterion, at most; GuardDuty's bound.
const MAX_VALUES: usize = 50;

/// A rule that puts findings aside.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// Name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Time from which it has no effect, nanoseconds since the Unix epoch; `None` for never.
    pub ends: Option<u64>,
    /// Only counts.
    pub dry_run: bool,
    /// Findings that it met.
    pub hits: u64,
    criteria: Vec<Criterion>,
}

#[derive(Clone, Debug)]
struct Criterion {
    /// Names of members, from the outside in.
    path: Vec<String>,
    tests: Vec<Test>,
}

#[derive(Clone, Debug)]
enum Test {
    Equals(Vec<String>),
    NotEquals(Vec<String>),
    Matches(Vec<String>),
    NotMatches(Vec<String>),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
}

/// Why text is no suppression rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SuppressionError {
    /// No criterion: it would put everything aside.
    #[error("findingCriteria.criterion: expected at least one field")]
    NoCriterion,
    /// A comparison that is none.
    #[error(
        "{field}: {comparison:?} is no comparison; expected equals, notEquals, matches, notMatches, greaterThan, greaterThanOrEqual, lessThan or lessThanOrEqual"
    )]
    Comparison {
        /// The field.
        field: String,
        /// What stands there.
        comparison: String,
    },
    /// A value of the wrong type.
    #[error("{field}.{comparison}: expected {expected}")]
    Value {
        /// The field.
        field: String,
        /// The comparison.
        comparison: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl Suppression {
    /// Reads the `findingCriteria` of GuardDuty's `CreateFilter`.
    ///
    /// # Errors
    /// [`SuppressionError`] names the field.
    pub fn new(
        name: impl Into<String>,
        owner: impl Into<String>,
        reason: impl Into<String>,
        criteria: &Value,
    ) -> Result<Self, SuppressionError> {
        let fields = criteria
            .get("criterion")
            .unwrap_or(criteria)
            .as_object()
            .filter(|fields| !fields.is_empty())
            .ok_or(SuppressionError::NoCriterion)?;
        let mut criteria = Vec::new();
        for (field, comparisons) in fields {
            let mut tests = Vec::new();
            for (comparison, value) in comparisons.as_object().into_iter().flatten() {
                tests.push(test(field, comparison, value)?);
            }
            if tests.is_empty() {
                return Err(SuppressionError::NoCriterion);
            }
            criteria.push(Criterion {
                path: field.split('.').map(str::to_owned).collect(),
                tests,
            });
        }
        Ok(Self {
            name: name.into(),
            owner: owner.into(),
            reason: reason.into(),
            ends: None,
            dry_run: false,
            hits: 0,
            criteria,
        })
    }

    /// Puts the finding aside if the rule is in force at `now` and every criterion holds. True when the rule met it, in a
    /// dry run too.
    pub fn apply(&mut self, finding: &mut Finding, origin: &Origin, now: u64) -> bool {
        if self.ends.is_some_and(|ends| now >= ends) {
            return false;
        }
        let shape = guardduty(finding, origin);
        let met = self.criteria.iter().all(|criterion| {
            let mut values = Vec::new();
            collect(&shape, &criterion.path, &mut values);
            criterion.tests.iter().all(|test| test.holds(&values))
        });
        if met {
            self.hits += 1;
            if !self.dry_run {
                finding.archived = true;
                finding.suppressed_by = Some(self.name.clone());
            }
        }
        met
    }
}

fn test(field: &str, comparison: &str, value: &Value) -> Result<Test, SuppressionError> {
    let wrong = |expected| SuppressionError::Value {
        field: field.to_owned(),
        comparison: comparison.to_owned(),
        expected,
    };
    let texts = || {
        let items = value.as_array().filter(|items| items.len() <= MAX_VALUES);
        let texts: Option<Vec<String>> = items
            .into_iter()
            .flatten()
            .map(|item| item.as_str().map(str::to_owned))
            .collect();
        texts
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| wrong("one to fifty texts"))
    };
    let number = || value.as_f64().ok_or_else(|| wrong("a number"));
    Ok(match comparison {
        "equals" | "eq" => Test::Equals(texts()?),
        "notEquals" | "neq" => Test::NotEquals(texts()?),
        "matches" => Test::Matches(texts()?),
        "notMatches" => Test::NotMatches(texts()?),
        "greaterThan" | "gt" => Test::Above(number()?),
        "greaterThanOrEqual" | "gte" => Test::AtLeast(number()?),
        "lessThan" | "lt" => Test::Below(number()?),
        "lessThanOrEqual" | "lte" => Test::AtMost(number()?),
        other => {
            return Err(SuppressionError::Comparison {
                field: field.to_owned(),
                comparison: other.to_owned(),
            });
        }
    })
}

/// Values at a path, through arrays.
fn collect<'v>(value: &'v Value, path: &[String], out: &mut Vec<&'v Value>) {
    match (value, path.split_first()) {
        (Value::Array(items), _) => {
            for item in items {
                collect(item, path, out);
            }
        }
        (value, None) => out.push(value),
        (Value::Object(members), Some((key, rest))) => {
            if let Some(value) = members.get(key) {
                collect(value, rest, out);
            }
        }
        _ => {}
    }
}

impl Test {
    fn holds(&self, values: &[&Value]) -> bool {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let any = |wanted: &[String], same: fn(&str, &str) -> bool| {
            values
                .iter()
                .any(|value| wanted.iter().any(|wanted| same(wanted, &text(value))))
        };
        let number = |compare: &dyn Fn(f64) -> bool| {
            values
                .iter()
                .any(|value| value.as_f64().is_some_and(compare))
        };
        match self {
            Self::Equals(wanted) => any(wanted, |a, b| a == b),
            Self::NotEquals(wanted) => !any(wanted, |a, b| a == b),
            Self::Matches(wanted) => any(wanted, wildcard),
            Self::NotMatches(wanted) => !any(wanted, wildcard),
            Self::Above(bound) => number(&|value| value > *bound),
            Self::AtLeast(bound) => number(&|value| value >= *bound),
            Self::Below(bound) => number(&|value| value < *bound),
            Self::AtMost(bound) => number(&|value| value <= *bound),
        }
    }
}

/// Compares with a pattern in which `*` stands for any text and `?` for one byte. Linear in both: after a mismatch only
/// the last asterisk is tried again.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding() -> Finding {
        Finding::sample(
            &Origin::default(),
            "Execution:Kubernetes/ExecInKubeSystemPod",
            1,
        )
    }

    fn rule(criteria: &Value) -> Suppression {
        Suppression::new("r", "ada", "tests", criteria).unwrap()
    }

    #[test]
    fn findings_that_meet_every_criterion_are_put_aside_and_counted() {
        let origin = Origin::default();
        let user = "resource.kubernetesDetails.kubernetesUserDetails.username";
        let groups = "resource.kubernetesDetails.kubernetesUserDetails.groups";
        let mut yes = rule(&json!({"criterion": {
            "type": {"equals": ["x", "Execution:Kubernetes/ExecInKubeSystemPod"]},
            "severity": {"greaterThanOrEqual": 4, "lessThan": 7},
            user: {"matches": ["sample-*"]},
            groups: {"notEquals": ["system:masters"]},
        }}));
        let mut archived = finding();
        assert!(yes.apply(&mut archived, &origin, 5));
        assert!(archived.archived);
        assert_eq!(
            (archived.suppressed_by.as_deref(), yes.hits),
            (Some("r"), 1)
        );

        let mut no = rule(&json!({user: {"equals": ["other"]}}));
        let mut kept = finding();
        assert!(!no.apply(&mut kept, &origin, 5));
        assert!(!kept.archived);

        yes.dry_run = true;
        assert!(yes.apply(&mut kept, &origin, 5));
        assert!(!kept.archived);
        yes.ends = Some(5);
        assert!(!yes.apply(&mut kept, &origin, 5));
        assert_eq!(yes.hits, 2);
    }

    #[test]
    fn what_is_no_rule_is_refused_by_name() {
        let new = |criteria: Value| Suppression::new("r", "o", "w", &criteria).map(|_| ());
        assert_eq!(new(json!({})), Err(SuppressionError::NoCriterion));
        assert_eq!(
            new(json!({"type": {"is": ["x"]}})).unwrap_err().to_string(),
            "type: \"is\" is no comparison; expected equals, notEquals, matches, notMatches, greaterThan, greaterThanOrEqual, lessThan or lessThanOrEqual"
        );
        assert_eq!(
            new(json!({"type": {"equals": []}}))
                .unwrap_err()
                .to_string(),
            "type.equals: expected one to fifty texts"
        );
    }

    #[test]
    fn patterns_match_without_running_away() {
        assert!(wildcard("a*b?d", "axxbcd"));
        assert!(wildcard("*", ""));
        assert!(!wildcard("a*b", "abc"));
        assert!(!wildcard(&"*a".repeat(50), &"b".repeat(100_000)));
    }
}
