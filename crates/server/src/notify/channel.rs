//! Channels: how a message becomes a request of a webhook, Slack, PagerDuty, or an e-mail.

use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use vedette_event::Severity;
use vedette_history::Filter;

use super::mail::{self, Mailbox};
use super::target::Targets;
use super::template::{self, Message};

/// Where PagerDuty takes events (Events API v2).
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// Longest template in bytes.
const MAX_TEMPLATE: usize = 4_000;
/// Longest throttle: a week.
const MAX_THROTTLE: u64 = 7 * 24 * 3600;
/// What stands for a secret that is kept and not shown.
pub(crate) const HIDDEN: &str = "********";

fn yes() -> bool {
    true
}

fn throttle() -> u64 {
    300
}

/// A channel as it is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Channel {
    /// Name for programs; made by the server for a new one.
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    /// Which findings; a filter expression.
    #[serde(default)]
    pub(crate) filter: String,
    /// Seconds between two messages about the same rule in the same workload.
    #[serde(default = "throttle")]
    pub(crate) throttle_seconds: u64,
    /// Text with holes; a default of its own for each kind when empty.
    #[serde(default)]
    pub(crate) template: String,
    pub(crate) to: To,
}

/// Where a channel sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum To {
    /// A POST request with JSON, signed when there is a secret.
    Webhook {
        url: String,
        #[serde(default)]
        secret: String,
    },
    /// An incoming webhook of Slack.
    Slack { url: String },
    /// Events API v2.
    Pagerduty {
        routing_key: String,
        /// Another address, for PagerDuty's European service or a test.
        #[serde(default)]
        url: String,
    },
    /// E-mail.
    Email(Mailbox),
}

/// What messages say when nothing else is set.
const TEXT: &str = "{rule}\n{text}\n\nWhere: {place} on {node}\nWhen: {time}\nSeverity: {severity}\nFindings: {count}\n{link}";

impl Channel {
    /// Whether the channel can work; says in words what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() || self.name.len() > 120 {
            return Err("a channel has a name of 1 to 120 bytes".to_owned());
        }
        Filter::parse(&self.filter).map_err(|error| format!("filter, {error}"))?;
        if self.template.len() > MAX_TEMPLATE {
            return Err(format!("a template has at most {MAX_TEMPLATE} bytes"));
        }
        if self.throttle_seconds > MAX_THROTTLE {
            return Err(format!("`throttle_seconds` is at most {MAX_THROTTLE}"));
        }
        let web = |url: &str| {
            let sound = url.starts_with("https://") || url.starts_with("http://");
            let sound =
                sound && url.len() < 2_000 && !url.chars().any(|c| c.is_control() || c == ' ');
            // A name before an @ would hide where the request goes.
            let plain = !url
                .split_once("://")
                .is_some_and(|(_, rest)| rest.split('/').next().unwrap_or(rest).contains('@'));
            if sound && plain {
                Ok(())
            } else {
                Err("the address begins with https:// and has no user name".to_owned())
            }
        };
        match &self.to {
            To::Webhook { url, .. } | To::Slack { url } => web(url),
            To::Pagerduty { routing_key, url } => {
                if routing_key.is_empty() {
                    return Err("PagerDuty needs a routing key".to_owned());
                }
                if url.is_empty() { Ok(()) } else { web(url) }
            }
            To::Email(mailbox) => mailbox.check(),
        }
    }

    /// The same without its secrets.
    pub(crate) fn hidden(&self) -> Self {
        let mut channel = self.clone();
        for secret in channel.secrets() {
            if !secret.is_empty() {
                HIDDEN.clone_into(secret);
            }
        }
        channel
    }

    /// Takes the secrets that were not changed from the channel as it was. They are taken only while what they are sent to
    /// stays the same: otherwise changing the address would be a way to read them.
    pub(crate) fn keep_secrets(&mut self, before: &mut Self) -> Result<(), String> {
        let same = self.destination() == before.destination();
        let old: Vec<String> = before
            .secrets()
            .into_iter()
            .map(|secret| secret.clone())
            .collect();
        for (index, secret) in self.secrets().into_iter().enumerate() {
            if secret != HIDDEN {
                continue;
            }
            match old.get(index) {
                Some(old) if same => secret.clone_from(old),
                _ => return Err("the destination has changed: give the secret again".to_owned()),
            }
        }
        Ok(())
    }

    fn destination(&self) -> (&'static str, String) {
        match &self.to {
            // The whole address of a webhook may be the secret.
            To::Webhook { url, .. } => ("webhook", url.clone()),
            To::Slack { .. } => ("slack", String::new()),
            To::Pagerduty { url, .. } => ("pagerduty", url.clone()),
            To::Email(mailbox) => ("email", format!("{}:{}", mailbox.host, mailbox.port)),
        }
    }

    fn secrets(&mut self) -> Vec<&mut String> {
        match &mut self.to {
            To::Webhook { secret, .. } => vec![secret],
            To::Slack { url } => vec![url],
            To::Pagerduty { routing_key, .. } => vec![routing_key],
            To::Email(mailbox) => mailbox.password.as_mut().into_iter().collect(),
        }
    }

    /// Sends a message; says in words why it could not.
    pub(crate) fn send(&self, targets: &Targets, message: &Message) -> Result<(), String> {
        match &self.to {
            To::Email(mailbox) => {
                let subject = format!(
                    "[{}] {} in {}",
                    message.severity, message.rule, message.place
                );
                mail::send(mailbox, targets, None, &subject, &self.text(TEXT, message))
            }
            To::Webhook { url, secret } => {
                let body =
                    json!({"finding": message, "text": self.text(TEXT, message)}).to_string();
                let signature = (!secret.is_empty()).then(|| sign(secret, &body));
                post(targets, url, &body, signature)
            }
            To::Slack { url } => post(targets, url, &self.slack(message).to_string(), None),
            To::Pagerduty { routing_key, url } => {
                let url = if url.is_empty() { PAGERDUTY } else { url };
                post(
                    targets,
                    url,
                    &self.pagerduty(routing_key, message).to_string(),
                    None,
                )
            }
        }
    }

    fn text(&self, default: &str, message: &Message) -> String {
        let template = if self.template.trim().is_empty() {
            default
        } else {
            &self.template
        };
        template::fill(template, message).trim_end().to_owned()
    }

    fn slack(&self, message: &Message) -> Json {
        let sign = match message.severity {
            Severity::Critical | Severity::High => "🔴",
            Severity::Medium => "🟠",
            Severity::Low => "🟡",
            Severity::Info => "🔵",
        };
        let text = escape_slack(&self.text(TEXT, message));
        json!({
            "text": escape_slack(&format!("{sign} {}: {} in {}", message.severity, message.rule, message.place)),
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": format!("{sign} {text}")}}],
        })
    }

    fn pagerduty(&self, routing_key: &str, message: &Message) -> Json {
        let severity = match message.severity {
            Severity::Critical => "critical",
            Severity::High => "error",
            Severity::Medium | Severity::Low => "warning",
            Severity::Info => "info",
        };
        let group = crate::auth::secret::digest(&message.group);
        let summary: String = format!("{} in {}", message.rule, message.place)
            .chars()
            .take(1000)
            .collect();
        let mut out = json!({
            "routing_key": routing_key,
            "event_action": "trigger",
            "dedup_key": format!("vedette-{}", &group[..32]),
            "client": "Vedette",
            "payload": {
                "summary": summary,
                "source": message.node,
                "severity": severity,
                "timestamp": message.time,
                "component": message.place,
                "group": message.rule,
                "custom_details": {"text": self.text(TEXT, message), "count": message.count, "id": message.id},
            },
        });
        if let Some(link) = &message.link {
            out["client_url"] = json!(link);
        }
        out
    }
}

