//! Fields of class `krsi`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "krsi",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "krsi.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Path of the file that the kernel opened" },
    FieldInfo { name: "krsi.fd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Number of the descriptor" },
    FieldInfo { name: "krsi.file_index", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Index of a descriptor in an io_uring's own table" },
    FieldInfo { name: "krsi.flags", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Flags of the operation" },
    FieldInfo { name: "krsi.mode", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "File mode of the operation" },
    FieldInfo { name: "krsi.dev", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Number of the device that holds the file" },
    FieldInfo { name: "krsi.ino", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Inode number of the file" },
    FieldInfo { name: "krsi.domain", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address family of the socket" },
    FieldInfo { name: "krsi.type", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Type of the socket" },
    FieldInfo { name: "krsi.protocol", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Protocol of the socket" },
    FieldInfo { name: "krsi.iou_ret", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "What the io_uring operation returned" },
    FieldInfo { name: "krsi.res", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "What the operation returned" },
    FieldInfo { name: "krsi.target", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "What a symbolic link points to" },
    FieldInfo { name: "krsi.linkdirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Directory descriptor that a link's path starts from" },
    FieldInfo { name: "krsi.linkpath", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Path of a link that was made" },
    FieldInfo { name: "krsi.olddirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Directory descriptor that the old path starts from" },
    FieldInfo { name: "krsi.newdirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Directory descriptor that the new path starts from" },
    FieldInfo { name: "krsi.dirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Directory descriptor that the path starts from" },
    FieldInfo { name: "krsi.path", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Path of the operation" },
    FieldInfo { name: "krsi.oldpath", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Path that was renamed or linked" },
    FieldInfo { name: "krsi.newpath", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Path that it was renamed or linked to" },
    FieldInfo { name: "krsi.cip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the client" },
    FieldInfo { name: "krsi.sip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the server" },
    FieldInfo { name: "krsi.cport", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Port of the client" },
    FieldInfo { name: "krsi.sport", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Port of the server" },
];
