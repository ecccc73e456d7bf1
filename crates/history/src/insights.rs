//! The Insights tree: counts of places, summed up from containers to the cluster or to its nodes.

use std::collections::BTreeMap;

use crate::{Counts, Node, NodeKind, PlaceCount};

/// By what the tree is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Namespace, workload, pod, container. Records without a namespace are under their node.
    #[default]
    Kubernetes,
    /// Node, pod, container.
    Host,
}

#[derive(Default)]
struct Branch {
    counts: Counts,
    denied: u64,
    last: u64,
    children: BTreeMap<(NodeKind, String), Branch>,
}

/// Makes the tree.
pub fn tree(view: View, places: &[PlaceCount]) -> Node {
    let mut root = Branch::default();
    for count in places {
        let place = &count.place;
        let way: &[(NodeKind, &str)] = match view {
            View::Kubernetes if place.namespace.is_empty() => &[
                (NodeKind::Node, &place.node),
                (NodeKind::Pod, &place.pod),
                (NodeKind::Container, &place.container),
            ],
            View::Kubernetes => &[
                (NodeKind::Namespace, &place.namespace),
                (NodeKind::Workload, &place.workload),
                (NodeKind::Pod, &place.pod),
                (NodeKind::Container, &place.container),
            ],
            View::Host => &[
                (NodeKind::Node, &place.node),
                (NodeKind::Pod, &place.pod),
                (NodeKind::Container, &place.container),
            ],
        };
        let mut branch = &mut root;
        branch.add(count);
        for (kind, name) in way {
            // What is not known is left out of the way: a container without a pod hangs below its node.
            if name.is_empty() {
                continue;
            }
            branch = branch
                .children
                .entry((*kind, (*name).to_owned()))
                .or_default();
            branch.add(count);
        }
    }
    root.finish(String::new(), String::new(), NodeKind::Cluster)
}

impl Branch {
    fn add(&mut self, count: &PlaceCount) {
        self.counts.merge(count.counts);
        self.denied += count.denied;
        self.last = self.last.max(count.last);
    }

    fn finish(self, id: String, name: String, kind: NodeKind) -> Node {
        let mut children: Vec<Node> = self
            .children
            .into_iter()
            .map(|((kind, name), branch)| {
                // Kinds are part of the id: a node and a namespace may share a name.
                let step = format!("{id}/{}:{name}", kind_letter(kind));
                branch.finish(step, name, kind)
            })
            .collect();
        let urgency = |node: &Node| {
            let c = node.counts;
            [c.critical, c.high, c.medium, c.low, c.info]
        };
        children.sort_by(|a, b| {
            urgency(b)
                .cmp(&urgency(a))
                .then_with(|| a.name.cmp(&b.name))
        });
        Node {
            id,
            name,
            kind,
            counts: self.counts,
            denied: self.denied,
            last: self.last,
            children,
        }
    }
}

fn kind_letter(kind: NodeKind) -> char {
    match kind {
        NodeKind::Cluster => 'k',
        NodeKind::Namespace => 'n',
        NodeKind::Workload => 'w',
        NodeKind::Pod => 'p',
        NodeKind::Container => 'c',
        NodeKind::Node => 'h',
    }
}

#[cfg(test)]
mod tests {
    use vedette_event::Severity;

    use super::*;
    use crate::Place;

    fn count(node: &str, ns: &str, workload: &str, pod: &str, severity: Severity) -> PlaceCount {
        let mut counts = Counts::default();
        counts.add(severity, 2);
        PlaceCount {
            place: Place {
                node: node.into(),
                namespace: ns.into(),
                workload: workload.into(),
                pod: pod.into(),
                ..Place::default()
            },
            counts,
            denied: 1,
            last: 5,
        }
    }

    #[test]
    fn a_container_without_a_pod_hangs_below_its_node() {
        let mut place = count("a", "", "", "", Severity::High);
        place.place.container = "5eed".into();
        for view in [View::Kubernetes, View::Host] {
            let root = tree(view, std::slice::from_ref(&place));
            assert_eq!(root.children[0].children[0].id, "/h:a/c:5eed");
        }
    }

    #[test]
    fn sums_reach_the_root_and_urgent_children_come_first() {
        let places = [
            count("a", "quiet", "w", "w-0", Severity::Low),
            count("a", "loud", "w", "w-0", Severity::Critical),
            count("b", "loud", "w", "w-1", Severity::Info),
            count("b", "", "", "", Severity::High),
        ];
        let root = tree(View::Kubernetes, &places);
        assert_eq!((root.counts.total(), root.denied), (8, 4));
        let names: Vec<&str> = root.children.iter().map(|n| &*n.name).collect();
        assert_eq!(names, ["loud", "b", "quiet"]);
        assert_eq!(root.children[0].children[0].children.len(), 2);
        assert_eq!(root.children[0].id, "/n:loud");
        let hosts = tree(View::Host, &places);
        assert_eq!(hosts.children.len(), 2);
        assert_eq!(
            hosts.children.iter().map(|n| n.counts.total()).sum::<u64>(),
            8
        );
    }
}
