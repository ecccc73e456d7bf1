//! Findings in the shapes that other systems read: GuardDuty, AWS Security Finding Format, OCSF.

mod asff;
mod guardduty;
mod ocsf;
mod own;

pub use asff::asff;
pub use guardduty::{guardduty, guardduty_event};
pub use ocsf::{OcsfVersion, ocsf};
pub use own::{own, wire};

use crate::findings::Finding;

/// The word for a severity.
pub fn label(severity: f64) -> &'static str {
    match severity {
        s if s >= 9.0 => "CRITICAL",
        s if s >= 7.0 => "HIGH",
        s if s >= 4.0 => "MEDIUM",
        s if s >= 1.0 => "LOW",
        _ => "INFORMATIONAL",
    }
}

/// What a finding says at length.
fn description(finding: &Finding) -> String {
    let texts = crate::findings::texts(&finding.hit.kind);
    let mut description = format!("{} {}", finding.title(), texts.why);
    for (key, value) in &finding.hit.extra {
        description.push_str(&format!(" {key}: {value}."));
    }
    shortened(&description, MAX_DESCRIPTION)
}

/// Longest description, in characters; the bound of Security Hub.
const MAX_DESCRIPTION: usize = 1024;

/// Longest title, in characters; the bound of Security Hub.
const MAX_TITLE: usize = 256;

/// At most so many characters. Names in records are as long as whoever chose them liked.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

/// MITRE's name of the tactic that a type begins with.
fn tactic(kind: &str) -> &'static str {
    match kind.split(':').next().unwrap_or_default() {
        "CredentialAccess" => "Credential Access",
        "DefenseEvasion" | "Stealth" => "Defense Evasion",
        "Discovery" | "Recon" => "Discovery",
        "Exfiltration" => "Exfiltration",
        "Impact" => "Impact",
        "Persistence" => "Persistence",
        "PrivilegeEscalation" | "Policy" => "Privilege Escalation",
        "Execution" => "Execution",
        "Backdoor" | "Trojan" => "Command and Control",
        _ => "Initial Access",
    }
}