/// Slack reads `<…>` as links and mentions; these three are all that must be escaped.
fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// `sha256=` and the HMAC of the body, as GitHub's webhooks do it.
fn sign(secret: &str, body: &str) -> String {
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        body.as_bytes(),
    );
    let hex: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={hex}")
}

fn post(targets: &Targets, url: &str, body: &str, signature: Option<String>) -> Result<(), String> {
    let mut request = targets
        .client()
        .post(url)
        .header("content-type", "application/json");
    if let Some(signature) = signature {
        request = request.header("x-vedette-signature-256", signature);
    }
    // The address may be a secret: errors name the host alone.
    let host = url.split('/').nth(2).unwrap_or_default();
    let answer = request
        .send(body)
        .map_err(|error| format!("{host}: {error}"))?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("{host} answered {}", answer.status()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::template::tests::example;

    fn channel(to: To) -> Channel {
        Channel {
            id: "c".to_owned(),
            name: "c".to_owned(),
            enabled: true,
            filter: "severity >= high".to_owned(),
            throttle_seconds: 60,
            template: String::new(),
            to,
        }
    }

    #[test]
    fn requests_have_the_services_shapes_and_nothing_is_smuggled_in() {
        let slack = channel(To::Slack {
            url: "https://hooks.slack.com/services/x".to_owned(),
        })
        .slack(&example());
        let text = slack["blocks"][0]["text"]["text"].as_str().unwrap();
        assert!(
            text.contains("&lt;!channel&gt;") && !text.contains("<!channel>"),
            "{text}"
        );
        let to = To::Pagerduty {
            routing_key: "key".to_owned(),
            url: String::new(),
        };
        let event = channel(to).pagerduty("key", &example());
        assert_eq!(event["event_action"], "trigger");
        assert_eq!(event["payload"]["severity"], "critical");
        assert!(event["dedup_key"].as_str().unwrap().len() < 255);
        assert_eq!(
            sign("key", "The quick brown fox jumps over the lazy dog"),
            "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }

    #[test]
    fn unsound_channels_are_refused() {
        let web = |url: &str| {
            channel(To::Webhook {
                url: url.to_owned(),
                secret: String::new(),
            })
        };
        assert_eq!(web("https://example.org/x").check(), Ok(()));
        for url in [
            "",
            "file:///etc/passwd",
            "https://a@b/",
            "https://a b/",
            "gopher://x",
        ] {
            assert!(web(url).check().is_err(), "{url}");
        }
        let mut bad = web("https://example.org/");
        bad.filter = "nothing =".to_owned();
        assert!(bad.check().is_err());
    }

    #[test]
    fn secrets_are_hidden_and_do_not_follow_a_new_address() {
        let mut before = channel(To::Webhook {
            url: "https://a/".to_owned(),
            secret: "s".to_owned(),
        });
        let mut shown = before.hidden();
        assert!(!serde_json::to_string(&shown).unwrap().contains("\"s\""));
        shown.name = "other".to_owned();
        shown.keep_secrets(&mut before).unwrap();
        assert_eq!(shown.to, before.to);
        let mut moved = before.hidden();
        if let To::Webhook { url, .. } = &mut moved.to {
            *url = "https://evil/".to_owned();
        }
        assert!(moved.keep_secrets(&mut before).is_err());
    }
}
