//! What Calico's selectors say of a party: labels that it adds itself, scopes, accounts, network sets, host endpoints.

use super::matching::{Matcher, Tri, View};
use crate::expression::Expression;
use crate::model::{Entity, NAMESPACE_NAME_LABEL, Namespace, NetworkSet, Pod, Scope};
use crate::traffic::Protocol;

/// A label that Calico adds to endpoints by itself.
const CALICO_NAMESPACE: &str = "projectcalico.org/namespace";
const CALICO_ORCHESTRATOR: &str = "projectcalico.org/orchestrator";
const CALICO_ACCOUNT: &str = "projectcalico.org/serviceaccount";
/// The label by which a namespace or account selector names one.
const CALICO_NAME: &str = "projectcalico.org/name";

impl<'w> Matcher<'w> {
    pub(super) fn in_scope(&self, scope: &Scope, view: &View<'_>) -> Tri {
        match scope {
            Scope::Anywhere => Tri::Yes,
            Scope::Global => view.pod.is_none().into(),
            Scope::Namespace(name) => view
                .namespace
                .is_some_and(|ns| ns.name == *name && view.pod.is_some())
                .into(),
            Scope::Namespaces(expression) => match view.namespace.filter(|_| view.pod.is_some()) {
                Some(namespace) => self.namespace_expression(expression, namespace),
                None => Tri::No,
            },
        }
    }

    fn namespace_expression(&self, expression: &Expression, namespace: &Namespace) -> Tri {
        let get = |key: &str| {
            if key == CALICO_NAME {
                Some(&*namespace.name)
            } else {
                namespace.labels.get(key)
            }
        };
        if !namespace.declared && self.assumptions.doubt_unknown_labels {
            let mut unknown = false;
            expression.keys(&mut |key| {
                unknown |= **key != *CALICO_NAME && **key != *NAMESPACE_NAME_LABEL;
            });
            if unknown {
                return Tri::Maybe;
            }
        }
        expression.matches(&get).into()
    }

    fn pod_label<'a>(
        &self,
        pod: &'a Pod,
        namespace: Option<&'a Namespace>,
        key: &str,
    ) -> Option<&'a str>
    where
        'w: 'a,
    {
        match key {
            CALICO_NAMESPACE => return Some(&pod.namespace),
            CALICO_ORCHESTRATOR => return Some("k8s"),
            CALICO_ACCOUNT => return Some(&pod.service_account),
            _ => {}
        }
        if let Some(key) = key.strip_prefix("pcns.") {
            let namespace = namespace?;
            return if key == CALICO_NAME {
                Some(&namespace.name)
            } else {
                namespace.labels.get(key)
            };
        }
        if let Some(key) = key.strip_prefix("pcsa.") {
            return if key == CALICO_NAME {
                Some(&pod.service_account)
            } else {
                self.world
                    .account(&pod.namespace, &pod.service_account)
                    .and_then(|a| a.labels.get(key))
            };
        }
        pod.labels.get(key)
    }

    pub(super) fn expression(&self, expression: &Expression, view: &View<'_>) -> Tri {
        let Some(pod) = view.pod else { return Tri::No };
        let get = |key: &str| self.pod_label(pod, view.namespace, key);
        expression.matches(&get).into()
    }

    pub(super) fn account(&self, expression: &Expression, view: &View<'_>) -> Tri {
        let Some(pod) = view.pod else { return Tri::No };
        let Some(account) = self.world.account(&pod.namespace, &pod.service_account) else {
            // Without the ServiceAccount object only its name is known.
            let mut unknown = false;
            expression.keys(&mut |key| unknown |= **key != *CALICO_NAME);
            if unknown && self.assumptions.doubt_unknown_labels {
                return Tri::Maybe;
            }
            let get = |key: &str| (key == CALICO_NAME).then_some(&*pod.service_account);
            return expression.matches(&get).into();
        };
        let get = |key: &str| {
            if key == CALICO_NAME {
                Some(&*account.name)
            } else {
                account.labels.get(key)
            }
        };
        expression.matches(&get).into()
    }

    /// Whether a party is what one end of a Calico rule describes.
    pub fn entity(
        &self,
        entity: &Entity,
        view: &View<'_>,
        v6: bool,
        conn: Option<(Protocol, u16)>,
    ) -> Tri {
        let mut out = Tri::Yes;
        if !entity.nets.is_empty() {
            out = out.and(self.in_any(&entity.nets, view, v6));
        }
        if !entity.not_nets.is_empty() {
            out = out.and(self.in_any(&entity.not_nets, view, v6).negated());
        }
        if let Some(selector) = &entity.selector {
            out = out.and(self.selected(selector, entity, view, v6));
        }
        if let Some(selector) = &entity.not_selector {
            out = out.and(
                self.endpoint_or_set(selector, &Scope::Anywhere, view, v6)
                    .negated(),
            );
        }
        if let Some((namespace, name)) = &entity.service {
            out = out.and(self.behind_service(namespace, name, view, conn));
        }
        out
    }

    fn selected(&self, selector: &Expression, entity: &Entity, view: &View<'_>, v6: bool) -> Tri {
        if entity.account_names.is_empty() && entity.account_selector.is_none() {
            return self.endpoint_or_set(selector, &entity.scope, view, v6);
        }
        let Some(pod) = view.pod else { return Tri::No };
        let named = entity.account_names.is_empty()
            || entity
                .account_names
                .iter()
                .any(|n| **n == *pod.service_account);
        let accounts = entity
            .account_selector
            .as_ref()
            .map_or(Tri::Yes, |a| self.account(a, view));
        Tri::from(named)
            .and(accounts)
            .and(self.in_scope(&entity.scope, view))
            .and(self.expression(selector, view))
    }

    /// Selectors find workload endpoints, host endpoints and network sets alike.
    fn endpoint_or_set(
        &self,
        selector: &Expression,
        scope: &Scope,
        view: &View<'_>,
        v6: bool,
    ) -> Tri {
        let mut out = self
            .expression(selector, view)
            .and(self.in_scope(scope, view));
        if out == Tri::Yes {
            return out;
        }
        if view.on_node && matches!(scope, Scope::Anywhere | Scope::Global) {
            let hosts = self.world.host_endpoints.iter().filter(|h| {
                view.node.is_some_and(|n| n.name == h.node)
                    || h.ips.iter().any(|ip| view.ips.contains(ip))
            });
            for host in hosts {
                let get = |key: &str| host.labels.get(key);
                out = out.or(selector.matches(&get).into());
            }
        }
        for set in &self.world.network_sets {
            if self.set_matches(set, selector, scope) {
                out = out.or(self.in_any(&set.nets, view, v6));
            }
        }
        out
    }

    fn set_matches(&self, set: &NetworkSet, selector: &Expression, scope: &Scope) -> bool {
        let namespace = set
            .namespace
            .as_ref()
            .and_then(|name| self.world.namespace(name));
        let here = match scope {
            Scope::Anywhere => true,
            Scope::Global => set.namespace.is_none(),
            Scope::Namespace(name) => set.namespace.as_ref() == Some(name),
            Scope::Namespaces(expression) => {
                namespace.is_some_and(|ns| self.namespace_expression(expression, ns) == Tri::Yes)
            }
        };
        let get = |key: &str| match key.strip_prefix("pcns.") {
            Some(key) => namespace.and_then(|ns| {
                if key == CALICO_NAME {
                    Some(&*ns.name)
                } else {
                    ns.labels.get(key)
                }
            }),
            None if key == CALICO_NAMESPACE => set.namespace.as_deref(),
            None => set.labels.get(key),
        };
        here && selector.matches(&get)
    }
}
