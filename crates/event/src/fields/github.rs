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
    FieldInfo { name: "github.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the webhook, such as push" },
    FieldInfo { name: "github.action", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "What happened, such as created" },
    FieldInfo { name: "github.user", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "User who did it" },
    FieldInfo { name: "github.repo", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the repository" },
    FieldInfo { name: "github.repo.url", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the repository" },
    FieldInfo { name: "github.repo.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the repository" },
    FieldInfo { name: "github.repo.description", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Description of the repository" },
    FieldInfo { name: "github.org", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Organisation" },
    FieldInfo { name: "github.owner", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Owner of the repository" },
    FieldInfo { name: "github.repo.public", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whether the repository is public" },
    FieldInfo { name: "github.collaborator.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Collaborator that was added or removed" },
    FieldInfo { name: "github.collaborator.role", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Role that the collaborator was given" },
    FieldInfo { name: "github.webhook.id", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the webhook" },
    FieldInfo { name: "github.webhook.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "What the webhook belongs to" },
    FieldInfo { name: "github.commit.added", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Files that were added" },
    FieldInfo { name: "github.commit.modified", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Files that were changed" },
    FieldInfo { name: "github.commit.removed", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Files that were removed" },
    FieldInfo { name: "github.diff.has_secrets", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whether a push brings secrets" },
    FieldInfo { name: "github.diff.committed_secrets.desc", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Kinds of the secrets in a push" },
    FieldInfo { name: "github.diff.committed_secrets.files", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Files with secrets in a push" },
    FieldInfo { name: "github.diff.committed_secrets.lines", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Lines of the secrets in a push" },
    FieldInfo { name: "github.diff.committed_secrets.links", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Links to the secrets in a push" },
    FieldInfo { name: "github.workflow.has_miners", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Whether the workflow that ran holds a miner" },
    FieldInfo { name: "github.workflow.miners.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Kinds of the miners in the workflow" },
    FieldInfo { name: "github.workflow.filename", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "File of the workflow that ran" },
];
