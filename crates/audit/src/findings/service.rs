//! Dashboards that a service puts on the internet.

use std::net::IpAddr;

use super::k8s::Out;
use super::object::{result, touches};
use crate::json::Json;

/// Annotations with which clouds keep a load balancer inside.
const INTERNAL: [(&str, &str); 6] = [
    (
        "service.beta.kubernetes.io/aws-load-balancer-internal",
        "true",
    ),
    (
        "service.beta.kubernetes.io/aws-load-balancer-internal",
        "0.0.0.0/0",
    ),
    (
        "service.beta.kubernetes.io/aws-load-balancer-scheme",
        "internal",
    ),
    (
        "service.beta.kubernetes.io/azure-load-balancer-internal",
        "true",
    ),
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("cloud.google.com/load-balancer-type", "Internal"),
];

/// Looks at a service that was written.
pub(super) fn judge_service(out: &mut Out<'_, '_>, kubeflow_seen: bool) {
    let call = out.call;
    if call.verb != "create" && !touches(call.json, "spec") {
        return;
    }
    let Some(service) = result(call.json).or_else(|| {
        call.json
            .get("requestObject")
            .filter(|patch| patch.is_object())
    }) else {
        return;
    };
    let is =
        |keys: &[&str], value: &str| service.path(keys).is_some_and(|found| found.is_text(value));
    if !is(&["spec", "type"], "LoadBalancer") || stays_inside(service) {
        return;
    }
    let marked = |wanted: &str| {
        call.name.starts_with(wanted)
            || [&["spec", "selector"], &["metadata", "labels"]]
                .iter()
                .filter_map(|keys| service.path(*keys))
                .flat_map(Json::members)
                .any(|(_, value)| value.is_text(wanted))
    };
    if marked("kubernetes-dashboard") {
        out.hit("Policy:Kubernetes/ExposedDashboard");
    }
    let gateway =
        marked("istio-ingressgateway") || is(&["spec", "selector", "istio"], "ingressgateway");
    let kubeflow = match call.namespace.as_str() {
        "kubeflow" => gateway || marked("centraldashboard"),
        "istio-system" => {
            gateway && (kubeflow_seen || memchr::memmem::find(service.raw(), b"kubeflow").is_some())
        }
        _ => false,
    };
    if kubeflow {
        out.hit("Policy:Kubernetes/KubeflowDashboardExposed");
    }
}

/// True for a load balancer that the internet does not reach: by the cloud's annotation, or because only private
/// networks may come.
fn stays_inside(service: Json<'_>) -> bool {
    let annotated = INTERNAL.iter().any(|(key, value)| {
        service
            .path(&["metadata", "annotations", key])
            .is_some_and(|found| found.is_text(value))
    });
    let mut ranges = service
        .path(&["spec", "loadBalancerSourceRanges"])
        .into_iter()
        .flat_map(Json::items)
        .filter_map(Json::to_text)
        .peekable();
    annotated || ranges.peek().is_some() && ranges.all(|range| is_private(&range))
}

/// True for a network in CIDR notation that is no part of the internet.
fn is_private(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, ""));
    let bits = bits.parse().unwrap_or(u8::MAX);
    match address.trim().parse() {
        // Wider than the widest private network holds others too.
        Ok(IpAddr::V4(v4)) => {
            v4.is_private()
                && match v4.octets()[0] {
                    10 => bits >= 8,
                    172 => bits >= 12,
                    _ => bits >= 16,
                }
        }
        Ok(IpAddr::V6(v6)) => v6.is_unique_local() && bits >= 7,
        Err(_) => false,
    }
}
