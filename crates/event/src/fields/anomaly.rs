//! Fields of class `anomaly`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "anomaly",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "anomaly.count_min_sketch", ty: T::U64, arg: A::AllowedIndex, flags: G::NONE, scope: S::Event, desc: "Estimate of how often the behaviour of the profile given as the argument was seen" },
    FieldInfo { name: "anomaly.count_min_sketch.profile", ty: T::CharBuf, arg: A::AllowedIndex, flags: G::NONE, scope: S::Event, desc: "The behaviour that the estimate counts, for the profile given as the argument" },
    FieldInfo { name: "anomaly.falco.duration_ns", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Nanoseconds since the agent started" },
];
