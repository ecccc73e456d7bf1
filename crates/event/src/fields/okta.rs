//! Fields of class `okta`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "okta",
    sources: &["okta"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "okta.app", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Application, from the URI" },
    FieldInfo { name: "okta.behaviors", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Unusual behaviours that Okta noticed" },
    FieldInfo { name: "okta.org", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Organisation, which records do not carry" },
    FieldInfo { name: "okta.evt.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the event" },
    FieldInfo { name: "okta.evt.legacytype", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Old type of the event" },
    FieldInfo { name: "okta.severity", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Severity that Okta gave" },
    FieldInfo { name: "okta.message", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Text of the event" },
    FieldInfo { name: "okta.published", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Time of the event as written" },
    FieldInfo { name: "okta.logonlysecuritydata", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Risk data that Okta only logs" },
    FieldInfo { name: "okta.actor.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the actor" },
    FieldInfo { name: "okta.actor.Type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the actor" },
    FieldInfo { name: "okta.actor.alternateid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Login of the actor" },
    FieldInfo { name: "okta.actor.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the actor" },
    FieldInfo { name: "okta.client.zone", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Network zone of the client" },
    FieldInfo { name: "okta.client.ip", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the client" },
    FieldInfo { name: "okta.client.device", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Kind of device" },
    FieldInfo { name: "okta.client.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the client application" },
    FieldInfo { name: "okta.client.geo.city", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "City of the client" },
    FieldInfo { name: "okta.client.geo.state", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "State of the client" },
    FieldInfo { name: "okta.client.geo.country", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Country of the client" },
    FieldInfo { name: "okta.client.geo.postalcode", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Postal code of the client" },
    FieldInfo { name: "okta.client.geo.lat", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Latitude of the client" },
    FieldInfo { name: "okta.client.geo.lon", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Longitude of the client" },
    FieldInfo { name: "okta.useragent.os", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Operating system of the client" },
    FieldInfo { name: "okta.useragent.browser", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Browser of the client" },
    FieldInfo { name: "okta.useragent.raw", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "User agent of the client" },
    FieldInfo { name: "okta.result", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Result, such as SUCCESS" },
    FieldInfo { name: "okta.reason", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Reason of the result" },
    FieldInfo { name: "okta.transaction.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the transaction" },
    FieldInfo { name: "okta.transaction.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the transaction" },
    FieldInfo { name: "okta.requesturi", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "URI of the request" },
    FieldInfo { name: "okta.principal.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the original principal" },
    FieldInfo { name: "okta.principal.alternateid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Login of the original principal" },
    FieldInfo { name: "okta.principal.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the original principal" },
    FieldInfo { name: "okta.principal.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the original principal" },
    FieldInfo { name: "okta.authentication.step", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Step of the authentication" },
    FieldInfo { name: "okta.authentication.sessionid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the session" },
    FieldInfo { name: "okta.authentication.provider", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Authentication provider" },
    FieldInfo { name: "okta.authentication.credentialprovider", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Credential provider" },
    FieldInfo { name: "okta.security.asnumber", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Number of the client's autonomous system" },
    FieldInfo { name: "okta.security.asorg", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Owner of the client's autonomous system" },
    FieldInfo { name: "okta.security.isp", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Internet provider of the client" },
    FieldInfo { name: "okta.security.domain", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Domain of the client" },
    FieldInfo { name: "okta.security.isproxy", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whether the client comes through a known proxy" },
    FieldInfo { name: "okta.target.user.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the user acted on" },
    FieldInfo { name: "okta.target.user.alternateid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Login of the user acted on" },
    FieldInfo { name: "okta.target.user.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the user acted on" },
    FieldInfo { name: "okta.target.group.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the group acted on" },
    FieldInfo { name: "okta.target.group.alternateid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Other id of the group acted on" },
    FieldInfo { name: "okta.target.group.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the group acted on" },
    FieldInfo { name: "okta.target.app.alternateid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Application acted on" },
    FieldInfo { name: "okta.targets.displayName", ty: T::CharBuf, arg: A::AllowedIndex, flags: G::NONE, scope: S::Event, desc: "Names of all that was acted on, or of the one in brackets" },
    FieldInfo { name: "okta.mfa.failure.countlast", ty: T::U64, arg: A::RequiredIndex, flags: G::NONE, scope: S::Event, desc: "Failures of this user's second factor in the last so many seconds" },
    FieldInfo { name: "okta.mfa.deny.countlast", ty: T::U64, arg: A::RequiredIndex, flags: G::NONE, scope: S::Event, desc: "Denials of this user's push in the last so many seconds" },
];
