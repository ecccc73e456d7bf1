//! Benchmarks as data: requirements with their short titles, and which checks judge them.
//!
//! The mapping itself stands in the checks ([`Check::maps`]), so adding a check is one file.

use crate::check::Check;
use crate::checks::ALL;

/// Who decides about a requirement, by the benchmark's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// A program can.
    Automated,
    /// A person has to.
    Manual,
}

/// A requirement of a benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    /// Number such as `4.2.1`.
    pub id: &'static str,
    /// Automated or manual.
    pub assessment: Assessment,
    /// Short title.
    pub title: &'static str,
    /// What would have to be known to judge it, when no check does.
    pub lacks: &'static str,
}

/// A benchmark.
#[derive(Clone, Debug)]
pub struct Benchmark {
    /// Id such as `cis-eks-1.8`.
    pub id: &'static str,
    /// Full name.
    pub title: &'static str,
    /// Requirements in the benchmark's order.
    pub requirements: Vec<Requirement>,
}

/// Id and table of every benchmark, sorted by id.
const TABLES: [(&str, &str); 6] = [
    ("cis-eks-1.4", include_str!("../data/cis-eks-1.4.tsv")),
    ("cis-eks-1.5", include_str!("../data/cis-eks-1.5.tsv")),
    ("cis-eks-1.7", include_str!("../data/cis-eks-1.7.tsv")),
    ("cis-eks-1.8", include_str!("../data/cis-eks-1.8.tsv")),
    ("cis-k8s-1.12", include_str!("../data/cis-k8s-1.12.tsv")),
    ("nsa", include_str!("../data/nsa.tsv")),
];

/// Ids of all benchmarks.
pub fn ids() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(id, _)| *id)
}

/// The benchmark with this id.
pub fn by_id(id: &str) -> Option<Benchmark> {
    let (id, table) = TABLES.iter().find(|(known, _)| *known == id)?;
    let mut lines = table.lines();
    let title = lines.next()?.strip_prefix("# ")?;
    let requirements = lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some(Requirement {
                id: columns.next()?,
                assessment: match columns.next()? {
                    "automated" => Assessment::Automated,
                    _ => Assessment::Manual,
                },
                title: columns.next()?,
                lacks: columns.next().unwrap_or_default(),
            })
        })
        .collect();
    Some(Benchmark {
        id,
        title,
        requirements,
    })
}

/// The checks that judge a requirement.
pub fn checks_for(benchmark: &str, requirement: &str) -> Vec<&'static Check> {
    ALL.iter()
        .filter(|check| {
            check.maps.iter().any(|map| {
                map.split_once(':')
                    .is_some_and(|(b, r)| b == benchmark && r == requirement)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mapping_names_a_requirement() {
        for check in ALL {
            for map in check.maps {
                let (benchmark, requirement) = map.split_once(':').unwrap();
                let known = by_id(benchmark).unwrap_or_else(|| panic!("{map}"));
                assert!(
                    known.requirements.iter().any(|r| r.id == requirement),
                    "{}: {map} is not a requirement",
                    check.id
                );
            }
        }
    }

    #[test]
    fn every_automated_requirement_has_checks_or_says_what_it_lacks() {
        let (mut judged, mut automated) = (0, 0);
        for id in ids() {
            for requirement in by_id(id).unwrap().requirements {
                let found = !checks_for(id, requirement.id).is_empty();
                if requirement.assessment == Assessment::Automated {
                    automated += 1;
                    judged += usize::from(found);
                    assert!(
                        found || !requirement.lacks.is_empty(),
                        "{id} {} {} has neither",
                        requirement.id,
                        requirement.title
                    );
                }
            }
        }
        println!("{judged} of {automated} automated requirements are judged");
    }

    #[test]
    fn every_automated_control_of_cis_eks_1_8_is_implemented() {
        let eks = by_id("cis-eks-1.8").unwrap();
        let automated: Vec<_> = eks
            .requirements
            .iter()
            .filter(|r| r.assessment == Assessment::Automated)
            .collect();
        assert_eq!(automated.len(), 27);
        for requirement in automated {
            assert!(
                !checks_for("cis-eks-1.8", requirement.id).is_empty(),
                "{}",
                requirement.id
            );
        }
    }
}
