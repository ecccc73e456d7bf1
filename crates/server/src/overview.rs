//! Home and Insights: what needs attention now, and where findings are, by exact counts.

use serde_json::{Value as Json, json};
use vedette_history::{Counts, Filter, Group, Node, PlaceCount, TimeRange, View};

use crate::clock::rfc3339;
use crate::findings::view;
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{FILTER, FROM, Gives, Route, TO, VIEWER};
use crate::nodes;
use crate::problem::Problem;

/// Groups that need attention, as many as a screen shows.
const ATTENTION: usize = 20;
/// Workloads and rules of the lists of the most.
const TOP: usize = 10;
/// Buckets of the trend.
const TREND: usize = 48;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/overview",
        VIEWER,
        "What needs attention",
        Gives::Json("Overview"),
        overview,
    )
    .query(&[FROM, TO]),
    Route::get(
        "/insights",
        VIEWER,
        "Where findings are, as a tree with exact counts",
        Gives::Json("InsightsNode"),
        insights,
    )
    .query(&[FILTER, FROM, TO, ("view", "k8s or host")]),
];

fn insights(call: &Call) -> Outcome {
    let range = call.time_range()?;
    let view = match call.query("view") {
        None | Some("k8s") => View::Kubernetes,
        Some("host") => View::Host,
        Some(_) => return Err(Problem::bad("parameter `view`: expected k8s or host")),
    };
    let (places, partial) = match call.filter()? {
        Some(filter) => call.app.history.places(range, &filter)?,
        None => (Vec::new(), None),
    };
    let mut out = node(&vedette_history::tree(view, &places));
    out["exact"] = json!(partial.is_none());
    out["partial"] = json!(partial.map(|partial| partial.to_string()));
    Reply::json(&out)
}

fn node(from: &Node) -> Json {
    json!({
        "id": from.id,
        "name": from.name,
        "kind": from.kind,
        "counts": from.counts,
        "denied": from.denied,
        "last": (from.last > 0).then(|| rfc3339(from.last)),
        "children": from.children.iter().map(node).collect::<Vec<_>>(),
    })
}

fn overview(call: &Call) -> Outcome {
    let range = call.time_range()?;
    let history = &call.app.history;
    let Some(zone) = call.zone()? else {
        return Reply::json(&answer(
            &Counts::default(),
            &Counts::default(),
            (&[], &[]),
            &[],
            json!({"step": 1.0, "buckets": [], "exact": true, "partial": null}),
            json!({"total": 0, "silent": 0, "dropping": 0}),
        ));
    };
    let open =
        Filter::parse("status = open and severity >= medium").map_err(|_| Problem::internal())?;
    let (attention, _) = history.groups(range, &zone.and(&open), ATTENTION)?;
    let (places, _) = history.places(range, &zone)?;
    let (before, _) = history.places(range.previous(), &zone)?;
    let trend = history.histogram(range, &zone, TREND)?;
    let counts = sum(&places);
    let rules = top_rules(call, range, &zone)?;
    Reply::json(&answer(
        &counts,
        &sum(&before),
        (&attention, &top_workloads(&places)),
        &rules,
        view::histogram(&trend),
        nodes::summary(call)?,
    ))
}

fn answer(
    counts: &Counts,
    previous: &Counts,
    (attention, workloads): (&[Group], &[Json]),
    rules: &[Json],
    trend: Json,
    nodes: Json,
) -> Json {
    let attention: Vec<Json> = attention.iter().map(group).collect();
    json!({
        "attention": attention,
        "counts": counts,
        "previous": previous,
        "workloads": workloads,
        "rules": rules,
        "nodes": nodes,
        "trend": trend,
    })
}

fn group(group: &Group) -> Json {
    json!({
        "rule": group.rule,
        "place": group.place,
        "counts": group.counts,
        "severity": group.counts.worst(),
        "total": group.counts.total(),
        "first": rfc3339(group.first),
        "last": rfc3339(group.last),
        "latest": group.latest,
    })
}

fn sum(places: &[PlaceCount]) -> Counts {
    let mut all = Counts::default();
    for place in places {
        all.merge(place.counts);
    }
    all
}

/// Counts weighed so that one critical finding stands above any number of lesser ones within reason.
fn weight(counts: Counts) -> (u64, u64, u64, u64, u64) {
    (
        counts.critical,
        counts.high,
        counts.medium,
        counts.low,
        counts.info,
    )
}

fn top_workloads(places: &[PlaceCount]) -> Vec<Json> {
    let mut found: Vec<(vedette_history::Place, Counts)> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for place in places {
        let mut key = place.place.clone();
        key.pod.clear();
        // Outside of Kubernetes a container is the workload.
        if !key.workload.is_empty() || !key.namespace.is_empty() {
            key.container.clear();
            key.node.clear();
        }
        let at = *index
            .entry(format!(
                "{}\0{}\0{}\0{}",
                key.node, key.namespace, key.workload, key.container
            ))
            .or_insert_with(|| {
                found.push((key, Counts::default()));
                found.len() - 1
            });
        if let Some((_, counts)) = found.get_mut(at) {
            counts.merge(place.counts);
        }
    }
    found.sort_by_key(|(_, counts)| std::cmp::Reverse(weight(*counts)));
    let top = found.into_iter().take(TOP);
    top.map(|(place, counts)| json!({"place": place, "counts": counts}))
        .collect()
}

fn top_rules(call: &Call, range: TimeRange, zone: &Filter) -> Result<Vec<Json>, Problem> {
    let facets = call.app.history.facets(range, zone, &["rule"], TOP)?;
    let rules = facets
        .fields
        .get("rule")
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(rules
        .iter()
        .filter_map(|found| Some(json!({"rule": found.value.as_ref()?, "count": found.count})))
        .collect())
}
