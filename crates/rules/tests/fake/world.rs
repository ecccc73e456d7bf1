//! Random rule sets that share parts, and random facts that often decide them.

use std::collections::BTreeSet;

use vedette_event::{EventType, FieldRef, ParamType, Priority, Scope};
use vedette_rules::typed::{
    Arg, Call, Check, Expr, Literal, Modifier, Op, Operand, Rhs, Rule, Transformer,
};

use super::{Dice, Facts, Given, Own, field};

const FIELDS: &[&str] = &[
    "evt.type",
    "evt.type",
    "evt.num",
    "proc.name",
    "proc.pname",
    "proc.cmdline",
    "proc.aname",
    "proc.pid",
    "user.uid",
    "proc.is_exe_upper_layer",
    "container.id",
    "fd.name",
    "fd.name",
    "fd.name",
    "fd.directory",
    "evt.arg.path",
    "evt.arg.flags",
    "fd.num",
    "evt.rawres",
    "evt.is_open_write",
    "fd.ip",
    "fd.net",
    "fd.port",
    "fd.sip",
    "fd.snet",
    "evt.buffer",
    "ka.user.groups",
    "thread.cpu",
];

const TEXTS: &[&[u8]] = &[
    b"",
    b"/",
    b"/etc",
    b"/etc/passwd",
    b"/etc/shadow",
    b"/etcetera",
    b"/usr/bin/ls",
    b"/usr/lib/libc.so",
    b"ls",
    b"LS",
    b"bash",
    b"sh",
    b"passwd",
    b"etc/passwd",
    b"/tmp//x",
    b"/tmp/a1/very/long/path/that/fits/no/small/table",
    b"aGVsbG8=",
    b"ls\0x",
    b"ls\0",
    b"caf\xe9",
    b"O_RDONLY|O_CREAT",
];

const PATTERNS: &[&[u8]] = &[
    b"/etc/*",
    b"*s*",
    b"l?",
    b"[a-z]*",
    b"/usr/*/l*",
    b"/tmp/*/very",
];
const REGEXES: &[&[u8]] = &[b"[a-z]+", b"/etc/.*", b"^ls$", b"(a|b).*h", b"("];
const IPS: &[&str] = &["127.0.0.1", "10.0.0.7", "10.1.0.7", "::1", "fd00::7"];

