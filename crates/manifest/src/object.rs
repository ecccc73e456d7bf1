//! From texts to objects: documents, JSON, and `List`s of any depth.

use std::sync::Arc;

use vedette_yaml::{Node, Span};

/// A text with the name that complaints about it should use.
#[derive(Clone, Debug)]
pub struct Source {
    /// File path as given, or `<stdin>`.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// One Kubernetes object.
#[derive(Clone, Debug)]
pub struct Object {
    /// The text it comes from.
    pub source: Source,
    /// Number of the YAML document in the text, from 0.
    pub document: usize,
    /// Where it stands inside the document: empty, or such as `items[3]`.
    pub path: String,
    /// `apiVersion` as written, empty when missing.
    pub api_version: String,
    /// `kind` as written.
    pub kind: String,
    /// `metadata.name`, or `metadata.generateName` when there is no name, else empty.
    pub name: String,
    /// `metadata.namespace` when given.
    pub namespace: Option<String>,
    /// The object.
    pub node: Node,
    /// The chart template that a renderer named in a `# Source:` comment above the object.
    pub template: Option<String>,
}

impl Object {
    /// The group of `apiVersion`, empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// Follows a path of map keys such as `["spec", "template"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.node, |node, key| node.get(key))
    }

    /// `Kind/namespace/name`, leaving out what is not there.
    pub fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{}/{namespace}/{}", self.kind, self.name),
            None => format!("{}/{}", self.kind, self.name),
        }
    }
}

/// Something in a text that is not a Kubernetes object or not YAML.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Name of the text.
    pub source: Arc<str>,
    /// Number of the document, from 0.
    pub document: usize,
    /// Place in the document such as `items[3].metadata`, empty for the document itself.
    pub path: String,
    /// Where in the text.
    pub span: Span,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}:{}: ",
            self.source, self.span.line, self.span.column
        )?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// What a set of texts held.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Objects in the order of the texts.
    pub objects: Vec<Object>,
    /// What was left out, and why.
    pub problems: Vec<Problem>,
}

/// Reads every object of every text. Lists are opened to any depth; empty documents are skipped.
pub fn load(sources: &[Source]) -> Loaded {
    let mut out = Loaded::default();
    for source in sources {
        let parsed = vedette_yaml::parse(&source.text);
        for error in parsed.errors {
            out.problems.push(Problem {
                source: source.name.clone(),
                document: error.document,
                path: String::new(),
                span: error.span,
                message: format!("not valid YAML: {}", error.message),
            });
        }
        for document in parsed.documents {
            if !document.root.is_null() {
                // Once for each document: looking back from every item of a long list takes quadratic time.
                let template = template_above(&source.text, document.root.span.start);
                add(
                    source,
                    document.index,
                    String::new(),
                    document.root,
                    template.as_deref(),
                    &mut out,
                );
            }
        }
    }
    out
}

fn add(
    source: &Source,
    document: usize,
    path: String,
    node: Node,
    template: Option<&str>,
    out: &mut Loaded,
) {
    let problem = |message: &str| Problem {
        source: source.name.clone(),
        document,
        path: path.clone(),
        span: node.span,
        message: message.to_owned(),
    };
    if node.as_map().is_none() {
        let text = format!(
            "expected a Kubernetes object (a map with apiVersion and kind), found {}",
            node.describe()
        );
        out.problems.push(problem(&text));
        return;
    }
    let text = |path: &[&str]| {
        path.iter()
            .try_fold(&node, |node, key| node.get(key))
            .and_then(Node::as_str)
            .map(str::to_owned)
    };
    let Some(kind) = text(&["kind"]).filter(|kind| !kind.is_empty()) else {
        out.problems.push(problem(
            "expected a Kubernetes object, but `kind` is missing",
        ));
        return;
    };
    let items = node
        .get("items")
        .filter(|items| kind.ends_with("List") && items.as_seq().is_some());
    if items.is_some() {
        let item_kind = kind.strip_suffix("List").unwrap_or_default().to_owned();
        let api_version = text(&["apiVersion"]).unwrap_or_default();
        let vedette_yaml::Kind::Map(entries) = node.kind else {
            return;
        };
        let Some((_, items)) = entries
            .into_iter()
            .rev()
            .find(|(key, _)| key.as_str() == Some("items"))
        else {
            return;
        };
        let vedette_yaml::Kind::Seq(items) = items.kind else {
            return;
        };
        for (index, item) in items.into_iter().enumerate() {
            let at = if path.is_empty() {
                format!("items[{index}]")
            } else {
                format!("{path}.items[{index}]")
            };
            add(
                source,
                document,
                at,
                with_type(item, &item_kind, &api_version),
                template,
                out,
            );
        }
        return;
    }
    out.objects.push(Object {
        document,
        api_version: text(&["apiVersion"]).unwrap_or_default(),
        kind,
        name: text(&["metadata", "name"])
            .or_else(|| text(&["metadata", "generateName"]))
            .unwrap_or_default(),
        namespace: text(&["metadata", "namespace"]).filter(|namespace| !namespace.is_empty()),
        template: template.map(str::to_owned),
        path,
        node,
        source: source.clone(),
    });
}

/// Items of a typed list (`PodList`) leave `kind` and `apiVersion` to the list; give them back.
fn with_type(mut item: Node, kind: &str, api_version: &str) -> Node {
    use vedette_yaml::{Kind, Style};
    let scalar = |text: &str, span| Node {
        kind: Kind::Scalar(text.to_owned(), Style::Plain),
        span,
        tag: None,
        aliased: false,
    };
    let span = item.span;
    let missing = item.get("kind").is_none();
    if let Kind::Map(entries) = &mut item.kind
        && missing
        && !kind.is_empty()
    {
        entries.push((scalar("kind", span), scalar(kind, span)));
        entries.push((scalar("apiVersion", span), scalar(api_version, span)));
    }
    item
}

/// The path in the last `# Source:` comment between the preceding `---` and `start`.
fn template_above(text: &str, start: usize) -> Option<String> {
    let head = &text[..start.min(text.len())];
    let document = head.rfind("\n---").map_or(head, |at| &head[at..]);
    document
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("# Source:"))
        .map(|path| path.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Loaded {
        load(&[Source {
            name: "f.yaml".into(),
            text: text.into(),
        }])
    }

    #[test]
    fn lists_are_opened_and_typed_items_get_their_kind() {
        let found = load_text(
            "kind: List\napiVersion: v1\nitems:\n- kind: PodList\n  apiVersion: v1\n  items:\n  - metadata: {name: a, namespace: n}\n---\n# Source: chart/templates/x.yaml\nkind: Service\nmetadata:\n  name: s\n",
        );
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        let titles: Vec<_> = found.objects.iter().map(Object::title).collect();
        assert_eq!(titles, ["Pod/n/a", "Service/s"]);
        assert_eq!(found.objects[0].path, "items[0].items[0]");
        assert_eq!(
            found.objects[1].template.as_deref(),
            Some("chart/templates/x.yaml")
        );
    }

    #[test]
    fn what_is_no_object_is_named_with_its_place() {
        let found = load_text("- 1\n---\nkind: Pod\nmetadata: {name: p}\n");
        assert_eq!(found.objects.len(), 1);
        assert!(
            found.problems[0]
                .to_string()
                .starts_with("f.yaml:1:1: expected a Kubernetes object")
        );
    }
}
