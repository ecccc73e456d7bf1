//! Fields of class `json`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "json",
    sources: &[
        "k8s_audit",
        "aws_cloudtrail",
        "gcp_auditlog",
        "okta",
        "github",
        "json",
    ],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "json.value", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Event, desc: "Value at the JSON pointer in brackets" },
    FieldInfo { name: "json.obj", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whole record as indented JSON" },
    FieldInfo { name: "json.rawtime", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Time of the record in nanoseconds since 1970" },
    FieldInfo { name: "jevt.value", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Event, desc: "Value at the JSON pointer in brackets" },
    FieldInfo { name: "jevt.obj", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whole record as indented JSON" },
    FieldInfo { name: "jevt.rawtime", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Time of the record in nanoseconds since 1970" },
];
