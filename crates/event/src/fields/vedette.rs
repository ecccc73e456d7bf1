//! Fields of class `vedette`: what Falco's catalogue has no word for. Its prefix keeps them apart from whatever that
//! catalogue gets.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "vedette",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "vedette.io_uring", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True when the operation was a request to io_uring and no system call was made for it" },
];
