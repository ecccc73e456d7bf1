//! Notifications as admins set them, and the button that tries one.

use serde_json::{Value as Json, json};
use vedette_event::Severity;
use vedette_history::Change;

use super::channel::Channel;
use super::template::Message;
use super::{Notifications, settings};
use crate::audit;
use crate::auth::secret;
use crate::clock::{self, rfc3339};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{ADMIN, Gives, Route};
use crate::problem::Problem;
use crate::settings::SETTINGS;

/// Channels that there can be.
const MAX_CHANNELS: usize = 50;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/settings/notifications",
        ADMIN,
        "Channels of notifications, without their secrets",
        Gives::Json("Notifications"),
        get,
    ),
    Route::put(
        "/settings/notifications",
        ADMIN,
        "Change the channels; a secret sent as ******** stays as it is",
        Gives::Json("Notifications"),
        put,
    )
    .takes("Notifications"),
    Route::post(
        "/settings/notifications/test",
        ADMIN,
        "Send a test message over a channel, as it is kept or as it is sent here",
        Gives::Json("Tested"),
        test,
    )
    .takes("ChannelTest"),
];

fn show(call: &Call, settings: &Notifications) -> Json {
    let channels: Vec<Json> = settings
        .channels
        .iter()
        .map(|channel| {
            let mut out = json!(channel.hidden());
            let failure = call.app.notifier.last_failure(&channel.id);
            out["last_failure"] =
                json!(failure.map(|(at, why)| json!({"at": rfc3339(at), "message": why})));
            out
        })
        .collect();
    json!({"channels": channels})
}

fn get(call: &Call) -> Outcome {
    Reply::json(&show(call, &settings(&call.app)?))
}

/// Reads channels as screens send them back: what only the answer has is passed over.
fn read(mut sent: Json) -> Result<Notifications, Problem> {
    for channel in sent["channels"].as_array_mut().into_iter().flatten() {
        if let Some(channel) = channel.as_object_mut() {
            channel.remove("last_failure");
        }
    }
    serde_json::from_value(sent)
        .map_err(|error| Problem::bad(format!("the channels are not what is expected: {error}")))
}

fn put(call: &Call) -> Outcome {
    let mut wanted = read(call.json()?)?;
    let mut before = settings(&call.app)?;
    if wanted.channels.len() > MAX_CHANNELS {
        return Err(Problem::bad(format!(
            "there can be {MAX_CHANNELS} channels"
        )));
    }
    let mut seen = std::collections::HashSet::new();
    for channel in &mut wanted.channels {
        prepare(channel, &mut before)?;
        if !seen.insert(channel.id.clone()) {
            return Err(Problem::bad("two channels have the same id"));
        }
    }
    let put = Change::put(SETTINGS, "notifications", &wanted, clock::now())?;
    let hidden: Vec<Channel> = wanted.channels.iter().map(Channel::hidden).collect();
    let entry = audit::entry(
        call,
        "settings.notifications",
        "notifications",
        &json!(hidden),
    )?;
    call.app.state.apply(vec![put, entry])?;
    Reply::json(&show(call, &wanted))
}

/// Gives a new channel its id and an old one the secrets that were not sent.
fn prepare(channel: &mut Channel, before: &mut Notifications) -> Result<(), Problem> {
    if channel.id.is_empty() {
        channel.id = secret::identifier().map_err(|_| Problem::internal())?;
    }
    let wrong = |channel: &Channel, why: String| {
        Problem::bad(format!("channel `{}`: {why}", channel.name.escape_debug()))
    };
    if let Some(old) = before.channels.iter_mut().find(|old| old.id == channel.id) {
        channel
            .keep_secrets(old)
            .map_err(|why| wrong(channel, why))?;
    }
    channel.check().map_err(|why| wrong(channel, why))
}

fn test(call: &Call) -> Outcome {
    let sent: Json = call.json()?;
    let mut before = settings(&call.app)?;
    let mut channel = if let Some(id) = sent["id"].as_str().filter(|_| sent.get("to").is_none()) {
        let found = before.channels.iter().find(|channel| channel.id == id);
        found
            .cloned()
            .ok_or_else(|| Problem::missing("such channel"))?
    } else {
        let read = read(json!({"channels": [sent]}))?;
        read.channels
            .into_iter()
            .next()
            .ok_or_else(Problem::internal)?
    };
    prepare(&mut channel, &mut before)?;
    let message = Message {
        id: "0".repeat(32),
        time: rfc3339(clock::now()),
        severity: Severity::Info,
        rule: "Test of a notification".to_owned(),
        node: "vedette".to_owned(),
        place: "nowhere".to_owned(),
        text: format!("{} tried the channel {}.", call.caller.name, channel.name),
        link: call.app.config.public_url.clone(),
        count: 1,
        group: "test".to_owned(),
        fields: std::collections::BTreeMap::new(),
    };
    let outcome = channel.send(call.app.notifier.targets(), &message);
    let entry = audit::entry(
        call,
        "notifications.test",
        &channel.name,
        &json!({"ok": outcome.is_ok()}),
    )?;
    call.app.state.apply(vec![entry])?;
    Reply::json(&json!({"ok": outcome.is_ok(), "message": outcome.err()}))
}
