//! The rules library: what is shipped, what this site changed, who changed it, and what a change would mean.
//!
//! Custom rules are documents: each is one rule file that is loaded behind the shipped ones, so it can define a rule,
//! replace one, or add an exception to one, with everything that the rules language offers.

pub(crate) mod backtest;
pub(crate) mod bundle;
pub(crate) mod diff;
pub(crate) mod exception;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use vedette_event::Severity;
use vedette_history::{Change, Document, Expect};
use vedette_rules::load::LoadedRule;
use vedette_rules::{Loaded, Options, load};

use crate::audit;
use crate::clock::{self, rfc3339};
use crate::diagnostics::{self, Remark};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{Gives, NODE, RESPONDER, Route, VIEWER};
use crate::problem::Problem;

/// Collection of custom rules, by name.
pub(crate) const RULES: &str = "rules";
/// Custom rules that there can be.
const MAX_CUSTOM: usize = 2_000;
/// Longest custom rule in bytes; the largest upstream file has about 200 KB.
const MAX_TEXT: usize = 512 * 1024;
/// Versions that a history shows.
const MAX_VERSIONS: usize = 100;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/rules",
        VIEWER,
        "The rules library",
        Gives::List("RuleItem"),
        list,
    )
    .query(&[
        ("source", "only rules of this event source"),
        (
            "filter",
            "only rules whose name, description or tags contain this text",
        ),
    ]),
    Route::get("/rules/{name}", VIEWER, "A rule", Gives::Json("Rule"), get),
    Route::put(
        "/rules/{name}",
        RESPONDER,
        "Keep a custom version of a rule",
        Gives::Json("Rule"),
        put,
    )
    .takes("RuleText"),
    Route::delete(
        "/rules/{name}",
        RESPONDER,
        "Go back to the shipped rule",
        delete,
    ),
    Route::get(
        "/rules/{name}/history",
        VIEWER,
        "Versions of a custom rule, newest first",
        Gives::List("RuleVersion"),
        history,
    ),
    Route::get(
        "/rules/{name}/diff",
        VIEWER,
        "What differs from the shipped rule",
        Gives::Json("Diff"),
        difference,
    ),
    Route::post(
        "/rules/check",
        VIEWER,
        "What is wrong with a rule text",
        Gives::Json("Remarks"),
        check,
    )
    .takes("RuleText"),
    Route::post(
        "/rules/backtest",
        VIEWER,
        "What a rule text would have matched in what is kept",
        Gives::Json("Backtest"),
        backtest::run,
    )
    .takes("BacktestText"),
    Route::post(
        "/rules/{name}/exception",
        RESPONDER,
        "An exception that silences a finding, and what else it would silence",
        Gives::Json("ExceptionProposal"),
        exception::propose,
    )
    .takes("ExceptionRequest"),
    Route::get(
        "/bundle",
        NODE,
        "Custom rules and policies, for agents; answers 304 to the ETag of what they have",
        Gives::Json("Bundle"),
        bundle::get,
    ),
];

/// A custom rule as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Custom {
    pub(crate) text: String,
    pub(crate) owner: String,
    #[serde(default)]
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) note: String,
}

/// Everything that rules are loaded from, and what it gave.
pub(crate) struct Library {
    files: Vec<(String, String)>,
    pub(crate) loaded: Loaded,
    custom: HashMap<String, (Document, Custom)>,
    shipped: usize,
}

/// Name of the file that a custom rule is loaded as.
fn file_name(name: &str) -> String {
    format!("custom/{name}.yaml")
}

fn customs(call: &Call) -> Result<Vec<Document>, Problem> {
    Ok(call.app.state.list(RULES, "", None, MAX_CUSTOM)?)
}

impl Library {
    /// The library as it is, from the last time when nothing has changed since.
    pub(crate) fn of(call: &Call) -> Result<Arc<Self>, Problem> {
        let documents = customs(call)?;
        let key: Vec<(String, u64)> = documents
            .iter()
            .map(|d| (d.key.clone(), d.updated))
            .collect();
        let mut cache = call.app.library.lock().map_err(|_| Problem::internal())?;
        if let Some((known, library)) = &*cache
            && *known == key
        {
            return Ok(Arc::clone(library));
        }
        let library = Arc::new(Self::load(call, documents, None)?);
        *cache = Some((key, Arc::clone(&library)));
        Ok(library)
    }

    /// The library with another text in place of one custom rule, or behind them all.
    pub(crate) fn with(call: &Call, name: &str, text: &str) -> Result<Self, Problem> {
        Self::load(call, customs(call)?, Some((name, text)))
    }

