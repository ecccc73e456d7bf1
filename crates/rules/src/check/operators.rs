//! Which operators fit which types, and what may stand on both sides.

use vedette_event::{FieldFlags, ParamType};

use super::{Problem, operand_type};
use crate::condition::{At, Check, op_name};
use crate::typed::{self, Op};

/// Types that compare alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Unsigned(u32),
    Signed(u32),
    Double,
    Bool,
    Text,
    Bytes,
    Address,
    Network,
    /// Nothing but `exists`.
    Opaque,
}

/// The family of a type, with the width in bits for numbers.
pub(super) fn family(ty: ParamType) -> Family {
    use ParamType as T;
    match ty {
        T::U8 | T::Flags8 | T::EnumFlags8 | T::SigType => Family::Unsigned(8),
        T::U16 | T::Flags16 | T::EnumFlags16 | T::SyscallId | T::Port => Family::Unsigned(16),
        T::U32 | T::Flags32 | T::EnumFlags32 | T::Mode | T::Uid | T::Gid => Family::Unsigned(32),
        T::U64 | T::RelTime | T::AbsTime => Family::Unsigned(64),
        T::I8 => Family::Signed(8),
        T::I16 => Family::Signed(16),
        T::I32 | T::Fd32 | T::Pid32 => Family::Signed(32),
        T::I64 | T::Errno | T::Fd | T::Pid => Family::Signed(64),
        T::Double => Family::Double,
        T::Bool => Family::Bool,
        T::CharBuf | T::FsPath | T::FsRelPath => Family::Text,
        T::ByteBuf => Family::Bytes,
        T::Ipv4Addr | T::Ipv6Addr | T::IpAddr => Family::Address,
        T::IpNet => Family::Network,
        _ => Family::Opaque,
    }
}

/// Operators that a type takes.
pub(super) fn allowed(ty: ParamType, list: bool) -> impl Iterator<Item = Op> {
    const NUMBER: &[Op] = &[
        Op::Eq,
        Op::Ne,
        Op::Lt,
        Op::Le,
        Op::Gt,
        Op::Ge,
        Op::In,
        Op::Intersects,
        Op::Exists,
    ];
    const EQUAL: &[Op] = &[Op::Eq, Op::Ne, Op::In, Op::Intersects, Op::Exists];
    const TEXT: &[Op] = &[
        Op::Eq,
        Op::Ne,
        Op::Lt,
        Op::Le,
        Op::Gt,
        Op::Ge,
        Op::Contains,
        Op::IContains,
        Op::StartsWith,
        Op::EndsWith,
        Op::Glob,
        Op::IGlob,
        Op::Regex,
        Op::PMatch,
        Op::In,
        Op::Intersects,
        Op::Exists,
    ];
    const BYTES: &[Op] = &[
        Op::Eq,
        Op::Ne,
        Op::Contains,
        Op::StartsWith,
        Op::EndsWith,
        Op::BContains,
        Op::BStartsWith,
        Op::In,
        Op::Intersects,
        Op::Exists,
    ];
    const MANY: &[Op] = &[Op::In, Op::Intersects, Op::Exists];
    let ops = if list {
        let comparable = matches!(
            ty,
            ParamType::CharBuf
                | ParamType::U64
                | ParamType::RelTime
                | ParamType::AbsTime
                | ParamType::Bool
                | ParamType::IpAddr
                | ParamType::IpNet
        );
        if comparable { MANY } else { &[Op::Exists] }
    } else {
        match family(ty) {
            Family::Unsigned(_) | Family::Signed(_) | Family::Double => NUMBER,
            Family::Bool | Family::Address | Family::Network => EQUAL,
            Family::Text => TEXT,
            Family::Bytes => BYTES,
            Family::Opaque => &[Op::Exists],
        }
    };
    ops.iter().copied()
}

/// Why an operator does not fit a type, if it does not.
pub(super) fn refusal(op: Op, ty: ParamType, list: bool) -> Option<String> {
    if op == Op::Exists || allowed(ty, list).any(|o| o == op) {
        return None;
    }
    let what = match family(ty) {
        _ if list => "a list",
        Family::Unsigned(_) | Family::Signed(_) | Family::Double => "a number",
        Family::Bool => "a boolean",
        Family::Text => "a text",
        Family::Bytes => "a byte buffer",
        Family::Address => "an address",
        Family::Network => "an address compared with networks",
        Family::Opaque => "a value that cannot be compared",
    };
    Some(format!(
        "the operator '{}' does not fit: the left side is {what}",
        op_name(op)
    ))
}

/// Checks a field or transformer on the right.
pub(super) fn right_side(
    check: &Check,
    lhs: &typed::Operand,
    rhs: &typed::Operand,
    at: At,
) -> Result<(), Box<Problem>> {
    let refuse = |message: String| Err(Box::new(Problem::new(at, message)));
    if matches!(check.op, Op::PMatch | Op::Regex) {
        return refuse(format!(
            "'{}' takes no field on the right",
            op_name(check.op)
        ));
    }
    let ((lhs_ty, lhs_list), (rhs_ty, rhs_list)) = (operand_type(lhs), operand_type(rhs));
    if lhs_ty == ParamType::IpNet {
        return refuse("a field that is compared with networks takes no field on the right".into());
    }
    for (operand, side) in [(lhs, "left"), (rhs, "right")] {
        if let Some(name) = refuses_fields(operand) {
            return refuse(format!(
                "{name}, on the {side}, cannot be compared with another field"
            ));
        }
    }
    if (lhs_ty, lhs_list) != (rhs_ty, rhs_list) {
        let name = |ty: ParamType, list: bool| format!("{ty:?}{}", if list { " list" } else { "" });
        return refuse(format!(
            "the two sides have different types: {} and {}",
            name(lhs_ty, lhs_list),
            name(rhs_ty, rhs_list)
        ));
    }
    Ok(())
}

/// The field under an operand that may not be compared with fields, if it is one.
fn refuses_fields(operand: &typed::Operand) -> Option<&'static str> {
    match operand {
        typed::Operand::Field(field) => field
            .info()
            .flags
            .has(FieldFlags::NO_RHS)
            .then_some(field.info().name),
        typed::Operand::Call(call) => call.args.iter().find_map(|arg| match arg {
            typed::Arg::Operand(operand) => refuses_fields(operand),
            _ => None,
        }),
    }
}