pub(crate) struct World {
    pub(crate) dice: Dice,
    fields: Vec<FieldRef>,
    pub(crate) kinds: Vec<EventType>,
    shared: Vec<Expr>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let kinds = [
            "SYSCALL_OPENAT_2_X",
            "SYSCALL_CLOSE_X",
            "SYSCALL_EXECVE_19_X",
            "GENERIC_X",
        ];
        let mut world = Self {
            dice: Dice::new(seed),
            fields: FIELDS.iter().map(|name| field(name)).collect(),
            kinds: kinds
                .iter()
                .filter_map(|symbol| EventType::by_symbol(symbol))
                .collect(),
            shared: Vec::new(),
        };
        assert_eq!(world.kinds.len(), kinds.len());
        for _ in 0..6 {
            let expr = world.expr(2);
            world.shared.push(expr);
        }
        world
    }

    pub(crate) fn rule(&mut self) -> Rule {
        let condition = self.expr(4);
        let mut kinds: Vec<_> = self
            .kinds
            .clone()
            .into_iter()
            .filter(|_| !self.dice.one_in(4))
            .collect();
        if self.dice.one_in(8) {
            kinds = EventType::all().collect();
        }
        Rule {
            name: String::new(),
            desc: String::new(),
            priority: Priority::Notice,
            source: "syscall".into(),
            tags: BTreeSet::new(),
            condition,
            kinds,
            output: String::new(),
            capture: false,
            capture_duration: 0,
        }
    }

    fn expr(&mut self, depth: usize) -> Expr {
        if !self.shared.is_empty() && self.dice.one_in(4) {
            return self.dice.pick(&self.shared).clone();
        }
        if depth == 0 || self.dice.one_in(5) {
            return Expr::Check(self.check());
        }
        let parts = self.dice.below(5);
        match self.dice.below(5) {
            0 => Expr::Not(Box::new(self.expr(depth - 1))),
            1 | 2 => Expr::And((0..parts).map(|_| self.expr(depth - 1)).collect()),
            _ => Expr::Or((0..parts).map(|_| self.expr(depth - 1)).collect()),
        }
    }

    fn check(&mut self) -> Check {
        let lhs = self.operand();
        let (ty, list) = lhs.ty();
        let op = self.op(ty, list);
        let rhs = match op {
            Op::Exists => Rhs::None,
            Op::In | Op::Intersects | Op::PMatch => self.list(ty, op, None),
            _ if self.dice.one_in(4) && !list => {
                let modifier =
                    *self
                        .dice
                        .pick(&[Modifier::OneOf, Modifier::AnyOf, Modifier::AllOf]);
                self.list(ty, op, Some(modifier))
            }
            Op::Regex => Rhs::One(self.literal(ty, op)),
            _ if self.dice.one_in(6) => Rhs::Operand(self.operand()),
            _ => Rhs::One(self.literal(ty, op)),
        };
        Check { lhs, op, rhs }
    }

    fn list(&mut self, ty: ParamType, op: Op, modifier: Option<Modifier>) -> Rhs {
        let length = self.dice.below(6);
        Rhs::List(
            modifier,
            (0..length).map(|_| self.literal(ty, op)).collect(),
        )
    }

    fn operand(&mut self) -> Operand {
        let field = self.dice.pick(&self.fields).clone();
        if self.dice.one_in(6) {
            self.call(&field)
        } else {
            Operand::Field(field)
        }
    }

    fn call(&mut self, field: &FieldRef) -> Operand {
        let inner = Operand::Field(field.clone());
        let (ty, list) = inner.ty();
        let one = vec![Arg::Operand(inner)];
        let other = Arg::Operand(Operand::Field(self.dice.pick(&self.fields).clone()));
        let words = Arg::List(vec![
            other.clone(),
            Arg::Text("-b".into()),
            Arg::Text("x".into()),
        ]);
        let (transformer, args, key, ty, list): (_, _, Option<Box<str>>, _, _) =
            match self.dice.below(9) {
                0 => (Transformer::ToLower, one, None, ty, list),
                1 => (Transformer::ToUpper, one, None, ty, list),
                2 => (Transformer::B64, one, None, ty, list),
                3 => (Transformer::Basename, one, None, ty, list),
                4 => (Transformer::Len, one, None, ParamType::U64, false),
                5 => {
                    let args = vec![Arg::Text("-".into()), words];
                    (Transformer::Join, args, None, ParamType::CharBuf, false)
                }
                6 => {
                    let args = vec![one[0].clone(), other];
                    (Transformer::Concat, args, None, ParamType::CharBuf, false)
                }
                7 => {
                    let args = vec![words, Arg::Text("lsb:".into())];
                    (Transformer::GetOpt, args, None, ParamType::CharBuf, true)
                }
                _ => {
                    let args = vec![words, Arg::Text("lsb:".into())];
                    (
                        Transformer::GetOpt,
                        args,
                        Some("b".into()),
                        ParamType::CharBuf,
                        false,
                    )
                }
            };
        Operand::Call(Call {
            transformer,
            args,
            key,
            ty,
            list,
        })
    }

    fn op(&mut self, ty: ParamType, list: bool) -> Op {
        const NUMBER: &[Op] = &[
            Op::Exists,
            Op::Eq,
            Op::Ne,
            Op::Lt,
            Op::Le,
            Op::Gt,
            Op::Ge,
            Op::In,
            Op::Intersects,
        ];
        const TEXT: &[Op] = &[
            Op::Eq,
            Op::Eq,
            Op::Contains,
            Op::IContains,
            Op::StartsWith,
            Op::StartsWith,
            Op::EndsWith,
            Op::Glob,
            Op::IGlob,
            Op::Regex,
            Op::PMatch,
            Op::BContains,
        ];
        if list {
            return *self.dice.pick(&[Op::Exists, Op::In, Op::Intersects]);
        }
        // One in thirty is an operator that does not fit the type: false on both sides, never a crash.
        if (ty.is_text() || ty == ParamType::ByteBuf || self.dice.one_in(30))
            && !self.dice.one_in(3)
        {
            *self.dice.pick(TEXT)
        } else {
            *self.dice.pick(NUMBER)
        }
    }

    fn literal(&mut self, ty: ParamType, op: Op) -> Literal {
        if self.dice.one_in(40) {
            return Literal::Text(b"7"[..].into());
        }
        match ty {
            ParamType::Bool => Literal::Bool(self.dice.one_in(2)),
            ParamType::Double => Literal::F64(self.dice.below(4) as f64),
            ParamType::IpAddr => Literal::Ip(self.dice.pick(IPS).parse().expect("an address")),
            ParamType::IpNet => {
                let ip = self.dice.pick(IPS).parse().expect("an address");
                Literal::Net(ip, *self.dice.pick(&[1, 7, 8, 16, 24, 32]))
            }
            ParamType::ByteBuf => Literal::Bytes((*self.text()).into()),
            ParamType::CharBuf if op == Op::Regex => {
                Literal::Text((*self.dice.pick(REGEXES)).into())
            }
            ParamType::CharBuf if matches!(op, Op::Glob | Op::IGlob | Op::PMatch) => {
                Literal::Text((*self.dice.pick(PATTERNS)).into())
            }
            ParamType::CharBuf if self.dice.one_in(6) => {
                let kind = *self.dice.pick(&self.kinds);
                Literal::Text(kind.name().as_bytes().into())
            }
            ty if ty.is_text() => loop {
                // The language refuses NULs in literals.
                let text = *self.text();
                if !text.contains(&0) {
                    break Literal::Text(text.into());
                }
            },
            ParamType::I64 | ParamType::I32 | ParamType::Errno | ParamType::Fd => {
                Literal::I64(self.dice.below(5) as i64 - 2)
            }
            _ => Literal::U64(self.dice.below(5) as u64),
        }
    }

    fn text(&mut self) -> &'static &'static [u8] {
        self.dice.pick(TEXTS)
    }

    pub(crate) fn facts(&mut self, scope: Scope) -> Facts {
        let mut facts = Facts::new();
        for field in self.fields.clone() {
            let info = field.info();
            if info.scope != scope
                || matches!(info.name, "evt.type" | "evt.num")
                || self.dice.one_in(5)
            {
                continue;
            }
            let several = matches!(info.name, "proc.aname" | "fd.ip" | "fd.net" | "fd.port")
                || Operand::Field(field.clone()).ty().1;
            let given = if several {
                let length = self.dice.below(4);
                Given::Many((0..length).map(|_| self.own(info.ty)).collect())
            } else {
                Given::One(self.own(info.ty))
            };
            facts.push((field, given));
        }
        facts
    }

    fn own(&mut self, ty: ParamType) -> Own {
        match ty {
            // A source that gives something else than it says must not upset anything either.
            _ if self.dice.one_in(50) => Own::U64(self.dice.below(5) as u64),
            ParamType::Bool => Own::Bool(self.dice.one_in(2)),
            ParamType::Double => Own::F64(self.dice.below(8) as f64 / 2.0),
            ParamType::IpAddr | ParamType::IpNet => {
                Own::Ip(self.dice.pick(IPS).parse().expect("an address"))
            }
            ParamType::ByteBuf => Own::Bytes((*self.text()).into()),
            ty if ty.is_text() => Own::Text((*self.text()).into()),
            ParamType::I64 | ParamType::I32 | ParamType::Errno | ParamType::Fd => {
                Own::I64(self.dice.below(5) as i64 - 2)
            }
            _ => Own::U64(self.dice.below(5) as u64),
        }
    }
}
