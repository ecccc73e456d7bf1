//! Fields of class `user`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "user",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "user.uid", ty: T::U32, arg: A::None, flags: G::NONE, scope: S::Process, desc: "" },
    FieldInfo { name: "user.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "" },
    FieldInfo { name: "user.homedir", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "" },
    FieldInfo { name: "user.shell", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "" },
    FieldInfo { name: "user.loginuid", ty: T::I64, arg: A::None, flags: G::NONE, scope: S::Process, desc: "" },
    FieldInfo { name: "user.loginname", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "" },
];
