//! Kubernetes objects as files hold them: kind, name, namespace, pod template, and their place in the text.
//!
//! The network-policy and posture engines read the same inputs (manifests, rendered charts, `kubectl get -o yaml`
//! dumps, lists in lists), so what an input *is* stands here once.
//! Nothing is interpreted beyond that: a reader gets [`vedette_yaml::Node`]s with positions and decides.

mod object;
mod pod;

pub use object::{Loaded, Object, Problem, Source, load};
pub use pod::{PodPart, makes_pods, pod_part};
