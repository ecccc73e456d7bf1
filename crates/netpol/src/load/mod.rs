//! From Kubernetes objects to a [`World`]: one reader per kind, and a list of what was left out.
//!
//! A policy that the API server would refuse is left out whole, with the reason and its place; everything else
//! still counts. Kinds that have nothing to do with the network are passed over in silence.

mod calico;
mod cluster;
mod cursor;
mod network_policy;
mod networks;
mod topology;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vedette_manifest::{Loaded, Object, Source};

use cursor::Doc;
pub use cursor::{Diagnostic, Severity};

use crate::labels::Labels;
use crate::model::{
    ADMIN_TIER, BASELINE_TIER, DEFAULT_NAMESPACE, DEFAULT_TIER, NAMESPACE_NAME_LABEL, Namespace,
    Tier, TierEnd, World,
};

/// A world and what is wrong with the inputs it was read from.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// What could be read.
    pub world: World,
    /// What could not.
    pub diagnostics: Vec<Diagnostic>,
}

impl Input {
    /// Whether something was left out that could change an answer.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    }
}

/// Reads a world from texts.
pub fn from_sources(sources: &[Source]) -> Input {
    from_objects(vedette_manifest::load(sources))
}

/// Reads a world from objects. Of objects given twice the last counts, as with `kubectl apply`.
pub fn from_objects(loaded: Loaded) -> Input {
    let mut reader = Reader {
        input: Input::default(),
        seen: FxHashMap::default(),
    };
    for problem in loaded.problems {
        // A text that is no Kubernetes object may be a values file; a text that is no YAML may be anything.
        let severity = if problem.message.starts_with("not valid YAML") {
            Severity::Error
        } else {
            Severity::Warning
        };
        reader.input.diagnostics.push(Diagnostic {
            severity,
            object: String::new(),
            problem,
        });
    }
    let world = &mut reader.input.world;
    for ((name, order), end) in [
        (ADMIN_TIER, TierEnd::Pass),
        (DEFAULT_TIER, TierEnd::Deny),
        (BASELINE_TIER, TierEnd::Pass),
    ] {
        world.tiers.push(Tier {
            name: name.into(),
            order,
            end,
            policies: Vec::new(),
        });
    }
    // Tiers first: a policy of a tier that no object describes must find out.
    for object in loaded.objects.iter().filter(|o| o.kind == "Tier") {
        reader.object(object);
    }
    for object in loaded.objects.iter().filter(|o| o.kind != "Tier") {
        reader.object(object);
    }
    reader.finish(&loaded.objects)
}

/// Kind, namespace and name.
type Identity = (Arc<str>, Arc<str>, Arc<str>);

struct Reader {
    input: Input,
    /// What was read, with the place of the first of each identity.
    seen: FxHashMap<Identity, String>,
}

impl Reader {
    fn object(&mut self, object: &Object) {
        let mut doc = Doc::new(object);
        let world = &mut self.input.world;
        let group = object.group();
        let known = match (group, object.kind.as_str()) {
            ("networking.k8s.io" | "extensions", "NetworkPolicy") => {
                network_policy::read(&mut doc, world)
            }
            ("k8s.cni.cncf.io", "MultiNetworkPolicy") => {
                network_policy::read_multi(&mut doc, world)
            }
            ("policy.networking.k8s.io", "AdminNetworkPolicy") => {
                cluster::read_admin(&mut doc, world)
            }
            ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy") => {
                cluster::read_baseline(&mut doc, world)
            }
            ("policy.networking.k8s.io", "ClusterNetworkPolicy") => {
                cluster::read_cluster(&mut doc, world)
            }
            ("projectcalico.org" | "crd.projectcalico.org", kind) => {
                calico::read(&mut doc, world, kind)
            }
            // Examples in the wild give user-defined networks all kinds of groups.
            (_, "UserDefinedNetwork" | "ClusterUserDefinedNetwork")
            | ("k8s.cni.cncf.io", "NetworkAttachmentDefinition") => {
                networks::read(&mut doc, world);
                true
            }
            _ => topology::read(&mut doc, world),
        };
        if known && !doc.failed() {
            self.note_twice(&mut doc);
        }
        self.input.diagnostics.append(&mut doc.found);
    }

    /// Two policies of one name: a cluster would hold only the one applied last, so the earlier one goes.
    fn note_twice(&mut self, doc: &mut Doc<'_>) {
        let object = doc.object;
        let namespace = object.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let key = (
            Arc::<str>::from(object.kind.as_str()),
            Arc::<str>::from(namespace),
            Arc::<str>::from(object.name.as_str()),
        );
        let place = format!("{}:{}", object.source.name, object.node.span.line);
        let Some(first) = self.seen.insert(key, place) else {
            return;
        };
        let generated = object.at(&["metadata", "name"]).is_none();
        if generated {
            return;
        }
        let world = &mut self.input.world;
        let root = doc.root();
        for tier in &mut world.tiers {
            let same = |p: &crate::model::Policy| {
                *p.id.kind == *object.kind
                    && *p.id.name == *object.name
                    && p.id.namespace.as_deref().is_none_or(|ns| ns == namespace)
            };
            let count = tier.policies.iter().filter(|p| same(p)).count();
            if count > 1
                && let Some(at) = tier.policies.iter().position(same)
            {
                tier.policies.remove(at);
            }
        }
        let is_workload = vedette_manifest::pod_part(object).is_some();
        if is_workload {
            let pods = &mut world.pods;
            let twin = |p: &crate::model::Pod| {
                *p.kind == *object.kind && *p.name == *object.name && *p.namespace == *namespace
            };
            if pods.iter().filter(|p| twin(p)).count() > 1
                && let Some(at) = pods.iter().position(twin)
            {
                pods.remove(at);
            }
        }
        doc.error(
            &root,
            format!(
                "an object of this kind and name was already read at {first}; this one replaces it"
            ),
        );
    }

    /// Fills in what follows from the whole: namespaces that were only mentioned, order, owners.
    fn finish(mut self, objects: &[Object]) -> Input {
        let world = &mut self.input.world;
        topology::finish(world, objects);
        let mut named: Vec<Arc<str>> = world.pods.iter().map(|p| p.namespace.clone()).collect();
        named.extend(world.policies().filter_map(|p| p.id.namespace.clone()));
        named.extend(world.services.iter().map(|s| s.namespace.clone()));
        named.sort_unstable();
        named.dedup();
        world.namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        world.namespaces.dedup_by(|later, first| {
            let same = later.name == first.name;
            if same {
                std::mem::swap(later, first);
            }
            same
        });
        let missing: Vec<Arc<str>> = named
            .into_iter()
            .filter(|name| world.namespace(name).is_none())
            .collect();
        for name in missing {
            let labels = Labels::new([(NAMESPACE_NAME_LABEL.into(), name.clone())]);
            world.namespaces.push(Namespace {
                name,
                labels,
                declared: false,
            });
        }
        world.namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        world.sort();
        networks::finish(&mut self.input, objects);
        cluster::finish(&mut self.input, objects);
        self.input
    }
}
