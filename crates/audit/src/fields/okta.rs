//! `okta.*`: the Okta system log. Upstream's plugin reads records into a structure whose texts are empty by default, so
//! a text that a record lacks is empty here too, not missing.

use vedette_event::{Extracted, FieldRef, Value, Values};

use super::{Row, any_of, call, index, text_of};
use crate::json::{Json, Kind};
use crate::record::Record;
use crate::time::SECOND;

/// A text that is empty when the record lacks it.
macro_rules! texts {
    ($($name:literal = $path:expr;)*) => {
        &[$(call($name, |r, _, room| text_or_empty(r, &$path, room)),)*]
    };
}

pub(super) static TEXTS: &[Row] = texts! {
    "okta.evt.type" = ["eventType"];
    "okta.evt.legacytype" = ["legacyEventType"];
    "okta.severity" = ["severity"];
    "okta.message" = ["displayMessage"];
    "okta.published" = ["published"];
    "okta.actor.id" = ["actor", "id"];
    "okta.actor.Type" = ["actor", "type"];
    "okta.actor.alternateid" = ["actor", "alternateId"];
    "okta.actor.name" = ["actor", "displayName"];
    "okta.client.zone" = ["client", "zone"];
    "okta.client.ip" = ["client", "ipAddress"];
    "okta.client.device" = ["client", "device"];
    "okta.client.id" = ["client", "id"];
    "okta.client.geo.city" = ["client", "geographicalContext", "city"];
    "okta.client.geo.state" = ["client", "geographicalContext", "state"];
    "okta.client.geo.country" = ["client", "geographicalContext", "country"];
    "okta.client.geo.postalcode" = ["client", "geographicalContext", "postalCode"];
    "okta.useragent.os" = ["client", "userAgent", "os"];
    "okta.useragent.browser" = ["client", "userAgent", "browser"];
    "okta.useragent.raw" = ["client", "userAgent", "rawUserAgent"];
    "okta.result" = ["outcome", "result"];
    "okta.reason" = ["outcome", "reason"];
    "okta.transaction.id" = ["transaction", "id"];
    "okta.transaction.type" = ["transaction", "type"];
    "okta.requesturi" = ["debugContext", "debugData", "requestUri"];
    "okta.behaviors" = ["debugContext", "debugData", "behaviors"];
    "okta.logonlysecuritydata" = ["debugContext", "debugData", "logOnlySecurityData"];
    "okta.principal.id" = ["debugContext", "debugData", "originalPrincipal", "id"];
    "okta.principal.alternateid" = ["debugContext", "debugData", "originalPrincipal", "alternateId"];
    "okta.principal.type" = ["debugContext", "debugData", "originalPrincipal", "type"];
    "okta.principal.name" = ["debugContext", "debugData", "originalPrincipal", "displayName"];
    "okta.authentication.sessionid" = ["authenticationContext", "externalSessionId"];
    "okta.authentication.provider" = ["authenticationContext", "authenticationProvider"];
    "okta.authentication.credentialprovider" = ["authenticationContext", "credentialProvider"];
    "okta.security.asorg" = ["securityContext", "asOrg"];
    "okta.security.isp" = ["securityContext", "isp"];
    "okta.security.domain" = ["securityContext", "domain"];
};