    fn load(
        call: &Call,
        documents: Vec<Document>,
        other: Option<(&str, &str)>,
    ) -> Result<Self, Problem> {
        let mut files = call.app.shipped.clone();
        let shipped = files.len();
        let mut custom = HashMap::new();
        for document in documents {
            let read: Custom = document.read()?;
            if other.is_none_or(|(name, _)| name != document.key) {
                files.push((file_name(&document.key), read.text.clone()));
            }
            custom.insert(document.key.clone(), (document, read));
        }
        if let Some((name, text)) = other {
            files.push((file_name(name), text.to_owned()));
        }
        let loaded = load(&files, &Options::default());
        Ok(Self {
            files,
            loaded,
            custom,
            shipped,
        })
    }

    /// Remarks about one file.
    fn remarks(&self, file: &str) -> Vec<Remark> {
        let Some(index) = self.files.iter().position(|(name, _)| name == file) else {
            return Vec::new();
        };
        let mut remarks = diagnostics::of_yaml(&self.files[index].1);
        let about = self
            .loaded
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.place.file.0 as usize == index);
        for diagnostic in about {
            let remark = diagnostics::of_rules(diagnostic, &self.files[index].1);
            let said = |known: &Remark| known.line == remark.line && known.column == remark.column;
            if !remarks.iter().any(said) {
                remarks.push(remark);
            }
        }
        remarks
    }

    /// Text of the shipped file that defines a rule.
    fn shipped_text(&self, name: &str) -> Option<&str> {
        let shipped = self.files.get(..self.shipped)?;
        let defines = |text: &str| {
            diagnostics::parse(text).documents.iter().any(|document| {
                let items = document.root.as_seq().unwrap_or_default();
                items
                    .iter()
                    .any(|item| item.get("rule").and_then(|rule| rule.as_str()) == Some(name))
            })
        };
        let likely = shipped.iter().filter(|(_, text)| text.contains(name));
        likely
            .map(|(_, text)| text.as_str())
            .find(|text| defines(text))
    }

    fn item(&self, rule: &LoadedRule) -> Json {
        let name = &rule.rule.name;
        let custom = self.custom.get(name);
        let file = rule
            .context
            .steps()
            .first()
            .map_or(0, |step| step.place.file.0 as usize);
        let defined_here = file >= self.shipped;
        json!({
            "name": name,
            "source": rule.rule.source,
            "priority": rule.rule.priority,
            "severity": Severity::from(rule.rule.priority),
            "tags": rule.rule.tags,
            "description": rule.rule.desc,
            "enabled": rule.enabled,
            "shipped": !defined_here,
            "overridden": custom.is_some(),
            "file": self.files.get(file).map(|(name, _)| name),
            "owner": custom.map(|(_, custom)| &custom.owner),
            "updated": custom.map(|(document, _)| rfc3339(document.updated)),
            "exceptions": rule.exceptions.iter().map(|exception| json!({
                "name": exception.name, "fields": exception.fields, "comps": exception.comps, "values": exception.values,
            })).collect::<Vec<_>>(),
        })
    }
}

/// Whether the library has a rule of this name.
pub(crate) fn knows(call: &Call, name: &str) -> Result<bool, Problem> {
    Ok(Library::of(call)?.loaded.rule(name).is_some())
}

fn list(call: &Call) -> Outcome {
    let library = Library::of(call)?;
    let source = call.query("source");
    let wanted = call.query("filter").unwrap_or_default().to_lowercase();
    let rules = library.loaded.rules.iter().filter(|rule| {
        let says = |text: &str| text.to_lowercase().contains(&wanted);
        let typed = &rule.rule;
        source.is_none_or(|source| typed.source == source)
            && (wanted.is_empty()
                || says(&typed.name)
                || says(&typed.desc)
                || typed.tags.iter().any(|tag| says(tag)))
    });
    Reply::json(&rules.map(|rule| library.item(rule)).collect::<Vec<_>>())
}

fn get(call: &Call) -> Outcome {
    let library = Library::of(call)?;
    Reply::json(&page(&library, call.part("name"))?)
}

fn page(library: &Library, name: &str) -> Result<Json, Problem> {
    let rule = library.loaded.rule(name);
    let custom = library.custom.get(name);
    let shipped = library.shipped_text(name);
    if rule.is_none() && custom.is_none() && shipped.is_none() {
        return Err(Problem::missing(format!("rule `{}`", name.escape_debug())));
    }
    let mut out = match rule {
        Some(rule) => library.item(rule),
        // What was kept once may not load any more after an update.
        None => {
            json!({"name": name, "enabled": false, "shipped": false, "overridden": custom.is_some()})
        }
    };
    out["text"] = json!(custom.map_or(shipped.unwrap_or_default(), |(_, custom)| {
        custom.text.as_str()
    }));
    out["shipped_text"] = json!(shipped);
    out["version"] = json!(custom.map_or(0, |(document, _)| document.version));
    out["note"] = json!(custom.map(|(_, custom)| &custom.note));
    out["by"] = json!(custom.map(|(_, custom)| &custom.by));
    out["condition"] = json!(rule.map(|rule| &rule.condition));
    out["output"] = json!(rule.map(|rule| &rule.output));
    out["macros"] = json!(rule.map(|rule| &rule.macros));
    out["lists"] = json!(rule.map(|rule| &rule.lists));
    out["diagnostics"] = json!(library.remarks(&file_name(name)));
    Ok(out)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    owner: Option<String>,
    /// The version that was edited; 0 for the shipped one.
    #[serde(default)]
    version: Option<u64>,
}

