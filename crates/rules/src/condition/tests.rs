//! Tests of `condition`.

use super::{Expr, Printer, TextId, parse, parse_naming};

fn printed(text: &str) -> Result<String, String> {
    parse(text, TextId::default())
        .map(|expr| Printer::print(&expr))
        .map_err(|why| why.message)
}

fn ok(text: &str, want: &str) {
    assert_eq!(printed(text).as_deref(), Ok(want), "{text}");
}

fn bad(text: &str, at: u32) {
    match parse(text, TextId::default()) {
        Ok(expr) => panic!("{text} is read as {}", Printer::print(&expr)),
        Err(why) => assert_eq!(why.at.start, at, "{text}: {}", why.message),
    }
}

#[test]
fn precedence_is_not_and_or() {
    ok("a or b and not c", "(a or (b and not c))");
    ok("(a or b) and c", "((a or b) and c)");
    ok("not not a", "a");
    ok("not not not a", "not a");
    ok("not(a or b)", "not (a or b)");
    ok("a and b and c", "(a and b and c)");
    ok("a and(b) or(c)", "((a and b) or c)");
    ok(" ((( a ))) ", "a");
}

#[test]
fn word_operators_of_the_text_family_need_a_blank_and_others_do_not() {
    ok("fd.name contains x", "fd.name contains x");
    ok("fd.name contains\n\tx", "fd.name contains x");
    bad("fd.name containsx", 8);
    bad("fd.name glob'x'", 8);
    ok("fd.name in(a,b)", "fd.name in (a, b)");
    ok("fd.name pmatch(a)", "fd.name pmatch (a)");
    ok(
        "fd.num existsand fd.num<3",
        "(fd.num exists and fd.num < 3)",
    );
    ok("fd.num>=3", "fd.num >= 3");
    ok("fd.name=a", "fd.name = a");
    ok("fd.name==a", "fd.name == a");
    ok("fd.name in list_name", "fd.name in (list_name)");
    bad("notx.y = 1 nota", 11);
    bad("a andb", 5);
    bad("a orb", 4);
}

#[test]
fn values_are_bare_or_quoted() {
    ok("fd.name = /a-b:c*?[d]", "fd.name = /a-b:c*?[d]");
    ok(r#"fd.name = "a b""#, r#"fd.name = "a b""#);
    ok(r#"fd.name = 'a "b"'"#, r#"fd.name = "a \"b\"""#);
    ok(
        r#"fd.name = "a\"b\n\t\\c\/d\ e""#,
        r#"fd.name = "a\"b\n\t\\c/d\\e""#,
    );
    ok(r#"proc.args = """#, r#"proc.args = """#);
    ok("fd.name in ()", "fd.name in ()");
    ok("fd.name in ( a , 'b c' )", r#"fd.name in (a, "b c")"#);
    bad(r#"fd.name = "a\x2f""#, 12);
    bad(r#"fd.name = 'a\"b'"#, 12);
    // An escaped backslash keeps the quote open.
    bad(r#"fd.name = "a\\""#, 10);
    bad("fd.name = 'a", 10);
    bad("fd.name in (a,)", 14);
    bad("fd.name in (a b)", 14);
    bad("fd.name = \0", 10);
}

#[test]
fn numbers_stand_behind_orderings() {
    for number in ["3", "-3", "+3.5", "1e+5", "0x1F"] {
        ok(&format!("fd.num < {number}"), &format!("fd.num < {number}"));
    }
    bad("fd.num < abc", 9);
    bad("fd.num < 10abc", 11);
}

#[test]
fn fields_take_arguments_in_brackets() {
    ok("proc.aname[2] = a", "proc.aname[2] = a");
    ok(
        "container.mount.dest[/etc] exists",
        "container.mount.dest[/etc] exists",
    );
    ok(r#"json.value["/a b"] = c"#, r#"json.value["/a b"] = c"#);
    ok(
        "evt.arg.flags contains O_CREAT",
        "evt.arg.flags contains O_CREAT",
    );
    bad("proc.aname[] = a", 11);
    bad("proc.aname[2 = a", 12);
    bad("proc.name", 9);
    bad("proc.name like a", 10);
}

#[test]
fn transformers_nest_and_compare_with_fields() {
    ok(
        "tolower(toupper( proc.name )) = val( proc.pname )",
        "tolower(toupper(proc.name)) = val(proc.pname)",
    );
    ok(
        r#"concat("a", proc.name) = join(", ", (proc.name, 'b', 3))"#,
        r#"concat("a", proc.name) = join(", ", (proc.name, "b", 3))"#,
    );
    ok(
        r#"getopt(proc.args, "ab:")[b] exists"#,
        r#"getopt(proc.args, "ab:")[b] exists"#,
    );
    ok("fd.num > len(fd.name)", "fd.num > len(fd.name)");
    ok("proc.name in val(proc.args)", "proc.name in val(proc.args)");
    bad("val(proc.name) = a", 3);
    bad("proc.name = val(basename(proc.pname))", 16);
    bad("tolower() = a", 8);
    // Without its parenthesis right behind it, the name of a transformer is a value like any other.
    ok("proc.name = tolower", "proc.name = tolower");
}

#[test]
fn modifiers_need_a_list_behind_them() {
    ok(
        "fd.name startswith anyof (/a, /b)",
        "fd.name startswith anyof (/a, /b)",
    );
    ok("fd.name != allof(a)", "fd.name != allof (a)");
    ok(
        "fd.name contains oneof names",
        "fd.name contains oneof (names)",
    );
    ok("fd.name = anyof", "fd.name = anyof");
    ok("fd.name = anyof and a", "(fd.name = anyof and a)");
}

#[test]
fn depth_is_bounded_and_nothing_is_half_read() {
    let deep = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    assert!(matches!(
        parse(&deep(200), TextId::default()),
        Ok(Expr::Macro(_))
    ));
    assert!(parse(&deep(201), TextId::default()).is_err());
    assert!(parse(&"tolower(".repeat(100_000), TextId::default()).is_err());
    assert!(parse(&"not ".repeat(100_000), TextId::default()).is_err());
    bad("", 0);
    bad("  ", 0);
    bad("a b", 2);
    bad("(a", 2);
    bad("a)", 1);
    bad("a and", 5);
    bad("a and ", 6);
    bad("= a", 0);
}

#[test]
fn names_without_a_dot_are_fields_where_the_caller_says_so() {
    let names = ["severity", "rule"];
    let read = |text: &str| parse_naming(text, TextId(0), &names).map(|expr| Printer::print(&expr));
    assert_eq!(
        read("severity >= high and not rule contains shell").as_deref(),
        Ok("(severity >= high and not rule contains shell)")
    );
    assert_eq!(read("ruler").as_deref(), Ok("ruler"));
    assert!(read("rule").is_err(), "a field alone is no condition");
    assert!(parse("severity >= high", TextId(0)).is_err());
}
