//! Policies from YAML. A policy with an error is left out and told; the others hold.

use vedette_event::Priority;
use vedette_rules::diagnostic::closest;
use vedette_yaml::{Node, Span};

use super::date::seconds;
use super::drift::{Reaction, Source};
use super::scope::{Requirement, Scope};
use super::selector::{requirement, split_selector};
use super::{ActionKind, Detectors, Exception, Mode, PathPattern, Policy, RuleSelection};

/// Most policies of one file; every event of a container is held against all that match it.
pub const MAX_POLICIES: usize = 1000;
/// Most exceptions of one policy; the kernel's table has room for 16,384 of all containers together.
const MAX_EXCEPTIONS: usize = 500;

/// What is wrong with a policy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Name of the file.
    pub file: String,
    /// Where.
    pub span: Span,
    /// What is wrong and what was expected.
    pub message: String,
    /// The policy is left out; without it the problem is a remark.
    pub fatal: bool,
}

impl std::fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Span { line, column, .. } = self.span;
        let kind = if self.fatal { "error" } else { "warning" };
        write!(f, "{}:{line}:{column}: {kind}: {}", self.file, self.message)
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: Vec<PolicyProblem>,
}

/// Reads the policies of a file: documents that are one policy, a list of policies, or a map with `policies`.
pub fn read(text: &str, file: &str) -> (Vec<Policy>, Vec<PolicyProblem>) {
    let parsed = vedette_yaml::parse(text);
    let mut reader = Reader {
        file,
        problems: Vec::new(),
    };
    for error in parsed.errors {
        reader.fatal(error.span, error.message);
    }
    let mut policies: Vec<Policy> = Vec::new();
    for document in &parsed.documents {
        let root = &document.root;
        if root.is_null() {
            continue;
        }
        let list = root.get("policies").unwrap_or(root);
        let nodes = match list.as_seq() {
            Some(nodes) => nodes,
            None => std::slice::from_ref(list),
        };
        for node in nodes {
            if policies.len() == MAX_POLICIES {
                reader.fatal(
                    node.span,
                    format!("more than {MAX_POLICIES} policies in one file: the rest is left out"),
                );
                return (policies, reader.problems);
            }
            if let Some(policy) = reader.policy(node) {
                if policies.iter().any(|p| p.name == policy.name) {
                    reader.fatal(
                        node.span,
                        format!(
                            "a policy `{}` is already there: names are unique",
                            policy.name
                        ),
                    );
                    continue;
                }
                policies.push(policy);
            }
        }
    }
    (policies, reader.problems)
}

const KEYS: &[&str] = &[
    "name",
    "description",
    "enabled",
    "severity",
    "mode",
    "dry_run",
    "scope",
    "detectors",
    "rules",
    "actions",
    "critical_processes",
    "exceptions",
];
const SCOPE_KEYS: &[&str] = &[
    "clusters",
    "namespaces",
    "workloads",
    "images",
    "hosts",
    "containers",
    "labels",
];
const DRIFT_KEYS: &[&str] = &["executables", "libraries", "scripts", "injection", "from"];

