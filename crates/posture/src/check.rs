//! What a check is, what it finds, and how a finding would be mended.
//!
//! A check is one file under `checks/`: a [`Check`] constant whose documentation is the module comment of that
//! very file, a `run` function, and a markdown test beside it.

use crate::input::Input;
use crate::value;

/// How bad a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Weakens a defence.
    Medium,
    /// Opens a way to the node or to other workloads.
    High,
    /// Gives the cluster away.
    Critical,
}

impl Severity {
    /// In lower case, as outputs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// What a check looks at. Without any such object in the input the check was *not evaluated*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Pods and everything that makes pods.
    Workload,
    /// Images, when the settings name the approved registries.
    Registries,
    /// Roles, cluster roles and their bindings.
    Rbac,
    /// Objects that live in a namespace.
    Namespaced,
    /// Namespace objects.
    Namespace,
    /// Service accounts.
    ServiceAccount,
    /// Services.
    Service,
    /// Ingresses.
    Ingress,
    /// Admission webhook configurations.
    Webhook,
    /// Node facts: `NodeInfo`, `KubeletInfo` or `KubeletConfiguration`.
    Node,
    /// The answer of `aws eks describe-cluster`.
    EksCluster,
}

impl Scope {
    /// Whether an object of this kind is looked at.
    pub fn covers(self, kind: &str, makes_pods: bool) -> bool {
        match self {
            Scope::Workload | Scope::Registries => makes_pods,
            Scope::Rbac => matches!(
                kind,
                "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding"
            ),
            Scope::Namespaced => makes_pods || crate::input::namespaced(kind),
            Scope::Namespace => kind == "Namespace",
            Scope::ServiceAccount => kind == "ServiceAccount",
            Scope::Service => kind == "Service",
            Scope::Ingress => kind == "Ingress",
            Scope::Webhook => matches!(
                kind,
                "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration"
            ),
            Scope::Node => matches!(kind, "NodeInfo" | "KubeletInfo" | "KubeletConfiguration"),
            Scope::EksCluster => kind == "ClusterDescribe",
        }
    }

    /// What a person has to add to the input so that such checks can be evaluated.
    pub fn needs(self) -> &'static str {
        match self {
            Scope::Workload => "pods or workloads",
            Scope::Registries => "the approved registries (--registry)",
            Scope::Rbac => {
                "roles and bindings (kubectl get roles,clusterroles,rolebindings,clusterrolebindings -A -o yaml)"
            }
            Scope::Namespaced => "objects that live in namespaces",
            Scope::Namespace => "namespaces (kubectl get namespaces -o yaml)",
            Scope::ServiceAccount => "service accounts (kubectl get serviceaccounts -A -o yaml)",
            Scope::Service => "services",
            Scope::Ingress => "ingresses",
            Scope::Webhook => "webhook configurations",
            Scope::Node => {
                "node facts (the kubelet's configuration file, or NodeInfo or KubeletInfo of a node collector)"
            }
            Scope::EksCluster => "the answer of `aws eks describe-cluster`",
        }
    }
}

/// A check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Stable id in kebab case, equal to the file's name.
    pub id: &'static str,
    /// How bad a failure is.
    pub severity: Severity,
    /// What it looks at.
    pub scope: Scope,
    /// Benchmark requirements it judges, as `benchmark:requirement`.
    pub maps: &'static [&'static str],
    /// Steps of the lab's attack that a cluster passing this check would have stopped.
    pub stops: &'static [u8],
    /// The source file, whose module comment is the documentation.
    pub source: &'static str,
    /// Finds failures.
    pub run: fn(&Input<'_>, &mut Findings<'_>),
}

/// The documentation of a check, taken from its module comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Docs {
    /// First line.
    pub title: String,
    /// What holds when it passes.
    pub ensures: String,
    /// Why that matters.
    pub why: String,
    /// What fails.
    pub example: String,
    /// How to mend it.
    pub fix: String,
}

