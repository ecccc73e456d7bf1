//! Fields of class `gcp_audit`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "gcp_audit",
    sources: &["gcp_auditlog"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "gcp.user", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "E-mail address of the caller" },
    FieldInfo { name: "gcp.callerIP", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the caller" },
    FieldInfo { name: "gcp.userAgent", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Client, as it names itself" },
    FieldInfo { name: "gcp.authorizationInfo", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Permissions that were checked, as JSON" },
    FieldInfo { name: "gcp.serviceName", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Service that was called" },
    FieldInfo { name: "gcp.policyDelta", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Bindings that were added or removed, as JSON" },
    FieldInfo { name: "gcp.request", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Request as JSON" },
    FieldInfo { name: "gcp.methodName", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Method that was called" },
    FieldInfo { name: "gcp.cloudfunctions.function", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Cloud function" },
    FieldInfo { name: "gcp.cloudsql.databaseId", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Cloud SQL database" },
    FieldInfo { name: "gcp.compute.instanceId", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Compute instance" },
    FieldInfo { name: "gcp.compute.networkId", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Network" },
    FieldInfo { name: "gcp.compute.subnetwork", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Name of the subnetwork" },
    FieldInfo { name: "gcp.compute.subnetworkId", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Id of the subnetwork" },
    FieldInfo { name: "gcp.dns.zone", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "DNS zone" },
    FieldInfo { name: "gcp.iam.serviceAccount", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "E-mail address of the service account acted on" },
    FieldInfo { name: "gcp.iam.serviceAccountId", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Unique id of the service account acted on" },
    FieldInfo { name: "gcp.location", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Location or region, or the region of the zone" },
    FieldInfo { name: "gcp.logging.sink", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Logging sink" },
    FieldInfo { name: "gcp.projectId", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Project" },
    FieldInfo { name: "gcp.resourceName", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Full name of the resource" },
    FieldInfo { name: "gcp.resourceType", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the resource" },
    FieldInfo { name: "gcp.resourceLabels", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Labels of the resource, as JSON" },
    FieldInfo { name: "gcp.storage.bucket", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Storage bucket" },
    FieldInfo { name: "gcp.time", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Time of the record as written" },
];
