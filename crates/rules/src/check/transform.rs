//! Transformers: how many arguments of which types they take, and what they give.

use vedette_event::{FieldFlags, ParamType};

use super::{Checked, Checker, Problem, operand_type};
use crate::condition::{Arg, Call, transformer_name};
use crate::typed::{self, Transformer};

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Checked<typed::Call> {
        let name = transformer_name(call.transformer);
        let args: Vec<typed::Arg> = call
            .args
            .iter()
            .map(|arg| self.arg(arg))
            .collect::<Checked<_>>()?;
        for arg in &args {
            if let typed::Arg::Operand(typed::Operand::Field(field)) = arg
                && field.info().flags.has(FieldFlags::NO_TRANSFORMER)
            {
                let message = format!("{} cannot be put through a transformer", field.text);
                return Err(Box::new(Problem::new(call.at, message)));
            }
        }
        let refuse = |what: &str| {
            Err(Box::new(
                Problem::new(call.at, format!("{name}(…) does not fit its arguments"))
                    .expecting(what),
            ))
        };
        if call.key.is_some() && call.transformer != Transformer::GetOpt {
            return refuse("nothing in brackets behind it");
        }
        let kinds: Vec<(ParamType, bool)> = args.iter().map(arg_type).collect();
        let text = |at: usize| {
            kinds
                .get(at)
                .is_some_and(|(ty, list)| ty.is_text() && !list)
        };
        let texts = |at: usize| {
            kinds
                .get(at)
                .is_some_and(|(ty, list)| ty.is_text() && *list)
        };
        let (ty, list) = match (call.transformer, kinds.as_slice()) {
            (Transformer::ToLower | Transformer::ToUpper | Transformer::Basename, [(ty, list)])
                if ty.is_text() =>
            {
                (*ty, *list)
            }
            (Transformer::ToLower | Transformer::ToUpper | Transformer::Basename, _) => {
                return refuse("one text or path");
            }
            (Transformer::B64, [(ty @ (ParamType::CharBuf | ParamType::ByteBuf), list)]) => {
                (*ty, *list)
            }
            (Transformer::B64, _) => return refuse("one text or byte buffer"),
            (Transformer::Len, [(_, true)]) => (ParamType::U64, false),
            (Transformer::Len, [(ty, false)]) if ty.is_text() || *ty == ParamType::ByteBuf => {
                (ParamType::U64, false)
            }
            (Transformer::Len, _) => return refuse("one text, byte buffer or list"),
            (Transformer::Join, [_, _]) if text(0) && texts(1) => (ParamType::CharBuf, false),
            (Transformer::Join, _) => return refuse("a text to put between, and a list of texts"),
            (Transformer::Concat, [_, _, ..]) if (0..kinds.len()).all(text) => {
                (ParamType::CharBuf, false)
            }
            (Transformer::Concat, _) => return refuse("two or more texts"),
            (Transformer::GetOpt, [_, _]) if texts(0) && text(1) => {
                (ParamType::CharBuf, call.key.is_none())
            }
            (Transformer::GetOpt, _) => {
                return refuse("a list of arguments and a text that names the options");
            }
        };
        Ok(typed::Call {
            transformer: call.transformer,
            args,
            key: call.key.clone(),
            ty,
            list,
        })
    }

    fn arg(&mut self, arg: &Arg) -> Checked<typed::Arg> {
        Ok(match arg {
            Arg::Operand(operand) => typed::Arg::Operand(self.operand(operand)?),
            Arg::Value(word) => typed::Arg::Text(word.text.clone()),
            Arg::List(items, _) => typed::Arg::List(
                items
                    .iter()
                    .map(|item| self.arg(item))
                    .collect::<Checked<_>>()?,
            ),
        })
    }
}

fn arg_type(arg: &typed::Arg) -> (ParamType, bool) {
    match arg {
        typed::Arg::Operand(operand) => operand_type(operand),
        typed::Arg::Text(_) => (ParamType::CharBuf, false),
        typed::Arg::List(items) => {
            // A list literal is one of texts unless something in it is none.
            let odd = items
                .iter()
                .map(arg_type)
                .find(|(ty, list)| !ty.is_text() || *list);
            (odd.map_or(ParamType::CharBuf, |(ty, _)| ty), true)
        }
    }
}