impl Check {
    /// Reads the documentation.
    pub fn docs(&self) -> Docs {
        let mut docs = Docs::default();
        let mut section = 0;
        for line in self.source.lines().map_while(|l| l.strip_prefix("//!")) {
            let line = line.strip_prefix(' ').unwrap_or(line);
            section = match line {
                "# What it ensures" => 1,
                "# Why" => 2,
                "# Example" => 3,
                "# Fix" => 4,
                _ => {
                    let text = match section {
                        0 => &mut docs.title,
                        1 => &mut docs.ensures,
                        2 => &mut docs.why,
                        3 => &mut docs.example,
                        _ => &mut docs.fix,
                    };
                    if !(text.is_empty() && line.is_empty()) {
                        text.push_str(line);
                        text.push('\n');
                    }
                    continue;
                }
            };
        }
        for text in [
            &mut docs.title,
            &mut docs.ensures,
            &mut docs.why,
            &mut docs.example,
            &mut docs.fix,
        ] {
            text.truncate(text.trim_end().len());
        }
        docs.truncate_title();
        docs
    }
}

impl Docs {
    fn truncate_title(&mut self) {
        if let Some(bare) = self.title.strip_suffix('.') {
            self.title = bare.to_owned();
        }
    }
}

/// One change to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Makes the field at the path have this value, given as YAML in flow style.
    Set(String, String),
    /// Takes the field or list item at the path away.
    Remove(String),
    /// Adds a value, given as YAML in flow style, to the end of the list at the path.
    Append(String, String),
}

/// A failure of a check.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Index of the object in the input.
    pub object: usize,
    /// The fields that fail, as paths from the object's root; the first one is the place to look at.
    pub paths: Vec<String>,
    /// The value found there; `None` when the field is not set.
    pub value: Option<String>,
    /// One sentence that says what is wrong.
    pub message: String,
    /// The container concerned.
    pub container: Option<String>,
    /// Changes that mend it, all together. Empty when only a person can decide.
    pub fix: Vec<Edit>,
    /// What to test after the fix, when it may break the workload.
    pub caution: Option<&'static str>,
    /// For RBAC: who has the right, through which binding.
    pub grants: Vec<Grant>,
}

/// Somebody to whom a role is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Index of the binding object in the input.
    pub binding: usize,
    /// Index of the subject in the binding.
    pub subject: usize,
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// Name; for service accounts `namespace/name`.
    pub name: String,
}

impl Finding {
    /// A failure at `path` of the object with this index.
    pub fn new(object: usize, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            object,
            paths: vec![path.into()],
            value: None,
            message: message.into(),
            container: None,
            fix: Vec::new(),
            caution: None,
            grants: Vec::new(),
        }
    }

    /// The place to look at.
    pub fn path(&self) -> &str {
        self.paths.first().map_or("", String::as_str)
    }

    /// Names a further field that takes part.
    #[must_use]
    pub fn also(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Mends it by setting the first path.
    #[must_use]
    pub fn set(mut self, yaml: impl Into<String>) -> Self {
        self.fix
            .push(Edit::Set(self.path().to_owned(), yaml.into()));
        self
    }

    /// Mends it by removing the first path.
    #[must_use]
    pub fn remove(mut self) -> Self {
        self.fix.push(Edit::Remove(self.path().to_owned()));
        self
    }

    /// Adds a change to the fix.
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Self {
        self.fix.push(edit);
        self
    }

    /// Says what to test after the fix.
    #[must_use]
    pub fn caution(mut self, text: &'static str) -> Self {
        self.caution = Some(text);
        self
    }

    /// Names the container.
    #[must_use]
    pub fn of(mut self, container: &str) -> Self {
        self.container = Some(container.to_owned());
        self
    }
}

/// Collects what a check finds, and fills in the values.
#[derive(Debug)]
pub struct Findings<'a> {
    objects: &'a [vedette_manifest::Object],
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    /// An empty collection over the objects of the input.
    pub fn new(objects: &'a [vedette_manifest::Object]) -> Self {
        Self {
            objects,
            found: Vec::new(),
        }
    }

    /// Adds a finding; its value is read from the object unless the check gave one.
    pub fn push(&mut self, mut finding: Finding) {
        if finding.value.is_none()
            && let Some(object) = self.objects.get(finding.object)
        {
            let (node, found) = value::resolve(&object.node, finding.path());
            if found && !finding.path().is_empty() {
                finding.value = Some(value::show(node));
            }
        }
        self.found.push(finding);
    }

    /// What was found.
    pub fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}
