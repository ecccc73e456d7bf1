//! Fields of class `github`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "github",
    sources: &["github"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "github.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.action", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.user", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.repo", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.repo.url", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.repo.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.repo.description", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.org", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.owner", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.repo.public", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.collaborator.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.collaborator.role", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.webhook.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.webhook.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.commit.added", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.commit.modified", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.commit.removed", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.diff.has_secrets", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.diff.committed_secrets.desc", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.diff.committed_secrets.files", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.diff.committed_secrets.lines", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.diff.committed_secrets.links", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.workflow.has_miners", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.workflow.miners.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "github.workflow.filename", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
];
