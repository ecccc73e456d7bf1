//! Who covers which type: one row for every GuardDuty type, so that none is silently missing, and our own.

use std::sync::LazyLock;

/// How a type is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// A detector of this crate raises it from the records alone.
    Detector,
    /// A detector raises it once a list of this kind is loaded.
    List,
    /// Needs a baseline of what is usual; the model of habits raises it once it has learnt one.
    Baseline,
    /// The rules named raise it from system calls.
    Rule,
    /// The incident machine raises it.
    Sequence,
    /// Possible, not built; the reason says what is lacking.
    Open,
    /// Impossible outside AWS; the reason says why.
    Outside,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FindingType {
    /// Name in GuardDuty's grammar.
    pub name: &'static str,
    /// Severity of a usual finding, 1.0 to 10.0.
    pub severity: f64,
    /// How it is covered.
    pub coverage: Coverage,
    /// By what (kind of list, rule files), or why not.
    pub detail: &'static str,
}

/// Types that GuardDuty does not have.
pub static OWN: &[FindingType] = &[FindingType {
    name: "UnauthorizedAccess:Kubernetes/PodCredentialExfiltration.OutsideCluster",
    severity: 8.0,
    coverage: Coverage::Detector,
    detail: "",
}];

static TABLE: LazyLock<Vec<FindingType>> = LazyLock::new(|| {
    include_str!("../../data/finding_types.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(row)
        .collect()
});

fn row(line: &'static str) -> Option<FindingType> {
    let mut columns = line.split('\t');
    Some(FindingType {
        name: columns.next()?,
        severity: columns.next()?.parse().ok()?,
        coverage: match columns.next()? {
            "detector" => Coverage::Detector,
            "list" => Coverage::List,
            "baseline" => Coverage::Baseline,
            "rule" => Coverage::Rule,
            "sequence" => Coverage::Sequence,
            "open" => Coverage::Open,
            "outside" => Coverage::Outside,
            _ => return None,
        },
        detail: columns.next().unwrap_or_default(),
    })
}

/// Every type of GuardDuty.
pub fn all() -> &'static [FindingType] {
    &TABLE
}

/// The row of a type, GuardDuty's or ours.
pub fn find(name: &str) -> Option<&'static FindingType> {
    TABLE
        .iter()
        .chain(OWN)
        .find(|finding_type| finding_type.name == name)
}

/// Severity of a usual finding of this type; medium for types that are not in the table, such as those of users' rules.
pub fn severity(name: &str) -> f64 {
    /// The middle of GuardDuty's medium band.
    const MEDIUM: f64 = 5.0;
    find(name).map_or(MEDIUM, |finding_type| finding_type.severity)
}