impl Reader<'_> {
    fn tell(&mut self, span: Span, message: String, fatal: bool) {
        self.problems.push(PolicyProblem {
            file: self.file.to_owned(),
            span,
            message,
            fatal,
        });
    }

    fn fatal(&mut self, span: Span, message: String) {
        self.tell(span, message, true);
    }

    /// The entries of a map whose keys are known; `None` when it is no map. Unknown keys are errors.
    fn map<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Option<&'n [(Node, Node)]> {
        let Some(entries) = node.as_map() else {
            self.fatal(
                node.span,
                format!("{what} is a map, not {}", node.describe()),
            );
            return None;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if !keys.contains(&name) {
                let hint = closest(name, keys.iter().copied())
                    .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                self.fatal(
                    key.span,
                    format!("{what} has no `{name}`{hint} (it has {})", keys.join(", ")),
                );
            }
        }
        Some(entries)
    }

    fn policy(&mut self, node: &Node) -> Option<Policy> {
        let before = self.problems.iter().filter(|p| p.fatal).count();
        self.map(node, "a policy", KEYS)?;
        let name = match node.get("name").map(|n| (n, n.as_str())) {
            Some((_, Some(name))) if !name.trim().is_empty() => name.trim().to_owned(),
            Some((n, _)) => {
                self.fatal(n.span, "`name` is a text that is not empty".to_owned());
                String::new()
            }
            None => {
                self.fatal(node.span, "a policy needs a `name`".to_owned());
                String::new()
            }
        };
        let actions = self.actions(node.get("actions"));
        let mode = match node
            .get("mode")
            .and_then(|n| self.word(n, "mode", &["audit", "deny"]))
        {
            Some(1) => Mode::Deny,
            Some(_) => Mode::Audit,
            // asking for the action is asking for the mode
            None if actions.contains(&ActionKind::Deny) => Mode::Deny,
            None => Mode::Audit,
        };
        let policy = Policy {
            name,
            description: self.text(node, "description").unwrap_or_default(),
            enabled: self.boolean(node, "enabled", true),
            severity: self
                .priority(node.get("severity"))
                .unwrap_or(Priority::Warning),
            mode,
            dry_run: self.boolean(node, "dry_run", false),
            scope: node.get("scope").map(|n| self.scope(n)).unwrap_or_default(),
            detectors: node
                .get("detectors")
                .map(|n| self.detectors(n, mode))
                .unwrap_or_default(),
            rules: node.get("rules").map(|n| self.rules(n)).unwrap_or_default(),
            actions,
            critical_processes: self.boolean(node, "critical_processes", false),
            exceptions: node
                .get("exceptions")
                .map(|n| self.exceptions(n))
                .unwrap_or_default(),
            managed: false,
            origin: format!("{}:{}", self.file, node.span.line),
        };
        if self.problems.iter().filter(|p| p.fatal).count() > before {
            return None;
        }
        if !policy.detects() && policy.rules == RuleSelection::default() {
            self.tell(
                node.span,
                format!(
                    "policy `{}` has neither detectors nor rules: it does nothing",
                    policy.name
                ),
                false,
            );
        }
        if policy.mode == Mode::Deny && !policy.detects() {
            self.tell(
                node.span,
                format!(
                    "policy `{}` is to deny, but only the detectors drift and malware can; rules see what has happened",
                    policy.name
                ),
                false,
            );
        }
        Some(policy)
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = node.get(key)?;
        if let Some(text) = value.as_str() {
            return Some(text.trim().to_owned());
        }
        self.fatal(
            value.span,
            format!("`{key}` is a text, not {}", value.describe()),
        );
        None
    }

    fn boolean(&mut self, node: &Node, key: &str, default: bool) -> bool {
        let Some(value) = node.get(key) else {
            return default;
        };
        value.as_bool().unwrap_or_else(|| {
            self.fatal(
                value.span,
                format!("`{key}` is true or false, not {}", value.describe()),
            );
            default
        })
    }

    /// Position of a word among those allowed.
    fn word(&mut self, node: &Node, what: &str, words: &[&str]) -> Option<usize> {
        let found = node
            .as_str()
            .and_then(|text| words.iter().position(|word| *word == text));
        if found.is_none() {
            let given = node.as_str().unwrap_or(node.describe());
            self.fatal(
                node.span,
                format!("`{what}` is one of {}, not `{given}`", words.join(", ")),
            );
        }
        found
    }

    fn priority(&mut self, node: Option<&Node>) -> Option<Priority> {
        let node = node?;
        // the words of findings' screens beside the rules' own
        let priority = match node
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "critical" => Some(Priority::Critical),
            "high" => Some(Priority::Error),
            "medium" => Some(Priority::Warning),
            "low" => Some(Priority::Notice),
            text => text.parse().ok(),
        };
        if priority.is_none() {
            self.fatal(
                node.span,
                "a severity is critical, high, medium, low, or a rule priority such as warning"
                    .to_owned(),
            );
        }
        priority
    }

    /// A list of texts, or one text.
    fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
        let mut out = Vec::new();
        for item in nodes {
            match item.as_str() {
                Some(text) if !text.trim().is_empty() => out.push(text.trim().to_owned()),
                _ => self.fatal(
                    item.span,
                    format!("`{what}` is a list of texts, not {}", item.describe()),
                ),
            }
        }
        out
    }

    fn scope(&mut self, node: &Node) -> Scope {
        let mut scope = Scope::default();
        let Some(entries) = self.map(node, "`scope`", SCOPE_KEYS) else {
            return scope;
        };
        for (key, value) in entries {
            let key = key.as_str().unwrap_or_default();
            match key {
                "clusters" => scope.clusters = self.texts(value, key),
                "namespaces" => scope.namespaces = self.texts(value, key),
                "workloads" => scope.workloads = self.texts(value, key),
                "images" => scope.images = self.texts(value, key),
                "hosts" => scope.hosts = self.texts(value, key),
                "containers" => scope.containers = self.texts(value, key),
                "labels" => scope.labels = self.labels(value),
                _ => {}
            }
        }
        scope
    }

    fn labels(&mut self, node: &Node) -> Vec<Requirement> {
        if let Some(entries) = node.as_map() {
            return entries
                .iter()
                .filter_map(|(key, value)| {
                    let (key, value) = (key.as_str()?, value.as_str()?);
                    Some(Requirement::In(key.to_owned(), vec![value.to_owned()]))
                })
                .collect();
        }
        let mut out = Vec::new();
        for text in self.texts(node, "labels") {
            for part in split_selector(&text) {
                match requirement(part) {
                    Some(requirement) => out.push(requirement),
                    None => self.fatal(
                        node.span,
                        format!(
                            "`{part}` is no label requirement: key, !key, key=value, key!=value, key in (a,b), key notin (a,b)"
                        ),
                    ),
                }
            }
        }
        out
    }

    fn reaction(&mut self, node: &Node, what: &str) -> Reaction {
        match self.word(node, what, &["off", "audit", "deny"]) {
            Some(1) => Reaction::Audit,
            Some(2) => Reaction::Deny,
            _ => Reaction::Allow,
        }
    }

    /// `[drift, malware]`, or a map with settings for each.
    fn detectors(&mut self, node: &Node, mode: Mode) -> Detectors {
        let mut out = Detectors::default();
        let usual = match mode {
            Mode::Audit => Reaction::Audit,
            Mode::Deny => Reaction::Deny,
        };
        if node.as_map().is_none() {
            for name in self.texts(node, "detectors") {
                match name.as_str() {
                    "drift" => out.drift = [usual; 4],
                    "malware" => out.malware = usual,
                    "miner" => out.miner = true,
                    other => self.fatal(
                        node.span,
                        format!("there is no detector `{other}` (drift, malware, miner)"),
                    ),
                }
            }
            return out;
        }
        let Some(entries) = self.map(node, "`detectors`", &["drift", "malware", "miner"]) else {
            return out;
        };
        for (key, value) in entries {
            match key.as_str().unwrap_or_default() {
                "drift" => self.drift(value, usual, &mut out),
                "malware" if value.as_bool() == Some(true) => out.malware = usual,
                "malware" if value.as_bool() == Some(false) => {}
                "malware" => out.malware = self.reaction(value, "malware"),
                "miner" => {
                    out.miner = value.as_bool().unwrap_or_else(|| {
                        self.fatal(value.span, "`miner` is true or false".to_owned());
                        false
                    });
                }
                _ => {}
            }
        }
        out
    }

    fn drift(&mut self, node: &Node, usual: Reaction, out: &mut Detectors) {
        if let Some(on) = node.as_bool() {
            if on {
                out.drift = [usual; 4];
            }
            return;
        }
        if node.as_str().is_some() {
            out.drift = [self.reaction(node, "drift"); 4];
            return;
        }
        out.drift = [usual; 4];
        let Some(entries) = self.map(node, "`drift`", DRIFT_KEYS) else {
            return;
        };
        for (key, value) in entries {
            let key = key.as_str().unwrap_or_default();
            match key {
                "executables" => out.drift[0] = self.reaction(value, key),
                "libraries" => out.drift[1] = self.reaction(value, key),
                "scripts" => out.drift[2] = self.reaction(value, key),
                "injection" => out.drift[3] = self.reaction(value, key),
                "from" => {
                    out.sources.clear();
                    for word in self.texts(value, "from") {
                        match Source::DRIFT.iter().find(|s| s.word() == word) {
                            Some(source) => out.sources.push(*source),
                            None => self.fatal(
                                value.span,
                                format!("`from` has written, memory, memfd, volume, not `{word}`"),
                            ),
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn rules(&mut self, node: &Node) -> RuleSelection {
        let mut out = RuleSelection::default();
        if node.as_map().is_none() {
            out.names = self.texts(node, "rules");
            return out;
        }
        let keys = ["names", "tags", "priority"];
        for (key, value) in self.map(node, "`rules`", &keys).unwrap_or_default() {
            match key.as_str().unwrap_or_default() {
                "names" => out.names = self.texts(value, "names"),
                "tags" => out.tags = self.texts(value, "tags"),
                "priority" => out.priority = self.priority(Some(value)),
                _ => {}
            }
        }
        out
    }

    fn actions(&mut self, node: Option<&Node>) -> Vec<ActionKind> {
        let mut out = Vec::new();
        let Some(node) = node else { return out };
        for word in self.texts(node, "actions") {
            match ActionKind::ALL.iter().find(|kind| kind.word() == word) {
                Some(kind) if out.contains(kind) => {}
                Some(kind) => out.push(*kind),
                None => {
                    let words: Vec<&str> = ActionKind::ALL.iter().map(|k| k.word()).collect();
                    self.fatal(
                        node.span,
                        format!("there is no action `{word}` ({})", words.join(", ")),
                    );
                }
            }
        }
        out
    }

    fn exceptions(&mut self, node: &Node) -> Vec<Exception> {
        let mut out = Vec::new();
        let Some(items) = node.as_seq() else {
            self.fatal(node.span, "`exceptions` is a list".to_owned());
            return out;
        };
        if items.len() > MAX_EXCEPTIONS {
            self.fatal(
                node.span,
                format!("more than {MAX_EXCEPTIONS} exceptions of one policy"),
            );
            return out;
        }
        let keys = ["path", "process", "image", "reason", "expires"];
        for item in items {
            if self.map(item, "an exception", &keys).is_none() {
                continue;
            }
            let exception = Exception {
                path: self.pattern(item, "path"),
                process: self.pattern(item, "process"),
                image: self.text(item, "image"),
                reason: self.text(item, "reason").unwrap_or_default(),
                expires: item.get("expires").and_then(|n| self.date(n)),
            };
            if exception.reason.is_empty() {
                self.fatal(item.span, "an exception needs a `reason`".to_owned());
            }
            if exception.path.is_none() && exception.process.is_none() && exception.image.is_none()
            {
                self.fatal(
                    item.span,
                    "an exception needs a `path`, a `process` or an `image`".to_owned(),
                );
            }
            out.push(exception);
        }
        out
    }

    fn pattern(&mut self, node: &Node, key: &str) -> Option<PathPattern> {
        let text = self.text(node, key)?;
        let path = text.trim_end_matches('*');
        let span = node.get(key).map_or(node.span, |n| n.span);
        if !path.starts_with('/') {
            self.fatal(span, format!("`{key}` is an absolute path"));
        } else if path.contains(['*', '?', '[']) {
            self.fatal(
                span,
                format!("`{key}` may have a `*` at its end only: the kernel compares it, too"),
            );
        } else if path.len() >= 200 {
            self.fatal(span, format!("`{key}` is longer than 199 bytes"));
        }
        Some(PathPattern {
            prefix: path.len() < text.len(),
            path: path.to_owned(),
        })
    }

    /// `2027-01-31` (the day's begin, UTC) or `2027-01-31T12:00:00Z`.
    fn date(&mut self, node: &Node) -> Option<i64> {
        let found = node.as_str().and_then(seconds);
        if found.is_none() {
            self.fatal(
                node.span,
                "`expires` is a date such as 2027-01-31 or 2027-01-31T12:00:00Z (UTC)".to_owned(),
            );
        }
        found
    }
}
