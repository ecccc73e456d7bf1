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
    FieldInfo { name: "user.uid", ty: T::U32, arg: A::None, flags: G::NONE, scope: S::Process, desc: "User id of the process" },
    FieldInfo { name: "user.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the user" },
    FieldInfo { name: "user.homedir", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Home directory of the user" },
    FieldInfo { name: "user.shell", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Login shell of the user" },
    FieldInfo { name: "user.loginuid", ty: T::I64, arg: A::None, flags: G::NONE, scope: S::Process, desc: "User id that logged in, kept across su and sudo; -1 for none" },
    FieldInfo { name: "user.loginname", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the user who logged in" },
];
