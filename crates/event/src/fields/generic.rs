//! Fields of class `evt`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "evt",
    sources: &[],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "evt.num", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Number of the event in its stream, counted from 1" },
    FieldInfo { name: "evt.time", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Time of the event in local time, hours to nanoseconds" },
    FieldInfo { name: "evt.time.s", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Time of the event in local time, hours to seconds" },
    FieldInfo { name: "evt.time.iso8601", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Date and time of the event in UTC as ISO 8601 with nanoseconds" },
    FieldInfo { name: "evt.datetime", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Date and local time of the event with nanoseconds" },
    FieldInfo { name: "evt.datetime.s", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Date and local time of the event without fractions of a second" },
    FieldInfo { name: "evt.rawtime", ty: T::AbsTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Nanoseconds between the Unix epoch and the event" },
    FieldInfo { name: "evt.rawtime.s", ty: T::AbsTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whole seconds between the Unix epoch and the event" },
    FieldInfo { name: "evt.rawtime.ns", ty: T::AbsTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Nanoseconds of the event's time beyond the whole second" },
    FieldInfo { name: "evt.reltime", ty: T::RelTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Nanoseconds since the first event of the stream" },
    FieldInfo { name: "evt.reltime.s", ty: T::RelTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whole seconds since the first event of the stream" },
    FieldInfo { name: "evt.reltime.ns", ty: T::RelTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Nanoseconds beyond the whole second since the first event of the stream" },
    FieldInfo { name: "evt.pluginname", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the plugin that gave the event, where one did" },
    FieldInfo { name: "evt.plugininfo", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "One line that sums the event up, in the words of the plugin that gave it" },
    FieldInfo { name: "evt.source", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Event source, such as syscall or k8s_audit" },
    FieldInfo { name: "evt.is_async", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True for events that were injected beside the stream" },
    FieldInfo { name: "evt.asynctype", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of an injected event's kind" },
    FieldInfo { name: "evt.hostname", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the machine, or what FALCO_HOSTNAME says" },
];
