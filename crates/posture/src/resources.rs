//! Requests and limits of containers.

use crate::check::Findings;
use crate::input::Input;
use crate::value;

/// Fails every container that does not set the quantity at `path`, sets it to nothing, or sets it outside the
/// bounds of the settings.
pub(crate) fn missing(input: &Input<'_>, out: &mut Findings<'_>, path: &[&str], message: &str) {
    let field = path.join(".");
    let range = input
        .settings
        .quantities
        .iter()
        .find(|range| field.strip_prefix("resources.") == Some(&range.field));
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            // Ephemeral containers may not have resources; the API server refuses them.
            if container.list == "ephemeralContainers" {
                continue;
            }
            let amount = value::text(container.node, path).and_then(quantity);
            let Some(amount) = amount.filter(|amount| *amount != 0.0) else {
                out.push(workload.container_finding(&container, &field, message));
                continue;
            };
            let outside = range.is_some_and(|range| {
                range.min.is_some_and(|min| amount < min)
                    || range.max.is_some_and(|max| amount > max)
            });
            if outside {
                let message = "asks for an amount outside the bounds of the settings";
                out.push(workload.container_finding(&container, &field, message));
            }
        }
    }
}

/// Suffixes of quantities and what they stand for. Source: Kubernetes API machinery, resource.Quantity.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The number that a quantity such as `500m` or `64Mi` stands for.
pub fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    // `1e3` is a number; only then may an `E` look like a suffix.
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    SUFFIXES.iter().find_map(|(suffix, factor)| {
        let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
        number.is_finite().then_some(number * factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_does() {
        assert_eq!(quantity("500m"), Some(0.5));
        assert_eq!(quantity("64Mi"), Some(67_108_864.0));
        assert_eq!(quantity("1e3"), Some(1000.0));
        assert_eq!(quantity("0"), Some(0.0));
        assert_eq!(quantity("YOUR"), None);
    }
}
