//! Fields of class `k8smeta`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "k8smeta",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "k8smeta.pod.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the pod, from the API server" },
    FieldInfo { name: "k8smeta.pod.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Unique id of the pod, from the API server" },
    FieldInfo { name: "k8smeta.pod.label", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Process, desc: "A label of the pod by name, from the API server" },
    FieldInfo { name: "k8smeta.pod.labels", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "All labels of the pod as name:value, joined by commas, from the API server" },
    FieldInfo { name: "k8smeta.pod.ip", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Address of the pod, from the API server" },
    FieldInfo { name: "k8smeta.ns.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the pod's namespace, from the API server" },
    FieldInfo { name: "k8smeta.ns.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Unique id of the pod's namespace, from the API server" },
    FieldInfo { name: "k8smeta.ns.label", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Process, desc: "A label of the pod's namespace by name, from the API server" },
    FieldInfo { name: "k8smeta.ns.labels", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "All labels of the pod's namespace as name:value, joined by commas, from the API server" },
    FieldInfo { name: "k8smeta.deployment.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the pod's deployment, from the API server" },
    FieldInfo { name: "k8smeta.deployment.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Unique id of the pod's deployment, from the API server" },
    FieldInfo { name: "k8smeta.deployment.label", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Process, desc: "A label of the pod's deployment by name, from the API server" },
    FieldInfo { name: "k8smeta.deployment.labels", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "All labels of the pod's deployment as name:value, joined by commas, from the API server" },
    FieldInfo { name: "k8smeta.svc.name", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "Names of the services that select the pod, from the API server" },
    FieldInfo { name: "k8smeta.svc.uid", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "Unique ids of the services that select the pod, from the API server" },
    FieldInfo { name: "k8smeta.svc.label", ty: T::CharBuf, arg: A::RequiredKey, flags: G::LIST, scope: S::Process, desc: "A label of the services that select the pod by name, from the API server" },
    FieldInfo { name: "k8smeta.svc.labels", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "All labels of the services that select the pod as name:value, joined by commas, from the API server" },
    FieldInfo { name: "k8smeta.rs.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the pod's replica set, from the API server" },
    FieldInfo { name: "k8smeta.rs.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Unique id of the pod's replica set, from the API server" },
    FieldInfo { name: "k8smeta.rs.label", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Process, desc: "A label of the pod's replica set by name, from the API server" },
    FieldInfo { name: "k8smeta.rs.labels", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "All labels of the pod's replica set as name:value, joined by commas, from the API server" },
    FieldInfo { name: "k8smeta.rc.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the pod's replication controller, from the API server" },
    FieldInfo { name: "k8smeta.rc.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Unique id of the pod's replication controller, from the API server" },
    FieldInfo { name: "k8smeta.rc.label", ty: T::CharBuf, arg: A::RequiredKey, flags: G::NONE, scope: S::Process, desc: "A label of the pod's replication controller by name, from the API server" },
    FieldInfo { name: "k8smeta.rc.labels", ty: T::CharBuf, arg: A::None, flags: G::LIST, scope: S::Process, desc: "All labels of the pod's replication controller as name:value, joined by commas, from the API server" },
];
