//! What an API call is for. AWS does not publish the table behind its types; this one is ours, and the documentation
//! shows it.

/// What a call is for, in the words of GuardDuty's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the tactics' own names")]
pub enum Tactic {
    CredentialAccess,
    DefenseEvasion,
    Discovery,
    Impact,
    Persistence,
}

impl Tactic {
    /// Every tactic.
    pub const ALL: [Self; 5] = [
        Self::CredentialAccess,
        Self::DefenseEvasion,
        Self::Discovery,
        Self::Impact,
        Self::Persistence,
    ];

    /// The word in types.
    pub fn name(self) -> &'static str {
        match self {
            Self::CredentialAccess => "CredentialAccess",
            Self::DefenseEvasion => "DefenseEvasion",
            Self::Discovery => "Discovery",
            Self::Impact => "Impact",
            Self::Persistence => "Persistence",
        }
    }
}

/// Resources that run containers.
pub(crate) const WORKLOADS: [&str; 9] = [
    "pods",
    "deployments",
    "daemonsets",
    "statefulsets",
    "replicasets",
    "replicationcontrollers",
    "jobs",
    "cronjobs",
    "podtemplates",
];

/// Resources that guard others: who weakens them hides something.
const GUARDS: [&str; 9] = [
    "validatingwebhookconfigurations",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "networkpolicies",
    "clusternetworkpolicies",
    "ciliumnetworkpolicies",
    "ciliumclusterwidenetworkpolicies",
    "globalnetworkpolicies",
];

/// A call as the table sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) verb: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    /// The request sets a Pod Security label on a namespace.
    pub(crate) security_label: bool,
    /// The request was made in somebody else's name.
    pub(crate) impersonated: bool,
}

/// What the call is for.
pub(crate) fn tactic(facts: Facts<'_>) -> Tactic {
    let Facts {
        verb,
        resource,
        subresource,
        namespace,
        ..
    } = facts;
    let reads = matches!(verb, "get" | "list" | "watch" | "head" | "options");
    let deletes = matches!(verb, "delete" | "deletecollection");
    if matches!((resource, subresource), ("serviceaccounts", "token"))
        || resource == "certificatesigningrequests" && !reads && !deletes
        || resource == "secrets" && reads
        || resource == "configmaps" && namespace == "kube-system" && reads
    {
        return Tactic::CredentialAccess;
    }
    // Commands in containers, tunnels and the kubelet's own interface come with reading verbs.
    if matches!(subresource, "exec" | "attach" | "portforward" | "proxy") {
        return Tactic::Impact;
    }
    if resource.ends_with("reviews") {
        return Tactic::Discovery;
    }
    if facts.impersonated {
        return Tactic::DefenseEvasion;
    }
    if reads {
        return Tactic::Discovery;
    }
    if resource == "events" && deletes
        || GUARDS.contains(&resource) && verb != "create"
        || resource == "namespaces" && facts.security_label
    {
        return Tactic::DefenseEvasion;
    }
    if deletes || matches!(subresource, "scale" | "eviction") {
        return Tactic::Impact;
    }
    let persists = WORKLOADS.contains(&resource)
        || matches!(
            resource,
            "rolebindings" | "clusterrolebindings" | "roles" | "clusterroles"
        )
        || resource == "mutatingwebhookconfigurations"
        || resource == "secrets";
    if persists {
        Tactic::Persistence
    } else {
        // AWS's own tester has a created service account count as Impact; so does every other change.
        Tactic::Impact
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_fall_under_the_tactics_of_the_table() {
        let of = |verb, resource, subresource, namespace| {
            tactic(Facts {
                verb,
                resource,
                subresource,
                namespace,
                security_label: false,
                impersonated: false,
            })
        };
        assert_eq!(of("list", "secrets", "", ""), Tactic::CredentialAccess);
        assert_eq!(
            of("create", "serviceaccounts", "token", "dev"),
            Tactic::CredentialAccess
        );
        assert_eq!(
            of("get", "configmaps", "", "kube-system"),
            Tactic::CredentialAccess
        );
        assert_eq!(of("get", "configmaps", "", "dev"), Tactic::Discovery);
        assert_eq!(of("get", "", "", ""), Tactic::Discovery);
        assert_eq!(
            of("create", "selfsubjectaccessreviews", "", ""),
            Tactic::Discovery
        );
        assert_eq!(
            of("deletecollection", "events", "", "dev"),
            Tactic::DefenseEvasion
        );
        assert_eq!(
            of("delete", "networkpolicies", "", "dev"),
            Tactic::DefenseEvasion
        );
        assert_eq!(of("create", "pods", "", "dev"), Tactic::Persistence);
        assert_eq!(of("delete", "pods", "", "dev"), Tactic::Impact);
        assert_eq!(of("create", "pods", "eviction", "dev"), Tactic::Impact);
        assert_eq!(of("create", "serviceaccounts", "", "dev"), Tactic::Impact);
        assert_eq!(of("get", "pods", "exec", "dev"), Tactic::Impact);
    }
}