/// Refuses texts that cost too much to look at.
pub(crate) fn bounded(text: &str) -> Result<(), Problem> {
    if text.len() > MAX_TEXT {
        return Err(Problem::bad(format!(
            "a rule file has at most {MAX_TEXT} bytes here"
        )));
    }
    Ok(())
}

fn check(call: &Call) -> Outcome {
    let text: Text = call.json()?;
    bounded(&text.text)?;
    let yaml = diagnostics::of_yaml(&text.text);
    if !yaml.is_empty() {
        return Reply::json(&json!({"ok": false, "diagnostics": yaml}));
    }
    let name = text.name.as_deref().unwrap_or("\u{0}text");
    let library = Library::with(call, name, &text.text)?;
    let remarks = library.remarks(&file_name(name));
    let sound = !remarks.iter().any(|remark| remark.severity == "error");
    Reply::json(&json!({"ok": sound, "diagnostics": remarks}))
}

/// A name that can be that of a document; rule names are sentences.
fn check_rule_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() || name.len() > 250 || name.chars().any(char::is_control) {
        return Err(Problem::bad(
            "a rule's name has 1 to 250 bytes and no control characters",
        ));
    }
    Ok(())
}

fn put(call: &Call) -> Outcome {
    let name = call.part("name");
    check_rule_name(name)?;
    let text: Text = call.json()?;
    bounded(&text.text)?;
    let yaml = diagnostics::parse(&text.text);
    let speaks_of_it = yaml.documents.iter().any(|document| {
        let items = document.root.as_seq().unwrap_or_default();
        items
            .iter()
            .any(|item| item.get("rule").and_then(|rule| rule.as_str()) == Some(name))
    });
    if !speaks_of_it {
        return Err(Problem::bad(format!(
            "the text has no item `rule: {}`",
            name.escape_debug()
        )));
    }
    let library = Library::with(call, name, &text.text)?;
    let remarks = library.remarks(&file_name(name));
    if let Some(first) = remarks.iter().find(|remark| remark.severity == "error") {
        return Err(Problem::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "rule_error",
            format!("line {}: {}", first.line, first.message),
        )
        .at(first.column)
        .hint("POST /rules/check lists every complaint"));
    }
    let known = library.custom.get(name);
    if known.is_none() && library.custom.len() >= MAX_CUSTOM {
        return Err(Problem::conflict(format!(
            "there are {MAX_CUSTOM} custom rules already"
        )));
    }
    let owner = text
        .owner
        .filter(|owner| !owner.trim().is_empty())
        .or_else(|| known.map(|(_, custom)| custom.owner.clone()))
        .unwrap_or_else(|| call.caller.name.clone());
    let custom = Custom {
        text: text.text,
        owner,
        by: call.caller.name.clone(),
        note: text.note,
    };
    let now = clock::now();
    let mut change = Change::put(RULES, name, &custom, now)?.kept();
    change = match text.version {
        Some(0) => change.expecting(Expect::Absent),
        Some(version) => change.expecting(Expect::Version(version)),
        None => change,
    };
    let entry = audit::entry(call, "rule.save", name, &json!({"note": custom.note}))?;
    call.app.state.apply(vec![change, entry])?;
    bundle::changed(&call.app);
    get(call)
}

fn delete(call: &Call) -> Outcome {
    let name = call.part("name");
    if call.app.state.get(RULES, name)?.is_none() {
        return Err(Problem::missing("custom version of this rule"));
    }
    let entry = audit::entry(call, "rule.delete", name, &Json::Null)?;
    call.app
        .state
        .apply(vec![Change::delete(RULES, name), entry])?;
    bundle::changed(&call.app);
    Reply::done()
}

fn history(call: &Call) -> Outcome {
    let versions = call
        .app
        .state
        .versions(RULES, call.part("name"), MAX_VERSIONS)?;
    let mut out = Vec::new();
    for document in versions {
        let custom: Custom = document.read()?;
        out.push(json!({
            "version": document.version,
            "at": rfc3339(document.updated),
            "by": custom.by,
            "note": custom.note,
            "owner": custom.owner,
            "text": custom.text,
        }));
    }
    Reply::json(&out)
}

fn difference(call: &Call) -> Outcome {
    let library = Library::of(call)?;
    let name = call.part("name");
    let shipped = library.shipped_text(name).unwrap_or_default();
    let own = library
        .custom
        .get(name)
        .map(|(_, custom)| custom.text.as_str());
    if own.is_none() && shipped.is_empty() {
        return Err(Problem::missing(format!("rule `{}`", name.escape_debug())));
    }
    Reply::json(&diff::lines(shipped, own.unwrap_or(shipped)))
}
