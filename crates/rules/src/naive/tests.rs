//! Modifiers, missing values and explanations.

use super::*;
use crate::typed::Operand;
use vedette_event::{EventType, FieldRef, StateKey, Values};

/// `proc.name` is a text; everything else is missing.
struct Source(&'static str);

impl Extract for Source {
    fn kind(&self) -> EventType {
        EventType(0)
    }
    fn num(&self) -> u64 {
        1
    }
    fn ts(&self) -> u64 {
        1
    }
    fn state_key(&self) -> Option<StateKey> {
        None
    }
    fn extract<'s>(&'s self, field: &FieldRef, _room: &'s mut Values) -> Extracted<'s> {
        match field.info().name {
            "proc.name" => Extracted::One(Value::Text(self.0.as_bytes())),
            _ => Extracted::Missing,
        }
    }
}

fn check(field: &str, op: Op, rhs: Rhs) -> Expr {
    let lhs = Operand::Field(FieldRef::parse(field).expect(field));
    Expr::Check(Check { lhs, op, rhs })
}

fn texts(list: &[&str]) -> Vec<Literal> {
    list.iter()
        .map(|text| Literal::Text(text.as_bytes().into()))
        .collect()
}

fn one(text: &str) -> Rhs {
    Rhs::One(Literal::Text(text.as_bytes().into()))
}

#[test]
fn modifiers_count_the_literals_that_fit() {
    use Modifier::{AllOf, AnyOf, OneOf};
    let holds = |op, modifier, list: &[&str]| {
        let expr = check("proc.name", op, Rhs::List(Some(modifier), texts(list)));
        Naive::default().matches(&expr, &Source("nginx"))
    };
    for (op, modifier, list, expected) in [
        (Op::StartsWith, AnyOf, &["x", "ng"][..], true),
        (Op::StartsWith, AnyOf, &["x", "y"], false),
        (Op::Contains, AllOf, &["n", "gin"], true),
        (Op::Contains, AllOf, &["n", "z"], false),
        (Op::Contains, OneOf, &["n", "z"], true),
        (Op::Contains, OneOf, &["n", "g"], false),
        (Op::Contains, OneOf, &["n", "n"], false),
        (Op::Eq, AnyOf, &["ls", "nginx"], true),
        (Op::Ne, AllOf, &["ls", "cat"], true),
        (Op::Ne, AllOf, &["ls", "nginx"], false),
        (Op::Ne, AnyOf, &["ls", "nginx"], true),
        (Op::Regex, AnyOf, &["n.*", "("], true),
        (Op::Regex, AllOf, &["n.*", "x"], false),
        (Op::Contains, AllOf, &[], false),
        (Op::Contains, AnyOf, &[], false),
        (Op::Contains, OneOf, &[], false),
        (Op::Ne, AllOf, &[], false),
    ] {
        assert_eq!(
            holds(op, modifier, list),
            expected,
            "{op} {modifier} {list:?}"
        );
    }
}

#[test]
fn a_missing_value_makes_every_comparison_false() {
    let source = Source("ls");
    let mut naive = Naive::default();
    for (op, rhs) in [
        (Op::Exists, Rhs::None),
        (Op::Eq, one("")),
        (Op::Ne, one("ls")),
        (Op::In, Rhs::List(None, texts(&["ls"]))),
        (Op::Ne, Rhs::List(Some(Modifier::AllOf), texts(&["x"]))),
    ] {
        let expr = check("proc.pname", op, rhs);
        assert!(!naive.matches(&expr, &source));
        assert!(naive.matches(&Expr::Not(Box::new(expr)), &source));
    }
    let pname = Operand::Field(FieldRef::parse("proc.pname").expect("a field"));
    assert!(!naive.matches(&check("proc.name", Op::Ne, Rhs::Operand(pname)), &source));
    assert!(naive.matches(&Expr::And(vec![]), &source));
    assert!(!naive.matches(&Expr::Or(vec![]), &source));
}

#[test]
fn explanations_show_every_clause_and_escape_what_they_saw() {
    let name = Operand::Field(FieldRef::parse("proc.name").expect("a field"));
    let expr = Expr::And(vec![
        check("proc.name", Op::In, Rhs::List(None, texts(&["ls", "a b"]))),
        Expr::Not(Box::new(check("proc.pname", Op::Eq, one("sh")))),
        Expr::Or(vec![
            check(
                "proc.name",
                Op::StartsWith,
                Rhs::List(Some(Modifier::AnyOf), texts(&["l"])),
            ),
            check("proc.name", Op::Eq, Rhs::Operand(name)),
        ]),
    ]);
    let clause = Naive::default().explain(&expr, &Source("ls\x1b[31m"));
    let expected = "\
false all of
false   proc.name in (ls, \"a b\")  [\"ls\\x1b[31m\"]
true    not
false     proc.pname = sh  [no value]
true    one of
true      proc.name startswith anyof (l)  [\"ls\\x1b[31m\"]
true      proc.name = val(proc.name)  [\"ls\\x1b[31m\" against \"ls\\x1b[31m\"]
";
    assert_eq!(clause.to_string(), expected);
}