pub(super) static ROWS: &[Row] = &[
    call("okta.app", app),
    // The name of the organisation is in no record; upstream takes it from the plugin's configuration.
    call("okta.org", |_, _, _| Extracted::Missing),
    call("okta.client.geo.lat", |r, _, room| {
        number_or(
            r,
            &["client", "geographicalContext", "geolocation", "lat"],
            room,
        )
    }),
    call("okta.client.geo.lon", |r, _, room| {
        number_or(
            r,
            &["client", "geographicalContext", "geolocation", "lon"],
            room,
        )
    }),
    call("okta.authentication.step", |r, _, room| {
        number_or(r, &["authenticationContext", "authenticationStep"], room)
    }),
    call("okta.security.asnumber", |r, _, _| {
        let number = r.json.path(&["securityContext", "asNumber"]);
        Extracted::One(Value::U64(
            number.and_then(Json::as_u64).unwrap_or_default(),
        ))
    }),
    call("okta.security.isproxy", |r, _, room| {
        match r.json.path(&["securityContext", "isProxy"]) {
            Some(proxy) if proxy.kind() != Kind::Null => any_of(proxy, room),
            _ => Extracted::Missing,
        }
    }),
    call("okta.target.user.id", |r, _, room| {
        target(r, "User", "id", room)
    }),
    call("okta.target.user.alternateid", |r, _, room| {
        target(r, "User", "alternateId", room)
    }),
    call("okta.target.user.name", |r, _, room| {
        target(r, "User", "displayName", room)
    }),
    call("okta.target.group.id", |r, _, room| {
        target(r, "UserGroup", "id", room)
    }),
    call("okta.target.group.alternateid", |r, _, room| {
        target(r, "UserGroup", "alternateId", room)
    }),
    call("okta.target.group.name", |r, _, room| {
        target(r, "UserGroup", "displayName", room)
    }),
    call("okta.target.app.alternateid", |r, _, room| {
        target(r, "AppInstance", "alternateId", room)
    }),
    call("okta.targets.displayName", target_names),
    call("okta.mfa.failure.countlast", recent),
    call("okta.mfa.deny.countlast", recent),
];

fn text_or_empty<'s>(record: &'s Record<'_>, keys: &[&str], room: &'s mut Values) -> Extracted<'s> {
    match record.json.path(keys).filter(|json| json.text().is_some()) {
        Some(json) => text_of(Some(json), room),
        None => Extracted::One(Value::Text(b"")),
    }
}

/// A number as text, `0` when the record lacks it.
fn number_or<'s>(record: &'s Record<'_>, keys: &[&str], room: &'s mut Values) -> Extracted<'s> {
    match record
        .json
        .path(keys)
        .filter(|json| json.kind() == Kind::Number)
    {
        Some(json) => any_of(json, room),
        None => Extracted::One(Value::Text(b"0")),
    }
}

/// The application in a request URI such as `/app/name/…`.
fn app<'s>(record: &'s Record<'_>, _: &FieldRef, _: &'s mut Values) -> Extracted<'s> {
    let uri = record
        .json
        .text_at(&["debugContext", "debugData", "requestUri"])
        .and_then(crate::json::Text::plain);
    match uri.and_then(|uri| uri.strip_prefix(b"/app/")) {
        Some(rest) => Extracted::One(Value::Text(
            rest.split(|b| *b == b'/').next().unwrap_or_default(),
        )),
        None => Extracted::Missing,
    }
}

/// A member of the last target of a type.
fn target<'s>(
    record: &'s Record<'_>,
    kind: &str,
    member: &str,
    room: &'s mut Values,
) -> Extracted<'s> {
    let targets = record.json.get("target");
    let last = targets
        .into_iter()
        .flat_map(Json::items)
        .filter(|target| target.get("type").is_some_and(|found| found.is_text(kind)))
        .last();
    match last {
        None => Extracted::Missing,
        Some(target) => match target.get(member).filter(|json| json.text().is_some()) {
            Some(value) => text_of(Some(value), room),
            None => Extracted::One(Value::Text(b"")),
        },
    }
}

/// Display names of all targets, or of the one in brackets, with commas between them.
fn target_names<'s>(
    record: &'s Record<'_>,
    field: &FieldRef,
    room: &'s mut Values,
) -> Extracted<'s> {
    let Some(targets) = record
        .json
        .get("target")
        .filter(|targets| targets.is_array())
    else {
        return Extracted::Missing;
    };
    if let Some(index) = index(field) {
        return text_of(
            targets
                .items()
                .nth(index)
                .and_then(|target| target.get("displayName")),
            room,
        );
    }
    Extracted::One(room.write_text(|out| {
        let names = targets
            .items()
            .filter_map(|target| target.get("displayName")?.text());
        for (at, name) in names.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            name.write(out);
        }
    }))
}

/// How often the second factor of this user failed, or was denied, within the last so many seconds.
fn recent<'s>(record: &'s Record<'_>, field: &FieldRef, _: &'s mut Values) -> Extracted<'s> {
    if record.mfa.is_empty() {
        return Extracted::Missing;
    }
    let span = index(field).unwrap_or_default() as u64;
    let oldest = record.ts.saturating_sub(span.saturating_mul(SECOND));
    let count = record.mfa.iter().filter(|time| **time > oldest).count();
    Extracted::One(Value::U64(count as u64))
}
