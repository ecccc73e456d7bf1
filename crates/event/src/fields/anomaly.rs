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
    FieldInfo { name: "anomaly.count_min_sketch", ty: T::U64, arg: A::AllowedIndex, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "anomaly.count_min_sketch.profile", ty: T::CharBuf, arg: A::AllowedIndex, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "anomaly.falco.duration_ns", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
];
