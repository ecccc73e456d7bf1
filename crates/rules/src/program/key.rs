//! Canonical byte strings for comparisons: two comparisons with the same key are always equally true.

use vedette_event::{FieldArg, FieldRef};

use crate::typed::{Arg, Literal, Operand, Rhs};

use super::comparison::Comparison;

/// The key of a comparison.
pub(super) fn of(comparison: &Comparison) -> Vec<u8> {
    let mut key = vec![comparison.op as u8, comparison.cut.into()];
    operand(&mut key, &comparison.lhs);
    match &comparison.rhs {
        Rhs::None => key.push(0),
        Rhs::One(one) => {
            key.push(1);
            literal(&mut key, one);
        }
        Rhs::List(modifier, list) => {
            key.extend([2, modifier.map_or(0, |modifier| modifier as u8 + 1)]);
            for item in list {
                literal(&mut key, item);
            }
        }
        Rhs::Operand(other) => {
            key.push(3);
            operand(&mut key, other);
        }
    }
    key
}

/// The key of a field: what it asks, however it was written.
pub(super) fn of_field(asked: &FieldRef) -> Vec<u8> {
    let mut key = Vec::new();
    field(&mut key, asked);
    key
}

/// The key of a literal, for sorting and removing doubles.
pub(super) fn of_literal(item: &Literal) -> Vec<u8> {
    let mut key = Vec::new();
    literal(&mut key, item);
    key
}

fn field(key: &mut Vec<u8>, asked: &FieldRef) {
    key.extend(asked.id.0.to_le_bytes());
    match &asked.arg {
        FieldArg::None => key.push(0),
        FieldArg::Index(index) => {
            key.push(1);
            key.extend(index.to_le_bytes());
        }
        FieldArg::Key(text) => {
            key.push(2);
            bytes(key, text.as_bytes());
        }
    }
}

fn operand(key: &mut Vec<u8>, side: &Operand) {
    match side {
        Operand::Field(asked) => {
            key.push(0);
            field(key, asked);
        }
        Operand::Call(call) => {
            key.extend([1, call.transformer as u8, call.list.into()]);
            bytes(key, call.key.as_deref().unwrap_or_default().as_bytes());
            args(key, &call.args);
        }
    }
}

fn args(key: &mut Vec<u8>, list: &[Arg]) {
    key.extend((list.len() as u64).to_le_bytes());
    for arg in list {
        match arg {
            Arg::Operand(side) => {
                key.push(0);
                operand(key, side);
            }
            Arg::Text(text) => {
                key.push(1);
                bytes(key, text.as_bytes());
            }
            Arg::List(parts) => {
                key.push(2);
                args(key, parts);
            }
        }
    }
}

fn literal(key: &mut Vec<u8>, item: &Literal) {
    match item {
        Literal::U64(v) => {
            key.push(0);
            key.extend(v.to_le_bytes());
        }
        Literal::I64(v) => {
            key.push(1);
            key.extend(v.to_le_bytes());
        }
        Literal::Bool(v) => key.extend([2, (*v).into()]),
        Literal::F64(v) => {
            key.push(3);
            key.extend(v.to_bits().to_le_bytes());
        }
        Literal::Text(v) => {
            key.push(4);
            bytes(key, v);
        }
        Literal::Bytes(v) => {
            key.push(5);
            bytes(key, v);
        }
        Literal::Ip(v) => {
            key.push(6);
            bytes(key, v.to_string().as_bytes());
        }
        Literal::Net(v, prefix) => {
            key.extend([7, *prefix]);
            bytes(key, v.to_string().as_bytes());
        }
    }
}

/// Length first, so that keys put together never run into each other.
fn bytes(key: &mut Vec<u8>, text: &[u8]) {
    key.extend((text.len() as u64).to_le_bytes());
    key.extend_from_slice(text);
}
