//! Fields of class `fs.path`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "fs.path",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "fs.path.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Full path that a call creates, removes, opens or changes" },
    FieldInfo { name: "fs.path.nameraw", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "The same path as the program gave it" },
    FieldInfo { name: "fs.path.source", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Full path that a call renames, links or copies from" },
    FieldInfo { name: "fs.path.sourceraw", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "The same source as the program gave it" },
    FieldInfo { name: "fs.path.target", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Full path that a call renames, links or copies to" },
    FieldInfo { name: "fs.path.targetraw", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "The same target as the program gave it" },
];
